"""Reference data staff may edit: channels, categories, word lists, tier policy, dispatch."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.choices import ChannelGroup, Tier
from apps.shop.models import Department, Store, Team


def in_english() -> bool:
    """Whether the present page speaks English; reference data carries both names."""
    return (get_language() or "").startswith("en")


class Channel(Stamped):
    """A way by which customers speak (R1). Being a platform review is a property of the channel (decision 7)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60)
    group = models.CharField(_("group"), max_length=12, choices=ChannelGroup.choices)
    icon = models.CharField(_("icon"), max_length=40, default="chat")
    identity_kind = models.CharField(_("what customers are called there"), max_length=40, blank=True)
    is_review_platform = models.BooleanField(_("public reviews"), default=False)
    has_rating = models.BooleanField(_("has stars"), default=False)
    accepts_public_reply = models.BooleanField(_("public reply possible"), default=False)
    is_authority = models.BooleanField(_("authority or consumer body"), default=False)
    recording_possible = models.BooleanField(_("calls may be recorded"), default=False)
    review_url_pattern = models.CharField(_("address of a review"), max_length=200, blank=True)
    default_store = models.ForeignKey(
        Store,
        verbose_name=_("usual store"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("For feedback of this channel that names no store."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("group", "code")

    def __str__(self) -> str:
        return self.name_en if in_english() else self.name_zh


class Category(Stamped):
    """A node of the two-level taxonomy (R10): its words, its department, its usual tier."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
    )
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=80)
    department = models.ForeignKey(
        Department,
        verbose_name=_("department"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    default_tier = models.CharField(_("usual tier"), max_length=1, choices=Tier.choices, default=Tier.B)
    keywords = models.JSONField(_("words"), default=list, blank=True)
    exclusions = models.JSONField(
        _("phrases that do not count"),
        default=list,
        blank=True,
        help_text=_("A hit inside such a phrase is ignored."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name_en if in_english() else self.name_zh


class WordList(Stamped):
    """One list of the lexicon, e.g. the words that raise to S. `path` is its place in the shipped file."""

    path = models.CharField(_("place"), max_length=80, unique=True)
    label = models.CharField(_("meaning"), max_length=160, blank=True)
    words = models.JSONField(_("words"), default=list)
    is_edited = models.BooleanField(_("edited by staff"), default=False, editable=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("word list")
        verbose_name_plural = _("word lists")
        ordering = ("path",)

    def __str__(self) -> str:
        return self.label or self.path


class TierPolicy(Stamped):
    """How tier and priority are decided (R13, R14; domain.md 3.1). One row."""

    literal_seed = models.BooleanField(
        _("literal reading"),
        default=False,
        help_text=_(
            "On: every negative product-quality feedback is S, as the source text says word for word."
        ),
    )
    authority_is_s = models.BooleanField(_("authority complaints are S"), default=True)
    scope_hours = models.PositiveSmallIntegerField(_("same problem within hours"), default=24)
    scope_count = models.PositiveSmallIntegerField(_("counts as widespread from"), default=3)
    weights = models.JSONField(_("priority weights"), default=dict, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("tier policy")
        verbose_name_plural = _("tier policy")

    def __str__(self) -> str:
        return str(_("tier policy"))


class DispatchRule(Stamped):
    """Who gets what: the first active rule, by position, whose given conditions all hold (R16)."""

    name = models.CharField(_("name"), max_length=80)
    position = models.PositiveSmallIntegerField(_("position"), default=100)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("With its sub-categories; empty: every category."),
    )
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    tier = models.CharField(_("tier"), max_length=1, choices=Tier.choices, blank=True)
    team = models.ForeignKey(Team, verbose_name=_("team"), on_delete=models.CASCADE, related_name="+")
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("dispatch rule")
        verbose_name_plural = _("dispatch rules")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name


class DispatchCursor(models.Model):
    """Whose turn it is in a team. Locked with the write that uses it, so that two intakes never share a turn."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="+", primary_key=True)
    last_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.team_id}: {self.last_user_id}"
