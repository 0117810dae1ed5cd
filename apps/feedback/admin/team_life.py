"""Hand-overs, shift notes and the morning digest: how a team goes on when somebody is not there."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import badge
from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.feedback.admin.forms import box
from apps.feedback.choices import HandoverKind, HandoverRowState, HandoverWay, ShiftPart
from apps.feedback.models import Feedback, Handover, HandoverRow, ShiftNote
from apps.feedback.selectors import digest as digest_selector
from apps.feedback.selectors import handover as desk_selector
from apps.feedback.selectors import shift_notes as note_selector
from apps.feedback.services import digest as digest_service
from apps.feedback.services import handover as handover_service
from apps.feedback.services import shift_notes as note_service
from apps.feedback.services.telling import address
from apps.shop.models import StaffProfile, Team
from apps.shop.selectors import away_today

ASSIGN = handover_service.ASSIGN


class HandoverForm(forms.Form):
    """How the work goes over, to whom, and why."""

    way = forms.ChoiceField(
        label=pgettext_lazy("hand-over", "How"), choices=HandoverWay.choices, widget=UnfoldAdminSelectWidget
    )
    to = forms.ModelChoiceField(
        label=gettext_lazy("Colleague"),
        queryset=User.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Only for “all to one colleague”."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        widget=box(2),
        max_length=300,
        help_text=gettext_lazy("Whoever gets the work reads it; it stands in the history of every case."),
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = (  # type: ignore[attr-defined]
            User.objects.filter(is_active=True, is_staff=True)
            .exclude(pk=person.pk)
            .order_by("name", "username")
        )


@admin.register(Handover)
class HandoverAdmin(ReadOnlyAdmin):
    """What was handed over, by whom and to whom; a new one begins with a person."""

    list_display = ("show_person", "show_way", "reason", "by", "planned_at", "show_state")
    list_display_links = ("show_person",)
    list_select_related = ("person", "by", "to")
    list_before_template = "admin/feedback/handover/before.html"
    search_fields = ("person__username__istartswith", "person__name__istartswith")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """For leads."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may assign, or may look at hand-overs."""
        return request.user.has_perm(ASSIGN) or super().has_view_permission(request, obj)

    def get_urls(self) -> list[Any]:
        """Choose a person, plan, carry out, take back."""
        wrap = self.admin_site.admin_view
        return [
            path("people/", wrap(self.people_view), name="feedback_handover_people"),
            path("person/<int:pk>/", wrap(self.person_view), name="feedback_handover_person"),
            path("<int:pk>/do/", wrap(require_POST(self.do_view)), name="feedback_handover_do"),
            path("<int:pk>/undo/", wrap(require_POST(self.undo_view)), name="feedback_handover_undo"),
            path("<int:pk>/return/", wrap(require_POST(self.return_view)), name="feedback_handover_return"),
            path("<int:pk>/drop/", wrap(require_POST(self.drop_view)), name="feedback_handover_drop"),
            *super().get_urls(),
        ]

    def _allowed(self, request: HttpRequest) -> User:
        if not request.user.has_perm(ASSIGN):
            raise PermissionDenied
        return request.user  # type: ignore[return-value]

    # -- choose ----------
    def people_view(self, request: HttpRequest) -> HttpResponse:
        """Who has open work, and who of them is not there to do it."""
        user = self._allowed(request)
        return self.page(
            request,
            "admin/feedback/handover/people.html",
            _("Whose work is handed over?"),
            people=desk_selector.people_with_work(user, timezone.now()),
        )

    def person_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the person has, and how it goes over. POST makes the plan; nothing changes hands yet."""
        user = self._allowed(request)
        person = get_object_or_404(User, pk=pk)
        now = timezone.now()
        stand_in = desk_selector.stand_in_of(person, timezone.localdate(now))
        form = HandoverForm(
            request.POST or None,
            person=person,
            initial={
                "way": HandoverWay.ONE if stand_in else HandoverWay.SPREAD,
                "to": stand_in.pk if stand_in else None,
            },
        )
        if request.method == "POST" and form.is_valid():
            try:
                plan = handover_service.plan(person=person, by=user, now=now, **form.cleaned_data)
            except DomainError as error:
                name = str(error.params.get("field", ""))
                form.add_error(name if name in form.fields else None, str(error.message))
            else:
                return redirect("admin:feedback_handover_change", plan.pk)
        desk = desk_selector.desk(person, user, now)
        return self.page(
            request,
            "admin/feedback/handover/person.html",
            _("Hand over the work of %(person)s") % {"person": person},
            person=person,
            desk=desk,
            tiers=list(desk.tiers.items()),
            beyond=max(0, desk.total - desk_selector.MOST),
            most=desk_selector.MOST,
            stand_in=stand_in,
            form=form,
            before=list(
                Handover.objects.filter(person=person, done_at__isnull=False).select_related("by")[:5]
            ),
        )

    # -- one hand-over ----------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The plan before, the outcome after."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return redirect("admin:feedback_handover_change", object_id)
        handover = self._handover(object_id)
        now = timezone.now()
        rows = list(HandoverRow.objects.filter(handover=handover).select_related("to"))
        for row in rows:
            row.url = _row_url(row)
        groups: dict[int | None, list[HandoverRow]] = defaultdict(list)
        for row in rows:
            groups[row.to_id].append(row)
        away = away_today([pk for pk in groups if pk], timezone.localdate(now))
        load = _load([pk for pk in groups if pk])
        people = [
            {
                "to": mine[0].to,
                "rows": mine,
                "cases": sum(row.kind == HandoverKind.FEEDBACK for row in mine),
                "s": sum(row.tier == "S" for row in mine),
                "others": sum(row.kind != HandoverKind.FEEDBACK for row in mine),
                "overdue": sum(row.due_at is not None and row.due_at <= now for row in mine),
                "load": load.get(pk or 0),
                "after": load[pk][0] + sum(row.kind == HandoverKind.FEEDBACK for row in mine)
                if pk and pk in load
                else 0,
                "away": pk in away or bool(mine[0].to and mine[0].to.is_away),
            }
            for pk, mine in groups.items()
        ]
        people.sort(key=lambda entry: (entry["to"] is not None, str(entry["to"])))
        moved = sum(row.state == HandoverRowState.MOVED for row in rows)
        planned = sum(row.state == HandoverRowState.PLANNED and row.to_id is not None for row in rows)
        return self.page(
            request,
            "admin/feedback/handover/plan.html",
            _("Hand over the work of %(person)s") % {"person": handover.person},
            handover=handover,
            may_act=request.user.has_perm(ASSIGN),
            people=people,
            rows=rows,
            planned=planned,
            moved=moved,
            refused=[row for row in rows if row.state == HandoverRowState.REFUSED],
            went_back=sum(row.state in (HandoverRowState.UNDONE, HandoverRowState.RETURNED) for row in rows),
            here_again=handover.person.is_active
            and not away_today([handover.person_id], timezone.localdate(now)),
            now=now,
        )

    def _handover(self, pk: Any) -> Handover:
        if not str(pk).isdigit():
            raise Http404
        return get_object_or_404(Handover.objects.select_related("person", "by", "to"), pk=pk)

    def do_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Carry the plan out."""
        user = self._allowed(request)
        try:
            handover = handover_service.carry_out(handover=self._handover(pk), by=user, now=timezone.now())
        except DomainError as error:
            tell_error(request, error)
        else:
            moved = handover.rows.filter(state=HandoverRowState.MOVED).count()
            messages.success(
                request,
                ngettext(
                    "%(count)d piece of work handed over; each receiver was told once.",
                    "%(count)d pieces of work handed over; each receiver was told once.",
                    moved,
                )
                % {"count": moved},
            )
        return redirect("admin:feedback_handover_change", pk)

    def _back(self, request: HttpRequest, pk: int, service: Any) -> HttpResponse:
        user = self._allowed(request)
        before = self._handover(pk)
        stays = before.rows.filter(state=HandoverRowState.MOVED).count()
        try:
            service(handover=before, by=user, now=timezone.now())
        except DomainError as error:
            tell_error(request, error)
        else:
            left = before.rows.filter(state=HandoverRowState.MOVED).count()
            messages.success(
                request,
                _("%(count)d went back; %(left)d stay, because somebody has worked on them.")
                % {"count": stays - left, "left": left}
                if left
                else _("%(count)d went back.") % {"count": stays - left},
            )
        return redirect("admin:feedback_handover_change", pk)

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take the whole back."""
        return self._back(request, pk, handover_service.undo)

    def return_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give back what is still open and untouched."""
        return self._back(request, pk, handover_service.give_back)

    def drop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Throw a plan away that was not carried out."""
        self._allowed(request)
        handover = self._handover(pk)
        if handover.done_at is None and not handover.rows.filter(state=HandoverRowState.MOVED).exists():
            handover.delete()
            messages.info(request, _("The plan is gone; nothing has changed hands."))
        return redirect("admin:feedback_handover_person", handover.person_id)

    # -- list ----------
    @display(description=gettext_lazy("whose work"), ordering="person")
    def show_person(self, obj: Handover) -> str:
        """The name."""
        return str(obj.person)

    @display(description=pgettext_lazy("hand-over", "how"))
    def show_way(self, obj: Handover) -> str:
        """To one, named, or spread."""
        return f"{obj.get_way_display()}: {obj.to}" if obj.to else obj.get_way_display()

    @display(
        description=gettext_lazy("state"),
        label={"planned": "warning", "done": "success", "undone": "default", "returned": "info"},
    )
    def show_state(self, obj: Handover) -> tuple[str, Any]:
        """Planned, done, undone or given back."""
        if obj.undone_at:
            return badge("undone", HandoverRowState.UNDONE.label)
        if obj.returned_at:
            return badge("returned", HandoverRowState.RETURNED.label)
        if obj.done_at:
            return badge("done", HandoverRowState.MOVED.label)
        return badge("planned", HandoverRowState.PLANNED.label)


def _row_url(row: HandoverRow) -> str:
    if row.kind == HandoverKind.FEEDBACK:
        return address(row.object_id)
    return (
        ""
        if row.kind == HandoverKind.PROMISE
        else reverse("admin:shop_workitem_change", args=[row.object_id])
    )


def _load(ids: list[int]) -> dict[int, tuple[int, int]]:
    """Open cases and capacity of these people. Two queries."""
    counts = dict(
        Feedback.objects.open()
        .filter(assignee_id__in=ids)
        .order_by()
        .values_list("assignee_id")
        .annotate(n=models.Count("id"))
    )
    room = dict(StaffProfile.objects.filter(user_id__in=ids).values_list("user_id", "capacity"))
    return {pk: (counts.get(pk, 0), room.get(pk, 30)) for pk in ids}


class ShiftNoteForm(forms.Form):
    """A note for the next shift."""

    team = forms.ModelChoiceField(
        label=gettext_lazy("Team"), queryset=Team.objects.none(), widget=UnfoldAdminSelectWidget
    )
    shift = forms.ChoiceField(
        label=gettext_lazy("Shift"), choices=ShiftPart.choices, widget=UnfoldAdminSelectWidget
    )
    text = forms.CharField(
        label=gettext_lazy("What the next shift must know"),
        widget=box(5),
        help_text=gettext_lazy(
            "At most 2,000 characters. It cannot be changed later; phone numbers are masked."
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = note_selector.teams_of(user)  # type: ignore[attr-defined]


@admin.register(ShiftNote)
class ShiftNoteAdmin(ReadOnlyAdmin):
    """Notes of one's teams, newest first, with who has read them. Nobody changes or deletes one."""

    list_display = ("show_when", "team", "author", "text", "show_readers")
    list_display_links = ("show_when",)
    list_filter = ("shift",)
    list_before_template = "admin/feedback/shiftnote/before.html"
    fields = ("team", "day", "shift", "author", "at", "text", "show_readers")
    readonly_fields = fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever works with feedback."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever works with feedback; the rows are narrowed to their teams."""
        return request.user.has_perm("feedback.view_feedback") or super().has_view_permission(request, obj)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """One's own teams'; leads see all."""
        return note_selector.with_readers(note_selector.visible_to(request.user, queryset))  # type: ignore[arg-type]

    def get_urls(self) -> list[Any]:
        """Writing and confirming."""
        wrap = self.admin_site.admin_view
        return [
            path("write/", wrap(self.write_view), name="feedback_shiftnote_write"),
            path("<int:pk>/read/", wrap(require_POST(self.read_view)), name="feedback_shiftnote_read"),
            *super().get_urls(),
        ]

    def write_view(self, request: HttpRequest) -> HttpResponse:
        """The form of the card posts here; what was typed comes back with an error beside it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        user: User = request.user  # type: ignore[assignment]
        now = timezone.now()
        teams = list(note_selector.teams_of(user))
        initial = {"team": teams[0].pk if teams else None, "shift": note_selector.shift_at(now)}
        form = ShiftNoteForm(request.POST or None, user=user, initial=initial)
        if request.method == "POST":
            if not teams:
                raise PermissionDenied
            if form.is_valid():
                try:
                    note_service.write(by=user, now=now, **form.cleaned_data)
                except DomainError as error:
                    name = str(error.params.get("field", ""))
                    form.add_error(name if name in form.fields else None, str(error.message))
                else:
                    messages.success(request, _("The note is left for your team."))
                    return redirect("admin:index")
        return self.page(
            request, "admin/feedback/shiftnote/write.html", _("Shift note"), form=form, teams=teams
        )

    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """I have read it; the author sees that."""
        user: User = request.user  # type: ignore[assignment]
        note = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            note_service.mark_read(note=note, by=user, now=timezone.now())
        except DomainError as error:
            raise PermissionDenied(str(error.message)) from error
        return HttpResponseRedirect(reverse("admin:index"))

    @display(description=gettext_lazy("shift"), ordering="-at")
    def show_when(self, obj: ShiftNote) -> str:
        """Day and shift."""
        return f"{obj.day:%m-%d} {obj.get_shift_display()}"

    @display(description=gettext_lazy("read by"))
    def show_readers(self, obj: ShiftNote) -> str:
        """Names, in the order of reading."""
        return ", ".join(str(read.user) for read in obj.reads.all()) or "–"


def digest_view(request: HttpRequest) -> HttpResponse:
    """One's own digest as of now, every figure leading to its list; POST switches the morning notice.

    A page beside the admin's tables: the composition root gives it its address.
    """
    if not request.user.has_perm("feedback.view_feedback"):
        raise PermissionDenied
    user: User = request.user  # type: ignore[assignment]
    now = timezone.now()
    if request.method == "POST":
        on = request.POST.get("on") == "1"
        digest_service.switch(user=user, on=on, now=now)
        messages.success(
            request,
            _("You get the morning digest from now on.") if on else _("You get no morning digest any more."),
        )
        return HttpResponseRedirect(digest_service.PAGE)
    person = User.objects.prefetch_related("groups").get(pk=user.pk)
    wanted = StaffProfile.objects.filter(user=user).values_list("wants_digest", flat=True).first()
    context = {
        **admin.site.each_context(request),
        "title": _("Morning digest"),
        "digest": digest_selector.digests([person], now).get(user.pk),
        "wanted": wanted is not False,
        "now": now,
    }
    response = TemplateResponse(request, "admin/feedback/digest.html", context)
    response.headers["Cache-Control"] = "no-store, private"
    return response
