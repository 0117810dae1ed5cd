"""What a showcase gives out: permitted, still positive, labelled, with the way to all reviews (REV-07, R71)."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from apps.compliance.types import Facts
from apps.core.exceptions import DomainError
from apps.core.metrics import Span
from apps.core.models import StoredFile
from apps.feedback.models import FeedbackFile
from apps.repairs.choices import DisplayState, Part, ShowState
from apps.repairs.models import PraiseMark, Showcase, ShowcaseItem
from apps.repairs.selectors.reviews import Tally, tally
from apps.repairs.showing import names_selection

COUNTED_DAYS = 365
# The shop's customers read it, whoever takes it out.
SHOWN_IN = "zh-hans"
PHOTO_SIDE, MOST_PHOTOS = 480, 3


class SwitchedOff(DomainError):
    """The showcase gives nothing out."""

    code = "switched_off"


def display_facts(showcase: Showcase) -> Facts:
    """The showcase as the law's rules read it."""
    labelled = names_selection(showcase.label)
    return Facts(
        subject="display",
        # Nothing on the page says that there are others, or leads to them.
        hides_negative=showcase.claims_all or not showcase.reviews_url or not showcase.shows_counts,
        positive_first=True,
        labelled_selection=labelled and bool(showcase.reviews_url),
        reward="none",
        trigger="none",
    )


@dataclass(frozen=True)
class Shown:
    """One review as it is given out."""

    text: str
    stars: int | None
    said_on: date
    name: str
    product: str
    store: str
    channel: str
    tags: tuple[str, ...]
    photos: tuple[str, ...]


@dataclass(frozen=True)
class Display:
    """A showcase filled."""

    showcase: Showcase
    reviews: tuple[Shown, ...]
    counts: Tally | None
    counted: Span
    changed_at: datetime


def fill(showcase: Showcase, *, now: datetime, photos: bool = True) -> Display:
    """What the showcase shows at this moment; six queries, however many reviews. Whether it is on is the caller's to ask."""
    rows = ShowcaseItem.objects.filter(status=ShowState.RELEASED).showable()
    scope: dict[str, int] = {}
    if showcase.store_id is not None:
        rows, scope["store"] = rows.filter(store_id=showcase.store_id), showcase.store_id
    if showcase.product_id is not None:
        rows, scope["product"] = rows.filter(product_id=showcase.product_id), showcase.product_id
    if showcase.channel_id is not None:
        rows, scope["channel"] = rows.filter(feedback__channel_id=showcase.channel_id), showcase.channel_id
    if showcase.tag_id is not None:
        mark = PraiseMark.objects.filter(feedback_id=OuterRef("feedback_id"), tag_id=showcase.tag_id)
        rows = rows.filter(Exists(mark))
    items = list(
        rows.select_related("feedback", "feedback__channel", "product", "store")
        .prefetch_related(
            "permissions",
            Prefetch("photos", queryset=FeedbackFile.objects.select_related("file").order_by("pk")),
            Prefetch(
                "feedback__praise_marks",
                queryset=PraiseMark.objects.select_related("tag").order_by("tag__position"),
            ),
        )
        .order_by("-released_at", "-id")[: showcase.most]
    )
    today = timezone.localdate(now)
    counted = Span(today - timedelta(days=COUNTED_DAYS - 1), today)
    with translation.override(SHOWN_IN):
        reviews = tuple(
            _shown(item, granted, photos)
            for item in items
            if Part.TEXT in (granted := item.granted()) and item.says_so_still()
        )
    return Display(
        showcase=showcase,
        reviews=reviews,
        counts=tally(counted, scope) if showcase.shows_counts else None,
        counted=counted,
        changed_at=max([showcase.updated_at, *(item.updated_at for item in items)]),
    )


def _shown(item: ShowcaseItem, granted: frozenset[str], photos: bool) -> Shown:
    feedback = item.feedback
    pictures: tuple[str, ...] = ()
    if photos and Part.PHOTO in granted:
        found = (photo_data(row.file) for row in list(item.photos.all())[:MOST_PHOTOS])
        pictures = tuple(data for data in found if data)
    return Shown(
        text=item.text,
        stars=feedback.rating,
        said_on=timezone.localdate(feedback.posted_at),
        name=item.name_shown(granted) or _("a customer"),
        product=item.product.name if item.product else "",
        store=item.store.name if item.store else "",
        channel=str(feedback.channel),
        tags=tuple(mark.tag.name for mark in feedback.praise_marks.all()),
        photos=pictures,
    )


def photo_data(stored: StoredFile) -> str:
    """A small copy as a data address, without what the camera wrote into it; "" where the file cannot be read."""
    return _small(stored.file.name, stored.sha256)


@lru_cache(maxsize=128)
def _small(name: str, sha256: str) -> str:
    storage = StoredFile._meta.get_field("file").storage  # type: ignore[union-attr]
    try:
        with storage.open(name, "rb") as handle, Image.open(handle) as picture:
            picture.draft("RGB", (PHOTO_SIDE, PHOTO_SIDE))
            picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
            small = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        # Pillow reports damaged PNG data as a syntax error; one bad picture must not take the page down.
        return ""
    small.info = {}
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def snippet(display: Display) -> str:
    """The showcase as HTML to paste into a page: escaped, self-contained, no script, in Chinese."""
    with translation.override(SHOWN_IN):
        return render_to_string("repairs/snippet.html", {"display": display, "showcase": display.showcase})


def as_json(display: Display) -> dict[str, Any]:
    """The showcase for programs, with the snippet beside the parts."""
    showcase, counts = display.showcase, display.counts
    return {
        "code": showcase.code,
        "name": showcase.name,
        "label": showcase.label,
        "all_reviews_url": showcase.reviews_url,
        "all_reviews_text": showcase.link_text,
        "counts": {
            "all": counts.all,
            "negative": counts.negative,
            "from": display.counted.first.isoformat(),
            "until": display.counted.last.isoformat(),
        }
        if counts
        else None,
        "reviews": [
            {
                "text": row.text,
                "stars": row.stars,
                "date": row.said_on.isoformat(),
                "author": row.name,
                "product": row.product,
                "store": row.store,
                "channel": row.channel,
                "tags": list(row.tags),
                "photos": list(row.photos),
            }
            for row in display.reviews
        ],
        "html": snippet(display),
    }


def export(showcase: Showcase, *, now: datetime) -> tuple[dict[str, Any], str, datetime]:
    """(what is given out, its tag, when it last changed). Raises SwitchedOff."""
    if showcase.status != DisplayState.ON:
        raise SwitchedOff(_("This showcase is switched off: nothing is given out."))
    display = fill(showcase, now=now)
    data = as_json(display)
    digest = hashlib.sha256(json.dumps(data, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    return data, f'"{digest[:32]}"', display.changed_at
