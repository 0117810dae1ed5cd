"""Feedback written down by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.core.models import StoredFile, User
from apps.core.services.files import AUDIO, IMAGES, store_file
from apps.customers.choices import ContactChannel, Purpose
from apps.customers.models import ConsentEvent, Customer
from apps.feedback.choices import Source
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback, Outcome
from apps.feedback.models import Feedback, FeedbackFile
from apps.feedback.services.intake import take_in


@transaction.atomic
def take_from_form(*, data: dict[str, Any], lines: list[dict[str, Any]], by: User, now: datetime) -> Outcome:
    """Take one feedback in from the admin's form, with its pictures and, after consent, its recording.

    A wrong file undoes the whole, so that the person who typed can put it right and send again.
    """
    customer = None
    if data.get("nickname") or data.get("phone"):
        customer = IncomingCustomer(nickname=data.get("nickname", ""), phone=data.get("phone", ""))
    links = [line.strip() for line in (data.get("image_links") or "").splitlines() if line.strip()]
    bad = next((link for link in links if not link.startswith(("http://", "https://"))), None)
    if bad is not None:
        raise InvalidInput(_("“%(link)s” is no web address.") % {"link": bad[:80]}, field="image_links")
    item = IncomingFeedback(
        channel=data["channel"].code,
        text=data["text"],
        rating=int(data["rating"]) if data.get("rating") else None,
        posted_at=data.get("posted_at"),
        store=data["store"].code if data.get("store") else "",
        product_sku=data["product"].sku if data.get("product") else "",
        order_no=(data.get("order_no") or "").strip(),
        external_id=(data.get("external_id") or "").strip(),
        customer=customer,
        images=links[:20],
        transcript=lines,
    )
    (outcome,) = take_in([item], source=Source.FORM, now=now, by=by)
    if outcome.state == "rejected":
        raise InvalidInput(outcome.message, code=outcome.code, field=outcome.field)
    feedback = Feedback.objects.get(pk=outcome.feedback_id)
    for upload in data.get("files") or []:
        stored = store_file(upload=upload, by=by, now=now, allowed=IMAGES)
        FeedbackFile.objects.create(feedback=feedback, file=stored)
    if data.get("recording"):
        attach_recording(
            feedback=feedback,
            upload=data["recording"],
            consented=bool(data.get("recording_consent")),
            by=by,
            now=now,
        )
    return outcome


def attach_recording(
    *, feedback: Feedback, upload: Any, consented: bool, by: User, now: datetime
) -> FeedbackFile:
    """Keep a call recording; refused without the customer's recorded consent (R6; PIPL 13)."""
    if not consented:
        raise InvalidInput(
            _("A recording can be kept only with the customer's recorded consent."), field="recording"
        )
    if feedback.customer is None:
        raise InvalidInput(
            _("Name the customer first: consent to a recording belongs to a person."), field="recording"
        )
    consent, stored = keep_recording(
        customer=feedback.customer, upload=upload, evidence=feedback.number, by=by, now=now
    )
    return FeedbackFile.objects.create(feedback=feedback, file=stored, is_recording=True, consent=consent)


def keep_recording(
    *, customer: Customer, upload: Any, evidence: str, by: User, now: datetime
) -> tuple[ConsentEvent, StoredFile]:
    """A recording whose customer agreed in the call, and the ledger's row of that consent. `evidence` names the record."""
    consent = ConsentEvent.objects.create(
        customer=customer,
        purpose=Purpose.RECORDING,
        channel=ContactChannel.PHONE,
        granted=True,
        source="call",
        evidence=evidence,
        at=now,
        by=by,
    )
    return consent, store_file(upload=upload, by=by, now=now, allowed=AUDIO, max_bytes=50 * 1024 * 1024)
