"""Why a record changed, in its field history: kept as a code with a value, read in the reader's language."""

from __future__ import annotations

from typing import Any

from apps.core.masking import mask_text
from apps.core.registry import Registry

# Code → text with %(value)s in it or without. Apps register what their services write.
reasons: Registry[Any] = Registry("reasons of changes")


def coded(code: str, value: object) -> str:
    """What a service keeps as the reason of a change."""
    return f"{code}:{value}"


def reason_text(reason: str | None) -> str:
    """The reason in words; free text as it is, masked; "" where there is none."""
    if not reason:
        return ""
    code, _colon, value = reason.partition(":")
    label = reasons.get(code)
    return mask_text(reason) if label is None else str(label) % {"value": value}
