"""What comes in and what goes out."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.core.api.batches import STATES, BatchAnswerSerializer, ResultSerializer
from apps.core.api.fields import MomentField, WordField
from apps.feedback.choices import (
    ClockKind,
    ClockState,
    ContactMethod,
    Emotion,
    Kind,
    Sentiment,
    Source,
    Status,
    Tier,
    WaitReason,
)
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.transitions import FEEDBACK

MOST_IMAGES = 50
MOST_LINES = 500
# `note` and `correct` stand in the table too; correcting is what PATCH does.
VERBS = [verb for verb in FEEDBACK.verbs() if verb not in ("correct", "route")]


class AuthorIn(serializers.Serializer):
    """Who says it, as the channel knows them."""

    external_id = serializers.CharField(
        max_length=120, required=False, allow_blank=True, help_text="What the channel calls this customer"
    )
    nickname = serializers.CharField(max_length=80, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=30, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class TranscriptIn(serializers.Serializer):
    """One line of a chat or call."""

    who = serializers.CharField(max_length=60, required=False, allow_blank=True)
    at = MomentField(required=False)
    text = serializers.CharField(max_length=10_000)


class FeedbackIn(serializers.Serializer):
    """One voice on its way in (decisions, item 9). Only `channel` and `text` are needed.

    Values are checked for shape only; whether the shop can use them is the intake's business, so that every
    way in refuses the same things with the same codes.
    """

    channel = serializers.CharField(max_length=40, help_text="Code of the channel, e.g. taobao")
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    external_id = serializers.CharField(
        max_length=120,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="The platform's own number",
    )
    rating = serializers.IntegerField(
        required=False, allow_null=True, min_value=-(2**31), max_value=2**31 - 1, help_text="1 to 5"
    )
    posted_at = MomentField(required=False, allow_null=True)
    store = serializers.CharField(max_length=80, required=False, allow_blank=True, allow_null=True)
    product_sku = serializers.CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    order_no = serializers.CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    customer = AuthorIn(required=False, allow_null=True)
    images = serializers.ListField(
        child=serializers.RegexField(r"^https?://[^\s<>\"']+$", max_length=1000),
        required=False,
        max_length=MOST_IMAGES,
        help_text="Addresses",
    )
    follow_up_to = serializers.CharField(
        max_length=120,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="`external_id` of the first review",
    )
    kind = serializers.CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text=f"One of {', '.join(Kind.values)}; absent: read from the text",
    )
    transcript = TranscriptIn(many=True, required=False, max_length=MOST_LINES)


class MessageIn(serializers.Serializer):
    """What a customer writes on a case, or a delivery receipt; only `hooks/{channel}/` takes them."""

    type = serializers.ChoiceField(choices=("message", "receipt"))
    channel = serializers.CharField(max_length=40, required=False)
    text = serializers.CharField(max_length=4000, required=False, allow_blank=True, trim_whitespace=False)
    external_id = serializers.CharField(max_length=120, required=False, allow_blank=True, allow_null=True)
    posted_at = MomentField(required=False, allow_null=True)
    case = serializers.CharField(
        max_length=20,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Our number, e.g. F0000017",
    )
    follow_up_to = serializers.CharField(
        max_length=120,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="`external_id` of the review",
    )
    customer = AuthorIn(required=False, allow_null=True)
    receipt = serializers.ChoiceField(choices=("delivered", "failed"), required=False)
    message_id = serializers.CharField(
        max_length=100, required=False, allow_blank=True, help_text="The provider's number of our message"
    )
    idempotency_key = serializers.CharField(max_length=40, required=False, allow_blank=True)
    code = serializers.CharField(max_length=40, required=False, allow_blank=True)
    error = serializers.CharField(max_length=200, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A message has words, a receipt says how it went and of which message."""
        if attrs["type"] == "message" and not attrs.get("text", "").strip():
            raise serializers.ValidationError({"text": _("The text is empty.")}, code="text_missing")
        if attrs["type"] == "receipt":
            if not attrs.get("receipt"):
                raise serializers.ValidationError({"receipt": _("Say delivered or failed.")}, code="required")
            if not (attrs.get("message_id") or attrs.get("idempotency_key")):
                raise serializers.ValidationError({"message_id": _("Name the message.")}, code="required")
        return attrs


def incoming(values: dict[str, Any]) -> IncomingFeedback:
    """Validated values as intake wants them; null and absent are the same."""
    customer = values.get("customer")
    return IncomingFeedback(
        channel=values["channel"],
        text=values["text"],
        external_id=values.get("external_id") or "",
        rating=values.get("rating"),
        posted_at=values.get("posted_at"),
        store=values.get("store") or "",
        product_sku=values.get("product_sku") or "",
        order_no=values.get("order_no") or "",
        customer=IncomingCustomer(**customer) if customer else None,
        images=values.get("images") or [],
        follow_up_to=values.get("follow_up_to") or "",
        kind=values.get("kind") or "",
        transcript=values.get("transcript") or [],
    )


class DeadlineOut(serializers.Serializer):
    """One promise to the customer."""

    kind = WordField(ClockKind.choices)
    due_at = serializers.DateTimeField(allow_null=True, help_text="null while it stands still")
    state = WordField(ClockState.choices)


class ReadingOut(serializers.Serializer):
    """How a feedback was read, graded and timed."""

    id = serializers.IntegerField()
    number = serializers.CharField(help_text="What people call the case")
    kind = serializers.ChoiceField(choices=Kind.choices)
    sentiment = serializers.ChoiceField(choices=Sentiment.choices)
    emotion = serializers.ChoiceField(choices=Emotion.choices)
    tier = serializers.ChoiceField(choices=Tier.choices)
    category = serializers.CharField(allow_null=True, help_text="Code")
    subcategory = serializers.CharField(allow_null=True, help_text="Code")
    status = serializers.ChoiceField(choices=Status.choices)
    s_review = serializers.BooleanField(help_text="May be S: somebody checks")
    needs_review = serializers.BooleanField(help_text="The reading is doubtful: somebody checks")
    due_at = serializers.DateTimeField(allow_null=True, help_text="The earliest running deadline")
    deadlines = DeadlineOut(many=True)
    similar_to = serializers.IntegerField(allow_null=True, help_text="An earlier feedback that says the same")
    assignee = serializers.CharField(allow_null=True, help_text="User name of the owner")
    assignee_name = serializers.CharField(allow_null=True)


class TakenOut(ReadingOut):
    """The answer to one POST."""

    outcome = serializers.ChoiceField(choices=[state for state in STATES if state != "rejected"])
    ignored = serializers.ListField(
        child=serializers.CharField(), help_text="Names in the message that mean nothing here"
    )


class TakenResult(ResultSerializer):
    """What became of one of many."""

    number = serializers.CharField(required=False)
    tier = serializers.ChoiceField(choices=Tier.choices, required=False)


class TakenBatch(BatchAnswerSerializer):
    """The answer to many."""

    results = TakenResult(many=True)


class AuthorOut(serializers.Serializer):
    """Masked unless the token has the scope customers:unmask."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    phone = serializers.CharField()
    member_tier = serializers.CharField()


class FeedbackOut(ReadingOut):
    """One case. Text, author, order number and customer are masked unless the token has customers:unmask."""

    channel = serializers.CharField(help_text="Code")
    source = serializers.ChoiceField(choices=Source.choices)
    external_id = serializers.CharField()
    text = serializers.CharField()
    rating = serializers.IntegerField(allow_null=True)
    posted_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    author = serializers.CharField()
    store = serializers.CharField(allow_null=True, help_text="Code")
    product_sku = serializers.CharField(allow_null=True)
    order_no = serializers.CharField()
    customer = AuthorOut(allow_null=True)
    images = serializers.ListField(child=serializers.CharField())
    is_historical = serializers.BooleanField()
    follow_up_to = serializers.IntegerField(allow_null=True, help_text="The first review's case")
    merged_into = serializers.IntegerField(allow_null=True)
    similarity = serializers.FloatField(allow_null=True)
    sentiment_score = serializers.FloatField(help_text="-1 to 1")
    confidence = serializers.FloatField(help_text="0 to 1")
    keywords = serializers.ListField(child=serializers.CharField())
    mentions_competitor = serializers.BooleanField()
    priority = serializers.IntegerField(help_text="0 to 100")
    department = serializers.CharField(allow_null=True, help_text="Code")
    team = serializers.CharField(allow_null=True, help_text="Code")
    breached_at = serializers.DateTimeField(allow_null=True)
    first_response_at = serializers.DateTimeField(allow_null=True)
    wait_reason = serializers.CharField()
    wait_until = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField()


class TriageIn(serializers.Serializer):
    """What an integration may put right: the reading, nothing else."""

    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    tier = serializers.ChoiceField(choices=Tier.choices, required=False)
    sentiment = serializers.ChoiceField(choices=Sentiment.choices, required=False)
    emotion = serializers.ChoiceField(choices=Emotion.choices, required=False)
    category = serializers.CharField(max_length=40, required=False, allow_null=True, help_text="Code")
    subcategory = serializers.CharField(
        max_length=40, required=False, allow_null=True, help_text="Code; alone it brings its category with it"
    )


class MoveIn(serializers.Serializer):
    """One move. Which of the other fields it needs depends on the verb (docs/api.md)."""

    verb = serializers.ChoiceField(choices=VERBS)
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    assignee = serializers.CharField(
        max_length=150, required=False, help_text="claim, assign: user name of the person"
    )
    how = serializers.ChoiceField(choices=ContactMethod.choices, required=False, help_text="record_contact")
    said = serializers.CharField(
        max_length=10_000,
        required=False,
        allow_blank=True,
        default="",
        help_text="record_contact, give_plan, give_progress, note",
    )
    at = MomentField(required=False, help_text="record_contact: when; default now")
    why = serializers.ChoiceField(choices=WaitReason.choices, required=False, help_text="wait: for whom")
    until = MomentField(required=False, help_text="wait: at most three days on")
    into = serializers.CharField(
        max_length=20, required=False, help_text="merge: number or id of the case it becomes part of"
    )
