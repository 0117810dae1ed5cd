"""My performance, team performance, months of figures."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import LABELS, badge
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.core.numbers import whole_number
from apps.core.wording import move_tables
from apps.performance.choices import COLOURS
from apps.performance.models import AgentMonth, MonthRoll
from apps.performance.querysets import LEAD_TEAM, SEE_ALL
from apps.performance.selectors import pages
from apps.performance.selectors.people import may_see
from apps.performance.services import months
from apps.performance.transitions import MONTH

move_tables.register("performance.monthroll", MONTH)
EXPORT = "performance.export_agentmonth"


@admin.register(AgentMonth)
class AgentMonthAdmin(ReadOnlyAdmin):
    """The bare figures as they were counted, and the pages made of them."""

    list_display = (
        "month",
        "person",
        "show_category",
        "handled",
        "due",
        "met",
        "answers",
        "happy",
        "repairs",
    )
    list_filter = ("month", ("person", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("person", "category")
    ordering = ("-month", "person_id", "id")
    list_before_template = "admin/performance/months_before.html"
    empty_text = gettext_lazy("Figures are counted every night. Those of today stand here tomorrow.")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """One's own, one's team's, or all."""
        return queryset.visible_to(request.user)

    @display(description=gettext_lazy("category"))
    def show_category(self, obj: AgentMonth) -> str:
        """Altogether where there is none."""
        return str(obj.category) if obj.category else _("altogether")

    def get_urls(self) -> list[Any]:
        """The pages for people."""
        wrap, prefix = self.admin_site.admin_view, "performance_agentmonth"
        return [
            path("mine/", wrap(self.mine_view), name=f"{prefix}_mine"),
            path("team/", wrap(self.team_view), name=f"{prefix}_team"),
            path("team/export/", wrap(self.export_view), name=f"{prefix}_export"),
            path("person/<int:person_id>/", wrap(self.person_view), name=f"{prefix}_person"),
            *super().get_urls(),
        ]

    def mine_view(self, request: HttpRequest) -> HttpResponse:
        """One's own page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._person(request, request.user)

    def person_view(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Somebody's page, for themselves, their leads, managers and auditors."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        person = User.objects.filter(pk=person_id).first()
        if person is None or not may_see(request.user, person_id):
            raise Http404
        return self._person(request, person)

    def _person(self, request: HttpRequest, person: Any) -> HttpResponse:
        now = timezone.now()
        month = pages.asked_month(request.GET.get("month", ""), now)
        mine = person.pk == request.user.pk
        return self.page(
            request,
            "admin/performance/person.html",
            _("My performance") if mine else _("Performance of %(person)s") % {"person": person},
            **pages.person_page(person, request.user, month=month, now=now),
            months=pages.months_to_choose(now),
            is_lead=request.user.has_perm(LEAD_TEAM) or request.user.has_perm(SEE_ALL),
            now=now,
        )

    def _team(self, request: HttpRequest) -> dict[str, Any]:
        if not (request.user.has_perm(LEAD_TEAM) or request.user.has_perm(SEE_ALL)):
            raise PermissionDenied
        now = timezone.now()
        return pages.team_page(
            request.user,
            month=pages.asked_month(request.GET.get("month", ""), now),
            category=whole_number(request.GET.get("category", "")),
            order=request.GET.get("order", ""),
            now=now,
        )

    def team_view(self, request: HttpRequest) -> HttpResponse:
        """Everybody one leads, in one table."""
        context = self._team(request)
        kept = {"month": f"{context['month']:%Y-%m}"}
        if context["category"] is not None:
            kept["category"] = str(context["category"])
        return self.page(
            request,
            "admin/performance/team.html",
            _("Team performance"),
            **context,
            months=pages.months_to_choose(timezone.now()),
            query=urlencode(kept),
            export_url=reverse("admin:performance_agentmonth_export") + f"?{urlencode(kept)}"
            if request.user.has_perm(EXPORT)
            else "",
        )

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The table as a file; noted in the log."""
        context = self._team(request)
        heads, rows = pages.export_rows(context)
        try:
            text = months.export(
                month=context["month"], heads=heads, rows=rows, by=request.user, now=timezone.now()  # type: ignore[arg-type]
            )  # fmt: skip
        except DomainError as error:
            tell_error(request, error)
            raise PermissionDenied from error
        response = HttpResponse(text, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="performance-{context["month"]:%Y-%m}.csv"'
        response["Cache-Control"] = "no-store, private"
        return response


@admin.register(MonthRoll)
class MonthRollAdmin(MovesMixin, ReadOnlyAdmin):
    """Which months are counted, and which are locked."""

    moves_table = MONTH
    moves = {
        "lock": Verb(months.lock, "roll", reason=None, icon="lock"),
        "unlock": Verb(months.unlock, "roll", icon="lock_open"),
    }
    list_display = ("__str__", "show_state", "computed_at")
    fields = ("month", "status", "computed_at")
    change_form_outer_before_template = "admin/core/moves.html"
    empty_text = gettext_lazy("Figures are counted every night. Those of today stand here tomorrow.")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: MonthRoll) -> Any:
        """As a coloured word."""
        return badge("green" if obj.status == "open" else COLOURS[obj.status], obj.get_status_display())
