"""What must be true before a repair may move, as code over plain values (domain.md 6). Plain Python.

Each guard names one condition. A move is possible when all of its guards hold; a page shows them with a tick or a cross
(screens.md, repair case), a refusal names those that do not hold. Words: `apps.repairs.guard_texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SATISFIED_FROM = 4
LEAST_GROUNDS = 2
MOST_APPEALS = 2


@dataclass(frozen=True, slots=True)
class RepairFacts:
    """What is known about a case and about what somebody is about to do.

    Hours are 0 to 23 of the customer's zone. "Lawful" texts are those in which no rule of the law finds a block.
    """

    # Contact.
    tier: str = "A"
    mover_leads: bool = False
    apologised: bool = False
    listened: bool = False
    mentions_review: bool = False
    tries: int = 0
    try_days: int = 0
    tries_needed: int = 3
    days_needed: int = 3
    # Offer.
    offer_items: int = 0
    offer_unconditional: bool = False
    offer_lawful: bool = False
    offer_approved: bool = False
    renegotiations: int = 0
    most_renegotiations: int = 2
    # Remedy.
    remedies: int = 0
    remedies_done: int = 0
    remedies_unproven: int = 0
    remedies_begun: int = 0
    executed: bool = False
    # Callback.
    satisfaction: int | None = None
    callback_given_up: bool = False
    # Invitation.
    invited: bool = False
    refuses_review_contact: bool = False
    local_hour: int = 12
    hour_from: int = 8
    hour_until: int = 21
    text_lawful: bool = False
    text_neutral: bool = False
    # Public reply.
    reply_possible: bool = True
    reply_sent: bool = False
    reply_approved: bool = False
    # Appeal.
    grounds: int = 0
    malice_grounds: int = 0
    evidence_dated: bool = False
    case_number: bool = False
    within_window: bool = True
    appeals: int = 0
    # Outcome.
    seen_better: bool = False
    unseen: bool = False
    by_person: bool = False
    proof: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition: its code and the test."""

    code: str
    holds: Callable[[RepairFacts], bool]


def _guard(code: str, holds: Callable[[RepairFacts], bool]) -> Guard:
    return Guard(code, holds)


S_LEAD = _guard("s_lead", lambda f: f.tier != "S" or f.mover_leads)
APOLOGISED = _guard("apologised", lambda f: f.apologised)
LISTENED = _guard("listened", lambda f: f.listened)
NOT_ABOUT_REVIEW = _guard("not_about_review", lambda f: not f.mentions_review)
ENOUGH_TRIES = _guard("enough_tries", lambda f: f.tries >= f.tries_needed)
ENOUGH_DAYS = _guard("enough_days", lambda f: f.try_days >= f.days_needed)
HAS_OFFER = _guard("has_offer", lambda f: f.offer_items > 0)
# Without an offer only the first of these speaks.
UNCONDITIONAL = _guard("unconditional", lambda f: f.offer_unconditional or not f.offer_items)
OFFER_LAWFUL = _guard("offer_lawful", lambda f: f.offer_lawful or not f.offer_items)
OFFER_APPROVED = _guard("offer_approved", lambda f: f.offer_approved or not f.offer_items)
TALKS_LEFT = _guard("talks_left", lambda f: f.renegotiations < f.most_renegotiations)
ALL_DONE = _guard("all_done", lambda f: f.remedies > 0 and f.remedies_done == f.remedies)
ALL_PROVEN = _guard("all_proven", lambda f: f.remedies_unproven == 0)
NOTHING_BEGUN = _guard("nothing_begun", lambda f: f.remedies_begun == 0)
EXECUTED = _guard("executed", lambda f: f.executed)
SATISFIED = _guard("satisfied", lambda f: f.satisfaction is not None and f.satisfaction >= SATISFIED_FROM)
UNSATISFIED = _guard("unsatisfied", lambda f: f.satisfaction is not None and f.satisfaction < SATISFIED_FROM)
GIVEN_UP = _guard("callback_given_up", lambda f: f.callback_given_up)
NOT_INVITED = _guard("not_invited", lambda f: not f.invited)
NOT_REFUSED = _guard("not_refused", lambda f: not f.refuses_review_contact)
HOURS = _guard("hours", lambda f: f.hour_from <= f.local_hour < f.hour_until)
TEXT_LAWFUL = _guard("text_lawful", lambda f: f.text_lawful)
TEXT_NEUTRAL = _guard("text_neutral", lambda f: f.text_neutral)
REPLIED = _guard("replied", lambda f: f.reply_sent or not f.reply_possible)
REPLY_APPROVED = _guard("reply_approved", lambda f: f.tier != "S" or f.reply_approved or not f.reply_possible)
TWO_GROUNDS = _guard("two_grounds", lambda f: f.grounds >= LEAST_GROUNDS)
MALICE = _guard("malice", lambda f: f.malice_grounds >= 1)
DATED = _guard("evidence_dated", lambda f: f.evidence_dated)
CASE_NUMBER = _guard("case_number", lambda f: f.case_number)
IN_WINDOW = _guard("within_window", lambda f: f.within_window)
APPEALS_LEFT = _guard("appeals_left", lambda f: f.appeals < MOST_APPEALS)
SEEN_BETTER = _guard("seen_better", lambda f: f.seen_better)
UNSEEN = _guard("unseen", lambda f: f.unseen)
BY_PERSON = _guard("by_person", lambda f: f.by_person)
PROOF = _guard("proof", lambda f: f.proof)

#: The guards of each move, in the order in which a person meets them.
GUARDS: Mapping[str, tuple[Guard, ...]] = {
    "contact": (S_LEAD, APOLOGISED, LISTENED, NOT_ABOUT_REVIEW),
    "give_up_contact": (ENOUGH_TRIES, ENOUGH_DAYS),
    "propose": (APOLOGISED, LISTENED, HAS_OFFER, UNCONDITIONAL, OFFER_LAWFUL, OFFER_APPROVED),
    "refuse": (TALKS_LEFT,),
    "execute": (OFFER_APPROVED,),
    "call_off": (NOTHING_BEGUN,),
    "complete": (ALL_DONE, ALL_PROVEN),
    "satisfied": (EXECUTED, SATISFIED),
    "unsatisfied": (EXECUTED, UNSATISFIED),
    "callback_missed": (GIVEN_UP,),
    "renegotiate": (TALKS_LEFT,),
    "invite": (EXECUTED, SATISFIED, NOT_INVITED, NOT_REFUSED, HOURS, TEXT_NEUTRAL, TEXT_LAWFUL),
    "reply": (REPLIED, REPLY_APPROVED),
    "appeal": (TWO_GROUNDS, MALICE, DATED, CASE_NUMBER, IN_WINDOW, APPEALS_LEFT),
    "uphold": (PROOF,),
    "see_revised": (SEEN_BETTER,),
    "confirm_withdrawn": (UNSEEN, BY_PERSON, PROOF),
    "confirm_removed": (UNSEEN, BY_PERSON, PROOF),
}


def unmet(verb: str, facts: RepairFacts) -> list[str]:
    """Codes of the guards of a move that do not hold; empty when it may be made."""
    return [guard.code for guard in GUARDS.get(verb, ()) if not guard.holds(facts)]


def checklist(verb: str, facts: RepairFacts) -> list[tuple[str, bool]]:
    """Every guard of a move and whether it holds."""
    return [(guard.code, guard.holds(facts)) for guard in GUARDS.get(verb, ())]
