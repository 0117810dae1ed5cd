"""Rules of the shop: channels, categories, word lists, tiers, service levels, dispatch, webhooks; and past
imports.

Every save makes all processes reload what they keep in memory (apps.core.reference).
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.core.admin.base import HistoryModelAdmin, ShopModelAdmin
from apps.core.admin.display import LABELS
from apps.core.admin.forms import LinesField, PhrasesField
from apps.core.hashing import new_token
from apps.core.wording import move_tables
from apps.feedback.choices import TIER_COLOURS, Tier, TimeUnit
from apps.feedback.models import (
    Category,
    Channel,
    DispatchRule,
    SlaPolicy,
    SlaTarget,
    TierPolicy,
    WebhookSecret,
    WordList,
)
from apps.feedback.selectors.knowledge import STAMP as KNOWLEDGE
from apps.feedback.selectors.reference import DEFAULT_WEIGHTS, STAMP
from apps.feedback.transitions import FEEDBACK, PROMISE

STAMPS = (STAMP,)
# The action log speaks of moves as the case's own buttons do.
move_tables.register("feedback.feedback", FEEDBACK)
move_tables.register("feedback.promise", PROMISE)


# -- channels and categories ----------
@admin.register(Channel)
class ChannelAdmin(HistoryModelAdmin):
    """Ways by which customers speak (R1). Unused ones are switched off."""

    reference_stamps = STAMPS
    list_display = ("__str__", "code", "group", "show_traits", "is_active")
    list_filter = ("group", "is_active")
    search_fields = ("code__istartswith", "name_zh__icontains", "name_en__icontains")
    autocomplete_fields = ("default_store",)
    fieldsets = (
        (None, {"fields": ("name_zh", "name_en", "code", "group", "icon", "default_store", "is_active")}),
        (
            gettext_lazy("What it is like"),
            {
                "fields": (
                    "is_review_platform",
                    "has_rating",
                    "accepts_public_reply",
                    "is_authority",
                    "recording_possible",
                    "identity_kind",
                    "review_url_pattern",
                )
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        """Programs and files name a channel by its code: it stays."""
        return ("code",) if obj is not None else ()

    @display(description=gettext_lazy("traits"), label=True)
    def show_traits(self, obj: Channel) -> list[Any]:
        """What matters for handling."""
        traits = (
            (obj.is_review_platform, _("public reviews")),
            (obj.has_rating, _("stars")),
            (obj.is_authority, _("authority")),
            (obj.accepts_public_reply, _("public reply")),
        )
        return [text for holds, text in traits if holds]


class CategoryForm(forms.ModelForm):
    """Words one per line; two levels and no more."""

    keywords = LinesField(
        label=gettext_lazy("words"), help_text=gettext_lazy("One per line. A hit suggests this category.")
    )
    exclusions = LinesField(
        label=gettext_lazy("phrases that do not count"),
        help_text=gettext_lazy("One per line. A hit inside such a phrase is ignored."),
    )

    class Meta:
        model = Category
        fields = "__all__"

    def clean_parent(self) -> Category | None:
        """A parent is a top category, never the category itself nor one with a parent."""
        parent = self.cleaned_data["parent"]
        if parent is None:
            return None
        if parent.pk == self.instance.pk or parent.parent_id is not None:
            raise ValidationError(_("Only a top category can be the parent."))
        if self.instance.pk and self.instance.children.exists():
            raise ValidationError(_("This category has sub-categories and stays on top."))
        return parent


@admin.register(Category)
class CategoryAdmin(HistoryModelAdmin):
    """The taxonomy in tree order (R10)."""

    form = CategoryForm
    reference_stamps = STAMPS
    list_display = ("show_name", "code", "department", "show_tier", "show_words", "is_active")
    list_filter = (("department", RelatedDropdownFilter), "default_tier", "is_active")
    search_fields = ("code__istartswith", "name_zh__icontains", "name_en__icontains")
    list_select_related = ("department", "parent")
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("name_zh", "name_en", "code", "parent", "position", "is_active")}),
        (gettext_lazy("Handling"), {"fields": ("department", "default_tier")}),
        (gettext_lazy("Words"), {"fields": ("keywords", "exclusions")}),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Each top category followed by its own."""
        return [
            Coalesce("parent__position", "position"),
            Coalesce("parent__code", "code"),
            models.F("parent_id").asc(nulls_first=True),
            "position",
            "code",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Category | None = None) -> tuple[str, ...]:
        """Files, programs and figures name a category by its code: it stays."""
        return ("code",) if obj is not None else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Parents are top categories."""
        if db_field.name == "parent":
            kwargs["queryset"] = Category.objects.filter(parent__isnull=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(description=gettext_lazy("category"))
    def show_name(self, obj: Category) -> str:
        """Sub-categories stand in."""
        return str(obj) if obj.parent_id is None else f"　└ {obj}"

    @display(description=gettext_lazy("usual tier"), ordering="default_tier", label=LABELS)
    def show_tier(self, obj: Category) -> tuple[str, str]:
        """The letter in its colour."""
        return TIER_COLOURS[obj.default_tier], obj.default_tier

    @display(description=gettext_lazy("words"))
    def show_words(self, obj: Category) -> int:
        """How many."""
        return len(obj.keywords)


# -- words ----------
class WordListForm(forms.ModelForm):
    """One word per line; tables of false friends as "word: phrase, phrase"."""

    words = LinesField(label=gettext_lazy("words"), max_line=40)

    class Meta:
        model = WordList
        fields = ("label", "words")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "words" in self.fields and isinstance(self.instance.words, dict):
            field = PhrasesField(label=self.fields["words"].label, required=True)
            self.fields["words"] = field
        if "words" in self.fields:
            self.fields["words"].widget.attrs["rows"] = 16


@admin.register(WordList)
class WordListAdmin(HistoryModelAdmin):
    """The lexicon: words that raise a case to S, that show anger, that cancel a hit … (R15)."""

    form = WordListForm
    reference_stamps = (*STAMPS, KNOWLEDGE)
    list_display = ("__str__", "path", "show_count", "show_beginning", "is_edited")
    list_filter = ("is_edited",)
    search_fields = ("path__icontains", "label__icontains")
    fields = ("path", "label", "words")
    readonly_fields = ("path",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A list the reader does not know would do nothing."""
        return False

    def save_model(self, request: HttpRequest, obj: WordList, form: Any, change: bool) -> None:
        """Loading reference data leaves edited lists alone."""
        obj.is_edited = True
        super().save_model(request, obj, form, change)

    @display(description=gettext_lazy("words"))
    def show_count(self, obj: WordList) -> int:
        """How many."""
        return len(obj.words)

    @display(description=gettext_lazy("begins with"))
    def show_beginning(self, obj: WordList) -> str:
        """The first few."""
        return "、".join(list(obj.words)[:6])


# -- tiers ----------
class TierPolicyForm(forms.ModelForm):
    """The weights behind priority as plain numbers; what the form does not show is kept as it is."""

    base_s = forms.IntegerField(label=gettext_lazy("S starts at"), min_value=0, max_value=100)
    base_a = forms.IntegerField(label=gettext_lazy("A starts at"), min_value=0, max_value=100)
    base_b = forms.IntegerField(label=gettext_lazy("B starts at"), min_value=0, max_value=100)
    urgency = forms.IntegerField(label=gettext_lazy("urgent words add"), min_value=0, max_value=100)
    urgent_words = LinesField(label=gettext_lazy("urgent words"), max_line=20)
    severity = forms.IntegerField(label=gettext_lazy("strong emotion adds up to"), min_value=0, max_value=100)
    scope = forms.IntegerField(
        label=gettext_lazy("many with the same problem add up to"), min_value=0, max_value=100
    )
    scope_full = forms.IntegerField(label=gettext_lazy("… in full from"), min_value=1, max_value=1000)
    value = forms.IntegerField(label=gettext_lazy("member tier adds up to"), min_value=0, max_value=100)

    NUMBERS = {
        "base_s": ("tier_base", "S"),
        "base_a": ("tier_base", "A"),
        "base_b": ("tier_base", "B"),
        "urgency": ("urgency", "weight"),
        "urgent_words": ("urgency", "words"),
        "severity": ("severity", "weight"),
        "scope": ("scope", "weight"),
        "scope_full": ("scope", "full_at_count"),
        "value": ("customer_value", "weight"),
    }

    class Meta:
        model = TierPolicy
        fields = ("literal_seed", "authority_is_s", "scope_hours", "scope_count")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weights = DEFAULT_WEIGHTS | (self.instance.weights or {})
        for name, (group, key) in self.NUMBERS.items():
            if name in self.fields:
                self.initial[name] = weights[group].get(key, [] if key == "words" else 0)

    def clean(self) -> dict[str, Any]:
        """S above A above B, or the queue would turn over."""
        data = super().clean() or {}
        bases = [data.get(name) for name in ("base_s", "base_a", "base_b")]
        if None not in bases and not bases[0] >= bases[1] >= bases[2]:
            self.add_error("base_s", _("S starts at least as high as A, A at least as high as B."))
        return data

    def save(self, commit: bool = True) -> TierPolicy:
        """Writes the numbers back into the weights."""
        weights = {
            group: dict(values) if isinstance(values, dict) else values
            for group, values in (DEFAULT_WEIGHTS | (self.instance.weights or {})).items()
        }
        for name, (group, key) in self.NUMBERS.items():
            if name in self.cleaned_data:
                weights[group][key] = self.cleaned_data[name]
        self.instance.weights = weights
        return super().save(commit)


@admin.register(TierPolicy)
class TierPolicyAdmin(HistoryModelAdmin):
    """One row (R13, R14)."""

    form = TierPolicyForm
    reference_stamps = STAMPS
    deletable = False
    list_display = ("__str__", "literal_seed", "authority_is_s", "scope_hours", "scope_count")
    list_per_page = 1
    fieldsets = (
        (gettext_lazy("Tiers"), {"fields": ("literal_seed", "authority_is_s")}),
        (
            gettext_lazy("The same problem elsewhere"),
            {"fields": ("scope_hours", "scope_count", "scope", "scope_full")},
        ),
        (
            gettext_lazy("Priority, 0 to 100"),
            {"fields": ("base_s", "base_a", "base_b", "urgency", "urgent_words", "severity", "value")},
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: TierPolicy | None = None) -> Any:
        """Whoever may only look sees the columns; the typed numbers are a form's."""
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return (
            (None, {"fields": ("literal_seed", "authority_is_s", "scope_hours", "scope_count", "weights")}),
        )


# -- service levels ----------
ROLES = {
    "owner": gettext_lazy("owner"),
    "lead": gettext_lazy("lead"),
    "manager": gettext_lazy("manager"),
    "department": gettext_lazy("department"),
    "store": gettext_lazy("store"),
}
_STEP = re.compile(r"\s*(?:(?P<percent>\d{1,3})\s*%|\+\s*(?P<after>\d{1,5})(?:\s*min)?)\s*:\s*(?P<who>.+)")


class StepsField(forms.CharField):
    """Warnings as lines: "80%: owner, lead" (of the time) or "+30: manager" (minutes after the deadline)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 4}))
        kwargs.setdefault("required", False)
        kwargs.setdefault(
            "help_text",
            gettext_lazy(
                "One per line: “80%: owner, lead” is a share of the time, "
                "“+30: manager” minutes after the deadline. People: owner, lead, manager, department, store."
            ),
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Steps → lines, with people as the page calls them; codes are understood as well."""
        if not isinstance(value, list):
            return value
        lines = []
        for step in value:
            head = f"+{step['minutes_after']}" if "minutes_after" in step else f"{step.get('percent', 100)}%"
            people = ", ".join(str(ROLES.get(code, code)) for code in step.get("tell", []))
            lines.append(f"{head}: {people}")
        return "\n".join(lines)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """Lines → steps in order of time. A line that cannot be read is named."""
        steps: list[dict[str, Any]] = []
        known = {str(label): code for code, label in ROLES.items()} | {code: code for code in ROLES}
        for number, line in enumerate(str(value or "").splitlines(), start=1):
            if not line.strip():
                continue
            plain = (
                line.replace("：", ":")
                .replace("％", "%")
                .replace("＋", "+")
                .replace("，", ",")
                .replace("、", ",")
            )
            match = _STEP.fullmatch(plain)
            if not match:
                raise ValidationError(
                    _("Line %(number)d is not of the form “80%%: owner, lead”.") % {"number": number},
                    code="step",
                )
            words = [word.strip() for word in match["who"].split(",") if word.strip()]
            strange = [word for word in words if word not in known]
            if strange or not words:
                raise ValidationError(
                    _("Line %(number)d: nobody is called “%(who)s” here.")
                    % {"number": number, "who": ", ".join(strange)},
                    code="who",
                )
            tell = list(dict.fromkeys(known[word] for word in words))
            if match["percent"]:
                percent = int(match["percent"])
                if not 1 <= percent <= 100:
                    raise ValidationError(
                        _("Line %(number)d: between 1%% and 100%%.") % {"number": number}, code="percent"
                    )
                steps.append({"percent": percent, "tell": tell})
            else:
                steps.append({"minutes_after": int(match["after"]), "tell": tell})
        return sorted(
            steps, key=lambda step: (0, step["percent"]) if "percent" in step else (1, step["minutes_after"])
        )

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as steps."""
        try:
            return self.clean(data) != list(initial or [])
        except ValidationError:
            return True


class SlaTargetForm(forms.ModelForm):
    """One promise."""

    steps = StepsField(label=gettext_lazy("warnings"))

    class Meta:
        model = SlaTarget
        fields = ("kind", "value", "unit", "calendar", "pausable", "steps", "is_active")

    def clean(self) -> dict[str, Any]:
        """Working time needs a calendar; time around the clock has none."""
        data = super().clean() or {}
        unit = data.get("unit")
        if unit and unit != TimeUnit.MINUTES and not data.get("calendar"):
            self.add_error("calendar", _("Working time needs a calendar."))
        return data


class SlaTargetInline(StackedInline):
    """The promises of a service level."""

    model = SlaTarget
    form = SlaTargetForm
    extra = 0
    fields = (("kind", "is_active"), ("value", "unit"), "calendar", "pausable", "steps")


@admin.register(SlaPolicy)
class SlaPolicyAdmin(HistoryModelAdmin):
    """Service levels (R14, R19). Running clocks keep what they started with."""

    reference_stamps = STAMPS
    list_display = ("name", "show_tier", "show_targets", "version", "is_active")
    list_filter = ("tier", "is_active")
    fields = ("name", "code", "tier", "no_clock", "is_active", "version")
    inlines = (SlaTargetInline,)
    change_form_outer_before_template = "admin/core/sla_note.html"

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Targets in one further query for the page."""
        return queryset.prefetch_related("targets")

    def get_readonly_fields(self, request: HttpRequest, obj: SlaPolicy | None = None) -> tuple[str, ...]:
        """The version counts by itself."""
        return ("version",) if obj is None else ("code", "version")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A change of any target makes a new version: clocks name the version they started under."""
        changed = change and any(formset.has_changed() for formset in formsets)
        if changed:
            # Before the reload is announced, and through `save` so that the history shows it.
            form.instance.version += 1
            form.instance._history_user = request.user
            form.instance.save(update_fields=["version", "updated_at"])
        super().save_related(request, form, formsets, change)

    @display(description=gettext_lazy("tier"), ordering="tier", label=LABELS)
    def show_tier(self, obj: SlaPolicy) -> Any:
        """The letter in its colour."""
        return (TIER_COLOURS[obj.tier], obj.tier) if obj.tier else None

    @display(description=gettext_lazy("promises"))
    def show_targets(self, obj: SlaPolicy) -> Any:
        """All of them, in one line."""
        if obj.no_clock:
            return _("no clock")
        return " · ".join(str(target) for target in obj.targets.all() if target.is_active)


# -- dispatch ----------
@admin.register(DispatchRule)
class DispatchRuleAdmin(HistoryModelAdmin):
    """Who gets what (R16): from top to bottom, the first rule that fits. Rules may be deleted: cases keep
    their team.
    """

    reference_stamps = STAMPS
    deletable = True
    list_display = ("name", "position", "category", "channel", "store", "show_tier", "team", "is_active")
    list_filter = ("is_active", ("team", RelatedDropdownFilter))
    list_select_related = ("category", "channel", "store", "team")
    search_fields = ("name__icontains",)
    autocomplete_fields = ("category", "store")
    fieldsets = (
        (None, {"fields": ("name", "position", "is_active")}),
        (gettext_lazy("When"), {"fields": ("category", "channel", "store", "tier")}),
        (gettext_lazy("Then"), {"fields": ("team",)}),
    )

    @display(description=gettext_lazy("tier"), ordering="tier", label=LABELS)
    def show_tier(self, obj: DispatchRule) -> Any:
        """Empty means every tier."""
        return (TIER_COLOURS[obj.tier], obj.tier) if obj.tier in Tier.values else None


# -- webhooks ----------
class MappingField(forms.CharField):
    """A JSON object field → path, typed as lines such as "text = data.content"."""

    def prepare_value(self, value: Any) -> Any:
        """Object → lines."""
        return (
            "\n".join(f"{ours} = {theirs}" for ours, theirs in value.items())
            if isinstance(value, dict)
            else value
        )

    def clean(self, value: Any) -> dict[str, str]:
        """Lines → object."""
        table: dict[str, str] = {}
        for number, line in enumerate(str(value or "").splitlines(), start=1):
            if not line.strip():
                continue
            ours, sign, theirs = line.replace("＝", "=").partition("=")
            if not sign or not ours.strip() or not theirs.strip():
                raise ValidationError(
                    _("Line %(number)d is not of the form “text = data.content”.") % {"number": number},
                    code="mapping",
                )
            table[ours.strip()] = theirs.strip()
        return table

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as objects."""
        try:
            return self.clean(data) != dict(initial or {})
        except ValidationError:
            return True


class WebhookForm(forms.ModelForm):
    """Fields as lines."""

    mapping = MappingField(
        label=gettext_lazy("fields"),
        required=False,
        help_text=gettext_lazy(
            "One per line, ours = theirs, such as “text = data.content”. Empty: the names are ours already."
        ),
    )

    class Meta:
        model = WebhookSecret
        fields = ("channel", "mapping", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "mapping" in self.fields:
            self.fields["mapping"].widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})


@admin.register(WebhookSecret)
class WebhookSecretAdmin(ShopModelAdmin):
    """Doors for outside systems. The secret is made here, shown once; a new one shuts out the old."""

    form = WebhookForm
    deletable = True
    list_display = ("channel", "show_address", "is_active", "created_at")
    list_select_related = ("channel",)
    fields = ("channel", "mapping", "is_active", "show_address")
    readonly_fields = ("show_address",)
    change_form_outer_before_template = "admin/core/webhook_buttons.html"

    def get_urls(self) -> list[Any]:
        """Making a secret."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/secret/", wrap(self.secret_view), name="feedback_webhooksecret_secret"),
            *super().get_urls(),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookSecret | None = None) -> tuple[str, ...]:
        """A door stays with its channel."""
        return ("show_address",) if obj is None else ("channel", "show_address")

    def save_model(self, request: HttpRequest, obj: WebhookSecret, form: Any, change: bool) -> None:
        """A new door gets a secret that nobody knows until one is made on its page."""
        if not change:
            obj.secret = new_token()
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)

    def response_post_save_add(self, request: HttpRequest, obj: WebhookSecret) -> HttpResponse:
        """On to the page that shows the secret."""
        return HttpResponseRedirect(reverse("admin:feedback_webhooksecret_secret", args=[obj.pk]))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Hands the button to those who may."""
        context = {"may_rotate": self.has_change_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def secret_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET explains, POST makes a new secret and shows it on this one answer."""
        hook = self.get_object(request, str(object_id))
        if hook is None:
            raise Http404
        if not self.has_change_permission(request, hook) and not self.has_add_permission(request):
            raise PermissionDenied
        secret = ""
        if request.method == "POST":
            secret = new_token()
            WebhookSecret.objects.filter(pk=hook.pk).update(secret=secret)
            self.log_change(request, hook, [{"changed": {"fields": [str(_("secret"))]}}])
            messages.info(request, _("The old secret no longer works."))
        return self.page(
            request,
            "admin/core/secret.html",
            _("Webhook secret"),
            obj=hook,
            secret=secret,
            secret_label=_("Secret"),
            how=_("The sender signs time stamp, a dot and the raw body with HMAC-SHA256."),
            text=_("A new secret is made and shown once. The sender must use it from then on."),
            submit=_("Make a new secret"),
            back=reverse("admin:feedback_webhooksecret_change", args=[hook.pk]),
        )

    @display(description=gettext_lazy("address"))
    def show_address(self, obj: WebhookSecret) -> str:
        """Where the outside system sends to."""
        return f"/api/v1/hooks/{obj.channel.code}/" if obj.channel_id else ""
