"""Budgets with their bar, the ledger, and who may promise how much."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin
from apps.core.admin.display import link
from apps.core.models import User
from apps.rewards.admin.base import SaveOnlyEdited, money, stack
from apps.rewards.models import Budget, LedgerEntry, SpendingLevel, SpendingPolicy
from apps.rewards.selectors import fill
from apps.shop.selectors import scope_of


def bar(budget: Budget) -> Any:
    """Spent and set aside as two stretches of one bar, said in words as well."""
    full = fill(budget)
    colours = {"red": "#dc2626", "amber": "#d97706", "green": "#0d9488"}
    return format_html(
        '<div class="rw-budget"><div class="rw-bar" role="img" aria-label="{}"><span style="width:{}%;background:{}"></span>'
        '<span style="width:{}%;background:{};opacity:.45"></span></div>'
        '<div class="rw-words">{}</div></div>',
        _("%(share)d %% used") % {"share": round(budget.share_used * 100)},
        full.spent,
        colours[full.colour],
        full.committed,
        colours[full.colour],
        _("spent %(spent)s · set aside %(committed)s · left %(left)s")
        % {
            "spent": money(budget.spent),
            "committed": money(budget.committed),
            "left": money(budget.left),
        },
    )


@admin.register(Budget)
class BudgetAdmin(SaveOnlyEdited, HistoryModelAdmin):
    """What there is, what is promised, what is gone."""

    list_display = ("name", "purpose", "store", "show_days", "show_amount", "show_bar", "owner", "is_active")
    list_filter = ("is_active", "purpose", ("store", RelatedDropdownFilter))
    list_select_related = ("store", "owner")
    search_fields = ("code", "name__istartswith")
    autocomplete_fields = ("store",)
    prepopulated_fields = {"code": ("name",)}
    readonly_fields = ("show_bar", "show_grants")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "code",
                    "purpose",
                    "store",
                    ("first_day", "last_day"),
                    "amount",
                    "owner",
                    "is_active",
                )
            },
        ),
        (_("How it stands"), {"fields": ("show_bar", "show_grants")}),
    )
    empty_text = _(
        "No budget yet. Compensation and campaigns are paid out of a budget: give it days and an amount, and nobody can promise more than it holds."
    )

    class Media:
        css = {"all": ("rewards/rewards.css",)}

    def visible_to(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of the whole shop and of the person's stores."""
        return queryset.visible_to(request.user)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        """A code is made once."""
        return {} if obj else {"code": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What money is for does not change once some of it is promised."""
        names = super().get_readonly_fields(request, obj)
        return (
            (*names, "code", "purpose", "store") if obj is not None and obj.grants.exists() else tuple(names)
        )

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Owners are colleagues who work here."""
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(is_active=True, is_staff=True).order_by(
                "name", "username"
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(description=pgettext_lazy("budget", "days"), ordering="last_day")
    def show_days(self, obj: Budget) -> str:
        """2026-01-01 – 2026-12-31"""
        return f"{obj.first_day} – {obj.last_day}"

    @display(description=_("amount (CNY)"), ordering="amount")
    def show_amount(self, obj: Budget) -> str:
        """With thousands apart."""
        return money(obj.amount)

    @display(description=_("used"))
    def show_bar(self, obj: Budget) -> Any:
        """As a bar; a new budget has none."""
        return bar(obj) if obj.pk else "–"

    @display(description=pgettext_lazy("reward", "grants"))
    def show_grants(self, obj: Budget) -> Any:
        """Where to see them."""
        if not obj.pk:
            return "–"
        url = reverse("admin:rewards_grant_changelist")
        book = reverse("admin:rewards_ledgerentry_changelist")
        return stack(
            link(f"{url}?state=all&budget__id__exact={obj.pk}", _("What was given from it")),
            link(f"{book}?budget__id__exact={obj.pk}", _("Every movement")),
        )


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Every movement of every budget; nothing is changed or deleted."""

    list_display = ("at", "show_budget", "kind", "show_amount", "show_grant", "by")
    list_filter = ("kind", ("budget", RelatedDropdownFilter))
    list_select_related = ("budget", "grant", "by")
    fields = ("at", "budget", "kind", "amount", "show_grant", "by")
    readonly_fields = ("show_grant",)
    empty_text = _("Nothing has moved yet. Every promise, payment and return stands here with its name.")

    def visible_to(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of budgets the person sees."""
        scope = scope_of(request.user, see_all="feedback.see_all_feedback")
        if scope.everything or not scope.stores:
            return queryset
        return queryset.filter(budget__in=Budget.objects.visible_to(request.user))

    @display(description=_("budget"))
    def show_budget(self, obj: LedgerEntry) -> str:
        """Its name."""
        return obj.budget.name

    @display(description=_("amount (CNY)"))
    def show_amount(self, obj: LedgerEntry) -> str:
        """Signed."""
        return f"{obj.amount:+,.2f}"

    @display(description=_("grant"))
    def show_grant(self, obj: LedgerEntry) -> Any:
        """The way there."""
        if obj.grant is None:
            return "–"
        return link(reverse("admin:rewards_grant_change", args=[obj.grant_id]), obj.grant)


@admin.register(SpendingLevel)
class SpendingLevelAdmin(HistoryModelAdmin):
    """The ladder. Who stands where is a matter of roles: each level is a permission."""

    deletable = False
    list_display = ("show_level", "show_goodwill", "show_refund", "show_day", "show_month", "needs_legal")
    list_display_links = ("show_level",)
    readonly_fields = ("code", "rank")
    fields = ("code", "rank", "goodwill_limit", "refund_limit", "day_limit", "month_limit", "needs_legal")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There are four."""
        return False

    @display(description=_("level"), ordering="rank")
    def show_level(self, obj: SpendingLevel) -> str:
        """In words."""
        return str(obj)

    @display(description=_("goodwill up to"), ordering="goodwill_limit")
    def show_goodwill(self, obj: SpendingLevel) -> Any:
        """Or without limit."""
        return _limit(obj.goodwill_limit)

    @display(description=_("refund beyond the law up to"), ordering="refund_limit")
    def show_refund(self, obj: SpendingLevel) -> Any:
        """Or without limit."""
        return _limit(obj.refund_limit)

    @display(description=_("a day"))
    def show_day(self, obj: SpendingLevel) -> Any:
        """Or without limit."""
        return _limit(obj.day_limit)

    @display(description=_("a month"))
    def show_month(self, obj: SpendingLevel) -> Any:
        """Or without limit."""
        return _limit(obj.month_limit)


def _limit(value: Any) -> Any:
    return _("no limit") if value is None else money(value)


@admin.register(SpendingPolicy)
class SpendingPolicyAdmin(HistoryModelAdmin):
    """One row."""

    deletable = False
    list_display = ("__str__", "cap_items", "cap_days", "cap_level", "two_people_above", "points_alone")
    fieldsets = (
        (_("Each customer"), {"fields": (("cap_items", "cap_days"), "cap_level")}),
        (_("Two people"), {"fields": ("two_people_above", "points_alone")}),
        (_("Times"), {"fields": ("points_days", "delivery_days")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False
