"""Coupon types, codes, and the till's page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.admin.reveal import RevealMixin
from apps.core.exceptions import DomainError
from apps.core.masking import mask_order_no
from apps.core.public import tidy_code
from apps.rewards.admin.base import SaveOnlyEdited, VisibleMixin, money, stack
from apps.rewards.choices import COUPON_COLOURS
from apps.rewards.models import Coupon, CouponType
from apps.rewards.services import coupons
from apps.rewards.transitions import COUPON


class TypeForm(forms.ModelForm):
    """Asks the law before it is saved."""

    class Meta:
        model = CouponType
        fields = (
            "code", "name", "name_en", "kind", "face_value", "percent_off", "minimum_spend", "valid_days",
            "first_day", "last_day", "scope", "stacking", "quantity", "per_customer", "text", "must_name",
            "from_pool", "is_active",
        )  # fmt: skip

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            coupons.check_type(kind=self.instance, by=None, now=timezone.now())
        except DomainError as error:
            self.add_error(None, str(error.message))


class CodesForm(PageForm):
    """A platform's codes."""

    codes = forms.CharField(
        label=_("Codes"),
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_("One a line, as the platform exported them. Codes that are here already are left alone."),
    )


@admin.register(CouponType)
class CouponTypeAdmin(SaveOnlyEdited, HistoryModelAdmin):
    """What is offered, under which terms."""

    form = TypeForm
    list_display = ("show_name", "show_worth", "show_least", "show_validity", "show_issued", "is_active")
    list_display_links = ("show_name",)
    list_filter = ("is_active", "kind", "from_pool")
    search_fields = ("code", "name__istartswith")
    readonly_fields = ("show_terms", "show_issued")
    change_form_outer_before_template = "admin/rewards/type_before.html"
    fieldsets = (
        (None, {"fields": ("name", "name_en", "code", "is_active")}),
        (_("Worth"), {"fields": ("kind", ("face_value", "percent_off"), "minimum_spend")}),
        (
            _("Terms"),
            {
                "fields": (
                    "valid_days", ("first_day", "last_day"), "scope", "stacking", ("quantity", "per_customer"), "text",
                ),
                "description": _("The law wants these on a coupon: from when until when, from which amount, for what, with what, how many."),
            },
        ),
        (_("At the till"), {"fields": ("must_name", "from_pool")}),
        (_("As the customer reads it"), {"fields": ("show_terms", "show_issued")}),
    )  # fmt: skip
    empty_text = _(
        "No coupon type yet. Describe one with its terms; it is checked against the law when you save it."
    )

    def get_urls(self) -> list[Any]:
        """The page on which codes are imported."""
        return [
            path(
                "<int:object_id>/codes/",
                self.admin_site.admin_view(self.codes_view),
                name="rewards_coupontype_codes",
            ),
            *super().get_urls(),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What customers hold already keeps its worth and terms: a promise is kept (规范促销行为暂行规定 11)."""
        names = tuple(super().get_readonly_fields(request, obj))
        if obj is not None and obj.issued:
            fixed = (
                "code",
                "kind",
                "face_value",
                "percent_off",
                "minimum_spend",
                "scope",
                "stacking",
                "must_name",
                "from_pool",
            )
            return (*names, *fixed)
        return names

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Hands the import button to the page."""
        kind = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if kind is not None and kind.from_pool and request.user.has_perm("rewards.import_coupon"):
            context["codes_url"] = reverse("admin:rewards_coupontype_codes", args=[kind.pk])
            context["pool"] = kind.coupons.filter(status="unused").count()
        return super().change_view(request, object_id, form_url, context)

    def codes_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks for codes, POST puts them into the pool."""
        kind = self.get_object(request, str(object_id))
        if kind is None:
            raise Http404
        if not request.user.has_perm("rewards.import_coupon"):
            raise PermissionDenied
        form = CodesForm(request.POST if request.method == "POST" else None)
        done = reverse("admin:rewards_coupontype_change", args=[kind.pk])
        if request.method == "POST" and form.is_valid():
            try:
                result = coupons.import_codes(
                    kind=kind, text=form.cleaned_data["codes"], by=request.user, now=timezone.now()
                )
            except DomainError as error:
                form.add_error("codes", str(error.message))
            else:
                messages.success(
                    request,
                    gettext("%(added)d codes added, %(known)d known already, %(refused)d cannot be codes.")
                    % {"added": result.added, "known": result.known, "refused": result.refused},
                )
                return HttpResponseRedirect(done)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Import codes"),
            obj=kind,
            form=form,
            back=done,
            submit=_("Import codes"),
        )

    @display(description=_("name"), ordering="name")
    def show_name(self, obj: CouponType) -> str:
        """In the reader's language."""
        return str(obj)

    @display(description=_("worth"))
    def show_worth(self, obj: CouponType) -> str:
        """¥10 off"""
        return obj.worth

    @display(description=_("from an order of"), ordering="minimum_spend")
    def show_least(self, obj: CouponType) -> str:
        """Or none."""
        return money(obj.minimum_spend) if obj.minimum_spend else "–"

    @display(description=_("good for"))
    def show_validity(self, obj: CouponType) -> Any:
        """Days or dates."""
        if obj.valid_days:
            return gettext("%(days)d days") % {"days": obj.valid_days}
        return f"{obj.first_day} – {obj.last_day}"

    @display(description=_("issued"), ordering="issued")
    def show_issued(self, obj: CouponType) -> str:
        """12 / 100"""
        return f"{obj.issued} / {obj.quantity}" if obj.quantity else str(obj.issued)

    @display(description=_("terms"))
    def show_terms(self, obj: CouponType) -> Any:
        """Sentence by sentence."""
        return stack(obj.worth, *obj.terms) if obj.pk else "–"


class RedeemForm(MoveForm):
    """What the till knows."""

    order_no = forms.CharField(label=_("order number"), max_length=64, required=False)
    amount = forms.DecimalField(
        label=_("amount of the order (CNY)"),
        min_value=Decimal(0),
        max_digits=10,
        decimal_places=2,
        required=False,
    )


@admin.register(Coupon)
class CouponAdmin(RevealMixin, VisibleMixin, MovesMixin, ReadOnlyAdmin):
    """Found by the whole code; shown by its last four signs, and whole with a reason to whoever has to tell it."""

    reveal_fields = ("code",)
    reveal_permission = "rewards.reveal_coupon"
    moves_table = COUPON
    moves = {
        "redeem": Verb(coupons.redeem_by_hand, "coupon", reason=None, form=RedeemForm, icon="point_of_sale"),
        "void": Verb(coupons.void, "coupon", icon="block"),
    }
    moves_in_rows = False
    list_display = ("show_code", "type", "show_customer", "show_status", "valid_until", "redeemed_at")
    list_display_links = ("show_code",)
    list_filter = ("status", ("type", RelatedDropdownFilter))
    list_select_related = ("type", "customer")
    search_fields = ("code",)
    search_help_text = _("The whole code")
    change_form_outer_before_template = "admin/rewards/coupon_buttons.html"
    fields = (
        "show_code", "type", "show_customer", "show_status", "valid_from", "valid_until", "issued_at", "redeemed_at",
        "show_grant", "show_uses",
    )  # fmt: skip
    readonly_fields = ("show_code", "show_customer", "show_status", "show_grant", "show_uses")
    empty_text = _(
        "No coupon has been issued. They come with a compensation or a campaign, or from a platform's list."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """The whole code and nothing less: a beginning would let codes be guessed."""
        term = search_term.strip()
        return (queryset.filter(code__in={term, tidy_code(term)}), False) if term else (queryset, False)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Hands the reveal button to the page."""
        coupon = self.get_object(request, object_id)
        url = self.reveal_url(request, coupon) if coupon is not None else ""
        return super().change_view(request, object_id, form_url, {"reveal_url": url} | (extra_context or {}))

    @display(description=pgettext_lazy("coupon", "code"))
    def show_code(self, obj: Coupon) -> str:
        """Masked."""
        return obj.masked_code

    @display(description=_("state"), ordering="status", label=COUPON_COLOURS)
    def show_status(self, obj: Coupon) -> Any:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=_("grant"))
    def show_grant(self, obj: Coupon) -> Any:
        """What it came with."""
        if obj.grant is None:
            return "–"
        return link(reverse("admin:rewards_grant_change", args=[obj.grant_id]), obj.grant)

    @display(description=_("redemptions"))
    def show_uses(self, obj: Coupon) -> Any:
        """When, for which order, and whether the order was cancelled."""
        lines = [
            " · ".join(
                part
                for part in (
                    f"{timezone.localtime(use.at):%Y-%m-%d %H:%M}",
                    mask_order_no(use.order_no),
                    money(use.amount) if use.amount is not None else "",
                    gettext("order cancelled, coupon free again") if use.freed_at else "",
                )
                if part
            )
            for use in obj.uses.all()[:20]
        ]
        return stack(*lines) if lines else "–"
