"""What the pages of this app share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin.display import link
from apps.core.admin.moves import MoveForm


class ConfirmForm(MoveForm):
    """Nothing to type, but a page that asks."""


class SaveOnlyEdited:
    """Counters of a record move by services alone: a form writes back only what somebody changed in it."""

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        """New rows whole, old ones field by field."""
        if not change:
            obj.save()
            return
        own = {field.name for field in obj._meta.concrete_fields}
        names = [name for name in form.changed_data if name in own]
        if names:
            obj.save(update_fields=[*names, "updated_at"])


class VisibleMixin:
    """Rows whose queryset knows who sees what."""

    def visible_to(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of customers the person meets."""
        return queryset.visible_to(request.user)

    @display(description=_("customer"))
    def show_customer(self, obj: Any) -> Any:
        """Masked, with the way to the page."""
        if obj.customer_id is None:
            return "–"
        url = reverse("admin:customers_customer_change", args=[obj.customer_id])
        return link(f"{url}?tab=panel-rewards", obj.customer.masked_name)


class StateFilter(admin.SimpleListFilter):
    """What waits, unless something else is chosen. `first` is the state that is shown without a choice."""

    title = _("state")
    parameter_name = "state"
    first = ""
    states: Any = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice the list shows what waits."""
        return [(value, label) for value, label in self.states if value != self.first] + [("all", _("all"))]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": dict(self.states)[self.first]} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        return queryset if value == "all" else queryset.filter(status=value or self.first)


def money(value: Any) -> str:
    """¥1,234.50; a dash where there is none."""
    return "–" if value is None else f"¥{value:,.2f}"


def stack(*lines: Any) -> Any:
    """Lines one below the other."""
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
