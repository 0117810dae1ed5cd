"""Figures of repairs, added up by day (R31). Written by `apps.repairs.services.rollup` alone; cases stay the truth."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from apps.feedback.choices import Tier
from apps.feedback.models import Category, Channel
from apps.repairs.querysets import RollupQuerySet
from apps.shop.models import Store

NOTHING = models.Value(0, output_field=models.BigIntegerField())


def _count() -> models.PositiveIntegerField:
    return models.PositiveIntegerField(default=0)


class Narrowed(models.Model):
    """What figures can be narrowed by. Empty: the cases name none."""

    store = models.ForeignKey(Store, null=True, on_delete=models.CASCADE, db_index=False, related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, db_index=False, related_name="+")
    category = models.ForeignKey(
        Category, null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    tier = models.CharField(max_length=1, choices=Tier.choices)
    handler = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    objects = RollupQuerySet.as_manager()

    class Meta:
        abstract = True


class Counts(models.Model):
    """How many of some repairs reached each step so far. What each count means: `apps.repairs.figures.tally`."""

    opened = _count()
    dismissed = _count()
    contacted = _count()
    contact_due = _count()
    contact_in_time = _count()
    proposed = _count()
    accepted = _count()
    executed = _count()
    called_back = _count()
    answered = _count()
    satisfied = _count()
    once_satisfied = _count()
    invited = _count()
    repaired_invited = _count()
    withdrawn = _count()
    revised = _count()
    kept = _count()
    kept_public = _count()
    removed = _count()
    unreachable = _count()
    reopened = _count()
    still_open = _count()
    closed = _count()
    succeeded = _count()
    appeals_filed = _count()
    appeals_upheld = _count()
    appeals_rejected = _count()
    wait_15m = _count()
    wait_30m = _count()
    wait_1h = _count()
    wait_2h = _count()
    wait_4h = _count()
    wait_8h = _count()
    wait_24h = _count()
    wait_48h = _count()
    wait_72h = _count()
    wait_more = _count()
    cost = models.DecimalField(_("cost (CNY)"), max_digits=14, decimal_places=2, default=0)
    # Every time to contact in whole seconds, shortest first, between commas: sums cannot give a median.
    waits = models.TextField(default="", blank=True, editable=False)

    class Meta:
        abstract = True


class RepairDay(Narrowed, Counts):
    """Repairs that opened on one day of the shop's zone, as finely as figures can be narrowed."""

    day = models.DateField(_("opened on"))

    class Meta:
        verbose_name = _("figures of a day of repairs")
        verbose_name_plural = _("figures of days of repairs")
        default_permissions = ()
        permissions = (("view_figures", _("Can see the figures of repairs")),)
        indexes = (
            # Read by the funnel page, by every metric, and by the roll-up when it writes a day again.
            models.Index(fields=["day"], name="repairs_day"),
            # Read by the funnel of one agent and by its list of agents.
            models.Index(fields=["handler", "day"], name="repairs_day_handler"),
        )
        constraints = (
            # Two runs that add up the same day at once cannot count it twice.
            models.UniqueConstraint(
                "day", "channel", "tier", Coalesce("store", NOTHING), Coalesce("category", NOTHING),
                Coalesce("handler", NOTHING), name="repairs_day_once",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.day} · {self.opened}"


class RepairPart(Counts):
    """The same once more by category, by store and by agent alone: the whole shop's page over a year reads few rows.

    `key` is that of the category, store or agent; empty: the cases name none. Every case stands in two rows of each part, one
    of its tier and one of all tiers (""); its time to contact is kept in the part of categories alone.
    """

    class Part(models.TextChoices):
        CATEGORY = "category", _("By category")
        STORE = "store", _("By store")
        AGENT = "agent", _("By agent")

    day = models.DateField(_("opened on"))
    part = models.CharField(max_length=8, choices=Part.choices)
    key = models.BigIntegerField(null=True)
    tier = models.CharField(max_length=1, choices=Tier.choices, blank=True)

    class Meta:
        verbose_name = _("figures of a day of repairs")
        verbose_name_plural = _("figures of days of repairs")
        default_permissions = ()
        indexes = (
            # Read by the roll-up when it writes a day again.
            models.Index(fields=["day"], name="repairs_part_day"),
            # Read by the funnel page of the whole shop or of one tier.
            models.Index(fields=["tier", "day"], name="repairs_part_tier"),
        )
        constraints = (
            models.UniqueConstraint(
                "day", "part", "tier", Coalesce("key", NOTHING), name="repairs_part_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} · {self.part} {self.key or '–'} · {self.opened}"


class RepairCallbackDay(Narrowed):
    """Repairs closed with a callback, by the day of the callback: what became of the review within 30 days after it.

    A second table, because a rate that ripens 30 days after the callback needs the callback's day. `opened_day` says which
    rows to write again when a case changes, also when its callback moved to another day.
    """

    day = models.DateField(_("called back on"))
    opened_day = models.DateField(_("opened on"))
    closed = _count()
    withdrawn = _count()
    revised = _count()

    class Meta:
        verbose_name = _("figures of a day of callbacks")
        verbose_name_plural = _("figures of days of callbacks")
        default_permissions = ()
        indexes = (
            # Read by the metrics of withdrawal and revision.
            models.Index(fields=["day"], name="repairs_callback_day"),
            # Read by the funnel page, which needs nothing else of a row.
            models.Index(
                fields=["day", "category", "store", "handler", "closed", "withdrawn", "revised"],
                name="repairs_callback_page",
            ),
            # Read by the roll-up when it writes a day again.
            models.Index(fields=["opened_day"], name="repairs_callback_opened"),
        )
        constraints = (
            models.UniqueConstraint(
                "day", "opened_day", "channel", "tier", Coalesce("store", NOTHING), Coalesce("category", NOTHING),
                Coalesce("handler", NOTHING), name="repairs_callback_day_once",
            ),
            models.CheckConstraint(
                condition=models.Q(closed__gte=models.F("withdrawn") + models.F("revised")),
                name="repairs_callback_day_parts",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.day} · {self.closed}"


class RepeatMonth(models.Model):
    """Repaired customers who bought again, against matched others, by the month of the satisfied callback.

    `quarter` is the first day of the quarter in which the reviews of a pair were opened: pairs are sought within one.
    """

    month = models.DateField(_("month"))
    quarter = models.DateField(_("quarter of the reviews"))
    cohort = models.PositiveIntegerField(
        _("repaired customers"), default=0, help_text=_("Whose 90 days are over.")
    )
    pairs = models.PositiveIntegerField(_("pairs"), default=0)
    again = models.PositiveIntegerField(_("repaired customers who bought again"), default=0)
    others_again = models.PositiveIntegerField(_("matched others who bought again"), default=0)

    class Meta:
        verbose_name = _("repeat purchase of a month")
        verbose_name_plural = _("repeat purchase of months")
        default_permissions = ()
        ordering = ("month", "quarter")
        constraints = (
            models.UniqueConstraint(fields=["month", "quarter"], name="repairs_repeat_once"),
            models.CheckConstraint(
                condition=models.Q(
                    cohort__gte=models.F("pairs"),
                    pairs__gte=models.F("again"),
                )
                & models.Q(pairs__gte=models.F("others_again")),
                name="repairs_repeat_parts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} · {self.pairs}"


class FiguresState(models.Model):
    """How far the figures have been added up. There is exactly one row; whoever writes figures holds its lock."""

    seen_up_to = models.DateTimeField(null=True, editable=False)
    refreshed_at = models.DateTimeField(_("as of"), null=True, editable=False)
    repeat_at = models.DateTimeField(_("repeat purchase as of"), null=True, editable=False)

    class Meta:
        verbose_name = _("state of the figures of repairs")
        verbose_name_plural = _("state of the figures of repairs")
        default_permissions = ()
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="repairs_figures_one"),)

    def __str__(self) -> str:
        return str(self.refreshed_at or "–")
