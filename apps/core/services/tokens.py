"""Keys of integrations (decisions, item 10)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.core.hashing import new_token, token_digest
from apps.core.models import ActionLog, Integration, IntegrationToken

SCOPES = (
    "feedback:read",
    "feedback:write",
    "feedback:move",
    "customers:read",
    "customers:write",
    "customers:unmask",
    "orders:write",
    "stock:read",
    "stock:write",
    "metrics:read",
    "knowledge:read",
    "coupons:redeem",
    "showcase:read",
)
LAST_USED_EVERY = timedelta(minutes=10)


def issue_token(
    *,
    integration: Integration,
    scopes: Iterable[str],
    now: datetime,
    expires_at: datetime | None = None,
    stores: Iterable[str] = (),
) -> tuple[IntegrationToken, str]:
    """Make a token; returns its row and the key itself, which exists nowhere else and is shown once.

    `stores` are the codes of the stores it may see; none means all. The caller checks that they exist: this
    app knows no stores. Raises InvalidInput for unknown scopes and for a moment of expiry that has passed.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise InvalidInput(
            _("Unknown scopes: %(scopes)s") % {"scopes": ", ".join(unknown) or "-"}, field="scopes"
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(_("The token would have expired already."), field="expires_at")
    key = "fc_" + new_token()
    token = IntegrationToken.objects.create(
        integration=integration,
        prefix=key[:9],
        digest=token_digest(key),
        scopes=wanted,
        stores=list(dict.fromkeys(stores)),
        created_at=now,
        expires_at=expires_at,
    )
    return token, key


def revoke_token(*, token: IntegrationToken, now: datetime) -> None:
    """Stop a key at once; the row stays for the audit."""
    IntegrationToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now)


def find_token(*, key: str, now: datetime) -> IntegrationToken | None:
    """The live token behind `key`, or None. Writes `last_used_at` at most every ten minutes."""
    token = (
        IntegrationToken.objects.select_related("integration")
        .filter(digest=token_digest(key), revoked_at__isnull=True, integration__is_active=True)
        .first()
    )
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        return None
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_EVERY:
        IntegrationToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def note_whole_read(
    *, token: IntegrationToken, model: str, ids: Iterable[int], via: str, now: datetime
) -> None:
    """One log row for personal data handed out unmasked: which records, to which token (PIPL art. 51)."""
    seen = list(ids)
    if seen:
        ActionLog.objects.create(
            model="core.integrationtoken",
            object_id=token.pk,
            verb="read_whole",
            via=via,
            at=now,
            data={"model": model, "ids": seen},
        )
