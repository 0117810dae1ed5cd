"""What every public page needs: forms that are sent once, codes people can read out, QR codes, who is asking.

A public page is open to people without an account. It knows a sender only by a keyed hash of the network address,
kept for as long as it is counted (PIPL art. 6: no more than the purpose needs).
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import segno
from django.core import signing

from apps.core.hashing import keyed_hash

# No 0/O, 1/I/L, U/V, 2/Z, 5/S, 8/B: read out over a telephone or copied from paper they stay what they are.
ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
NONCE_SALT = "apps.core.public.nonce"
TICKET_SALT = "apps.core.public.ticket"
NONCE_LIFE = timedelta(hours=12)
# A double click, a reload, "back" and send again: within this time the whole answer is shown again.
REPLAY_FOR = timedelta(minutes=30)


def new_code(length: int) -> str:
    """A random code of unambiguous capitals and digits; 23 signs, so eight of them are 36 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def tidy_code(typed: str) -> str:
    """A code as somebody typed it: blanks and hyphens away, capitals."""
    return "".join(c for c in typed.upper() if c.isascii() and c.isalnum())


@dataclass(frozen=True, slots=True)
class Nonce:
    """The one-time mark of a form: which page it is for, and when it was handed out."""

    value: str
    made_at: datetime
    expired: bool

    @property
    def digest(self) -> str:
        """Its key in the database, 64 hex digits."""
        return keyed_hash(f"nonce:{self.value}")

    def derive_code(self, purpose: str, length: int) -> str:
        """A code that only whoever holds this form can be shown again; nothing of it needs to be stored."""
        number = int(keyed_hash(f"{purpose}:{self.value}"), 16)
        code = ""
        for _ in range(length):
            number, rest = divmod(number, len(ALPHABET))
            code += ALPHABET[rest]
        return code


def new_nonce(purpose: str, now: datetime) -> str:
    """The signed text of a form's hidden field. Nothing is stored until the form is sent."""
    return signing.dumps([secrets.token_urlsafe(16), int(now.timestamp())], salt=f"{NONCE_SALT}:{purpose}")


def read_nonce(text: str, purpose: str, now: datetime) -> Nonce | None:
    """The nonce in `text`, None when nobody here signed it for this purpose."""
    try:
        value, made = signing.loads(text, salt=f"{NONCE_SALT}:{purpose}")
        made_at = datetime.fromtimestamp(int(made), tz=UTC)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Nonce(str(value), made_at, now - made_at > NONCE_LIFE)


def new_ticket(purpose: str, value: int) -> str:
    """A signed, short-lived mark for a hidden field: its holder has shown the right to `value` before."""
    return signing.dumps(value, salt=f"{TICKET_SALT}:{purpose}")


def read_ticket(text: str, purpose: str, *, seconds: int = 1800) -> int | None:
    """The value of a ticket, None when it is forged or older than `seconds`."""
    try:
        return int(signing.loads(text, salt=f"{TICKET_SALT}:{purpose}", max_age=seconds))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def address_key(address: str) -> str:
    """The keyed hash by which a sender is counted. An IPv6 customer has a whole /64: it counts as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return keyed_hash(f"address:{address}")
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        else:
            parsed = ipaddress.ip_network((parsed, 64), strict=False).network_address
    return keyed_hash(f"address:{parsed}")


def qr_svg(text: str, *, scale: int = 6) -> str:
    """A QR code of `text` as inline SVG, black on white whatever the page's theme, quiet zone included."""
    return segno.make(text, error="m", micro=False).svg_inline(
        scale=scale, border=4, dark="#000", light="#fff", omitsize=True
    )
