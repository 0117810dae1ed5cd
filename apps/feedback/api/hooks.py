"""`hooks/{channel}/`: messages of outside systems, proved by a signature instead of a token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.batches import items_of, read_items, rejected, summary
from apps.core.api.errors import BodyTooLarge
from apps.core.api.parsing import read_json
from apps.core.api.views import ApiView
from apps.feedback.api.intake import results, take
from apps.feedback.api.serializers import FeedbackIn, MessageIn, TakenBatch
from apps.feedback.models import WebhookSecret
from apps.feedback.services import hooks, messages_in
from apps.feedback.services.intake import take_in

TIMESTAMP, SIGNATURE = "X-Timestamp", "X-Signature"
MAX_MESSAGE = 2 * 1024 * 1024


class Unsigned(APIException):
    """401 for every way in which a message fails to prove itself."""

    status_code = 401
    auth_header = "HMAC-SHA256"


class Hook(ApiView):
    """One message from outside. Unknown channels answer exactly like a wrong signature."""

    authentication_classes = ()
    permission_classes = ()
    filter_backends = ()
    pagination_class = None
    serializer_class = FeedbackIn
    max_body = MAX_MESSAGE

    @extend_schema(
        operation_id="hook_receive",
        summary="Take a signed message in",
        description=(
            "X-Signature is HMAC-SHA256 over X-Timestamp, a dot and the raw body, in hex, with or without "
            "`sha256=`. X-Timestamp (unix seconds) may differ from our clock by five minutes. A message that "
            "came before is answered 409 with code `replayed`. Answers like feedback/bulk/. An item with "
            "`type: message` is what a customer writes on a case (`case`: its number, or `follow_up_to`, or "
            "the customer's newest), `type: receipt` tells how a message of ours fared."
        ),
        auth=[],
        request=FeedbackIn(many=True),
        parameters=[
            OpenApiParameter(TIMESTAMP, OpenApiTypes.STR, OpenApiParameter.HEADER, required=True),
            OpenApiParameter(SIGNATURE, OpenApiTypes.STR, OpenApiParameter.HEADER, required=True),
        ],
        responses=TakenBatch,
    )
    def post(self, request: Request, channel: str) -> Response:
        """Checks the signature over the raw bytes before anything of them is read."""
        now = timezone.now()
        body = request._request.read(self.max_body + 1)
        if len(body) > self.max_body:
            raise BodyTooLarge()
        timestamp = request.headers.get(TIMESTAMP, "")
        try:
            hook = hooks.authenticate(
                channel=channel,
                timestamp=timestamp,
                signature=request.headers.get(SIGNATURE, ""),
                body=body,
                now=now,
            )
        except hooks.BadSignature as error:
            raise Unsigned(str(error.message), code=error.code) from error
        raw = items_of(hooks.items_of(read_json(body), hook=hook))
        with transaction.atomic():
            hooks.once(hook=hook, timestamp=timestamp, body=body, now=now)
            return Response(summary(_taken(hook, raw, now)))


def _taken(hook: WebhookSecret, raw: list[Any], now: datetime) -> list[dict[str, Any]]:
    """The lines of the answer, in the order of the items: feedback through the intake, messages to their cases."""
    talk = [index for index, item in enumerate(raw) if messages_in.is_message(item)]
    voices = [index for index in range(len(raw)) if index not in set(talk)]
    lines: dict[int, dict[str, Any]] = {}
    if voices:
        rows = take([raw[index] for index in voices], lambda items: take_in(items, source="hook", now=now))
        lines |= dict(zip(voices, results(rows), strict=True))
    ready: list[tuple[int, dict[str, Any]]] = []
    for index, (values, errors) in zip(
        talk, read_items(MessageIn(), [raw[index] for index in talk]), strict=True
    ):
        if values is None:
            lines[index] = rejected(index, errors)
        else:
            ready.append((index, values))
    if ready:
        found = messages_in.take(channel=hook.channel, items=[values for _i, values in ready], now=now)
        lines |= {index: line for (index, _values), line in zip(ready, found, strict=True)}
    return [lines[index] | {"index": index} for index in range(len(raw))]
