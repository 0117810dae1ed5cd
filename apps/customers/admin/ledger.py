"""Read-only lists: the consent ledger, merges (with undo), contact holds."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import badge, link
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.customers.models import ConsentEvent, ContactHold, Customer, CustomerMerge
from apps.customers.services import merging


def customer_link(customer: Customer) -> Any:
    """The masked name, with the way to the page."""
    return link(
        reverse("admin:customers_customer_change", args=[customer.pk]),
        f"{customer.masked_name} #{customer.pk}",
    )


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """Every grant and withdrawal. Written on the customer's page."""

    list_display = (
        "at",
        "show_customer",
        "purpose",
        "channel",
        "show_granted",
        "text_version",
        "show_source",
        "by",
    )
    list_filter = ("purpose", "channel", "granted", ("at", RangeDateTimeFilter))
    list_select_related = ("customer", "by")
    ordering = ("-id",)
    fields = (
        "at",
        "show_customer",
        "purpose",
        "channel",
        "show_granted",
        "text_version",
        "show_source",
        "show_evidence",
        "by",
    )
    readonly_fields = ("show_customer", "show_granted", "show_source", "show_evidence")

    @display(description=gettext_lazy("customer"))
    def show_customer(self, obj: ConsentEvent) -> Any:
        """Masked."""
        return customer_link(obj.customer)

    @display(description=gettext_lazy("entry"), label={True: "success", False: "warning"})
    def show_granted(self, obj: ConsentEvent) -> tuple[bool, Any]:
        """As a coloured word."""
        return badge(obj.granted, _("granted") if obj.granted else _("withdrawn"))

    @display(description=gettext_lazy("source"))
    def show_source(self, obj: ConsentEvent) -> str:
        """Free text: masked."""
        return mask_text(obj.source)

    @display(description=gettext_lazy("evidence"))
    def show_evidence(self, obj: ConsentEvent) -> str:
        """Free text: masked."""
        return mask_text(obj.evidence)


@admin.register(ContactHold)
class ContactHoldAdmin(ReadOnlyAdmin):
    """Who may not be contacted. Set and released on the customer's page."""

    list_display = ("show_customer", "show_reason", "starts_at", "ends_at", "released_at", "by")
    list_filter = (("starts_at", RangeDateTimeFilter),)
    list_select_related = ("customer", "by")
    ordering = ("-id",)
    fields = ("show_customer", "show_reason", "starts_at", "ends_at", "released_at", "by")
    readonly_fields = ("show_customer", "show_reason")

    @display(description=gettext_lazy("reason"))
    def show_reason(self, obj: ContactHold) -> str:
        """Free text: masked."""
        return mask_text(obj.reason)

    @display(description=gettext_lazy("customer"))
    def show_customer(self, obj: ContactHold) -> Any:
        """Masked."""
        return customer_link(obj.customer)


@admin.register(CustomerMerge)
class CustomerMergeAdmin(ReadOnlyAdmin):
    """Merges; each can be undone exactly."""

    list_display = ("at", "show_source", "show_target", "show_rows", "show_reason", "by", "show_undone")
    list_filter = (("at", RangeDateTimeFilter),)
    list_select_related = ("source", "target", "by", "undone_by")
    list_display_links = ("at",)
    ordering = ("-id",)
    fields = (
        "at",
        "by",
        "show_source",
        "show_target",
        "show_moved",
        "show_filled",
        "show_reason",
        "undone_at",
        "undone_by",
    )
    readonly_fields = ("show_source", "show_target", "show_moved", "show_filled", "show_reason")
    change_form_outer_before_template = "admin/customers/merge_buttons.html"

    def get_urls(self) -> list[Any]:
        """Undoing."""
        return [
            path(
                "<int:object_id>/undo/",
                self.admin_site.admin_view(self.undo_view),
                name="customers_customermerge_undo",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Hands the undo button to those who may."""
        context = {"may_undo": request.user.has_perm(merging.PERMISSION)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def undo_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks, POST makes them two again."""
        record = self.get_object(request, str(object_id))
        if record is None:
            raise Http404
        if not request.user.has_perm(merging.PERMISSION):
            raise PermissionDenied
        back = reverse("admin:customers_customermerge_change", args=[record.pk])
        if request.method == "POST":
            try:
                done = merging.undo(merge=record, by=request.user, now=timezone.now())  # type: ignore[arg-type]
            except DomainError as error:
                tell_error(request, error)
                return HttpResponseRedirect(back)
            messages.success(
                request,
                ngettext(
                    "Undone: %(count)d row went back.", "Undone: %(count)d rows went back.", done.returned
                )
                % {"count": done.returned},
            )
            if done.left:
                messages.warning(
                    request,
                    ngettext(
                        "%(count)d row was changed since and stays where it is.",
                        "%(count)d rows were changed since and stay where they are.",
                        done.left,
                    )
                    % {"count": done.left},
                )
            if done.kept_fields:
                messages.warning(
                    request, _("Changed since and kept: %(fields)s") % {"fields": ", ".join(done.kept_fields)}
                )
            return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[record.source_id]))
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Undo the merge"),
            obj=record,
            back=back,
            submit=_("Undo the merge"),
            text=_("The rows that moved go back to #%(source)d; what came to #%(target)d since stays there.")
            % {"source": record.source_id, "target": record.target_id},
        )

    @display(description=gettext_lazy("merged"))
    def show_source(self, obj: CustomerMerge) -> Any:
        """Masked."""
        return customer_link(obj.source)

    @display(description=gettext_lazy("into"))
    def show_target(self, obj: CustomerMerge) -> Any:
        """Masked."""
        return customer_link(obj.target)

    @display(description=gettext_lazy("moved rows"))
    def show_rows(self, obj: CustomerMerge) -> int:
        """How many."""
        return sum(len(ids) for ids in obj.moved.values())

    @display(description=gettext_lazy("moved rows"))
    def show_moved(self, obj: CustomerMerge) -> str:
        """By kind."""
        return merging.moved_text(obj)

    @display(description=gettext_lazy("filled fields"))
    def show_filled(self, obj: CustomerMerge) -> str:
        """Names only; values are not kept here."""
        return merging.filled_text(obj)

    @display(description=gettext_lazy("reason"))
    def show_reason(self, obj: CustomerMerge) -> str:
        """Free text: masked."""
        return mask_text(obj.reason)

    @display(description=gettext_lazy("state"), label={"done": "info", "undone": "default"})
    def show_undone(self, obj: CustomerMerge) -> tuple[str, Any]:
        """As a coloured word."""
        return badge("undone", _("undone")) if obj.undone_at else badge("done", _("in force"))
