"""The knowledge base: what may be answered, how it was used, and what the machine answered by itself (R21)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.choices import (
    HOLD_REASONS,
    ArticleLanguage,
    ArticleState,
    ArticleUseKind,
    AutoAnswerState,
    ProposalState,
    Verdict,
)
from apps.feedback.models.feedback import Feedback
from apps.feedback.models.reference import Category, Channel
from apps.feedback.querysets import ArticleQuerySet, AutoAnswerQuerySet
from apps.shop.models import Product, Store

PERSON = settings.AUTH_USER_MODEL


class Article(Stamped):
    """One answer, in one language. Text is changed as a draft only; a second person publishes (decision 10)."""

    code = models.SlugField(
        _("code"), max_length=60, help_text=_("The same for both languages of one article.")
    )
    language = models.CharField(
        _("language"), max_length=2, choices=ArticleLanguage.choices, default=ArticleLanguage.ZH
    )
    title = models.CharField(_("title"), max_length=120, help_text=_("The question in its plainest form."))
    body = models.TextField(
        pgettext_lazy("knowledge", "answer"),
        max_length=2000,
        help_text=_("As the customer reads it. No prices, no promises of money."),
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    products = models.ManyToManyField(
        Product,
        verbose_name=_("products"),
        blank=True,
        related_name="articles",
        help_text=_("Empty: every product."),
    )
    stores = models.ManyToManyField(
        Store,
        verbose_name=_("stores"),
        blank=True,
        related_name="articles",
        help_text=_("Empty: every store."),
    )
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    may_auto_answer = models.BooleanField(
        _("may answer automatically"), default=True, help_text=_("Off: it is only suggested to colleagues.")
    )
    is_sensitive = models.BooleanField(
        pgettext_lazy("article", "sensitive"),
        default=False,
        help_text=_("Health, money, personal data: never answered by a machine, whatever the switch says."),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=ArticleState.choices, default=ArticleState.DRAFT
    )
    version = models.PositiveIntegerField(_("version"), default=0, editable=False)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True, editable=False)
    written_by = models.ForeignKey(
        PERSON,
        verbose_name=_("written by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    is_sample = models.BooleanField(_("sample article"), default=False, editable=False)
    history = HistoricalRecords()

    objects = ArticleQuerySet.as_manager()

    class Meta:
        verbose_name = _("knowledge article")
        verbose_name_plural = _("knowledge base")
        ordering = ("code", "language")
        indexes = (
            # Read by the index of suggestions and by the list's state filter.
            models.Index(fields=["state", "code"], name="feedback_article_state"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["code", "language"],
                name="feedback_article_once",
                violation_error_message=_("There is an article with this code in this language."),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ArticleState.values), name="feedback_article_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(language__in=ArticleLanguage.values), name="feedback_article_language"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True)
                | models.Q(valid_until__isnull=True)
                | models.Q(valid_from__lte=models.F("valid_until")),
                name="feedback_article_dates",
                violation_error_message=_("It would end before it begins."),
            ),
        )
        permissions = (
            ("approve_article", _("Can approve knowledge articles")),
            ("use_article", _("Can use knowledge articles in answers")),
        )

    def __str__(self) -> str:
        return self.title

    def is_valid_on(self, day: date) -> bool:
        """Whether a day lies within its dates."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


class ArticleVariant(models.Model):
    """Another way in which customers ask for an article."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="variants")
    text = models.CharField(pgettext_lazy("knowledge", "question"), max_length=200)

    class Meta:
        verbose_name = _("way of asking")
        verbose_name_plural = _("ways of asking")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["article", "text"], name="feedback_article_variant_once"),
        )

    def __str__(self) -> str:
        return self.text


class ArticleUse(models.Model):
    """What became of an article on a case. One row per article, case and kind."""

    article = models.ForeignKey(
        Article,
        verbose_name=pgettext_lazy("knowledge", "article"),
        on_delete=models.CASCADE,
        related_name="uses",
    )
    # `feedback_article_use_once` begins with it.
    feedback = models.ForeignKey(
        Feedback,
        verbose_name=_("feedback"),
        on_delete=models.CASCADE,
        db_index=False,
        related_name="article_uses",
    )
    kind = models.CharField(_("what"), max_length=5, choices=ArticleUseKind.choices)
    confidence = models.FloatField(_("confidence"), default=0)
    by = models.ForeignKey(
        PERSON, verbose_name=_("by"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("use of an article")
        verbose_name_plural = _("uses of articles")
        ordering = ("-at", "-id")
        constraints = (
            # Also read by the card beside a case.
            models.UniqueConstraint(fields=["feedback", "article", "kind"], name="feedback_article_use_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=ArticleUseKind.values), name="feedback_article_use_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.article_id} {self.kind}"


class AutoAnswer(models.Model):
    """What the machine did with one question: answered it, or left it to people and why. One row per case."""

    feedback = models.OneToOneField(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="auto_answer"
    )
    article = models.ForeignKey(
        Article,
        verbose_name=pgettext_lazy("knowledge", "article"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="auto_answers",
    )
    version = models.PositiveIntegerField(_("version"), default=0)
    confidence = models.FloatField(_("confidence"), default=0)
    text = models.TextField(_("text"), blank=True)
    state = models.CharField(_("state"), max_length=10, choices=AutoAnswerState.choices)
    reasons = models.JSONField(_("why a person"), default=list, blank=True)
    at = models.DateTimeField(_("at"))
    updated_at = models.DateTimeField(_("updated at"))
    sampled_for_review = models.BooleanField(_("drawn for review"), default=False)
    verdict = models.CharField(_("verdict"), max_length=5, choices=Verdict.choices, blank=True)
    reviewed_by = models.ForeignKey(
        PERSON,
        verbose_name=_("reviewed by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)

    objects = AutoAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("automatic answer")
        verbose_name_plural = _("automatic answers")
        ordering = ("-at", "-id")
        indexes = (
            # Read by the list, by the figures of a period and by the daily limit.
            models.Index(fields=["-at", "-id"], name="feedback_auto_newest"),
            # Read by the review queue.
            models.Index(
                fields=["at"],
                name="feedback_auto_to_review",
                condition=models.Q(sampled_for_review=True, verdict="", state="sent"),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=AutoAnswerState.values), name="feedback_auto_state"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict="") | models.Q(verdict__in=Verdict.values),
                name="feedback_auto_verdict",
            ),
        )
        permissions = (("review_autoanswer", _("Can review automatic answers")),)

    def __str__(self) -> str:
        return f"F{self.feedback_id:07d}"

    def reason_words(self) -> list[Any]:
        """Why a person has to answer, in words."""
        return [HOLD_REASONS.get(reason, reason) for reason in self.reasons]


class KnowledgePolicy(Stamped):
    """When a machine may answer (GB/T 47746-2026). One row; off until a lead switches it on."""

    auto_answer = models.BooleanField(
        _("answer automatically"),
        default=False,
        help_text=_(
            "Questions only; price, refunds, compensation, health and anything upset always go to a person."
        ),
    )
    switched_on_at = models.DateTimeField(null=True, blank=True, editable=False)
    threshold = models.FloatField(
        _("least confidence"), default=0.3, validators=[MinValueValidator(0.2), MaxValueValidator(0.99)]
    )
    sample_percent = models.PositiveSmallIntegerField(
        _("share drawn for review (%)"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("The first thirty answers are all drawn."),
    )
    channels = models.ManyToManyField(
        Channel,
        verbose_name=_("channels"),
        blank=True,
        related_name="+",
        limit_choices_to={"is_active": True, "is_review_platform": False, "is_authority": False},
        help_text=_("Only there; none chosen: nowhere."),
    )
    daily_cap = models.PositiveIntegerField(_("at most a day"), default=500)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("rules for automatic answers")
        verbose_name_plural = _("rules for automatic answers")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(threshold__gte=0.2, threshold__lte=0.99),
                name="feedback_knowledge_threshold",
            ),
        )

    def __str__(self) -> str:
        return str(_("rules for automatic answers"))


class ArticleProposal(Stamped):
    """An answer that worked several times and is not in the knowledge base. Texts are masked."""

    key = models.CharField(max_length=32, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=120)
    questions = models.JSONField(_("ways of asking"), default=list)
    body = models.TextField(pgettext_lazy("knowledge", "answer"))
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    count = models.PositiveIntegerField(_("times answered"))
    state = models.CharField(
        _("state"), max_length=10, choices=ProposalState.choices, default=ProposalState.OPEN
    )
    article = models.ForeignKey(
        Article,
        verbose_name=pgettext_lazy("article proposal", "became"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("proposed article")
        verbose_name_plural = _("proposed articles")
        ordering = ("-count", "-id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=ProposalState.values), name="feedback_proposal_state"
            ),
        )

    def __str__(self) -> str:
        return self.title
