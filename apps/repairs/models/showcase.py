"""Praise, the showcase of reviews with their authors' permission, and asking everybody for a review (R32, R68, R71)."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from apps.core import masking
from apps.core.models import Stamped, StoredFile
from apps.customers.models import Order
from apps.feedback.models import Category, Channel, Feedback, FeedbackFile
from apps.messaging.models import InboundMessage, MessageTemplate, OutboundMessage
from apps.repairs.choices import DisplayState, Part, PlanState, RequestChannel, ShowState
from apps.repairs.querysets import OfStoreQuerySet, ShowItemQuerySet
from apps.repairs.showing import is_excerpt
from apps.shop.models import Product, Store

ANONYMOUS = frozenset({"", "匿名", "匿名用户", "匿名买家", "匿名顾客", "anonymous"})


class Praise(Feedback):
    """Feedback as the list of praise shows it: the same rows, with a permission of its own (R32)."""

    class Meta:
        proxy = True
        verbose_name = pgettext_lazy("feedback", "praise")
        verbose_name_plural = pgettext_lazy("feedback", "praise")
        default_permissions = ("view",)
        permissions = (("thank_praise", _("Can thank for praise and tag it")),)


class PraiseTag(Stamped):
    """What a customer praises, in the shop's own words. `words` and `category` make it a suggestion."""

    name = models.CharField(_("tag"), max_length=20, unique=True)
    words = models.JSONField(
        _("suggested by these words"), default=list, blank=True, help_text=_("One per line.")
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("suggested by this category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("praise tag")
        verbose_name_plural = _("praise tags")
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name


class PraiseMark(models.Model):
    """One tag on one feedback."""

    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="praise_marks")
    tag = models.ForeignKey(PraiseTag, on_delete=models.CASCADE, related_name="marks")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["feedback", "tag"], name="repairs_mark_once"),)
        indexes = (
            # Read by the list of praise filtered by a tag.
            models.Index(fields=["tag", "feedback"], name="repairs_mark_of_tag"),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.tag_id}"


class ShowcaseItem(Stamped):
    """A review that may be shown: an excerpt in its author's own words, and what the author permitted (R71).

    Its tags are those of the feedback. Photos and nickname are shown only where each has a permission of its own.
    """

    feedback = models.OneToOneField(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="showcase_item"
    )
    text = models.TextField(
        _("text as shown"),
        max_length=1000,
        help_text=_("The author's own words. Whole clauses may be left out and are marked with “…”."),
    )
    with_nickname = models.BooleanField(
        _("with nickname"),
        default=False,
        help_text=_("Whole, if the author permits it; masked otherwise."),
    )
    photos = models.ManyToManyField(FeedbackFile, verbose_name=_("photos"), blank=True, related_name="+")
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    status = models.CharField(
        _("state"), max_length=10, choices=ShowState.choices, default=ShowState.PROPOSED
    )
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("proposed by"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    message = models.ForeignKey(
        OutboundMessage,
        verbose_name=_("question to the author"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("released by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("taken down at"), null=True, blank=True)
    why_ended = models.CharField(_("why"), max_length=300, blank=True)

    objects = ShowItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("review for the showcase")
        verbose_name_plural = _("reviews for the showcase")
        ordering = ("-id",)
        default_permissions = ("view",)
        permissions = (
            ("propose_showcaseitem", _("Can propose reviews for the showcase and ask their authors")),
            ("release_showcaseitem", _("Can release reviews for the showcase")),
        )
        indexes = (
            # Read by the showcases, newest release first.
            models.Index(
                fields=["-released_at", "-id"],
                name="repairs_show_released",
                condition=models.Q(status="released"),
            ),
            # Read by the card "waiting for release", by the list's states and by the sweep for reviews that turned.
            models.Index(fields=["status", "-id"], name="repairs_show_state"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=ShowState.values), name="repairs_show_state_known"
            ),
            # A second person releases; the database holds it too.
            models.CheckConstraint(
                condition=~models.Q(status="released")
                | (
                    models.Q(released_by__isnull=False, released_at__isnull=False)
                    & (models.Q(proposed_by__isnull=True) | ~models.Q(released_by=models.F("proposed_by")))
                ),
                name="repairs_show_two_people",
            ),
            models.CheckConstraint(condition=~models.Q(text=""), name="repairs_show_has_text"),
        )

    def __str__(self) -> str:
        return f"F{self.feedback_id:07d} · {self.text[:20]}"

    def granted(self) -> frozenset[str]:
        """What the author permits at present. Reads `permissions`: prefetch them."""
        return frozenset(row.part for row in self.permissions.all() if row.holds)

    def says_so_still(self) -> bool:
        """Whether the text is still the author's own words. Reads the feedback: select it."""
        return is_excerpt(self.text, masking.mask_text(self.feedback.text))

    def name_shown(self, granted: frozenset[str]) -> str:
        """The author's name: whole with permission, else masked. Reads the feedback: select it."""
        name = self.feedback.author_name.strip()
        if self.with_nickname and Part.NICKNAME in granted:
            return masking.mask_text(name)
        return masking.mask_name(name)


def is_anonymous(feedback: Feedback) -> bool:
    """Whether nobody can be asked: neither a name nor a customer is known."""
    return feedback.customer_id is None and feedback.author_name.strip().lower() in ANONYMOUS


class ShowPermission(models.Model):
    """An author's word on one part: text, photos or nickname. How, when and by what it is shown (R71; PIPL 14, 15)."""

    item = models.ForeignKey(
        ShowcaseItem, verbose_name=_("review"), on_delete=models.CASCADE, related_name="permissions"
    )
    part = models.CharField(_("for"), max_length=10, choices=Part.choices)
    asked_at = models.DateTimeField(_("asked at"), null=True, blank=True)
    granted_at = models.DateTimeField(_("granted at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    evidence = models.CharField(_("evidence"), max_length=300, blank=True)
    inbound = models.ForeignKey(
        InboundMessage,
        verbose_name=_("the author's message"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    file = models.ForeignKey(
        StoredFile,
        verbose_name=_("file"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("recorded by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        verbose_name = _("permission of an author")
        verbose_name_plural = _("permissions of authors")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["item", "part"], name="repairs_permission_once"),
            models.CheckConstraint(condition=models.Q(part__in=Part.values), name="repairs_permission_part"),
            # A permission nobody can show is none.
            models.CheckConstraint(
                condition=models.Q(granted_at__isnull=True)
                | ~models.Q(evidence="")
                | models.Q(inbound__isnull=False)
                | models.Q(file__isnull=False),
                name="repairs_permission_evidence",
            ),
        )

    def __str__(self) -> str:
        return str(self.get_part_display())

    @property
    def holds(self) -> bool:
        """Granted and not taken back."""
        return self.granted_at is not None and self.withdrawn_at is None


class Showcase(Stamped):
    """A place where chosen reviews are shown: what it takes, and what it says beside them (REV-07)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60)
    store = models.ForeignKey(
        Store,
        verbose_name=_("store"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: every store."),
    )
    channel = models.ForeignKey(
        Channel,
        verbose_name=_("channel"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: every channel."),
    )
    product = models.ForeignKey(
        Product,
        verbose_name=_("product"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: every product."),
    )
    tag = models.ForeignKey(
        PraiseTag,
        verbose_name=_("tag"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: every tag."),
    )
    label = models.CharField(
        _("label"),
        max_length=80,
        blank=True,
        default="精选评价，非全部",
        help_text=_("Must say that this is a selection, e.g. 精选评价，非全部."),
    )
    reviews_url = models.URLField(
        _("link to all reviews"),
        max_length=300,
        blank=True,
        help_text=_("Where everybody can read every review, the bad ones too."),
    )
    link_text = models.CharField(_("words of the link"), max_length=40, default="查看全部评价")
    shows_counts = models.BooleanField(
        _("shows how many reviews there are, and how many are negative"), default=True
    )
    claims_all = models.BooleanField(
        _("presented as all reviews"),
        default=False,
        help_text=_("The law forbids this for a selection; with it the showcase cannot be switched on."),
    )
    most = models.PositiveSmallIntegerField(
        _("reviews shown"), default=12, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    status = models.CharField(
        _("state"), max_length=4, choices=DisplayState.choices, default=DisplayState.OFF
    )
    history = HistoricalRecords()

    objects = OfStoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("showcase")
        verbose_name_plural = _("showcases")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=DisplayState.values), name="repairs_showcase_state"
            ),
            # Never on without its label and the way to all reviews (实施条例 2024 art. 9).
            models.CheckConstraint(
                condition=models.Q(status="off")
                | (~models.Q(label="") & ~models.Q(reviews_url="") & models.Q(claims_all=False)),
                name="repairs_showcase_lawful",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ReviewRequestPlan(Stamped):
    """Asking for a review after delivery: the same neutral words to every customer, off by default (R68, REV-09).

    There is no choice of customers but by store: asking only the content would skew what others read.
    """

    name = models.CharField(_("name"), max_length=60)
    days_after = models.PositiveSmallIntegerField(
        _("days after delivery"), default=3, validators=[MinValueValidator(1), MaxValueValidator(30)]
    )
    channel = models.CharField(
        _("channel"),
        max_length=10,
        choices=RequestChannel.choices,
        default=RequestChannel.WECHAT,
        help_text=_("Carriers refuse SMS that ask for reviews, so there is none here."),
    )
    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("template"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    stores = models.ManyToManyField(
        Store, verbose_name=_("stores"), blank=True, related_name="+", help_text=_("Empty: every store.")
    )
    status = models.CharField(_("state"), max_length=4, choices=PlanState.choices, default=PlanState.OFF)
    switched_on_at = models.DateTimeField(_("switched on at"), null=True, blank=True, editable=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("review request plan")
        verbose_name_plural = _("review requests")
        ordering = ("name",)
        permissions = (("switch_reviewrequestplan", _("Can switch review requests on and off")),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=PlanState.values), name="repairs_plan_state"
            ),
            models.CheckConstraint(
                condition=models.Q(channel__in=RequestChannel.values),
                name="repairs_plan_channel",
                violation_error_message=_("Carriers refuse SMS that ask for reviews, so there is none here."),
            ),
            models.CheckConstraint(
                condition=models.Q(status="off") | models.Q(switched_on_at__isnull=False),
                name="repairs_plan_since",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The template is one for this channel."""
        if self.template_id and self.template.channel != self.channel:
            raise ValidationError(
                {
                    "template": _("This template is for another channel: %(channel)s.")
                    % {"channel": self.template.get_channel_display()}
                }
            )


class ReviewRequest(models.Model):
    """One order was looked at: its customer was asked, or the message was refused with a reason. Once an order."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="review_request")
    plan = models.ForeignKey(ReviewRequestPlan, on_delete=models.PROTECT, related_name="requests")
    message = models.OneToOneField(
        OutboundMessage, null=True, on_delete=models.SET_NULL, related_name="review_request"
    )
    at = models.DateTimeField()

    class Meta:
        indexes = (
            # Read by the figures of a plan: the last 30 days.
            models.Index(fields=["plan", "-at"], name="repairs_request_of_plan"),
        )

    def __str__(self) -> str:
        return f"{self.order_id} {self.plan_id}"
