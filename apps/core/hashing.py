"""Keyed hashes: equal values can be found without keeping them in clear text where they are not needed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata

from django.conf import settings


def keyed_hash(value: str) -> str:
    """HMAC-SHA256 of `value` under FIELD_HASH_KEY as 64 hex digits; "" for "". (decisions, item 13)"""
    if not value:
        return ""
    return hmac.new(settings.FIELD_HASH_KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def phone_key(phone: str) -> str:
    """The look-up key of a phone number: digits only, mainland prefix dropped, then hashed."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", phone) if c.isdigit())
    if len(digits) == 13 and digits.startswith("86"):
        digits = digits[2:]
    return keyed_hash(f"phone:{digits}") if digits else ""


def email_key(email: str) -> str:
    """The look-up key of an e-mail address: trimmed, lower case, then hashed."""
    value = unicodedata.normalize("NFKC", email).strip().lower()
    return keyed_hash(f"email:{value}") if value else ""


def token_digest(token: str) -> str:
    """SHA-256 of a random token. A token has 256 bits of its own, so it needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh random token of 256 bits, safe in addresses."""
    return secrets.token_urlsafe(32)
