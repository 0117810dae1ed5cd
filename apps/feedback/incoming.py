"""What every way in builds before intake: plain values, no database (architecture, decision 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX_TEXT = 100_000
# A follow-up 追评 in the same row of a file as its review gets its own row number, far above any real row.
FOLLOW_UP_ROWS = 1_000_000_000


@dataclass(slots=True)
class IncomingCustomer:
    """What is known of the author. Without external id, phone or e-mail nobody is identified by it."""

    external_id: str = ""
    nickname: str = ""
    phone: str = ""
    email: str = ""


@dataclass(slots=True)
class IncomingFeedback:
    """One voice on its way in. Only `channel` and `text` are needed (decisions, item 9)."""

    channel: str
    text: str
    external_id: str = ""
    rating: int | None = None
    posted_at: datetime | None = None
    store: str = ""
    product_sku: str = ""
    order_no: str = ""
    customer: IncomingCustomer | None = None
    images: list[str] = field(default_factory=list)
    follow_up_to: str = ""
    kind: str = ""
    transcript: list[dict[str, Any]] = field(default_factory=list)
    row: int | None = None
    # The row of the review that this follows, where a file has both in one row and the review has no number.
    # Set by the file import alone: what a platform sends in `follow_up_to` is a number of theirs, whatever it says.
    follow_up_row: int | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one item. `state` is created, unchanged, changed or rejected."""

    state: str
    feedback_id: int | None = None
    similar_to: int | None = None
    code: str = ""
    field: str = ""
    message: str = ""
    row: int | None = None
    record: Any = None


def clean_text(text: str) -> str:
    """The text without what no database keeps: NUL bytes and lone surrogates. Only spaces at its ends go too."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.strip()


def clean_values(item: IncomingFeedback) -> None:
    """Cut and clean the values beside the text to what the database keeps, so that later look-ups find the same."""
    for name in ("external_id", "order_no", "product_sku", "store", "follow_up_to"):
        setattr(item, name, clean_text(getattr(item, name)))
    if item.images:
        item.images = [clean_text(str(image)) for image in item.images]
    customer = item.customer
    if customer is not None:
        customer.external_id = clean_text(customer.external_id)[:120]
        customer.nickname = clean_text(customer.nickname)[:80]
        customer.phone = clean_text(customer.phone)[:30]
        customer.email = clean_text(customer.email)[:254]
