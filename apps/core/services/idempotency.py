"""Idempotency-Key: the same call twice is done once (decisions, item 10).

The claim is committed by itself, so that a second call learns at once that the first still runs. The work and
its kept answer are committed together by the caller: after a crash either both are there or neither, so a
claim that nobody finished may be taken over without doing anything twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, StaleState
from apps.core.models import IdempotentRequest, IntegrationToken

# Longer than any worker lets a request run; a claim older than this belongs to a process that is gone.
DEAD_AFTER = timedelta(minutes=10)


class KeyInUse(DomainError):
    """The first call with this key still runs."""

    code = "idempotency_in_progress"


class KeyOfAnotherCall(DomainError):
    """The key came before with another method, path or body."""

    code = "idempotency_mismatch"
    status = 422


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do the work (`kept` is False), or the answer to give instead."""

    row: IdempotentRequest
    kept: bool


def fingerprint(*, method: str, path: str, body: str) -> str:
    """SHA-256 over method, path and the body's own SHA-256, 64 hex digits."""
    return hashlib.sha256(f"{method}\n{path}\n{body}".encode()).hexdigest()


def claim(*, token: IntegrationToken, key: str, fingerprint: str, now: datetime) -> Claim:
    """Claim `key` for this call, or find the answer kept for it.

    Raises KeyOfAnotherCall when the key stood for something else, KeyInUse while the first call runs.
    """
    for _attempt in range(2):
        try:
            with transaction.atomic():
                row = IdempotentRequest.objects.create(
                    token=token, key=key, fingerprint=fingerprint, created_at=now
                )
            return Claim(row, kept=False)
        except IntegrityError:
            found = IdempotentRequest.objects.filter(token=token, key=key).first()
        if found is None:
            # Released between the two statements: try once more.
            continue
        if found.fingerprint != fingerprint:
            raise KeyOfAnotherCall(_("This Idempotency-Key was used for another request."))
        if found.status is not None:
            return Claim(found, kept=True)
        if found.created_at < now - DEAD_AFTER and IdempotentRequest.objects.filter(
            pk=found.pk, created_at=found.created_at, status__isnull=True
        ).update(created_at=now):
            found.created_at = now
            return Claim(found, kept=False)
        break
    raise KeyInUse(_("The first request with this Idempotency-Key is still running."))


def keep(*, row: IdempotentRequest, status: int, answer: Any) -> None:
    """Keep the answer. Called in the transaction of the work; raises StaleState when the claim was taken
    over.
    """
    if not IdempotentRequest.objects.filter(pk=row.pk, created_at=row.created_at, status__isnull=True).update(
        status=status, answer=answer
    ):
        raise StaleState(_("Another process took this request over."))


def release(*, row: IdempotentRequest) -> None:
    """Give the key back after a failure: nothing was done, so the caller may try again."""
    IdempotentRequest.objects.filter(pk=row.pk, created_at=row.created_at, status__isnull=True).delete()
