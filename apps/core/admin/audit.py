"""What was done, and who saw personal data whole. Read only."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import link
from apps.core.masking import mask_text
from apps.core.models import ActionLog, Reveal
from apps.core.numbers import whole_number
from apps.core.wording import record_name, verb_label

# By which door a move came.
DOORS = {
    "admin": _("back office"),
    "api": _("API"),
    "sweep": _("sweep"),
    "dispatch": _("dispatch"),
    "intake": _("intake"),
    "demo": _("demo data"),
    "worker": _("background work"),
    "public": _("public page"),
}


def record_types() -> list[tuple[str, Any]]:
    """(label, name) of every model of the project that can stand in a log."""
    return [
        (model._meta.label_lower, model._meta.verbose_name)
        for config in apps.get_app_configs()
        if config.name.startswith("apps.")
        for model in config.get_models()
        if not model._meta.label_lower.split(".")[1].startswith("historical")
    ]


def record_url(label: str, pk: int) -> str:
    """The record's page, "" where it has none."""
    try:
        return reverse(f"admin:{label.replace('.', '_')}_change", args=[pk])
    except NoReverseMatch:
        return ""


class RecordTypeFilter(admin.SimpleListFilter):
    """By kind of record; an index starts with it."""

    title = _("record type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Only types that somebody can have acted on."""
        return [(label, name) for label, name in record_types() if record_url(label, 1)]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        return queryset.filter(model=self.value()) if self.value() else queryset


class OfRecordAdmin(ReadOnlyAdmin):
    """Shared by both logs: newest first by key (rows are only appended), searched by record number."""

    ordering = ("-id",)
    search_fields = ("object_id",)
    search_help_text = _("Number of the record, e.g. F0000017 or 17")
    list_select_related = ("by",)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """By number within every type: the index on (type, record) serves each."""
        if not search_term:
            return queryset, False
        number = whole_number(search_term.strip().lstrip("Ff#").strip())
        if number is None:
            return queryset.none(), False
        labels = [label for label, _name in record_types()]
        return queryset.filter(model__in=labels, object_id=number), False

    @display(description=_("record"))
    def show_record(self, obj: Any) -> Any:
        """With a link where there is a page."""
        url = record_url(obj.model, obj.object_id)
        name = record_name(obj.model, obj.object_id)
        return link(url, name) if url else name

    @display(description=_("reason"))
    def show_reason(self, obj: Any) -> str:
        """Free text may hold a phone number: masked."""
        return mask_text(obj.reason)

    @display(description=_("by"))
    def show_by(self, obj: Any) -> Any:
        """Nobody means the system itself."""
        return obj.by or _("the system")


@admin.register(ActionLog)
class ActionLogAdmin(OfRecordAdmin):
    """Every move of every record (architecture, decision 4)."""

    list_display = ("at", "show_by", "show_record", "show_verb", "show_states", "show_reason", "show_via")
    list_filter = (RecordTypeFilter, ("by", RelatedDropdownFilter), ("at", RangeDateTimeFilter))
    fields = (
        "at",
        "show_by",
        "show_record",
        "show_verb",
        "show_states",
        "show_reason",
        "show_via",
        "show_data",
    )
    readonly_fields = (
        "show_by",
        "show_record",
        "show_verb",
        "show_states",
        "show_reason",
        "show_via",
        "show_data",
    )

    @display(description=_("move"))
    def show_verb(self, obj: ActionLog) -> Any:
        """As its button is called."""
        return verb_label(obj.model, obj.verb)

    @display(description=_("via"))
    def show_via(self, obj: ActionLog) -> Any:
        """By which door."""
        return DOORS.get(obj.via, obj.via)

    @display(description=_("from → to"))
    def show_states(self, obj: ActionLog) -> str:
        """States in the words of the record's own choices."""
        choices: dict[Any, Any] = {}
        # Most records call it status; imports, whose status would be read as that of a file, call it state.
        for name in ("status", "state"):
            with suppress(LookupError, FieldDoesNotExist, ValueError):
                choices |= dict(apps.get_model(obj.model)._meta.get_field(name).flatchoices)
        before, after = (str(choices.get(state, state)) for state in (obj.from_state, obj.to_state))
        return f"{before} → {after}" if before != after else before

    @display(description=_("details"))
    def show_data(self, obj: ActionLog) -> str:
        """As text, masked."""
        return mask_text(json.dumps(obj.data, ensure_ascii=False, indent=1)) if obj.data else ""


@admin.register(Reveal)
class RevealAdmin(OfRecordAdmin):
    """Who looked at personal data, why and when."""

    list_display = ("at", "show_by", "show_record", "show_fields", "show_reason")
    list_filter = (RecordTypeFilter, ("by", RelatedDropdownFilter), ("at", RangeDateTimeFilter))
    fields = ("at", "show_by", "show_record", "show_fields", "show_reason")
    readonly_fields = ("show_by", "show_record", "show_fields", "show_reason")

    @display(description=_("fields"))
    def show_fields(self, obj: Reveal) -> str:
        """Their labels, as the record's form calls them."""
        try:
            meta = apps.get_model(obj.model)._meta
            return ", ".join(str(meta.get_field(name).verbose_name) for name in obj.fields)
        except Exception:
            return ", ".join(obj.fields)
