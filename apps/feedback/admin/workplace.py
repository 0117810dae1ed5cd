"""What makes the queue a workplace: live counters, kept views, one-click correction, promises, case files."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.core.numbers import whole_number
from apps.feedback.admin.forms import LocalDateTime, box
from apps.feedback.choices import Emotion, Kind, Sentiment, Tier
from apps.feedback.models import Category, Feedback, Promise, SavedView
from apps.feedback.selectors import queue as queue_selector
from apps.feedback.selectors.dossier import Wanted
from apps.feedback.services import moves, promises
from apps.feedback.services import views as view_service
from apps.feedback.services.dossier import hand_out
from apps.feedback.transitions import PROMISE
from apps.shop.models import Team

WORK = "feedback.work_feedback"


class PromiseForm(forms.Form):
    """What and by when."""

    what = forms.CharField(
        label=gettext_lazy("What was promised"), max_length=200, widget=UnfoldAdminTextInputWidget
    )
    due_at = forms.DateTimeField(label=gettext_lazy("By when"), widget=LocalDateTime)


class PromiseEndForm(forms.Form):
    """Why a promise is not needed any more."""

    reason = forms.CharField(label=gettext_lazy("Reason"), widget=box(), max_length=500)


class DossierForm(forms.Form):
    """What the case file is for."""

    PURPOSES = (
        ("platform", gettext_lazy("for the platform (dispute, appeal)")),
        ("authority", gettext_lazy("for an authority or a consumer body")),
        ("court", gettext_lazy("for a court or a lawyer")),
        ("own", gettext_lazy("for our own records")),
    )
    purpose = forms.ChoiceField(
        label=gettext_lazy("What for"), choices=PURPOSES, widget=UnfoldAdminSelectWidget
    )
    recipient = forms.CharField(
        label=gettext_lazy("Who gets it"), max_length=100, required=False, widget=UnfoldAdminTextInputWidget
    )
    pictures = forms.BooleanField(
        label=gettext_lazy("Put the pictures into the file"), required=False, initial=True
    )
    notes = forms.BooleanField(label=gettext_lazy("With internal notes"), required=False)
    whole = forms.BooleanField(
        label=gettext_lazy("Personal data whole"),
        required=False,
        help_text=gettext_lazy("Otherwise names, phones and order numbers are masked. Needs a reason."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        widget=box(2),
        max_length=300,
        required=False,
        help_text=gettext_lazy("Kept with your name and the time."),
    )

    def __init__(self, *args: Any, may_unmask: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_unmask:
            del self.fields["whole"]

    def clean(self) -> dict[str, Any]:
        """Whole data without a reason is refused (PIPL 51)."""
        data = super().clean() or {}
        if data.get("whole") and len((data.get("reason") or "").strip()) < 2:
            self.add_error("reason", _("Say why you need to see this; the reason is kept."))
        return data


def category_values(code: str) -> dict[str, Any]:
    """The values of a correction by a category's code; empty for a code nobody knows."""
    node = Category.objects.filter(code=code, is_active=True).select_related("parent").first()
    if node is None:
        return {}
    return (
        {"category": node.parent, "subcategory": node}
        if node.parent_id
        else {"category": node, "subcategory": None}
    )


def correction_values(data: Any) -> dict[str, Any]:
    """What a one-click or bulk correction asks for; unknown values are left out."""
    values: dict[str, Any] = {}
    for name, choices in (("tier", Tier), ("sentiment", Sentiment), ("kind", Kind), ("emotion", Emotion)):
        if data.get(name) in choices.values:
            values[name] = data[name]
    if data.get("category"):
        values |= category_values(str(data["category"]))
    return values


class WorkplaceViews:
    """Mixed into the feedback admin; every view names its permission and starts from `visible_to`."""

    admin_site: Any
    opts: Any
    get_queryset: Any
    has_view_permission: Any
    _case: Any

    def workplace_urls(self) -> list[Any]:
        """Their addresses."""
        view = self.admin_site.admin_view
        post = require_POST
        return [
            path("pulse/", view(self.pulse_view), name="feedback_feedback_pulse"),
            path("next/<int:pk>/", view(self.next_view), name="feedback_feedback_next"),
            path("views/save/", view(post(self.save_view)), name="feedback_feedback_save_view"),
            path("views/<int:pk>/delete/", view(post(self.drop_view)), name="feedback_feedback_delete_view"),
            path("<int:pk>/quick/", view(post(self.quick_view)), name="feedback_feedback_quick"),
            path("<int:pk>/promise/", view(self.promise_view), name="feedback_feedback_promise"),
            path(
                "promise/<int:pk>/<slug:verb>/",
                view(self.promise_end_view),
                name="feedback_feedback_promise_end",
            ),
            path("<int:pk>/dossier/", view(self.dossier_view), name="feedback_feedback_dossier"),
        ]

    # ── Queue ──────────────────────────────────────────────────────────────────────────────────────────────
    def pulse_view(self, request: HttpRequest) -> JsonResponse:
        """What is new since the page was drawn, as JSON. Asked every few seconds by open pages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        beat = queue_selector.pulse(
            user=request.user,  # type: ignore[arg-type]
            params={key: value for key, value in request.GET.items() if len(value) <= 200},
            since=whole_number(request.GET.get("since", "")) or 0,
            now=timezone.now(),
        )
        count = min(beat.new, 99)
        text = (
            _("99+ new feedback: show")
            if beat.new > 99
            else ngettext("%(count)d new feedback: show", "%(count)d new feedback: show", count)
            % {"count": count}
        )
        response = JsonResponse(
            {
                "new": beat.new,
                "text": text,
                "counts": beat.counts,
                "alarms": [
                    alarm | {"url": reverse("admin:feedback_feedback_change", args=[alarm["id"]])}
                    for alarm in beat.alarms
                ],
            }
        )
        response["Cache-Control"] = "no-store"
        return response

    def next_view(self, request: HttpRequest, pk: int) -> HttpResponseRedirect:
        """To the case that follows this one in the list the person came from."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        params = dict(parse_qsl(request.session.get("queue", "")))
        found = queue_selector.neighbour(
            user=request.user,  # type: ignore[arg-type]
            params=params,
            after=pk,
            now=timezone.now(),
        )
        if found is None or found == pk:
            messages.info(request, _("This was the last one of the list."))
            return self._to_queue(request)
        return redirect("admin:feedback_feedback_change", found)

    def _to_queue(self, request: HttpRequest) -> HttpResponseRedirect:
        query = request.session.get("queue", "")
        url = reverse("admin:feedback_feedback_changelist")
        return HttpResponseRedirect(f"{url}?{query}" if query else url)

    def save_view(self, request: HttpRequest) -> HttpResponseRedirect:
        """Keep the present filters under a name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        team = None
        if request.POST.get("team"):
            team = Team.objects.filter(code=request.POST["team"]).first()
            if team is None:
                raise Http404
        try:
            view = view_service.save_view(
                name=request.POST.get("name", ""),
                params=dict(parse_qsl(request.POST.get("query", "")[:2000])),
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
                team=team,
            )
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("The view “%(name)s” is kept.") % {"name": view.name})
        return self._to_queue(request)

    def drop_view(self, request: HttpRequest, pk: int) -> HttpResponseRedirect:
        """Take a kept view away; the feedback in it stays."""
        view = get_object_or_404(SavedView, pk=pk)
        try:
            view_service.delete_view(view=view, by=request.user)  # type: ignore[arg-type]
        except DomainError as error:
            raise PermissionDenied(str(error.message)) from error
        messages.success(
            request, _("The view “%(name)s” is gone; its feedback is still there.") % {"name": view.name}
        )
        return self._to_queue(request)

    def quick_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One click puts one thing of the reading right, or confirms it; kept as training data (R17)."""
        if not request.user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        values = correction_values(request.POST)
        if not values and "confirm" not in request.POST:
            messages.warning(request, _("Choose what is right."))
            return self.back_to(request, feedback)
        try:
            log = moves.correct(feedback=feedback, values=values, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            if log is None:
                messages.info(request, _("%(number)s: it was read so already.") % {"number": feedback.number})
            else:
                self.offer_undo(
                    request, log.pk, _("%(number)s: the reading is put right.") % {"number": feedback.number}
                )
        return self.back_to(request, feedback)

    def offer_undo(self, request: HttpRequest, log_id: int, text: str) -> None:
        """Shown with an undo button on the next page."""
        request.session["just_done"] = {"log": log_id, "text": text}

    def back_to(self, request: HttpRequest, feedback: Feedback) -> HttpResponseRedirect:
        """Where the person came from: the queue as it was filtered, or the case."""
        if "queue" in (request.POST.get("back"), request.GET.get("back")):
            return self._to_queue(request)
        return redirect("admin:feedback_feedback_change", feedback.pk)

    # ── Promises ───────────────────────────────────────────────────────────────────────────────────────────
    def promise_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write a promise down."""
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        form = PromiseForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                promises.make(
                    feedback=feedback,
                    what=form.cleaned_data["what"],
                    due_at=form.cleaned_data["due_at"],
                    by=user,
                    now=timezone.now(),
                )
            except DomainError as error:
                name = str(error.params.get("field", ""))
                form.add_error(name if name in form.fields else None, str(error.message))
            else:
                messages.success(
                    request, _("The promise is noted; you will be reminded half an hour before.")
                )
                return redirect("admin:feedback_feedback_change", feedback.pk)
        return self._ask(
            request, feedback, form, _("Promise to the customer"), _("Note the promise"),
            _("What was promised and by when. It shows on the home page, and reminds you half an hour before."),
        )  # fmt: skip

    def promise_end_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Kept (one click), or called off with a reason."""
        user: User = request.user  # type: ignore[assignment]
        move = PROMISE.get(verb)
        if move is None or verb not in ("keep", "cancel"):
            raise Http404
        if not user.has_perm(move.permission):
            raise PermissionDenied
        promise = get_object_or_404(Promise.objects.select_related("feedback"), pk=pk)
        feedback = self._case(request, promise.feedback_id)
        form = PromiseEndForm(request.POST or None)
        if request.method == "POST" and (verb == "keep" or form.is_valid()):
            try:
                if verb == "keep":
                    promises.keep(promise=promise, by=user, now=timezone.now())
                else:
                    promises.cancel(
                        promise=promise, by=user, now=timezone.now(), reason=form.cleaned_data["reason"]
                    )
            except DomainError as error:
                messages.error(request, str(error.message))
            else:
                messages.success(request, _("Done: %(what)s") % {"what": promise.what})
            return redirect("admin:feedback_feedback_change", feedback.pk)
        if verb == "keep":
            return redirect("admin:feedback_feedback_change", feedback.pk)
        return self._ask(request, feedback, form, move.label, move.label, promise.what)

    def _ask(
        self,
        request: HttpRequest,
        feedback: Feedback,
        form: forms.Form,
        title: Any,
        button: Any,
        help_text: Any,
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "original": feedback,
            "case": feedback,
            "form": form,
            "button": button,
            "help_text": help_text,
        }
        return TemplateResponse(
            request,
            "admin/feedback/feedback/ask.html",
            context,
            status=422 if request.method == "POST" else 200,
        )

    # ── Case file ──────────────────────────────────────────────────────────────────────────────────────────
    def dossier_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole case as one file that opens anywhere and prints to PDF; masked unless asked otherwise."""
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        form = DossierForm(request.POST or None, may_unmask=user.has_perm("customers.unmask_customer"))
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            wanted = Wanted(
                purpose=str(dict(DossierForm.PURPOSES)[data["purpose"]]),
                recipient=data["recipient"],
                whole=bool(data.get("whole")),
                notes=data["notes"],
                pictures=data["pictures"],
            )
            try:
                document, digest = hand_out(
                    feedback=feedback,
                    wanted=wanted,
                    reason=data["reason"],
                    draw=lambda context: render_to_string(
                        "feedback/dossier.html",
                        context | {"by": user, "site_title": self.admin_site.site_title},
                    ),
                    by=user,
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error(None, str(error.message))
            else:
                response = HttpResponse(document, content_type="text/html; charset=utf-8")
                response["Content-Disposition"] = f'attachment; filename="{feedback.number}-dossier.html"'
                response["Cache-Control"] = "no-store"
                response["X-Document-SHA256"] = digest
                return response
        return self._ask(
            request, feedback, form, _("Case file"), _("Make the case file"),
            _("One file with the text, the conversation, every step and its time, and the pictures with their "
              "SHA-256. It opens in every browser and prints to PDF."),
        )  # fmt: skip
