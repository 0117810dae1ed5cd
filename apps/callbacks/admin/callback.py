"""Callbacks: list, agenda, calendar, call sheet, planning by hand (screens.md, callbacks)."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy
from unfold.decorators import display

from apps.callbacks.admin.forms import AssignForm, CaseForm, PickForm, RaiseForm, ResultForm, WhenForm
from apps.callbacks.choices import ENDING, OUTCOME_COLOURS, STATE_COLOURS, Method, Outcome
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors import agenda as agenda_selector
from apps.callbacks.selectors import counted
from apps.callbacks.selectors.sheet import sheet
from apps.callbacks.services import calls, picking
from apps.callbacks.transitions import CALLBACK
from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import LABELS, badge, countdown
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.admin.reveal import RevealForm
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.models import User
from apps.core.numbers import whole_numbers
from apps.core.wording import move_tables
from apps.feedback.models import Feedback

move_tables.register("callbacks.callback", CALLBACK)
ADD, WORK = "callbacks.add_callback", "callbacks.work_callback"
TABS = (
    ("", gettext_lazy("All")),
    ("mine", pgettext_lazy("callback", "Mine")),
    ("overdue", pgettext_lazy("callback", "Overdue")),
    ("today", pgettext_lazy("callback", "Today")),
    ("week", pgettext_lazy("callback", "This week")),
    ("free", pgettext_lazy("callback", "Nobody's yet")),
    ("open", pgettext_lazy("callback", "All open")),
    ("done", pgettext_lazy("callback", "Done")),
)


def midnight(day: date) -> datetime:
    """The day's first moment in the shop's zone."""
    return datetime.combine(day, time(0), tzinfo=timezone.get_current_timezone())


def narrowed(rows: Any, what: str, user: Any, now: datetime) -> Any:
    """The rows of a tab."""
    today = timezone.localtime(now).date()
    if what == "mine":
        return rows.open().filter(assignee=user)
    if what == "overdue":
        return rows.open().filter(due_at__lt=now)
    if what == "today":
        return rows.open().filter(due_at__gte=midnight(today), due_at__lt=midnight(today + timedelta(days=1)))
    if what == "week":
        monday = today - timedelta(days=today.weekday())
        return rows.open().filter(
            due_at__gte=midnight(monday), due_at__lt=midnight(monday + timedelta(days=7))
        )
    if what == "free":
        return rows.open().filter(assignee__isnull=True)
    if what == "open":
        return rows.open()
    if what == "done":
        return rows.finished()
    return rows


class WhatFilter(admin.SimpleListFilter):
    """The tabs above the list; everything unless one is chosen."""

    title = gettext_lazy("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """As on the tabs."""
        return [(code, label) for code, label in TABS if code]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        return narrowed(queryset, self.value() or "", request.user, timezone.now())


@admin.register(Callback)
class CallbackAdmin(MovesMixin, ReadOnlyAdmin):
    """Nothing is edited here: states move by buttons, results are written on the call sheet."""

    moves_table = CALLBACK
    moves = {
        "take": Verb(calls.take, "callback", reason=None, icon="call"),
        "assign": Verb(calls.assign, "callback", form=AssignForm, icon="person_add"),
        "postpone": Verb(calls.postpone, "callback", form=WhenForm, icon="event_repeat"),
        "put_back": Verb(calls.put_back, "callback", reason=None, icon="undo"),
        "cancel": Verb(calls.cancel, "callback", icon="close"),
        "reopen": Verb(calls.reopen, "callback", form=WhenForm, icon="replay"),
    }
    moves_in_rows = False
    list_display = (
        "show_number", "show_customer", "show_reason", "show_due", "assignee", "show_state", "show_outcome", "show_tries",
    )  # fmt: skip
    list_display_links = ("show_number",)
    list_filter = (WhatFilter, "status", "outcome", "plan", ("assignee", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("customer", "assignee", "feedback")
    list_before_template = "admin/callbacks/list_before.html"
    ordering = ("due_at", "id")
    search_fields = ("=subject_key", "customer__external_id__startswith")
    search_help_text = gettext_lazy("Beginning of a customer number")
    empty_text = gettext_lazy(
        "Callbacks stand here once a plan makes them or somebody plans one: from a case, from a customer, or for a list of customers."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see theirs."""
        return queryset.visible_to(request.user)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """What is done: newest first."""
        return ("-finished_at", "-id") if request.GET.get("what") == "done" else self.ordering

    # -- list ----------
    @display(description=gettext_lazy("callback"))
    def show_number(self, obj: Callback) -> str:
        """As people call it."""
        return obj.number

    @display(description=gettext_lazy("customer"))
    def show_customer(self, obj: Callback) -> str:
        """Masked."""
        return f"{obj.customer.masked_name} {obj.customer.masked_phone}".strip()

    @display(description=gettext_lazy("reason"))
    def show_reason(self, obj: Callback) -> str:
        """Masked: people type numbers into it."""
        return mask_text(obj.reason)

    @display(description=gettext_lazy("due"), ordering="due_at", label=LABELS)
    def show_due(self, obj: Callback) -> Any:
        """How long still, or since when; the day for what has ended."""
        if obj.is_open:
            return countdown(obj.due_at, timezone.now())
        return badge("grey", f"{timezone.localtime(obj.finished_at or obj.due_at):%m-%d %H:%M}")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: Callback) -> Any:
        """As a coloured word."""
        return badge(STATE_COLOURS[obj.status], obj.get_status_display())  # type: ignore[index]

    @display(description=gettext_lazy("outcome"), label=LABELS)
    def show_outcome(self, obj: Callback) -> Any:
        """As a coloured word, with the stars."""
        if not obj.outcome:
            return None
        stars = f" {obj.satisfaction}★" if obj.satisfaction else ""
        return badge(OUTCOME_COLOURS[obj.outcome], f"{obj.get_outcome_display()}{stars}")  # type: ignore[index]

    @display(description=gettext_lazy("calls not taken"))
    def show_tries(self, obj: Callback) -> str:
        """Of how many."""
        return f"{obj.tries} / {obj.max_attempts}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the tabs; those that call for work say how many."""
        chosen = request.GET.get("what", "")
        address, now = reverse("admin:callbacks_callback_changelist"), timezone.now()
        base = Callback.objects.visible_to(request.user)
        tabs = [
            {
                "label": label,
                "url": f"{address}?what={code}" if code else address,
                "count": counted(narrowed(base, code, request.user, now))
                if code in ("mine", "overdue", "today", "free")
                else "",
                "chosen": chosen == code,
                "alarm": code == "overdue",
            }
            for code, label in TABS
        ]
        return super().changelist_view(request, self._links(request) | {"tabs": tabs} | (extra_context or {}))

    @staticmethod
    def _links(request: HttpRequest) -> dict[str, Any]:
        return {
            "agenda_url": reverse("admin:callbacks_callback_agenda"),
            "calendar_url": reverse("admin:callbacks_callback_calendar"),
            "list_url": reverse("admin:callbacks_callback_changelist"),
            "pick_url": reverse("admin:callbacks_callback_pick") if request.user.has_perm(ADD) else "",
        }

    # -- addresses ----------
    def get_urls(self) -> list[Any]:
        """Agenda, calendar, planning, and what is done on a call sheet."""
        wrap, prefix = self.admin_site.admin_view, "callbacks_callback"
        return [
            path("agenda/", wrap(self.agenda_view), name=f"{prefix}_agenda"),
            path("calendar/", wrap(self.calendar_view), name=f"{prefix}_calendar"),
            path("pick/", wrap(self.pick_view), name=f"{prefix}_pick"),
            path("pick/plan/", wrap(self.plan_picked_view), name=f"{prefix}_plan_picked"),
            path("case/<int:feedback_id>/", wrap(self.case_view), name=f"{prefix}_case"),
            path("<int:object_id>/result/", wrap(self.result_view), name=f"{prefix}_result"),
            path("<int:object_id>/number/", wrap(self.number_view), name=f"{prefix}_number"),
            path("<int:object_id>/raise/", wrap(self.raise_view), name=f"{prefix}_raise"),
            *super().get_urls(),
        ]

    def _asked(self, request: HttpRequest, name: str, default: date) -> date:
        try:
            day = date.fromisoformat(request.GET.get(name, ""))
        except ValueError:
            return default
        # Beyond these years there is no day before or after.
        return day if 2000 <= day.year < 2200 else default

    def _who(self, request: HttpRequest) -> str:
        who = request.GET.get("who", "")
        return who if who in agenda_selector.WHO else "mine"

    def _whose(self, address: str, who: str, query: str) -> list[dict[str, Any]]:
        labels = {
            "mine": pgettext("callback", "Mine"),
            "team": pgettext("callback", "My team"),
            "all": pgettext("callback", "All"),
        }
        return [
            {"label": labels[code], "url": f"{address}?who={code}&{query}", "chosen": code == who}
            for code in agenda_selector.WHO
        ]

    def agenda_view(self, request: HttpRequest) -> HttpResponse:
        """Overdue ones, then a column a day; one day on request."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        today = timezone.localtime(now).date()
        one_day = request.GET.get("days") == "1"
        wanted = self._asked(request, "from", today)
        days = 1 if one_day else 7
        first = wanted
        who, address = self._who(request), reverse("admin:callbacks_callback_agenda")
        span = "&days=1" if one_day else ""
        return self.page(
            request,
            "admin/callbacks/agenda.html",
            _("Callback agenda"),
            **agenda_selector.agenda(request.user, who=who, first=first, days=days, now=now),  # type: ignore[arg-type]
            **self._links(request),
            who=who,
            whose=self._whose(address, who, f"from={first}{span}"),
            first=first,
            last=first + timedelta(days=days - 1),
            one_day=one_day,
            earlier=f"{address}?who={who}&from={first - timedelta(days=days)}{span}",
            later=f"{address}?who={who}&from={first + timedelta(days=days)}{span}",
            this=f"{address}?who={who}{span}",
            other=f"{address}?who={who}&from={today if not one_day else first}"
            + ("" if one_day else "&days=1"),
            now=now,
        )

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        """A month with its numbers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        today = timezone.localdate()
        first = self._asked(request, "from", today).replace(day=1)
        who, address = self._who(request), reverse("admin:callbacks_callback_calendar")
        before = (first - timedelta(days=1)).replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        return self.page(
            request,
            "admin/callbacks/calendar.html",
            _("Callback calendar"),
            weeks=agenda_selector.month(request.user, who=who, first=first),  # type: ignore[arg-type]
            **self._links(request),
            who=who,
            whose=self._whose(address, who, f"from={first}"),
            first=first,
            today=today,
            earlier=f"{address}?who={who}&from={before}",
            later=f"{address}?who={who}&from={after}",
            this=f"{address}?who={who}",
        )

    # -- the call sheet ----------
    def _callback(self, request: HttpRequest, object_id: int | str) -> Callback:
        found = self.get_queryset(request).select_related(
            "customer",
            "assignee",
            "not_by",
            "plan__template",
            "finished_by",
            "created_by",
            "raised",
            "feedback__store",
            "feedback__channel",
            "feedback__category",
            "feedback__subcategory",
            "feedback__customer",
            "feedback__order",
            "feedback__product",
            "feedback__assignee",
        )
        numbers = whole_numbers([object_id])
        if not numbers or not self.has_view_permission(request):
            raise Http404
        return get_object_or_404(found, pk=numbers[0])

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The sheet. It only shows; every change has an address of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        return self._sheet(request, self._callback(request, object_id))

    def _sheet(
        self, request: HttpRequest, callback: Callback, form: ResultForm | None = None, status: int = 200
    ) -> HttpResponse:
        now, user = timezone.now(), request.user
        context = sheet(callback, user, now)  # type: ignore[arg-type]
        buttons = [
            # What the sheet itself is for stands there, not among the buttons.
            button
            for button in self.moves_for(request, callback)
            if button.verb != "take" or not (context["obstacle"] or context["is_handler"])
        ]
        may_record = (
            callback.is_open
            and user.has_perm(WORK)
            and not context["is_handler"]
            and not context["others_call"]
            and not context["obstacle"]
        )
        response = self.page(
            request,
            "admin/callbacks/sheet.html",
            callback.number,
            obj=callback,
            **context,
            form=form or ResultForm(questions=callback.questions),
            outcomes=[
                {"value": value, "label": label, "ends": value in ENDING, "key": number}
                for number, (value, label) in enumerate(Outcome.choices, start=1)
            ],
            methods=Method.choices,
            stars=range(1, 6),
            buttons=buttons,
            may_record=may_record,
            may_raise=user.has_perm(WORK)
            and user.has_perm("feedback.add_feedback")
            and not callback.raised_id,
            reveal_url=self._reveal_url(request, callback),
            tomorrow=timezone.localtime(now) + timedelta(days=1),
            **self._links(request),
            now=now,
        )
        response.status_code = status
        return response

    def _reveal_url(self, request: HttpRequest, callback: Callback) -> str:
        """Where the number is seen: on the sheet's own page for whoever calls, else with the customer."""
        if calls.may_see_number(callback, request.user):  # type: ignore[arg-type]
            return reverse("admin:callbacks_callback_number", args=[callback.pk])
        customers = self.admin_site._registry[type(callback.customer)]
        return customers.reveal_url(request, callback.customer) if callback.customer.phone else ""  # type: ignore[attr-defined]

    def number_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks why; POST writes the audit row and shows the number on its own answer only."""
        callback = self._callback(request, object_id)
        user: Any = request.user
        if not calls.may_see_number(callback, user):
            raise PermissionDenied
        label = callback.customer._meta.get_field("phone").verbose_name
        form = RevealForm(request.POST if request.method == "POST" else None, choices=[("phone", label)])
        shown: list[tuple[Any, str]] = []
        if request.method == "POST" and form.is_valid():
            try:
                number = calls.see_number(
                    callback=callback, reason=form.cleaned_data["reason"], by=user, now=timezone.now()
                )
            except DomainError as error:
                form.add_error("reason", str(error.message))
            else:
                shown = [(label, number)]
        return self.page(
            request,
            "admin/core/reveal.html",
            _("Personal data whole") if shown else _("See personal data whole"),
            obj=callback,
            form=form,
            shown=shown,
            nothing=False,
            back=calls.url_of(callback.pk),
        )

    def result_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: what came of the call. A refusal gives back the sheet as it was filled in."""
        callback = self._callback(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(WORK):
            raise PermissionDenied
        form = ResultForm(request.POST, request.FILES, questions=callback.questions)
        if not form.is_valid():
            return self._sheet(request, callback, form, status=422)
        data = form.cleaned_data
        try:
            calls.record_result(
                callback=callback,
                outcome=data["outcome"],
                satisfaction=data["satisfaction"],
                answers=form.answers,
                note=data["note"],
                method=data["method"],
                next_at=data["next_at"],
                recording=calls.Recording(
                    announced=data["announced"], consented=data["consented"], upload=data["recording"]
                ),
                by=request.user,
                now=timezone.now(),
            )
        except DomainError as error:
            if error.code in ("stale_state", "illegal_move", "blocked"):
                tell_error(request, error)
                return HttpResponseRedirect(calls.url_of(callback.pk))
            form.add_error(
                error.params.get("field") if error.params.get("field") in form.fields else None,
                str(error.message),
            )
            return self._sheet(request, self._callback(request, object_id), form, status=422)
        callback.refresh_from_db()
        if callback.is_open:
            messages.success(
                request,
                _("Written down. Next call: %(moment)s.")
                % {"moment": f"{timezone.localtime(callback.due_at):%m-%d %H:%M}"},
            )
        else:
            messages.success(
                request,
                _("%(number)s: %(state)s.")
                % {"number": callback.number, "state": callback.get_status_display()},
            )
        return HttpResponseRedirect(calls.url_of(callback.pk))

    def raise_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks what the customer said, POST takes it in."""
        callback = self._callback(request, object_id)
        if not (request.user.has_perm(WORK) and request.user.has_perm("feedback.add_feedback")):
            raise PermissionDenied
        form = RaiseForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                made = calls.raise_feedback(
                    callback=callback,
                    text=form.cleaned_data["text"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("text" if error.params.get("field") == "text" else None, str(error.message))
            else:
                messages.success(request, _("%(number)s is in the queue.") % {"number": made.number})
                return HttpResponseRedirect(calls.url_of(callback.pk))
        return self.page(
            request,
            "admin/core/confirm.html",
            _("The customer raised something new"),
            obj=callback,
            form=form,
            text=_("It becomes feedback of its own, with tier, owner and clocks, under the customer's name."),
            submit=_("Take it down"),
            back=calls.url_of(callback.pk),
        )

    # -- planning by hand ----------
    def case_view(self, request: HttpRequest, feedback_id: int) -> HttpResponse:
        """A callback about one case."""
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        case = get_object_or_404(
            Feedback.objects.visible_to(request.user).select_related("customer", "assignee"), pk=feedback_id
        )
        now = timezone.now()
        due = max((case.resolved_at or now) + timedelta(hours=72), now + timedelta(hours=1))
        form = CaseForm(
            request.POST if request.method == "POST" else None,
            initial={
                "due_at": timezone.localtime(due),
                "reason": _("Is %(number)s solved for the customer?") % {"number": case.number},
                "not_by_handler": True,
            },
        )
        back = reverse("admin:feedback_feedback_change", args=[case.pk])
        if request.method == "POST" and form.is_valid():
            try:
                made = picking.plan_for_case(
                    feedback=case,
                    by=request.user,  # type: ignore[arg-type]
                    now=now,
                    **form.cleaned_data,
                )
            except DomainError as error:
                field = error.params.get("field")
                form.add_error(field if field in form.fields else None, str(error.message))
            else:
                if made.is_open:
                    messages.success(
                        request,
                        _("A callback is planned for %(moment)s.")
                        % {"moment": f"{timezone.localtime(made.due_at):%m-%d %H:%M}"},
                    )
                    return HttpResponseRedirect(back)
                messages.warning(request, _("This customer may not be called; see why."))
                return HttpResponseRedirect(calls.url_of(made.pk))
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Plan a callback"),
            obj=case,
            form=form,
            text=_(
                "A call about a case needs no consent. Times outside the allowed hours move to the next morning."
            ),
            submit=_("Plan the callback"),
            back=back,
        )

    def pick_view(self, request: HttpRequest) -> HttpResponse:
        """Whom to call: numbers typed or uploaded, then who of them may be called. Changes nothing."""
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        now = timezone.now()
        morrow = midnight(timezone.localtime(now).date() + timedelta(days=1)) + timedelta(hours=10)
        form = PickForm(
            request.POST if request.method == "POST" else None,
            request.FILES if request.method == "POST" else None,
            initial={
                "due_at": timezone.localtime(morrow),
                "customers": request.GET.get("customers", "")[:500],
            },
        )
        picked = None
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                lines = picking.lines_of(data["customers"])
                if data["file"]:
                    lines += picking.lines_of_file(data["file"])
                picked = picking.look(lines, plan=data["plan"], user=request.user, now=now)  # type: ignore[arg-type]
                if data["due_at"] <= now:
                    form.add_error("due_at", _("The next call lies in the past."))
                    picked = None
            except DomainError as error:
                field = error.params.get("field")
                form.add_error(field if field in form.fields else None, str(error.message))
        return self.page(
            request,
            "admin/callbacks/pick.html",
            _("Plan callbacks"),
            form=form,
            picked=picked,
            chosen=form.cleaned_data if picked is not None else {},
            **self._links(request),
        )

    def plan_picked_view(self, request: HttpRequest) -> HttpResponse:
        """POST only: plan what the preview showed."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:callbacks_callback_pick"))
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        ids = whole_numbers(request.POST.getlist("customer"))[: picking.AT_MOST]
        plan = CallbackPlan.objects.filter(pk__in=whole_numbers([request.POST.get("plan")])).first()
        due_at = None
        with suppress(ValueError):
            due_at = datetime.fromisoformat(request.POST.get("due_at", ""))
        if plan is None or due_at is None or timezone.is_naive(due_at) or not ids:
            messages.warning(request, _("Choose customers first."))
            return HttpResponseRedirect(reverse("admin:callbacks_callback_pick"))
        user: User = request.user  # type: ignore[assignment]
        try:
            made, picked = picking.plan_picked(
                customer_ids=ids,
                plan=plan,
                reason=request.POST.get("reason", ""),
                due_at=due_at,
                by=user,
                now=timezone.now(),
            )
        except DomainError as error:
            tell_error(request, error)
            return HttpResponseRedirect(reverse("admin:callbacks_callback_pick"))
        messages.success(
            request,
            ngettext("%(n)d callback is planned.", "%(n)d callbacks are planned.", len(made))
            % {"n": len(made)},
        )
        if picked.excluded:
            messages.warning(
                request,
                ngettext(
                    "%(n)d customer may not be called any more and was left out.",
                    "%(n)d customers may not be called any more and were left out.",
                    len(picked.excluded),
                )
                % {"n": len(picked.excluded)},
            )
        return HttpResponseRedirect(
            reverse("admin:callbacks_callback_agenda")
            + "?who=all&from="
            + str(timezone.localtime(due_at).date())
        )
