"""What people without an account may do: say something, look after it, add to it (R67)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core.exceptions import (
    DomainError,
    IllegalMove,
    InvalidInput,
    NotPermitted,
    ReasonNeeded,
    StaleState,
)
from apps.core.hashing import keyed_hash
from apps.core.models import ActionLog, User
from apps.core.public import REPLAY_FOR, Nonce, new_code, tidy_code
from apps.core.services import public as sending
from apps.core.services.files import store_file
from apps.core.services.photos import clean_photo
from apps.customers.models import Customer
from apps.customers.registries import movers
from apps.feedback.choices import OPEN, Kind, Source
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.models import Feedback, FeedbackFile, PublicEntry, PublicReceipt
from apps.feedback.selectors.public_entry import case_of, ended_at
from apps.feedback.services.inbound import customer_said
from apps.feedback.services.intake import take_in
from apps.shop.models import Store

CHANNEL = "public_form"
# The wording about name and telephone on the page; raise it whenever that text changes.
NOTICE = "public-entry-1"
CODE_LENGTH = 8
SECRET_LENGTH = 8
# Guesses at a secret: from one address, for one case from one address.
GUESSES = ((10, 900), (5, 900))
# For one case from everywhere. A few networks of strangers cannot use it up and so keep the customer out, while 36
# bits stay out of reach: at this pace half of them would take more than a thousand years.
GUESSES_EVERYWHERE = (2000, 3600)
# "Praise" is left to the reading: whoever ticks it and then complains must not be put aside unread.
HINTS = (Kind.COMPLAINT, Kind.SUGGESTION, Kind.INQUIRY)


_ENDED = Coalesce("feedback__closed_at", "feedback__resolved_at", "feedback__updated_at")


class WrongSecret(DomainError):
    """No case with this number and secret. Never says which of the two was wrong."""

    code = "wrong_secret"
    status = 403


class Ended(DomainError):
    """The case ended too long ago to be added to."""

    code = "ended"


@dataclass(slots=True)
class Said:
    """What somebody typed on a store's page, checked by its form."""

    text: str
    rating: int | None = None
    kind: str = ""
    order_no: str = ""
    nickname: str = ""
    phone: str = ""
    anonymous: bool = False
    agreed: bool = False
    photos: Sequence[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a form. `secret` is "" when the form was sent too long ago to show it again."""

    feedback: Feedback
    secret: str
    again: bool = False


def limits_of(store_id: int, sender: str) -> list[sending.Limit]:
    """The limits on a store's page. `sender` is a keyed hash already."""
    rules = settings.PUBLIC_ENTRY
    return [
        sending.Limit(f"entry:{sender}", rules["per_address"], rules["seconds"]),
        sending.Limit(f"entry_store:{store_id}", rules["per_store"], rules["seconds"]),
    ]


def secret_hash(feedback_id: int, secret: str) -> str:
    """What is kept of a secret."""
    return keyed_hash(f"receipt:{feedback_id}:{tidy_code(secret)}")


def submit(*, entry: PublicEntry, said: Said, nonce: Nonce, sender: str, now: datetime) -> Receipt:
    """Take in what somebody said on a store's page, once a form however often it is sent.

    Raises TooMany (nothing is kept), InvalidInput (field named; the form may be sent again) or StaleState while
    another process works on the same form.
    """
    limits = limits_of(entry.store_id, sender)
    claim = sending.claim(nonce, limits=limits, now=now)
    if not claim.mine:
        if claim.result is None:
            raise StaleState(_("This form is just being sent. Please wait a moment."))
        return receipt_of(nonce, claim.result, now=now)
    try:
        photos = [
            clean_photo(upload, size=upload.size, number=number)
            for number, upload in enumerate(said.photos, start=1)
        ]
        feedback, secret = _take(entry, said, photos, nonce, claim, now=now)
    except Exception:
        sending.release(nonce, claim, limits=limits, now=now)
        raise
    return Receipt(feedback, secret)


def receipt_of(nonce: Nonce, feedback_id: int, *, now: datetime) -> Receipt:
    """The answer to a form that was sent before. The secret is derived from the form, so only its holder sees it."""
    receipt = PublicReceipt.objects.select_related("feedback__store").get(pk=feedback_id)
    fresh = now - receipt.created_at <= REPLAY_FOR
    return Receipt(receipt.feedback, nonce.derive_code("receipt", SECRET_LENGTH) if fresh else "", again=True)


@transaction.atomic
def _take(
    entry: PublicEntry,
    said: Said,
    photos: list[ContentFile],
    nonce: Nonce,
    claim: sending.Claim,
    *,
    now: datetime,
) -> tuple[Feedback, str]:
    # Anonymous means it: an order number leads to a person as a telephone number does.
    known = not said.anonymous
    phone = said.phone if known and said.agreed else ""
    nickname = said.nickname if known and said.agreed else ""
    customer = IncomingCustomer(nickname=nickname, phone=phone) if nickname or phone else None
    item = IncomingFeedback(
        channel=CHANNEL,
        text=said.text,
        rating=said.rating,
        store=entry.store.code,
        order_no=said.order_no if known else "",
        customer=customer,
        kind=said.kind if said.kind in HINTS else "",
    )
    (outcome,) = take_in([item], source=Source.PUBLIC, now=now)
    if outcome.state == "rejected" or outcome.feedback_id is None:
        raise InvalidInput(outcome.message, code=outcome.code, field=outcome.field)
    feedback = outcome.record
    secret = nonce.derive_code("receipt", SECRET_LENGTH)
    PublicReceipt(
        feedback=feedback,
        secret_hash=secret_hash(feedback.pk, secret),
        is_anonymous=said.anonymous,
        notice=NOTICE if customer is not None else "",
        created_at=now,
    ).save(force_insert=True)
    _attach(feedback, photos, now=now)
    sending.settle(nonce, claim, result=feedback.pk)
    return feedback, secret


def _attach(feedback: Feedback, photos: list[ContentFile], *, now: datetime) -> None:
    FeedbackFile.objects.bulk_create(
        FeedbackFile(feedback=feedback, file=store_file(upload=photo, by=None, now=now)) for photo in photos
    )


# -- looking after a case ----------
def _guesses(number: int, sender: str) -> list[sending.Limit]:
    (from_address, a), (both, b), (everywhere, c) = *GUESSES, GUESSES_EVERYWHERE
    return [
        sending.Limit(f"guess:{sender}", from_address, a),
        sending.Limit(f"guess:{number}:{sender}", both, b),
        sending.Limit(f"guess:{number}", everywhere, c),
    ]


def open_case(*, number: int, secret: str, sender: str, now: datetime) -> PublicReceipt:
    """The receipt behind a case number and its secret. Raises WrongSecret or, after too many guesses, TooMany.

    The attempt is counted before it is looked at, so that guesses sent all at once do not slip through; one that
    was right is not counted. A number that does not exist takes the same way as a wrong secret.
    """
    limits = _guesses(number, sender)
    sending.take(limits, now=now)
    # Beyond what the column holds there is no case.
    receipt = PublicReceipt.objects.filter(pk=number).first() if number < 2**63 else None
    kept = receipt.secret_hash if receipt is not None else "0" * 64
    if not hmac.compare_digest(kept, secret_hash(number, secret)) or receipt is None:
        raise WrongSecret(_("There is no feedback with this number and code. Look at both once more."))
    sending.give_back(limits, now=now)
    return receipt


@transaction.atomic
def add(*, feedback_id: int, text: str, nonce: Nonce, sender: str, now: datetime) -> Feedback:
    """Something the customer adds to the case; once a form. Answers the case as it stands then.

    A case that waited for the customer goes on. One that ended within the last 30 days opens again, unless the
    words ask for nothing ("thank you"). What reads like S raises the case. The owner is told. Raises Ended,
    TooMany, or StaleState while another process works on the same form.
    """
    limits = [sending.Limit(f"add:{sender}", settings.PUBLIC_ENTRY["per_address"], 600)]
    claim = sending.claim(nonce, limits=limits, now=now)
    feedback = Feedback.objects.select_for_update().get(pk=case_of(feedback_id).pk)
    if not claim.mine:
        return feedback
    ended = ended_at(feedback)
    if ended is not None and now - ended > timedelta(days=settings.PUBLIC_ENTRY["add_within_days"]):
        # The claim goes with the transaction.
        raise Ended(_("This ended a while ago. Please write a new feedback; name this number in it."))
    # From here on staff read what is written, not the customer: it speaks the shop's language.
    with translation.override(settings.LANGUAGE_CODE):
        customer_said(feedback=feedback, text=text, now=now, via="public")
    sending.settle(nonce, claim, result=feedback.pk)
    return feedback


# -- forgetting ----------
def forget_contacts(*, now: datetime, limit: int = 500) -> int:
    """Take away names and telephones left on public pages once the promised time is over; answers how many.

    What was said stays. A customer of whom nothing else is known loses nickname and telephone with it; one with
    orders, another feedback or anything else keeps them, since they were not left here alone (PIPL art. 47).
    """
    before = now - timedelta(days=settings.PUBLIC_ENTRY["keep_contact_days"])
    over = Q(created_at__lt=before, ended__lt=before) & ~Q(feedback__status__in=OPEN)
    receipts = PublicReceipt.objects.annotate(ended=_ENDED)
    # Somebody who wrote twice and whose other case still runs keeps the contact for that one; when that is over
    # too, whichever comes last takes it away. Until then this one stays due.
    held = (
        receipts.filter(feedback__customer=OuterRef("feedback__customer"))
        .exclude(pk=OuterRef("pk"))
        .exclude(over)
    )
    due = (
        receipts.exclude(notice="")
        .filter(over)
        .annotate(is_held=Exists(held))
        .select_related("feedback__customer")
        .order_by("created_at")
    )
    named = due.filter(is_held=True).exclude(feedback__author_name="").values_list("pk", flat=True)[:limit]
    Feedback.objects.filter(pk__in=list(named)).update(author_name="")
    done = 0
    for receipt in due.filter(is_held=False)[:limit]:
        with transaction.atomic():
            if not PublicReceipt.objects.filter(pk=receipt.pk).exclude(notice="").update(notice=""):
                continue
            done += 1
            feedback = receipt.feedback
            Feedback.objects.filter(pk=feedback.pk).update(author_name="")
            customer = feedback.customer
            if customer is not None and _only_here(customer):
                customer.nickname = customer.phone = ""
                customer.save(update_fields=["nickname", "phone", "updated_at"])
    return done


def _only_here(customer: Customer) -> bool:
    """Whether a customer is known by feedback from public pages and by nothing else."""
    if customer.external_id or customer.name or customer.email or customer.member_tier:
        return False
    for mover in movers:
        rows = apps.get_model(mover.model)._base_manager.filter(**{mover.field: customer})
        if mover.model == "feedback.feedback":
            rows = rows.filter(receipt__isnull=True)
        if rows.exists():
            return False
    return True


# -- for staff ----------
def free_code() -> str:
    """A public code nobody has. 23 signs to the eighth: meeting another is a matter of centuries."""
    while True:
        code = new_code(CODE_LENGTH)
        if not PublicEntry.objects.filter(code=code).exists():
            return code


def open_page(*, store: Store, by: User | None, now: datetime, **values: Any) -> PublicEntry:
    """Give a store its public page. Raises NotPermitted or, where it has one, IllegalMove."""
    if by is not None and not by.has_perm("feedback.add_publicentry"):
        raise NotPermitted(_("You may not open public pages."))
    entry, made = PublicEntry.objects.get_or_create(store=store, defaults={"code": free_code()} | values)
    if not made:
        raise IllegalMove(_("%(store)s has a public page already.") % {"store": store})
    return entry


@transaction.atomic
def renew_code(*, entry: PublicEntry, reason: str, by: User, now: datetime) -> str:
    """Another address for the page; printed sheets with the old one lead nowhere from now on. Answers the code."""
    if not by.has_perm("feedback.change_publicentry"):
        raise NotPermitted(_("You may not change public pages."))
    if len(reason.strip()) < 2:
        raise ReasonNeeded(_("Say why the old sheets must not work any more."), field="reason")
    code = free_code()
    if not PublicEntry.objects.filter(pk=entry.pk, code=entry.code).update(code=code, updated_at=now):
        raise StaleState(_("Somebody else has just changed this. Look at it again before you go on."))
    entry.code = code
    ActionLog.objects.create(
        model="feedback.publicentry",
        object_id=entry.pk,
        verb="renew_code",
        reason=reason.strip(),
        by=by,
        via="admin",
        at=now,
    )
    return code
