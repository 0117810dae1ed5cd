"""The gate before every send, as rules over plain values: facts in, a decision out. Plain Python.

Order: what can never be sent, what the person does not want, what must wait. Law and custom: 消费者权益保护法实施条例
art. 24 (consent, stop at once), 通信短信息服务管理规定 2015, quiet hours and caps as proposed in domain.md 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

SEND, DEFER, REFUSE = "send", "defer", "refuse"
DAY, MONTH = timedelta(hours=24), timedelta(days=30)
SERVICE, MARKETING, SAFETY = "service", "marketing", "safety"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which messages may go. 22:00–08:00 is open through midnight and closed by day; it is never turned
    round."""

    opens: time
    closes: time

    def is_open(self, local: time) -> bool:
        """Whether it is open at that time of day; the closing minute is outside."""
        if self.opens < self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes

    def next_opening(self, moment: datetime, zone: tzinfo) -> datetime:
        """`moment` itself while open, else the next opening on the clock of `zone`."""
        local = moment.astimezone(zone)
        if self.is_open(local.time().replace(tzinfo=None)):
            return moment
        opening = datetime.combine(local.date(), self.opens, tzinfo=zone)
        if opening <= local:
            opening = datetime.combine(local.date() + timedelta(days=1), self.opens, tzinfo=zone)
        # Through UTC, so that an opening in a skipped hour of summer time still is a real moment.
        return opening.astimezone(moment.tzinfo or zone)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the shop has decided: `soft` is when messages go, `hard` what nothing but safety ever leaves."""

    soft: Window = Window(time(8), time(21))
    hard: Window = Window(time(8), time(22))
    cap_day: int = 1
    cap_month: int = 4


@dataclass(frozen=True, slots=True)
class Message:
    """What the gate must know of a message."""

    message_class: str = SERVICE
    needs_consent: bool = False
    respects_quiet_hours: bool = False
    not_before: datetime | None = None
    last_useful_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What the gate must know of the recipient.

    `consent`: True, False (taken back) or None (never given). `reached`: when marketing reached them on this channel in
    the last 30 days, in any order.
    """

    zone: tzinfo
    has_address: bool = True
    state: str = "active"
    held: bool = False
    erased_address: bool = False
    opted_out: bool = False
    consent: bool | None = None
    same_text: bool = False
    reached: Sequence[datetime] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Decision:
    """send; defer (until `until`, because of `code`); refuse (because of `code`)."""

    outcome: str
    code: str = ""
    until: datetime | None = None


def cap_until(reached: Sequence[datetime], *, now: datetime, rules: Rules) -> datetime | None:
    """When the next marketing message may go; None: now. Rolling windows of 24 hours and 30 days."""
    times = sorted(moment for moment in reached if moment > now - MONTH)
    waits: list[datetime] = []
    for limit, length in ((rules.cap_day, DAY), (rules.cap_month, MONTH)):
        inside = [moment for moment in times if moment > now - length]
        if len(inside) >= limit:
            waits.append(inside[-limit] + length)
    return max(waits, default=None)


def decide(message: Message, person: Person, *, now: datetime, rules: Rules) -> Decision:
    """May this message go to this person now?

    Safety messages pass consent, opt-out, holds, quiet hours and caps; nothing passes a missing or erased address or a
    record that may only be stored.
    """
    safety = message.message_class == SAFETY
    if person.state == "erased" or person.erased_address:
        return Decision(REFUSE, "erased")
    if person.state == "merged":
        return Decision(REFUSE, "merged")
    if person.state == "restricted":
        return Decision(REFUSE, "restricted")
    if not person.has_address:
        return Decision(REFUSE, "no_address")
    if message.last_useful_at is not None and now > message.last_useful_at:
        return Decision(REFUSE, "too_late")
    if not safety:
        if person.held:
            return Decision(REFUSE, "on_hold")
        if message.needs_consent:
            if person.opted_out or person.consent is False:
                return Decision(REFUSE, "opted_out")
            if person.consent is None:
                return Decision(REFUSE, "no_consent")
    if person.same_text:
        return Decision(REFUSE, "same_text")
    return _when(message, person, now=now, rules=rules, safety=safety)


def _when(message: Message, person: Person, *, now: datetime, rules: Rules, safety: bool) -> Decision:
    at, code = now, ""
    if message.not_before is not None and message.not_before > at:
        at, code = message.not_before, "planned"
    if message.message_class == MARKETING:
        free = cap_until(person.reached, now=at, rules=rules)
        if free is not None and free > at:
            at, code = free, "frequency"
    if not safety and (message.respects_quiet_hours or message.message_class == MARKETING):
        opening = _opening(message, at, person.zone, rules)
        if opening > at:
            at, code = opening, code or "quiet_hours"
    if at <= now:
        return Decision(SEND)
    if message.last_useful_at is not None and at > message.last_useful_at:
        return Decision(REFUSE, "too_late" if code in ("planned", "quiet_hours") else code)
    return Decision(DEFER, code, at)


def _opening(message: Message, at: datetime, zone: tzinfo, rules: Rules) -> datetime:
    soft = rules.soft.next_opening(at, zone)
    # After the soft hours, but within the hard ones, goes only what would be worthless by the next opening.
    would_be_late = message.last_useful_at is not None and soft > message.last_useful_at
    if would_be_late and message.message_class != MARKETING:
        return rules.hard.next_opening(at, zone)
    return soft


def pause(attempt: int, *, first: int, longest: int = 3600) -> timedelta:
    """How long to wait after the `attempt`-th failed attempt (from 1): doubling, at most `longest` seconds."""
    return timedelta(seconds=min(first * 2 ** max(attempt - 1, 0), longest))
