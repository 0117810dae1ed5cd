"""Work for stores and departments: self-checks, restock, tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ShopModelAdmin
from apps.core.admin.display import LABELS, badge, countdown, link
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.models import User
from apps.core.wording import move_tables
from apps.shop.choices import WorkKind, WorkStatus
from apps.shop.models import WorkItem
from apps.shop.selectors import scope_of
from apps.shop.services import work
from apps.shop.transitions import WORK_ITEM

OPEN = (WorkStatus.OPEN, WorkStatus.DOING)


def work_visible_to(user: Any, queryset: models.QuerySet) -> models.QuerySet:
    """The work a person may see: theirs, their stores', their department's, or all (decision 12)."""
    scope = scope_of(user, see_all="feedback.see_all_feedback")
    if scope.everything:
        return queryset
    return queryset.filter(
        models.Q(owner_id=user.pk)
        | models.Q(store_id__in=scope.stores)
        | models.Q(department_id__in=scope.departments)
    )


class WorkFilter(admin.SimpleListFilter):
    """What is to do; open work unless something else is chosen."""

    title = _("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice the list shows what is open."""
        return [
            ("mine", _("mine, open")),
            ("overdue", _("overdue")),
            ("done", _("done or cancelled")),
            ("all", _("all")),
        ]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": pgettext_lazy("work item", "open")} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        if value == "mine":
            return queryset.filter(owner_id=request.user.pk, status__in=OPEN)
        if value == "overdue":
            return queryset.filter(status__in=OPEN, due_at__lte=timezone.now())
        if value == "done":
            return queryset.exclude(status__in=OPEN)
        if value == "all":
            return queryset
        return queryset.filter(status__in=OPEN)


move_tables.register("shop.workitem", WORK_ITEM)


@admin.register(WorkItem)
class WorkItemAdmin(MovesMixin, ShopModelAdmin):
    """Most urgent first. The state moves by buttons; done needs evidence."""

    moves_table = WORK_ITEM
    moves = {
        "start": Verb(work.start, "item", reason=None, icon="play_arrow"),
        "finish": Verb(work.finish, "item", reason="evidence", reason_label=_("evidence"), icon="check"),
        "cancel": Verb(work.cancel, "item", icon="close"),
        "redo": Verb(work.redo, "item", icon="undo"),
    }
    deletable = False
    list_display = ("title", "show_kind", "show_where", "show_due", "owner", "show_status")
    list_filter = (
        WorkFilter,
        "kind",
        ("store", RelatedDropdownFilter),
        ("department", RelatedDropdownFilter),
    )
    search_fields = ("title__icontains",)
    list_select_related = ("store", "department", "owner")
    # Owners by a plain list: whoever hands out work need not see staff accounts, which a look-up would ask.
    autocomplete_fields = ("store", "product")
    change_form_outer_before_template = "admin/core/moves.html"
    fieldsets = (
        (None, {"fields": ("title", "kind", "body", "due_at")}),
        (_("Who"), {"fields": ("owner", "store", "department", "product")}),
        (_("Result"), {"fields": ("show_status", "evidence", "done_at", "show_origin")}),
    )
    add_fieldsets = fieldsets[:2]
    readonly_fields = ("show_status", "evidence", "done_at", "show_origin")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores and departments see theirs."""
        return work_visible_to(request.user, queryset)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Most urgent first; work without a deadline waits behind, on every database."""
        return [models.F("due_at").asc(nulls_last=True), "id"]

    def save_model(self, request: HttpRequest, obj: WorkItem, form: Any, change: bool) -> None:
        """New work names its origin; a new owner is told."""
        if not obj.origin_key:
            obj.origin_key = work.staff_origin()
        super().save_model(request, obj, form, change)
        if "owner" in form.changed_data:
            work.tell_owner(
                item=obj,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
                url=reverse("admin:shop_workitem_change", args=[obj.pk]),
            )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Work goes to people who still work here."""
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(
        description=_("kind"),
        ordering="kind",
        label={WorkKind.SELF_CHECK: "danger", WorkKind.RESTOCK: "warning", WorkKind.TASK: "info"},
    )
    def show_kind(self, obj: WorkItem) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.kind, obj.get_kind_display())

    @display(description=_("store or department"))
    def show_where(self, obj: WorkItem) -> str:
        """Both where both are named."""
        return " · ".join(str(part) for part in (obj.store, obj.department) if part)

    @display(description=_("due"), ordering="due_at", label=LABELS)
    def show_due(self, obj: WorkItem) -> Any:
        """Counts down while there is something to do."""
        if obj.status not in OPEN:
            return None
        return countdown(obj.due_at, timezone.now(), soon=timedelta(hours=4))

    @display(
        description=_("state"),
        ordering="status",
        label={
            WorkStatus.OPEN: "info",
            WorkStatus.DOING: "warning",
            WorkStatus.DONE: "success",
            WorkStatus.CANCELLED: "default",
        },
    )
    def show_status(self, obj: WorkItem) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=_("caused by"))
    def show_origin(self, obj: WorkItem) -> Any:
        """The page that caused it, where it has one."""
        return link(obj.url, _("open")) if obj.url.startswith("/") else _("entered by staff")
