"""What the checker takes and answers. Plain Python: no Django, no database.

One typed schema for every structured thing that is checked: a reply, a template, a remedy, an automation's action, a
campaign. A caller fills what its subject has; None means "not known", and a rule that needs a fact nobody filled in
is a finding, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Literal

Action = Literal["block", "require_approval", "defer", "warn"]
# The order in which actions weigh (domain.md 1).
WEIGHT: dict[str, int] = {"block": 4, "require_approval": 3, "defer": 2, "warn": 1}

Subject = Literal[
    "text",
    "reply",
    "public_reply",
    "message",
    "template",
    "remedy",
    "automation",
    "coupon",
    "campaign",
    "audience",
    "survey",
    "display",
]
SUBJECTS: tuple[str, ...] = (
    "text",
    "reply",
    "public_reply",
    "message",
    "template",
    "remedy",
    "automation",
    "coupon",
    "campaign",
    "audience",
    "survey",
    "display",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the thing that is checked. None: not known.

    `subject` chooses the rules. Rewards are none, cash, red_packet, coupon, points, gift, draw, discount. Events that
    trigger a reward are none, purchase, review_any, review_positive, review_revised, review_deleted, like, vote,
    share, score. Hours are of the recipient's zone, 0 to 23.
    """

    subject: Subject = "text"
    # Reward and what it hangs on.
    reward: str | None = None
    trigger: str | None = None
    min_rating: int | None = None
    requires_positive_text: bool | None = None
    review_script_required: bool | None = None
    remedy_condition: str | None = None
    platform: str | None = None
    platform_permission: bool | None = None
    says_independent_of_content: bool | None = None
    # Inviting to a review.
    invites_review: bool | None = None
    audience_satisfied_only: bool | None = None
    review_invites_before: int | None = None
    refused_review_contact: bool | None = None
    remedy_executed: bool | None = None
    # Messages.
    channel: str | None = None
    message_class: str | None = None
    consent: bool | None = None
    opted_out: bool | None = None
    local_hour: int | None = None
    # Showing reviews.
    hides_negative: bool | None = None
    positive_first: bool | None = None
    labelled_selection: bool | None = None
    # Coupons and prices.
    coupon_terms: frozenset[str] | None = None
    shows_discount: bool | None = None
    reference_price: float | None = None
    lowest_price_7_days: float | None = None
    # Personal data.
    price_by_profile: bool | None = None
    by_profiling: bool | None = None
    profiling_opt_out: bool | None = None
    sensitive_data: bool | None = None
    separate_consent: bool | None = None
    collects_full_birth_date: bool | None = None
    # Surveys.
    reward_depends_on_score: bool | None = None


FACT_NAMES: frozenset[str] = frozenset(item.name for item in fields(Facts))


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that says something, with the place in the text that caused it and the lawful way out.

    `spans` are (start, end) in the text as it was given. `missing` names facts nobody filled in.
    """

    rule: str
    action: str
    title: str
    message: str
    alternative: str = ""
    law: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    missing: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class RuleData:
    """One rule as the checker needs it; `patterns` and `condition` are explained in `apps.compliance.checker`."""

    code: str
    action: str
    title: str
    message: str
    alternative: str = ""
    law: str = ""
    scope: str = "ALL"
    subjects: tuple[str, ...] = SUBJECTS
    patterns: tuple[Any, ...] = ()
    exceptions: tuple[str, ...] = ()
    absent: str = ""
    when: dict[str, Any] | None = None
    condition: dict[str, Any] | None = None
    negatable: bool = True
    valid_from: date | None = None
    valid_until: date | None = None
    version: int = 1
    position: int = 0
    terms: dict[str, str] = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> str:
    """The heaviest action among findings; "" where there is none."""
    return max((finding.action for finding in findings), key=lambda action: WEIGHT[action], default="")
