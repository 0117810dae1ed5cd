"""The customer list and the customer page (screens.md, Customer; R25)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, tell_error
from apps.core.admin.display import badge
from apps.core.admin.reveal import RevealMixin
from apps.core.exceptions import DomainError
from apps.core.history import reason_text
from apps.core.masking import mask_order_no, mask_text
from apps.customers import selectors
from apps.customers.admin.forms import ConsentForm, CustomerForm, FindOtherForm, HoldForm, MergeForm
from apps.customers.choices import CustomerState, MemberTier
from apps.customers.models import ConsentEvent, ContactHold, Customer, CustomerMerge, Order
from apps.customers.registries import panels
from apps.customers.services import merging
from apps.customers.services.consent import record_consent, release_hold, set_hold

TIER_LABELS = {
    MemberTier.REGULAR: "default",
    MemberTier.SILVER: "info",
    MemberTier.GOLD: "warning",
    MemberTier.DIAMOND: "primary",
}
STATE_LABELS = {
    CustomerState.ACTIVE: "success",
    CustomerState.RESTRICTED: "warning",
    CustomerState.MERGED: "default",
    CustomerState.ERASED: "default",
}
# Old and new values of these never stand on the page whole; the history of the first three is not kept at
# all.
HIDDEN_IN_HISTORY = {"phone_hash": "phone", "email_hash": "email"}


@admin.register(Customer)
class CustomerAdmin(RevealMixin, HistoryModelAdmin):
    """People, masked. Whole values only after a reason; two records of one person are merged, not deleted."""

    form = CustomerForm
    deletable = False
    reveal_fields = ("phone", "email", "name")
    reveal_permission = "customers.unmask_customer"
    list_display = ("show_name", "show_phone", "show_email", "show_tier", "city", "show_state", "created_at")
    list_display_links = ("show_name",)
    list_filter = ("member_tier", "state")
    # The names only switch the box on; the search itself is `get_search_results`.
    search_fields = ("external_id",)
    search_help_text = gettext_lazy(
        "Whole phone number or e-mail; beginning of nickname or customer number; #17"
    )
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("nickname", "name", "gender", "phone", "email")}),
        (gettext_lazy("Shop"), {"fields": ("external_id", "member_tier", "city")}),
        (gettext_lazy("Birthday"), {"fields": ("birth_year", "birth_month", "birth_day", "birth_is_lunar")}),
        (gettext_lazy("Remarks"), {"fields": ("tags", "note")}),
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Store staff see their stores' customers (decision 12)."""
        return selectors.visible_to(request.user, queryset)

    # -- list ----------
    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """Hashes and beginnings, no scans."""
        return selectors.find_customers(queryset, search_term), False

    @display(description=gettext_lazy("customer"))
    def show_name(self, obj: Customer) -> str:
        """Masked."""
        return obj.masked_name

    @display(description=gettext_lazy("mobile"))
    def show_phone(self, obj: Customer) -> str:
        """Masked."""
        return obj.masked_phone

    @display(description=gettext_lazy("e-mail"))
    def show_email(self, obj: Customer) -> str:
        """Masked."""
        return obj.masked_email

    @display(description=gettext_lazy("member tier"), ordering="member_tier", label=TIER_LABELS)
    def show_tier(self, obj: Customer) -> Any:
        """As a coloured word; nothing for people without membership."""
        return badge(obj.member_tier, obj.get_member_tier_display()) if obj.member_tier else None

    @display(description=gettext_lazy("state"), label=STATE_LABELS)
    def show_state(self, obj: Customer) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.state, obj.get_state_display())

    # -- addresses ----------
    def get_urls(self) -> list[Any]:
        """The pages of one customer."""
        wrap = self.admin_site.admin_view

        def page(address: str, view: Any, name: str) -> Any:
            return path(f"<int:object_id>/{address}", wrap(view), name=f"customers_customer_{name}")

        return [
            page("edit/", self.edit_view, "edit"),
            page("consent/", self.consent_view, "consent"),
            page("hold/", self.hold_view, "hold"),
            page("hold/<int:hold_id>/release/", self.release_view, "release"),
            page("merge/", self.find_view, "merge"),
            page("merge/<int:other_id>/", self.merge_view, "merge_with"),
            *super().get_urls(),
        ]

    def _customer(self, request: HttpRequest, object_id: int | str, permission: str = "") -> Customer:
        customer = self.get_object(request, str(object_id))
        if customer is None:
            raise Http404
        if not self.has_view_permission(request, customer) or (
            permission and not request.user.has_perm(permission)
        ):
            raise PermissionDenied
        return customer

    @staticmethod
    def _url(name: str, *args: Any, tab: str = "") -> str:
        return reverse(f"admin:customers_customer_{name}", args=args) + (f"?tab={tab}" if tab else "")

    # -- the page ----------
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The customer page. It only shows; every change has an address of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        customer = self._customer(request, object_id)
        may = request.user.has_perm
        now = timezone.now()
        # In the order of the question: what happened, what was bought, what was said; papers last.
        tabs: dict[str, Any] = {"timeline": _("Timeline")}
        if may("customers.view_order"):
            tabs["orders"] = _("Orders")
        open_panels = {
            code: panel for code in panels.codes() if (panel := panels.get(code)) and may(panel.permission)
        }
        tabs |= {f"panel-{code}": panel.label for code, panel in open_panels.items()}
        if may("customers.view_consentevent"):
            tabs["consents"] = _("Consents and holds")
        tabs |= {"identities": _("Identities"), "profile": _("Profile")}
        if may("customers.change_customer"):
            tabs["history"] = _("Changes")
        tab = request.GET.get("tab", "timeline")
        if tab not in tabs:
            tab = "timeline"
        context: dict[str, Any] = {
            "customer": customer,
            "tabs": tabs,
            "tab": tab,
            "tier_label": TIER_LABELS.get(customer.member_tier, "default"),
            "state_label": STATE_LABELS[customer.state],
            "birthday": birthday(customer),
            "holds": masked_holds(selectors.holds_now(customer.pk, now))
            if may("customers.view_contacthold")
            else [],
            "consents": selectors.consents_now(customer.pk) if may("customers.view_consentevent") else [],
            "reveal_url": self.reveal_url(request, customer),
            "edit_url": self._url("edit", customer.pk)
            if self.has_change_permission(request, customer)
            else "",
            "merge_url": self._merge_url(request, customer),
            "now": now,
            "same": selectors.likely_same(customer) if customer.state == CustomerState.ACTIVE else [],
            "may_consent": may("customers.add_consentevent"),
            "may_hold": may("customers.add_contacthold"),
            "may_release": may("customers.change_contacthold"),
            "survivor": selectors.surviving(customer) if customer.merged_into_id else None,
        }
        if tab.startswith("panel-"):
            panel = open_panels[tab.removeprefix("panel-")]
            context |= {"panel": panel, **panel.context(customer, request.user)}
        else:
            context |= getattr(self, f"_tab_{tab}")(request, customer)
        return self.page(
            request, "admin/customers/customer_page.html", customer.masked_name, obj=customer, **context
        )

    def _merge_url(self, request: HttpRequest, customer: Customer) -> str:
        if customer.state != CustomerState.ACTIVE or not request.user.has_perm(merging.PERMISSION):
            return ""
        return self._url("merge", customer.pk)

    def _tab_profile(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        return {
            "merges": list(
                CustomerMerge.objects.filter(target=customer, undone_at__isnull=True).select_related(
                    "source", "by"
                )[:20]
            )
            if request.user.has_perm("customers.view_customermerge")
            else [],
            "note": mask_text(customer.note),
        }

    def _tab_timeline(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        return {"events": selectors.timeline_of(customer.pk, request.user)}

    def _tab_orders(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        orders = (
            Order.objects.filter(customer=customer).select_related("store").prefetch_related("items__product")
        )
        rows = list(orders.order_by("-placed_at", "-id")[:50])
        return {"orders": [{"order": row, "number": mask_order_no(row.order_no)} for row in rows]}

    def _tab_consents(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        ledger = ConsentEvent.objects.filter(customer=customer).select_related("by")
        holds = ContactHold.objects.filter(customer=customer).select_related("by")
        return {
            "ledger": [
                {"row": row, "source": mask_text(row.source), "evidence": mask_text(row.evidence)}
                for row in ledger[:50]
            ],
            "all_holds": masked_holds(holds[:50])
            if request.user.has_perm("customers.view_contacthold")
            else [],
        }

    def _tab_identities(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        rows = customer.identities.order_by("channel", "id")[:50]
        return {
            "identities": [
                {"row": row, "known": mask_account(row.external_id), "nickname": mask_text(row.nickname)}
                for row in rows
            ]
        }

    def _tab_history(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        records = list(
            customer.history.select_related("history_user").order_by("-history_date", "-history_id")[:51]
        )
        rows = []
        for newer, older in zip(records, [*records[1:], None], strict=True):
            changes = [] if older is None else list(changes_between(older, newer))
            reason = reason_text(newer.history_change_reason)
            rows.append({"record": newer, "changes": changes, "reason": reason})
        return {"history_rows": rows[:50]}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The field history is a tab of the page, where values are masked."""
        customer = self._customer(request, object_id, "customers.change_customer")
        return HttpResponseRedirect(self._url("change", customer.pk, tab="history"))

    def history_form_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Old versions are not opened one by one: they would show what the page masks."""
        raise Http404

    # -- editing ----------
    def edit_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The form, for those who may change; the theme's read-only view would show values whole."""
        customer = self._customer(request, object_id)
        if not self.has_change_permission(request, customer):
            raise PermissionDenied
        return self.changeform_view(request, str(object_id), "", {"show_history": False})

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        """Merged and erased records are signposts."""
        if obj is not None and obj.state in (CustomerState.MERGED, CustomerState.ERASED):
            return False
        return super().has_change_permission(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Customer) -> HttpResponse:
        """Back to the page."""
        return HttpResponseRedirect(self._url("change", obj.pk))

    def response_post_save_add(self, request: HttpRequest, obj: Customer) -> HttpResponse:
        """On to the page."""
        return HttpResponseRedirect(self._url("change", obj.pk))

    # -- consents and holds ----------
    def consent_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: the form, filled in from the button that led here. POST: one row in the ledger."""
        customer = self._customer(request, object_id, "customers.add_consentevent")
        initial = {name: request.GET.get(name, "") for name in ("purpose", "channel", "granted")}
        form = ConsentForm(
            request.POST if request.method == "POST" else None,
            initial={key: value for key, value in initial.items() if value}
            or {"channel": "any", "granted": "no"},
        )
        back = self._url("change", customer.pk, tab="consents")
        if request.method == "POST" and form.is_valid():
            values = dict(form.cleaned_data)
            try:
                record_consent(
                    customer=customer,
                    granted=values.pop("granted") == "yes",
                    by=request.user,
                    now=timezone.now(),
                    **values,
                )
            except DomainError as error:
                self._place(request, form, error)
            else:
                messages.success(request, _("The ledger has a new entry."))
                return HttpResponseRedirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Consent"),
            obj=customer,
            form=form,
            submit={"no": _("Record a withdrawal"), "yes": _("Record a consent")}.get(
                initial["granted"], _("Record")
            ),
            back=back,
            text=_("Nothing is overwritten: the newest entry is what holds."),
        )

    def hold_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: the form. POST: from now on nobody contacts the customer."""
        customer = self._customer(request, object_id, "customers.add_contacthold")
        form = HoldForm(request.POST if request.method == "POST" else None)
        back = self._url("change", customer.pk, tab="consents")
        if request.method == "POST" and form.is_valid():
            try:
                set_hold(customer=customer, by=request.user, now=timezone.now(), **form.cleaned_data)
            except DomainError as error:
                self._place(request, form, error)
            else:
                messages.success(request, _("Nobody contacts this customer from now on."))
                return HttpResponseRedirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Stop contacts"),
            obj=customer,
            form=form,
            back=back,
            submit=_("Stop contacts"),
            danger=True,
            text=_("No message is sent and no call is made until the hold ends or is released."),
        )

    def release_view(self, request: HttpRequest, object_id: int, hold_id: int) -> HttpResponse:
        """GET asks, POST releases."""
        customer = self._customer(request, object_id, "customers.change_contacthold")
        hold = customer.holds.filter(pk=hold_id).first()
        if hold is None:
            raise Http404
        back = self._url("change", customer.pk, tab="consents")
        if request.method == "POST":
            try:
                release_hold(hold=hold, by=request.user, now=timezone.now())
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(request, _("Contacts are possible again."))
            return HttpResponseRedirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Release the hold"),
            obj=customer,
            back=back,
            text=mask_text(hold.reason),
            submit=_("Release the hold"),
        )

    @staticmethod
    def _place(request: HttpRequest, form: Any, error: DomainError) -> None:
        field = error.params.get("field")
        if field in form.fields:
            form.add_error(field, str(error.message))
        else:
            form.add_error(None, str(error.message))

    # -- merging ----------
    def find_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Which other record? Likely ones are offered; a form finds the others. Changes nothing."""
        customer = self._customer(request, object_id, merging.PERMISSION)
        form = FindOtherForm(request.POST if request.method == "POST" else None, customer=customer)
        found = form.found if request.method == "POST" and form.is_valid() else []
        return self.page(
            request,
            "admin/customers/merge_find.html",
            _("Merge customers"),
            obj=customer,
            form=form,
            found=found,
            likely=selectors.likely_same(customer),
            back=self._url("change", customer.pk),
        )

    def merge_view(self, request: HttpRequest, object_id: int, other_id: int) -> HttpResponse:
        """GET: what would happen, either way round. POST: do it."""
        customer = self._customer(request, object_id, merging.PERMISSION)
        other = self._customer(request, other_id, merging.PERMISSION)
        pair = (customer, other)
        wanted = request.POST.get("stays") or request.GET.get("stays") or str(customer.pk)
        target = other if wanted == str(other.pk) else customer
        source = customer if target is other else other
        form = MergeForm(
            request.POST if request.method == "POST" else None, pair=pair, initial={"stays": str(target.pk)}
        )
        if request.method == "POST" and form.is_valid():
            try:
                merging.merge(
                    source=source,
                    target=target,
                    by=request.user,
                    now=timezone.now(),
                    reason=form.cleaned_data["reason"],
                )
            except DomainError as error:
                form.add_error(None, str(error.message))
            else:
                messages.success(
                    request,
                    _("#%(source)d is now part of #%(target)d. It can be undone from the list of merges.")
                    % {"source": source.pk, "target": target.pk},
                )
                return HttpResponseRedirect(self._url("change", target.pk))
        plan, refusal = None, ""
        try:
            plan = merging.preview(source=source, target=target)
        except DomainError as error:
            refusal = str(error.message)
        return self.page(
            request,
            "admin/customers/merge_preview.html",
            _("Merge customers"),
            obj=customer,
            form=form,
            plan=plan,
            refusal=refusal,
            source=source,
            target=target,
            back=self._url("merge", customer.pk),
            other_way=self._url("merge_with", customer.pk, other.pk) + f"?stays={source.pk}",
        )


def masked_holds(holds: Iterable[ContactHold]) -> list[ContactHold]:
    """For showing only: the reasons, free text, with what is personal masked."""
    rows = list(holds)
    for row in rows:
        row.reason = mask_text(row.reason)
    return rows


def birthday(customer: Customer) -> str:
    """3-14, 1990-3-14, "" – with the calendar it counts in."""
    if not customer.birth_month or not customer.birth_day:
        return str(customer.birth_year or "")
    date = "-".join(
        str(part) for part in (customer.birth_year, customer.birth_month, customer.birth_day) if part
    )
    return _("%(date)s (lunar)") % {"date": date} if customer.birth_is_lunar else date


def mask_account(value: str) -> str:
    """An account name on a channel: the first two signs and the last stay, shorter ones show one."""
    masked = mask_text(value)
    if masked != value:
        return masked
    if len(value) <= 3:
        return value[:1] + "**"
    return value[:2] + "***" + value[-1:]


def changes_between(older: Any, newer: Any) -> Any:
    """(label, before, after) of what differs between two history rows; personal values only as “changed”."""
    delta = newer.diff_against(older)
    for change in delta.changes:
        if change.field == "updated_at":
            continue
        if change.field in HIDDEN_IN_HISTORY:
            name = HIDDEN_IN_HISTORY[change.field]
            yield Customer._meta.get_field(name).verbose_name, "", _("changed")
            continue
        field = Customer._meta.get_field(change.field)
        choices = dict(field.flatchoices) if getattr(field, "choices", None) else {}
        before, after = (choices.get(value, value) for value in (change.old, change.new))
        yield field.verbose_name, shown(before), shown(after)


def shown(value: Any) -> str:
    """A value of the history as text, masked."""
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return mask_text(", ".join(str(part) for part in value))
    return mask_text(str(value))
