"""The case: one record for every voice (decisions, item 4)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.customers.models import Customer, Order
from apps.feedback.choices import (
    OPEN,
    TIER_RANK,
    ClockKind,
    Emotion,
    Kind,
    Sentiment,
    Source,
    Status,
    Tier,
    WaitReason,
)
from apps.feedback.models.reference import Category, Channel
from apps.feedback.querysets import FeedbackQuerySet
from apps.shop.models import Department, Product, Store, Team

IS_OPEN = models.Q(status__in=OPEN)
# What a shop may thank for and show: read as positive with four stars or more, or plain praise (R32).
IS_PRAISE = models.Q(kind="praise") | models.Q(sentiment="positive", rating__gte=4)
AWAITS_ORDER = models.Q(order__isnull=True) & ~models.Q(order_no="")


class Feedback(models.Model):
    """One voice of a customer and the work it causes.

    Status moves only through `apps.feedback.services`; forms show it read-only. The text itself is a record of what
    somebody said: nothing in the product edits or deletes it, later versions are kept as `FeedbackChange`.
    """

    # What came in.
    channel = models.ForeignKey(
        Channel,
        verbose_name=_("channel"),
        on_delete=models.PROTECT,
        # `feedback_of_channel` begins with it.
        db_index=False,
        related_name="feedback",
    )
    source = models.CharField(_("came in by"), max_length=6, choices=Source.choices, default=Source.FORM)
    external_id = models.CharField(_("number at the platform"), max_length=120, blank=True)
    text = models.TextField(_("text"))
    snippet = models.CharField(_("text (masked)"), max_length=240, blank=True)
    rating = models.PositiveSmallIntegerField(_("stars"), null=True, blank=True)
    posted_at = models.DateTimeField(_("posted at"))
    received_at = models.DateTimeField(_("received at"))
    author_name = models.CharField(_("author"), max_length=80, blank=True)
    store = models.ForeignKey(
        Store,
        verbose_name=_("store"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="feedback",
    )
    order_no = models.CharField(_("order number"), max_length=64, blank=True)
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="feedback",
    )
    image_urls = models.JSONField(_("picture links"), default=list, blank=True)
    is_historical = models.BooleanField(_("historical"), default=False)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("follow-up of"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="follow_ups",
    )
    similar_to = models.ForeignKey(
        "self",
        verbose_name=_("similar to"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="similar",
    )
    similarity = models.FloatField(_("similarity"), null=True, blank=True)
    import_run = models.ForeignKey(
        "ImportRun",
        verbose_name=_("import"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="rows",
    )
    source_row = models.PositiveIntegerField(_("row in the file"), null=True, blank=True)
    text_key = models.BigIntegerField(_("text key"), null=True, blank=True, editable=False)

    # How it was read.
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    sentiment = models.CharField(_("sentiment"), max_length=8, choices=Sentiment.choices)
    sentiment_score = models.FloatField(_("sentiment score"), default=0)
    emotion = models.CharField(_("emotion"), max_length=14, choices=Emotion.choices, default=Emotion.NEUTRAL)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    subcategory = models.ForeignKey(
        Category,
        verbose_name=_("sub-category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    s_review = models.BooleanField(_("may be S: please check"), default=False)
    needs_review = models.BooleanField(_("reading needs review"), default=False)
    confidence = models.FloatField(_("confidence"), default=0)
    reading = models.JSONField(_("reading"), default=dict, blank=True)
    reading_version = models.CharField(_("reading version"), max_length=40, blank=True)
    mentions_competitor = models.BooleanField(_("mentions a competitor"), default=False)

    # How it was graded and who has it.
    tier = models.CharField(_("tier"), max_length=1, choices=Tier.choices)
    tier_rank = models.PositiveSmallIntegerField(editable=False, default=2)
    priority = models.PositiveSmallIntegerField(_("priority"), default=0)
    status = models.CharField(_("state"), max_length=12, choices=Status.choices, default=Status.NEW)
    department = models.ForeignKey(
        Department,
        verbose_name=_("department"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    team = models.ForeignKey(
        Team,
        verbose_name=_("team"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="feedback",
    )
    assigned_at = models.DateTimeField(_("assigned at"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)

    # The clock that runs out first, copied here so that the queue reads one table.
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    due_kind = models.CharField(_("due for"), max_length=16, choices=ClockKind.choices, blank=True)
    due_from = models.DateTimeField(_("clock started"), null=True, blank=True)
    breached_at = models.DateTimeField(_("first breach"), null=True, blank=True)
    first_response_at = models.DateTimeField(_("first response"), null=True, blank=True)
    wait_reason = models.CharField(_("waiting for"), max_length=12, choices=WaitReason.choices, blank=True)
    wait_until = models.DateTimeField(_("resumes at"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    resolution = models.TextField(_("resolution"), blank=True)
    reopened = models.PositiveSmallIntegerField(_("times reopened"), default=0)
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_from",
    )
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        ordering = ("-received_at", "-id")
        indexes = (
            # The columns behind the order let a filter that hardly anything matches be answered from the index,
            # without a look at every row. Read by the queue's "all open" tab: S first, then by deadline.
            models.Index(
                fields=["tier_rank", "due_at", "id", "kind", "sentiment", "emotion"],
                name="feedback_queue",
                condition=IS_OPEN,
            ),
            # Read by "mine", the home page and the load of a person.
            models.Index(
                fields=["assignee", "tier_rank", "due_at", "id"], name="feedback_mine", condition=IS_OPEN
            ),
            # Read by "unassigned" and by the sweep that dispatches when somebody comes on shift.
            models.Index(
                fields=["tier_rank", "due_at", "id", "kind", "sentiment", "emotion"],
                name="feedback_unassigned",
                condition=IS_OPEN & models.Q(assignee__isnull=True),
            ),
            # Read by store staff and by the store filter.
            models.Index(
                fields=["store", "tier_rank", "due_at", "id"], name="feedback_of_store", condition=IS_OPEN
            ),
            # Read by the queue filtered by category, alone or with a tier.
            models.Index(
                fields=["category", "tier_rank", "due_at", "id"],
                name="feedback_of_subject",
                condition=IS_OPEN,
            ),
            # Read by the queue's "overdue" and by the deadline order.
            models.Index(
                fields=["due_at", "id", "kind", "sentiment", "emotion"],
                name="feedback_due",
                condition=IS_OPEN & models.Q(due_at__isnull=False),
            ),
            # Read by the queue's "strongest negative first".
            models.Index(
                fields=["-priority", "id", "kind", "sentiment", "emotion"],
                name="feedback_strongest",
                condition=IS_OPEN,
            ),
            # Read by "everything", the API list and date ranges.
            models.Index(fields=["-received_at", "-id"], name="feedback_newest"),
            # Read by the channel filter and by the look-up of near duplicates of one channel.
            models.Index(
                fields=["channel", "-received_at", "-id", "kind", "sentiment", "emotion"],
                name="feedback_of_channel",
            ),
            # Read by the category filter.
            models.Index(
                fields=["category", "-received_at", "-id", "kind", "sentiment", "emotion"],
                name="feedback_of_category",
            ),
            # Read by "everything" and "done" of one store and of one person.
            models.Index(fields=["store", "-received_at", "-id"], name="feedback_of_store_all"),
            models.Index(fields=["assignee", "-received_at", "-id"], name="feedback_of_person_all"),
            # Read by "everything" and "done" filtered by tier, and by feeling.
            models.Index(
                fields=["tier_rank", "-received_at", "-id", "sentiment", "kind", "emotion"],
                name="feedback_of_tier",
            ),
            models.Index(
                fields=["emotion", "kind", "-received_at", "-id", "sentiment"], name="feedback_of_feeling"
            ),
            # Read by the list of praise (repairs): newest first.
            models.Index(fields=["-posted_at", "-id"], name="feedback_praise", condition=IS_PRAISE),
            # Read by the indicators of reviews and complaints (repairs): a stretch of days, answered from the index.
            models.Index(
                fields=["posted_at", "rating", "kind", "channel", "store", "category", "product"],
                name="feedback_voices",
            ),
            # Read by "needs review".
            models.Index(
                fields=["-received_at", "-id"],
                name="feedback_review",
                condition=models.Q(needs_review=True, status__in=OPEN),
            ),
            # Read by sweep_sla: who resumes now?
            models.Index(
                fields=["wait_until"], name="feedback_resumes", condition=models.Q(wait_until__isnull=False)
            ),
            # Read by intake: equal texts.
            models.Index(
                fields=["text_key"], name="feedback_text_key", condition=models.Q(text_key__isnull=False)
            ),
            # Read by intake: is a text of signs alone known?
            models.Index(
                fields=["posted_at"], name="feedback_without_key", condition=models.Q(text_key__isnull=True)
            ),
            # Read when orders arrive: which feedback named them before?
            models.Index(fields=["order_no"], name="feedback_awaits_order", condition=AWAITS_ORDER),
            # Read by the sweep of callbacks: what was resolved since it last looked?
            models.Index(
                fields=["resolved_at", "id"],
                name="feedback_resolved",
                condition=models.Q(resolved_at__isnull=False),
            ),
            # Read by the sweep of automatic answers: new questions nobody has answered.
            models.Index(
                fields=["created_at"],
                name="feedback_to_answer",
                condition=models.Q(
                    kind="inquiry", status__in=("new", "assigned"), first_response_at__isnull=True
                ),
            ),
        )
        constraints = (
            # Exact duplicates (decision 6). Also read by intake.
            models.UniqueConstraint(
                fields=["channel", "external_id"],
                condition=~models.Q(external_id=""),
                name="feedback_external_once",
            ),
            # The same file twice creates nothing new (decision 6). Also read when an import is resumed.
            models.UniqueConstraint(
                fields=["import_run", "source_row"],
                condition=models.Q(import_run__isnull=False),
                name="feedback_row_once",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="feedback_status_known"
            ),
            models.CheckConstraint(condition=models.Q(tier__in=Tier.values), name="feedback_tier_known"),
            models.CheckConstraint(
                condition=models.Q(rating__isnull=True) | models.Q(rating__range=(1, 5)),
                name="feedback_rating_range",
            ),
        )
        permissions = (
            ("work_feedback", _("Can work on feedback: claim, contact, resolve")),
            ("assign_feedback", _("Can assign and merge feedback")),
            ("import_feedback", _("Can import feedback files")),
            ("see_all_feedback", _("Sees the feedback of every store and department")),
        )

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What people call the case."""
        return f"F{self.pk:07d}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.status in OPEN

    def is_overdue(self, now: datetime) -> bool:
        """Whether the clock that runs out first has run out."""
        return self.due_at is not None and self.due_at <= now and self.is_open

    def rank(self) -> int:
        """0 for S, 1 for A, 2 for B: the queue's first sort key."""
        return TIER_RANK[self.tier]


class FeedbackSearch(models.Model):
    """What the search box looks through: the masked text (decision 12).

    `grams` holds single characters' pairs on PostgreSQL, so that two-character Chinese words hit a GIN index
    (pg_trgm alone does not help there); on SQLite it stays empty and `body` is scanned.
    """

    feedback = models.OneToOneField(
        Feedback, primary_key=True, on_delete=models.CASCADE, related_name="search"
    )
    body = models.TextField()
    grams = SearchVectorField(null=True)

    def __str__(self) -> str:
        return str(self.feedback_id)


class FeedbackChange(models.Model):
    """A later version of a review: what it was before and what it became (R4)."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="changes"
    )
    seen_at = models.DateTimeField(_("seen at"))
    old_text = models.TextField(_("text before"), blank=True)
    new_text = models.TextField(_("text after"), blank=True)
    old_rating = models.PositiveSmallIntegerField(_("stars before"), null=True, blank=True)
    new_rating = models.PositiveSmallIntegerField(_("stars after"), null=True, blank=True)

    class Meta:
        verbose_name = _("change of a review")
        verbose_name_plural = _("changes of reviews")
        ordering = ("seen_at", "id")

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.seen_at}"
