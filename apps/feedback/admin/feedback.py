"""The queue and the page of a case. Status is never a form field: moves are buttons with a confirm page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from apps.compliance.services import verdicts
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, User
from apps.core.numbers import whole_number, whole_numbers
from apps.core.transitions import Move
from apps.feedback.admin import forms
from apps.feedback.admin.conversation import ConversationViews
from apps.feedback.admin.workplace import WorkplaceViews, correction_values
from apps.feedback.choices import Sentiment, Tier
from apps.feedback.models import Feedback
from apps.feedback.registries import case_panels
from apps.feedback.selectors import case as case_selector
from apps.feedback.selectors.home import able
from apps.feedback.selectors.queue import queue_page
from apps.feedback.selectors.reference import reference
from apps.feedback.selectors.search import without_phone
from apps.feedback.services import moves, notices_out
from apps.feedback.services.new_feedback import take_from_form
from apps.feedback.services.replies import subject_key
from apps.feedback.services.telling import address
from apps.feedback.transitions import FEEDBACK
from apps.shop.models import Team

FORMS: dict[str, type[forms.MoveForm]] = {
    "claim": forms.PlainMove,
    "resume": forms.PlainMove,
    "assign": forms.AssignForm,
    "record_contact": forms.ContactForm,
    "give_plan": forms.SaidForm,
    "give_progress": forms.SaidForm,
    "wait": forms.WaitForm,
    "resolve": forms.ResolveForm,
    "merge": forms.MergeForm,
    "note": forms.NoteForm,
    "correct": forms.CorrectForm,
}
# Buttons in the order of the day; notes and corrections have their own places on the page.
BUTTONS = (
    "claim",
    "record_contact",
    "give_plan",
    "give_progress",
    "resolve",
    "resume",
    "wait",
    "assign",
    "close",
    "reopen",
    "escalate",
    "merge",
    "unmerge",
    "dismiss",
)
BULK = ("claim", "assign", "correct", "close", "dismiss")


def perform(verb: str, feedback: Feedback, data: dict[str, Any], form: Any, by: User) -> Any:
    """Call the service behind a verb with what its form asked."""
    now = timezone.now()
    common: dict[str, Any] = {"feedback": feedback, "by": by, "now": now}
    reason = data.get("reason", "")
    calls: dict[str, Callable[[], Any]] = {
        "claim": lambda: moves.claim(**common),
        "assign": lambda: moves.assign(**common, to=data["assignee"], reason=reason),
        "record_contact": lambda: moves.record_contact(
            **common, how=data["how"], said=data["said"], at=data.get("at")
        ),
        "give_plan": lambda: moves.give_plan(**common, said=data["said"]),
        "give_progress": lambda: moves.give_progress(**common, said=data["said"]),
        "wait": lambda: moves.wait(**common, why=data["why"], until=data.get("until"), reason=reason),
        "resume": lambda: moves.resume(**common),
        "resolve": lambda: resolve(feedback, reason, data, by, now),
        "close": lambda: moves.close(**common, reason=reason),
        "reopen": lambda: moves.reopen(**common, reason=reason),
        "dismiss": lambda: moves.dismiss(**common, reason=reason),
        "escalate": lambda: moves.escalate(**common, reason=reason),
        "merge": lambda: moves.merge(**common, into=data["into"], reason=reason),
        "unmerge": lambda: moves.unmerge(**common, reason=reason),
        "note": lambda: moves.add_note(feedback=feedback, text=data["text"], by=by, now=now),
        "correct": lambda: moves.correct(
            feedback=feedback, values=form.values() if form is not None else data["values"], by=by, now=now
        ),
    }
    return calls[verb]()


def resolve(feedback: Feedback, reason: str, data: dict[str, Any], by: User, now: datetime) -> Any:
    """Resolve, and tell the customer where that was asked; a notice that is refused takes the resolving back."""
    try:
        with transaction.atomic():
            done = moves.resolve(feedback=feedback, by=by, now=now, reason=reason)
            if data.get("tell"):
                notices_out.send_result(
                    feedback=feedback, channel=data["tell"], text=data["notice"], by=by, now=now
                )
    except verdicts.Unlawful as error:
        # Kept after what was taken back: what a rule stopped stays known.
        verdicts.keep(
            findings=error.params["findings"],
            text=data["notice"],
            facts=error.params["facts"],
            by=by,
            now=now,
            subject_key=subject_key(feedback.pk),
            url=address(feedback.pk),
        )
        raise
    return done


@admin.register(Feedback)
class FeedbackAdmin(ConversationViews, WorkplaceViews, ModelAdmin):
    """Queue, case page, moves, new feedback."""

    search_fields = ("id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Only what this person may see."""
        return Feedback.objects.visible_to(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What customers said is never deleted."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no raw change form; moves ask for their own permission."""
        return False

    def get_urls(self) -> list[Any]:
        """The admin's addresses plus the moves."""
        view = self.admin_site.admin_view
        return [
            *self.workplace_urls(),
            *self.conversation_urls(),
            path("bulk/<slug:verb>/", view(self.bulk_view), name="feedback_feedback_bulk"),
            path("undo/<int:log_id>/", view(require_POST(self.undo_view)), name="feedback_feedback_undo"),
            path("<int:pk>/move/<slug:verb>/", view(self.move_view), name="feedback_feedback_move"),
            path("<int:pk>/file/<int:file_id>/", view(self.file_view), name="feedback_feedback_file"),
            *super().get_urls(),
        ]

    # ── Queue ──────────────────────────────────────────────────────────────────────────────────────────────
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The queue."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        if (asked := request.GET.get("q", "")) != (kept := without_phone(asked)):
            # Neither the address bar, nor a saved view, nor a log holds the number from here on.
            query = request.GET.copy()
            query["q"] = kept
            return redirect(f"{request.path}?{query.urlencode()}")
        params = {key: value for key, value in request.GET.items() if len(value) <= 200}
        if not params.get("q") and params.get("kept", "").startswith("~"):
            params["q"] = params["kept"]
        queue = queue_page(user=request.user, params=params, now=now)  # type: ignore[arg-type]
        can_work = request.user.has_perm("feedback.work_feedback")
        can_assign = request.user.has_perm("feedback.assign_feedback")
        for row in queue.rows:
            words = [
                row.snippet[start:end]
                for start, end, role, _code in row.reading.get("spans", [])
                if role in case_selector.MARKS and end <= len(row.snippet)
            ]
            row.pieces = case_selector.marked_snippet(row.snippet, words)
            row.can_claim = can_work and row.claimed_at is None and row.status in ("new", "assigned")
            row.overdue = row.is_overdue(now)
        # Going back, and on to the next case, leads through this same list.
        if request.session.get("queue", "") != queue.query:
            request.session["queue"] = queue.query
        context = {
            **self.admin_site.each_context(request),
            "title": _("Feedback queue"),
            "opts": self.opts,
            "queue": queue,
            "now": now,
            "can_work": can_work,
            "can_assign": can_assign,
            "colleagues": [(name, label) for _pk, name, label in forms.colleagues(able(), now)]
            if can_assign
            else [],
            "orders": _orders(),
            "just_done": request.session.pop("just_done", None) if "just_done" in request.session else None,
            "nodes": _nodes() if can_work else [],
            "tiers": Tier.choices,
            "sentiments": Sentiment.choices,
            "teams": [(team.code, team.name) for team in Team.objects.filter(is_active=True).order_by("name")]
            if can_assign and queue.can_keep
            else [],
        }
        return TemplateResponse(request, "admin/feedback/feedback/queue.html", context)

    # ── Case page ──────────────────────────────────────────────────────────────────────────────────────────
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one case."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        feedback = self._case(request, object_id)
        if request.method != "GET":
            # Nothing is changed here: the moves have their own addresses.
            return redirect("admin:feedback_feedback_change", feedback.pk)
        return self.case_page(request, feedback)

    def case_page(
        self,
        request: HttpRequest,
        feedback: Feedback,
        *,
        status: int = 200,
        composer_state: dict[str, Any] | None = None,
    ) -> TemplateResponse:
        """The case as a page; `composer_state` gives back what somebody wrote and could not send."""
        now = timezone.now()
        ref = reference()
        user: User = request.user  # type: ignore[assignment]
        legal = {
            move.verb: move for move in FEEDBACK.legal_from(feedback.status) if user.has_perm(move.permission)
        }
        if feedback.claimed_at is not None:
            legal.pop("claim", None)
        context = {
            **self.admin_site.each_context(request),
            "title": feedback.number,
            "opts": self.opts,
            "original": feedback,
            "case": feedback,
            "now": now,
            "pieces": case_selector.parts(feedback.text, feedback.reading.get("spans", [])),
            "thread": case_selector.thread(feedback),
            "history": case_selector.history(feedback),
            "clocks": case_selector.clocks_of(feedback, now),
            "reasons": case_selector.reasons(feedback, ref),
            "buttons": _buttons(feedback, legal),
            "can_note": "note" in legal,
            "can_correct": "correct" in legal,
            "note_form": forms.NoteForm(feedback=feedback, needs_reason=False, user=user, prefix=None),
            "changes": list(feedback.changes.all()),
            "follow_ups": list(
                Feedback.objects.visible_to(user).filter(parent=feedback).order_by("posted_at")
            ),
            "similar": list(
                Feedback.objects.visible_to(user)
                .filter(similar_to=feedback.similar_to_id or feedback.pk)
                .exclude(pk=feedback.pk)
                .select_related("channel")
                .order_by("-received_at")[:6]
            ),
            "files": list(feedback.files.select_related("file")),
            "overdue": feedback.is_overdue(now),
            "promises": list(
                feedback.promises.select_related("made_by", "keeper").order_by("due_at", "id")[:20]
            ),
            "can_work": user.has_perm("feedback.work_feedback"),
            "tiers": Tier.choices,
            "sentiments": Sentiment.choices,
            "just_done": request.session.pop("just_done", None) if "just_done" in request.session else None,
            **case_selector.side(feedback, user),
            **self.composer_context(request, feedback, **(composer_state or {})),
            "panels": self._panels(request, feedback, now),
        }
        return TemplateResponse(request, "admin/feedback/feedback/case.html", context, status=status)

    def _panels(self, request: HttpRequest, feedback: Feedback, now: datetime) -> list[dict[str, Any]]:
        """What higher apps show beside a case."""
        shown = []
        for panel in case_panels:
            filled = panel.context(feedback, request.user, now)
            if filled is not None:
                html = render_to_string(panel.template, filled | {"now": now}, request=request)
                shown.append({"title": panel.title, "html": html})
        return shown

    def _case(self, request: HttpRequest, pk: Any) -> Feedback:
        if whole_number(pk) is None:
            raise Http404
        return get_object_or_404(
            self.get_queryset(request).select_related(
                "channel",
                "store",
                "product",
                "order",
                "customer",
                "category",
                "subcategory",
                "department",
                "team",
                "assignee",
                "parent",
                "similar_to",
                "merged_into",
            ),
            pk=int(pk),
        )

    # ── Moves ──────────────────────────────────────────────────────────────────────────────────────────────
    def move_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """GET shows what will happen and asks what is needed; POST does it."""
        move = FEEDBACK.get(verb)
        if move is None or not self.has_view_permission(request):
            raise Http404
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(move.permission):
            raise PermissionDenied
        feedback = self._case(request, pk)
        form_class = FORMS.get(verb, forms.MoveForm)
        bound = request.POST if request.method == "POST" else None
        form = form_class(bound, feedback=feedback, needs_reason=move.needs_reason, user=user)
        if bound is not None and form.is_valid():
            try:
                done = perform(verb, feedback, form.cleaned_data, form, user)
            except DomainError as error:
                messages.error(request, str(error.message))
                if error.code in ("stale_state", "illegal_move"):
                    return self.back_to(request, feedback)
                form.add_error(
                    error.params.get("field") if error.params.get("field") in form.fields else None,
                    str(error.message),
                )
            else:
                text = _("%(number)s: %(move)s – done.") % {"number": feedback.number, "move": move.label}
                if move.undoable and isinstance(done, ActionLog):
                    self.offer_undo(request, done.pk, text)
                else:
                    messages.success(request, text)
                if verb == "wait":
                    _say_cut(request, form.cleaned_data.get("until"), done)
                return self.back_to(request, feedback)
        elif bound is None and feedback.status not in move.sources:
            messages.error(
                request,
                _("“%(move)s” is not possible while this is “%(state)s”.")
                % {"move": move.label, "state": feedback.get_status_display()},
            )
            return self.back_to(request, feedback)
        states = dict(Feedback._meta.get_field("status").flatchoices)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{move.label} · {feedback.number}",
            "opts": self.opts,
            "original": feedback,
            "case": feedback,
            "move": move,
            "form": form,
            "from_state": states[feedback.status],
            "to_state": states.get(move.target or "", ""),
            "back": request.GET.get("back", ""),
            "pieces": case_selector.marked_snippet(feedback.snippet, []),
            # Whoever ends a case sees what the customer was promised and has not got yet.
            "open_promises": list(feedback.promises.filter(status="open").order_by("due_at", "id")[:10])
            if verb in ("resolve", "close", "dismiss")
            else [],
        }
        status = 422 if bound is not None else 200
        return TemplateResponse(request, "admin/feedback/feedback/move.html", context, status=status)

    def bulk_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Many at once: each by itself, with its outcome, and a way back where the table has one."""
        move = FEEDBACK.get(verb)
        if move is None or verb not in BULK or not move.bulk:
            raise Http404
        if request.method != "POST":
            return redirect("admin:feedback_feedback_changelist")
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(move.permission):
            raise PermissionDenied
        ids = whole_numbers(request.POST.getlist("id"))[:200]
        reason = request.POST.get("reason", "").strip()
        data: dict[str, Any] = {"reason": reason}
        if not ids:
            messages.warning(request, _("Choose rows first."))
            return self._to_queue(request)
        if verb == "assign":
            person = able().filter(username=request.POST.get("assignee", "")).first()
            if person is None:
                messages.warning(request, _("Choose a colleague first."))
                return self._to_queue(request)
            data["assignee"] = person
        if verb == "correct":
            data["values"] = correction_values(request.POST)
            if not data["values"]:
                messages.warning(request, _("Choose what is right."))
                return self._to_queue(request)
        if move.needs_reason and not reason:
            messages.warning(request, _("“%(move)s” needs a reason.") % {"move": move.label})
            return self._to_queue(request)
        outcomes = moves.bulk(ids=ids, act=lambda row: perform(verb, row, data, None, user), by=user)
        rows = Feedback.objects.in_bulk(ids)
        context = {
            **self.admin_site.each_context(request),
            "title": move.label,
            "opts": self.opts,
            "move": move,
            "done": [(rows[pk], log) for pk, log, why in outcomes if not why and pk in rows],
            "refused": [(rows.get(pk), pk, why) for pk, _log, why in outcomes if why],
        }
        return TemplateResponse(request, "admin/feedback/feedback/bulk.html", context)

    def undo_view(self, request: HttpRequest, log_id: int) -> HttpResponse:
        """Take one move back."""
        log = get_object_or_404(ActionLog, pk=log_id, model="feedback.feedback")
        get_object_or_404(self.get_queryset(request), pk=log.object_id)
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm("feedback.work_feedback"):
            raise PermissionDenied
        try:
            feedback = moves.undo(log=log, by=user, now=timezone.now())
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("%(number)s: undone.") % {"number": feedback.number})
        if request.POST.get("back") == "queue":
            return self._to_queue(request)
        return redirect("admin:feedback_feedback_change", log.object_id)

    def file_view(self, request: HttpRequest, pk: int, file_id: int) -> HttpResponse:
        """A picture or recording of a case, to those who may see the case."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        feedback = self._case(request, pk)
        link = get_object_or_404(feedback.files.select_related("file"), file_id=file_id)
        response = HttpResponse(link.file.file.read(), content_type=link.file.content_type)
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return response

    # ── New feedback ───────────────────────────────────────────────────────────────────────────────────────
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Write down what a customer said."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        user: User = request.user  # type: ignore[assignment]
        form = forms.NewFeedbackForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                outcome = take_from_form(
                    data=form.cleaned_data, lines=form.lines(), by=user, now=timezone.now()
                )
            except DomainError as error:
                name = str(error.params.get("field", ""))
                form.add_error(name if name in form.fields else None, str(error.message))
            else:
                return self._taken(request, outcome)
        context = {
            **self.admin_site.each_context(request),
            "title": _("New feedback"),
            "opts": self.opts,
            "form": form,
        }
        status = 422 if request.method == "POST" else 200
        return TemplateResponse(request, "admin/feedback/feedback/new.html", context, status=status)

    def _taken(self, request: HttpRequest, outcome: Any) -> HttpResponse:
        feedback = Feedback.objects.get(pk=outcome.feedback_id)
        if outcome.state == "unchanged":
            messages.warning(request, _("This is known already as %(number)s.") % {"number": feedback.number})
        else:
            messages.success(
                request,
                _("%(number)s taken in: tier %(tier)s.") % {"number": feedback.number, "tier": feedback.tier},
            )
        if self.get_queryset(request).filter(pk=feedback.pk).exists():
            return redirect("admin:feedback_feedback_change", feedback.pk)
        return redirect("admin:feedback_feedback_changelist")


def _say_cut(request: HttpRequest, wanted: datetime | None, log: ActionLog) -> None:
    """Say so when the wait became shorter than it was asked for (domain.md 3.2)."""
    until = datetime.fromisoformat(log.data["until"])
    if wanted is not None and until < wanted:
        messages.warning(
            request,
            _(
                "A case waits at most 72 hours at a time and seven days in all: this one goes on at %(time)s, not at %(wanted)s."
            )
            % {
                "time": f"{timezone.localtime(until):%m-%d %H:%M}",
                "wanted": f"{timezone.localtime(wanted):%m-%d %H:%M}",
            },
        )


def _nodes() -> list[tuple[str, list[tuple[str, str]]]]:
    """Categories with their sub-categories, as grouped choices, from memory."""
    ref = reference()
    active = [node for node in ref.categories.values() if node.is_active]
    active.sort(key=lambda node: node.position)
    return [
        (
            str(top),
            [
                (top.code, forms.undivided(top)),
                *((node.code, str(node)) for node in active if node.parent_id == top.pk),
            ],
        )
        for top in active
        if top.parent_id is None
    ]


def _orders() -> dict[str, Any]:
    from apps.feedback.selectors.queue import ORDERS

    return ORDERS


def _buttons(feedback: Feedback, legal: dict[str, Move]) -> list[dict[str, Any]]:
    """The legal next moves; the one that the running clock or the state asks for stands first and prominent."""
    order = [verb for verb in BUTTONS if verb in legal]
    main = None
    if feedback.status == "waiting":
        main = "resume"
    elif feedback.assignee_id is None and "claim" in legal:
        main = "claim"
    elif feedback.first_response_at is None and feedback.is_open:
        main = "record_contact"
    elif feedback.due_kind in ("plan_given", "progress_given"):
        main = {"plan_given": "give_plan", "progress_given": "give_progress"}[feedback.due_kind]
    elif feedback.status in ("assigned", "in_progress"):
        main = "resolve"
    elif feedback.status == "resolved":
        main = "close"
    if main in order:
        order.remove(main)
        order.insert(0, main)
    # A plan is promised on S, progress on B; elsewhere the buttons would only be in the way.
    if feedback.tier != "S" and main != "give_plan":
        order = [verb for verb in order if verb != "give_plan"]
    if feedback.tier != "B" and main != "give_progress":
        order = [verb for verb in order if verb != "give_progress"]
    return [
        {
            "verb": verb,
            "label": legal[verb].label,
            "help": legal[verb].help,
            "main": verb == main,
            "danger": legal[verb].danger,
            "url": reverse("admin:feedback_feedback_move", args=[feedback.pk, verb]),
            "direct": verb in ("claim", "resume"),
        }
        for verb in order
    ]
