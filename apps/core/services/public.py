"""Forms sent once and senders counted, in the database: right over any number of processes and machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, StaleState
from apps.core.hashing import keyed_hash
from apps.core.models import PublicCount, PublicNonce
from apps.core.public import NONCE_LIFE, Nonce

# Longer than any web worker lets a request run.
DEAD_AFTER = timedelta(minutes=2)


class TooMany(DomainError):
    """Over the limit; `seconds` in params says after how many seconds the next one is let through."""

    code = "too_many"
    status = 429


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `limit` of `what` (a plain text, hashed before it is stored) within `seconds`."""

    what: str
    limit: int
    seconds: int

    @property
    def key(self) -> str:
        """The keyed hash under which it is counted."""
        return keyed_hash(f"count:{self.seconds}:{self.what}")


def take(limits: Sequence[Limit], *, now: datetime) -> None:
    """Count one more under every limit, or none and raise TooMany.

    The stretch slides: what came in the stretch before counts with the part of it that still lies within
    `seconds`. The test and the count are one UPDATE, so that no two processes share the last place.
    """
    with transaction.atomic():
        _take_all(limits, now)


def _take_all(limits: Sequence[Limit], now: datetime) -> None:
    windows = {limit.key: int(now.timestamp() // limit.seconds) for limit in limits}
    wanted = Q(pk__isnull=True)
    for key, window in windows.items():
        wanted |= Q(key=key, window__in=(window - 1, window))
    counts = {
        (key, window): count
        for key, window, count in PublicCount.objects.filter(wanted).values_list("key", "window", "count")
    }
    for limit in limits:
        window = windows[limit.key]
        before = counts.get((limit.key, window - 1), 0)
        wait = _take(limit, window, before, (limit.key, window) in counts, now)
        if wait:
            raise TooMany(_("Too many at once. Please try again later."), seconds=wait)


def _take(limit: Limit, window: int, before: int, there: bool, now: datetime) -> int:
    into = now.timestamp() - window * limit.seconds
    room = limit.limit - before * (1 - into / limit.seconds)
    if room >= 1:
        if not there:
            try:
                with transaction.atomic():
                    PublicCount.objects.create(
                        key=limit.key,
                        window=window,
                        ends_at=datetime.fromtimestamp((window + 2) * limit.seconds, tz=UTC),
                    )
                return 0
            except IntegrityError:
                pass  # Somebody made the row meanwhile: count in it.
        # Whole places: 5.4 of them let a sixth in only when it is whole.
        if PublicCount.objects.filter(key=limit.key, window=window, count__lte=math.floor(room) - 1).update(
            count=F("count") + 1
        ):
            return 0
    present = (
        PublicCount.objects.filter(key=limit.key, window=window).values_list("count", flat=True).first() or 0
    )
    return _wait(limit, before=before, present=present, into=into)


def _wait(limit: Limit, *, before: int, present: int, into: float) -> int:
    """Seconds until one more has room."""
    places = limit.limit - 1
    if present <= places and before:
        return max(1, math.ceil((1 - (places - present) / before) * limit.seconds - into))
    # Only the next stretch has room, once enough of this one has slid out.
    return max(1, math.ceil(limit.seconds - into + (1 - places / max(present, 1)) * limit.seconds))


def give_back(limits: Sequence[Limit], *, now: datetime) -> None:
    """Count one less: what was taken turned out to be no attempt at all."""
    for limit in limits:
        window = int(now.timestamp() // limit.seconds)
        PublicCount.objects.filter(key=limit.key, window=window, count__gt=0).update(count=F("count") - 1)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do what a form asks (`mine`), or what became of it before."""

    mine: bool
    claimed_at: datetime
    result: int | None = None


def claim(nonce: Nonce, *, limits: Sequence[Limit], now: datetime) -> Claim:
    """Claim a form, counting its sender, or find what it led to. Raises TooMany: then nothing is claimed.

    The claim is committed by itself, so that the second of two posts neither works nor counts.
    """
    digest = nonce.digest
    for _attempt in range(3):
        try:
            with transaction.atomic():
                _commit_lightly()
                PublicNonce(digest=digest, claimed_at=now).save(force_insert=True)
                _take_all(limits, now)
            return Claim(True, now)
        except IntegrityError:
            found = PublicNonce.objects.filter(pk=digest).first()
        if found is None:
            # Given back between the two statements: try once more.
            continue
        if (
            found.result is None
            and found.claimed_at < now - DEAD_AFTER
            and PublicNonce.objects.filter(
                pk=digest, claimed_at=found.claimed_at, result__isnull=True
            ).update(claimed_at=now)
        ):
            return Claim(True, now)
        return Claim(False, found.claimed_at, found.result)
    raise StaleState(_("This form is just being sent. Please wait a moment."))


def _commit_lightly() -> None:
    """On PostgreSQL the claim's own commit need not wait for the disk: the commit of the work that follows does,

    and carries the claim with it. A crash between the two loses both, as if the form had never been sent.
    """
    if connection.vendor == "postgresql" and len(connection.savepoint_ids) == 0:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO OFF")


def settle(nonce: Nonce, claim: Claim, *, result: int) -> None:
    """Keep what the form led to. Called in the transaction of the work; raises StaleState if taken over."""
    if not PublicNonce.objects.filter(
        pk=nonce.digest, claimed_at=claim.claimed_at, result__isnull=True
    ).update(result=result):
        raise StaleState(_("This form is just being sent. Please wait a moment."))


def release(nonce: Nonce, claim: Claim, *, limits: Sequence[Limit] = (), now: datetime) -> None:
    """Give the form back after a refusal: nothing was done, so it may be sent again and was not counted."""
    if PublicNonce.objects.filter(pk=nonce.digest, claimed_at=claim.claimed_at, result__isnull=True).delete()[
        0
    ]:
        give_back(limits, now=now)


def result_of(nonce: Nonce) -> int | None:
    """What the form led to, None while somebody still works on it."""
    return PublicNonce.objects.filter(pk=nonce.digest).values_list("result", flat=True).first()


def is_worked_on(nonce: Nonce, *, now: datetime) -> bool:
    """Whether somebody who claimed the form is still at it: neither done, nor given back, nor dead."""
    return PublicNonce.objects.filter(
        pk=nonce.digest, result__isnull=True, claimed_at__gte=now - DEAD_AFTER
    ).exists()


def forget_public(*, now: datetime) -> int:
    """Drop forms past their life and counts that no longer count; returns how many rows."""
    forms, _rows = PublicNonce.objects.filter(claimed_at__lt=now - 2 * NONCE_LIFE).delete()
    counts, _rows = PublicCount.objects.filter(ends_at__lt=now).delete()
    return forms + counts
