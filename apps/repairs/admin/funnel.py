"""The repair funnel [差评修复漏斗]: figures of repairs for leads, management and analysts (R31)."""

from __future__ import annotations

import csv
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.core.admin.forms import PageForm
from apps.core.cells import neutral
from apps.feedback.choices import Tier
from apps.repairs.selectors import funnel
from apps.repairs.selectors.figures import Slice

SEE = "repairs.view_figures"
LONGEST_DAYS = 731
# Beyond these the calendar itself ends.
FIRST_YEAR, LAST_YEAR = 2000, 2199
PERIODS = (
    ("month", gettext_lazy("This month")),
    ("last_month", gettext_lazy("Last month")),
    ("30", gettext_lazy("Last 30 days")),
    ("90", gettext_lazy("Last 90 days")),
    ("365", gettext_lazy("Last 365 days")),
    ("own", gettext_lazy("Own period")),
)
NARROWS = ("store", "category", "channel", "agent")


class FunnelForm(PageForm):
    """Which days and whose repairs."""

    period = forms.ChoiceField(label=pgettext_lazy("repair figures", "Period"), choices=PERIODS)
    first = forms.DateField(
        label=gettext_lazy("from"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    last = forms.DateField(
        label=gettext_lazy("to"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    store = forms.ChoiceField(label=gettext_lazy("Store"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), required=False)
    agent = forms.ChoiceField(label=pgettext_lazy("repair figures", "Agent"), required=False)
    tier = forms.ChoiceField(
        label=gettext_lazy("Tier"),
        required=False,
        choices=[("", gettext_lazy("all")), *((c, c) for c in Tier.values)],
    )

    def __init__(self, params: Any, known: funnel.Names) -> None:
        super().__init__({"period": "90"} | {name: value for name, value in params.items() if value})
        for name in NARROWS:
            field: Any = self.fields[name]
            field.choices = [
                ("", _("all")),
                *((str(pk), label) for pk, label in getattr(known, name).items()),
            ]

    def clean(self) -> dict[str, Any]:
        """An own period has two days, in their order, and is not endless."""
        values = super().clean() or {}
        if values.get("period") != "own" or self.errors:
            return values
        first, last = values.get("first"), values.get("last")
        if first is None:
            self.add_error("first", _("Enter the first day of your period."))
        if last is None:
            self.add_error("last", _("Enter the last day of your period."))
        if first is None or last is None:
            return values
        if first.year < FIRST_YEAR or last.year > LAST_YEAR:
            self.add_error(
                "first",
                _("Choose days from %(first)d to %(last)d.") % {"first": FIRST_YEAR, "last": LAST_YEAR},
            )
        elif first > last:
            self.add_error("last", _("The last day lies before the first."))
        elif (last - first).days >= LONGEST_DAYS:
            self.add_error("last", _("Choose a period of two years at most."))
        return values

    def slice(self, today: Any) -> Slice:
        """What a valid form asks for."""
        values = self.cleaned_data
        first, last = funnel.period(values["period"], today) or (values["first"], values["last"])
        narrowed = {name: int(values[name]) for name in NARROWS if values[name]}
        return Slice(first=first, last=last, tier=values["tier"], **narrowed)

    def params(self) -> dict[str, str]:
        """The filters as they stand in an address."""
        asked = {name: str(self.data.get(name, "")) for name in self.fields}
        if asked["period"] != "own":
            asked |= {"first": "", "last": ""}
        return {name: value for name, value in asked.items() if value}


class FunnelMixin:
    """Two pages beside the queue: the figures, and the same as a file."""

    def funnel_urls(self) -> list[Any]:
        """Before the admin's own."""
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        return [
            path("funnel/", wrap(self.funnel_view), name="repairs_repaircase_funnel"),
            path("funnel/csv/", wrap(self.funnel_csv_view), name="repairs_repaircase_funnel_csv"),
        ]

    def funnel_view(self, request: HttpRequest) -> HttpResponse:
        """The figures of a period. The same number of queries for any number of rows."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        now = timezone.now()
        known = funnel.names(request.user)
        form = FunnelForm(request.GET, known)
        context: dict[str, Any] = {"form": form, "shown": None}
        if form.is_valid():
            wanted = form.slice(timezone.localtime(now).date())
            params = form.params()
            order = {"o": request.GET["o"]} if request.GET.get("o") else {}
            context |= {
                "shown": funnel.page(request.user, wanted, known, params | order, now=now),
                "slice": wanted,
                "narrowed": bool(wanted.narrowed()),
                "query": urlencode(params),
                "may_queue": request.user.has_perm("repairs.view_repaircase"),
            }
        return self.page(  # type: ignore[attr-defined,no-any-return]
            request,
            "admin/repairs/funnel.html",
            _("Repair funnel"),
            is_fullwidth=True,
            # A page of its own in the menu, not one of the queue's.
            opts=None,
            model_admin=None,
            content_title=_("Repair funnel"),
            **context,
        )

    def funnel_csv_view(self, request: HttpRequest) -> HttpResponse:
        """The counts behind the page, with a mark by which spreadsheets know the encoding; cells are no formulas."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        now = timezone.now()
        known = funnel.names(request.user)
        form = FunnelForm(request.GET, known)
        if not form.is_valid():
            return self.funnel_view(request)
        wanted = form.slice(timezone.localtime(now).date())
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = (
            f'attachment; filename="repair-funnel-{wanted.first:%Y%m%d}-{wanted.last:%Y%m%d}.csv"'
        )
        response["Cache-Control"] = "no-store, private"
        response.write("\ufeff")
        writer = csv.writer(response)
        for row in funnel.csv_rows(request.user, wanted, known, now=now):
            writer.writerow(neutral(str(cell)) for cell in row)
        return response
