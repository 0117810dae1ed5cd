"""What was blocked, released or went on after a warning. Read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.compliance.choices import ACTION_COLOURS, RuleAction
from apps.compliance.models import Verdict
from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import LABELS, badge, link


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    """Newest first."""

    ordering = ("-at", "-id")
    list_display = ("at", "show_action", "show_rules", "show_text", "ruling", "by")
    list_filter = ("ruling", "action", ("by", RelatedDropdownFilter), ("at", RangeDateTimeFilter))
    list_select_related = ("by", "approval")
    fields = (
        "at",
        "by",
        "show_action",
        "show_findings",
        "show_marked",
        "ruling",
        "reason",
        "approval",
        "show_about",
    )
    readonly_fields = ("show_action", "show_findings", "show_marked", "show_about")
    empty_text = _(
        "Nothing was stopped yet. Whatever a rule finds in a reply, a template or a campaign is kept here."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """One's own; everything for those who release and for auditors."""
        user = request.user
        if user.has_perm("compliance.approve_verdict") or user.has_perm("core.view_actionlog"):
            return queryset
        return queryset.filter(by_id=user.pk)

    @display(description=_("heaviest finding"), label=LABELS)
    def show_action(self, obj: Verdict) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(ACTION_COLOURS[obj.action], obj.get_action_display())

    @display(description=_("rules"))
    def show_rules(self, obj: Verdict) -> str:
        """Their numbers."""
        return "、".join(finding["rule"] for finding in obj.findings)

    @display(description=_("text"))
    def show_text(self, obj: Verdict) -> str:
        """Its beginning, masked."""
        return obj.text[:60] + ("…" if len(obj.text) > 60 else "")

    @display(description=_("findings"))
    def show_findings(self, obj: Verdict) -> Any:
        """Rule, version, title and what was missing."""
        return format_html_join(
            "",
            "<div>{} v{} · {} · {} {}</div>",
            (
                (
                    finding["rule"],
                    finding["version"],
                    dict(RuleAction.choices).get(finding["action"], ""),
                    finding["title"],
                    "、".join(finding["missing"]),
                )
                for finding in obj.findings
            ),
        )

    @display(description=_("text (masked)"))
    def show_marked(self, obj: Verdict) -> Any:
        """Line breaks stay."""
        return format_html('<div style="white-space:pre-wrap">{}</div>', obj.text)

    @display(description=_("about"))
    def show_about(self, obj: Verdict) -> Any:
        """The page it belongs to."""
        return link(obj.url, _("open")) if obj.url.startswith("/") else obj.subject_key or "–"
