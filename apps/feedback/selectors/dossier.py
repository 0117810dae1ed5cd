"""The file of one case for a platform or an authority: what was said, what was done, when, with proof (R25)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core import masking
from apps.feedback.choices import EntryKind
from apps.feedback.models import Entry, Feedback, Promise
from apps.feedback.selectors import case as case_selector

# Pictures are put into the document itself up to this many bytes in all; the rest is named with its hash.
EMBED_BYTES = 8 * 1024 * 1024


@dataclass
class Wanted:
    """What the dossier is for and what belongs in it."""

    purpose: str
    recipient: str = ""
    whole: bool = False
    notes: bool = False
    pictures: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def contents(feedback: Feedback, wanted: Wanted, now: datetime) -> dict[str, Any]:
    """Everything the document shows; personal data masked unless `wanted.whole`."""

    def told(text: str) -> str:
        return text if wanted.whole else masking.mask_text(text)

    entries = Entry.objects.filter(feedback=feedback).select_related("by")
    if not wanted.notes:
        entries = entries.exclude(kind=EntryKind.NOTE)
    customer = feedback.customer
    who = None
    if customer is not None:
        name = customer.name or customer.nickname
        who = {
            # Outside of the house even a nickname is cut: together with an order it names somebody.
            "name": name if wanted.whole else masking.mask_name(name),
            "phone": customer.phone if wanted.whole else customer.masked_phone,
        }
    left = EMBED_BYTES
    files = []
    for link in feedback.files.select_related("file").order_by("id"):
        stored = link.file
        picture = ""
        if (
            wanted.pictures
            and not link.is_recording
            and stored.content_type.startswith("image/")
            and stored.size <= left
        ):
            with stored.file.open("rb") as stream:
                picture = (
                    f"data:{stored.content_type};base64,{base64.b64encode(stream.read()).decode('ascii')}"
                )
            left -= stored.size
        files.append(
            {"file": stored, "name": told(stored.name), "picture": picture, "recording": link.is_recording}
        )
    return {
        "case": feedback,
        "wanted": wanted,
        "made_at": now,
        "text": told(feedback.text),
        "author": feedback.author_name if wanted.whole else masking.mask_name(feedback.author_name or ""),
        "customer": who,
        "order_no": feedback.order_no if wanted.whole else masking.mask_order_no(feedback.order_no),
        "changes": [
            {"row": change, "old": told(change.old_text), "new": told(change.new_text)}
            for change in feedback.changes.all()
        ],
        "entries": [
            {"row": entry, "text": told(entry.text), "who": str(entry.by) if entry.by else entry.speaker}
            for entry in entries
        ],
        "resolution": told(feedback.resolution),
        "external_id": told(feedback.external_id),
        "history": [
            row | {"reason": told(row["whole_reason"])}
            for row in reversed(case_selector.history(feedback))
            if wanted.notes or row["verb"] != "note"
        ],
        "clocks": case_selector.clocks_of(feedback, now),
        "promises": [
            {"row": promise, "what": told(promise.what)}
            for promise in Promise.objects.filter(feedback=feedback)
        ],
        "files": files,
    }
