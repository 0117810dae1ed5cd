"""What waits for a second person: the list of mine, the page to decide on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.approvals import APPROVAL, deciders
from apps.core.choices import ApprovalState
from apps.core.masking import mask_text
from apps.core.models import Approval
from apps.core.services import approvals
from apps.core.wording import move_tables

move_tables.register("core.approval", APPROVAL)


class WaitingFilter(admin.SimpleListFilter):
    """What I may decide, unless something else is chosen."""

    title = _("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice the list shows what waits for me."""
        return [("asked", _("asked by me")), ("decided", _("decided")), ("all", _("all"))]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": _("waiting for me")} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        if value == "asked":
            return queryset.filter(requested_by_id=request.user.pk)
        if value == "decided":
            return queryset.exclude(state=ApprovalState.PENDING)
        if value == "all":
            return queryset
        return queryset.filter(pk__in=approvals.waiting_for(request.user).values("pk"))  # type: ignore[arg-type]


@admin.register(Approval)
class ApprovalAdmin(MovesMixin, ReadOnlyAdmin):
    """Oldest first: whoever waits longest comes first. Deciding is a button, never a field."""

    moves_table = APPROVAL
    moves_field = "state"
    moves = {
        "approve": Verb(
            approvals.approve, "approval", icon="check", show=lambda request, obj: _may_decide(request, obj)
        ),
        "reject": Verb(
            approvals.reject, "approval", icon="close", show=lambda request, obj: _may_decide(request, obj)
        ),
        "withdraw": Verb(
            approvals.withdraw,
            "approval",
            icon="undo",
            show=lambda request, obj: obj.requested_by_id == request.user.pk,
        ),
    }
    ordering = ("requested_at", "id")
    list_display = ("title", "show_kind", "requested_by", "requested_at", "show_state")
    list_filter = (WaitingFilter,)
    list_select_related = ("requested_by", "decided_by")
    change_form_outer_before_template = "admin/core/moves.html"
    empty_text = _("Nothing waits for your decision. What colleagues may not decide alone arrives here.")
    fieldsets = (
        (None, {"fields": ("show_kind", "show_summary", "show_payload", "show_record")}),
        (_("Who"), {"fields": ("requested_by", "requested_at")}),
        (_("Decision"), {"fields": ("show_state", "decided_by", "decided_at", "show_reason")}),
    )
    readonly_fields = (
        "show_kind",
        "show_summary",
        "show_payload",
        "show_record",
        "show_state",
        "show_reason",
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """What I asked for, what I may decide, and for auditors everything."""
        user = request.user
        if user.is_superuser or user.has_perm("core.view_actionlog"):
            return queryset
        return queryset.filter(
            models.Q(requested_by_id=user.pk)
            | models.Q(decided_by_id=user.pk)
            | models.Q(permission__in=user.get_all_permissions())
        )

    @display(description=_("kind"))
    def show_kind(self, obj: Approval) -> Any:
        """In words."""
        decider = deciders.get(obj.kind)
        return decider.label if decider else obj.kind

    @display(description=_("what is asked"))
    def show_summary(self, obj: Approval) -> Any:
        """Masked; line breaks stay."""
        return format_html('<div style="white-space:pre-wrap">{}</div>', mask_text(obj.summary))

    @display(description=_("details"))
    def show_payload(self, obj: Approval) -> Any:
        """Label and value of each detail, in the words of whoever asked."""
        lines = [
            (key, mask_text(str(value))) for key, value in obj.payload.items() if not key.startswith("_")
        ]
        return format_html_join("", "<div><b>{}</b>  {}</div>", lines) if lines else "–"

    @display(description=_("record"))
    def show_record(self, obj: Approval) -> Any:
        """The page it is about."""
        return link(obj.url, _("open")) if obj.url.startswith("/") else "–"

    @display(
        description=_("state"),
        label={
            ApprovalState.PENDING: "warning",
            ApprovalState.APPROVED: "success",
            ApprovalState.REJECTED: "danger",
            ApprovalState.CANCELLED: "default",
        },
    )
    def show_state(self, obj: Approval) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.state, obj.get_state_display())

    @display(description=_("reason"))
    def show_reason(self, obj: Approval) -> str:
        """Masked."""
        return mask_text(obj.reason) or "–"


def _may_decide(request: HttpRequest, obj: Approval) -> bool:
    return obj.requested_by_id != request.user.pk and request.user.has_perm(obj.permission)
