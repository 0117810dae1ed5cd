"""Proposals of rules: a queue for those who may decide."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.decorators import display

from apps.automation.choices import PROPOSAL_COLOURS, ProposalKind, ProposalState
from apps.automation.models import Proposal
from apps.automation.registries import executors
from apps.automation.services import proposals
from apps.automation.transitions import PROPOSAL
from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.transitions import Move
from apps.core.wording import move_tables
from apps.feedback.services.telling import address

move_tables.register("automation.proposal", PROPOSAL)
PARTS = {
    "amount": _("coupon (CNY)"),
    "promise": _("promised date"),
    "text": _("text"),
}


class ConfirmForm(MoveForm):
    """Nothing to type, but a page that asks."""


class WaitingFilter(admin.SimpleListFilter):
    """What waits, unless something else is chosen."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice the list shows what waits."""
        return [(value, label) for value, label in ProposalState.choices if value != "proposed"] + [
            ("all", _("all"))
        ]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": ProposalState.PROPOSED.label} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        return queryset if value == "all" else queryset.filter(status=value or ProposalState.PROPOSED)


@admin.register(Proposal)
class ProposalAdmin(MovesMixin, ReadOnlyAdmin):
    """A person confirms or rejects; nothing is done before (decisions, item 20)."""

    moves_table = PROPOSAL
    moves = {
        "confirm": Verb(proposals.confirm, "proposal", reason=None, form=ConfirmForm, icon="check"),
        "reject": Verb(proposals.reject, "proposal", icon="close"),
    }
    list_display = ("title", "show_kind", "show_case", "rule", "expires_at", "show_status")
    list_filter = (WaitingFilter, "kind")
    list_select_related = ("rule",)
    change_form_outer_before_template = "admin/core/moves.html"
    fields = (
        "title",
        "kind",
        "show_case",
        "show_details",
        "rule",
        "rule_version",
        "show_status",
        "expires_at",
        "decided_by",
        "decided_at",
        "result",
    )
    readonly_fields = ("show_case", "show_details", "show_status")
    empty_text = _(
        "Nothing waits. When a rule proposes money, public words or a crisis, it waits here for you."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Those about feedback the person sees."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def move_note(self, request: HttpRequest, obj: Proposal, move: Move) -> str:
        """Said before it is confirmed: what will really happen."""
        if move.verb == "confirm" and executors.get(obj.kind) is None:
            return str(_("Nothing is issued automatically yet: it becomes a work item for a colleague."))
        if move.verb == "confirm" and obj.kind == ProposalKind.COMPENSATION:
            return str(
                _(
                    "The customer gets the coupon at once where a coupon of this value is in use and a budget has room; else it becomes a work item."
                )
            )
        return ""

    @display(description=_("kind"), ordering="kind")
    def show_kind(self, obj: Proposal) -> Any:
        """In words."""
        return obj.get_kind_display()

    @display(description=_("feedback"))
    def show_case(self, obj: Proposal) -> Any:
        """Its number, to its page."""
        return link(address(obj.feedback_id), f"F{obj.feedback_id:07d}")

    @display(description=pgettext_lazy("proposal", "details"))
    def show_details(self, obj: Proposal) -> Any:
        """Part by part."""
        parts = [
            (PARTS.get(key, key), value) for key, value in obj.payload.items() if value not in ("", None)
        ]
        return format_html("{}", format_html_join("", "<div>{}: {}</div>", parts)) if parts else "–"

    @display(description=_("state"), ordering="status", label=PROPOSAL_COLOURS)
    def show_status(self, obj: Proposal) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())
