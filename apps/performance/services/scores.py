"""Weights and monthly scores (R34)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.performance.choices import ScoreState
from apps.performance.figures import Result, score, step
from apps.performance.models import AgentMonth, MonthlyScore, ScoreComment, ScoreWeights
from apps.performance.selectors.people import leads_of, may_see
from apps.performance.services.months import this_month
from apps.performance.transitions import PUBLISH, SCORE


def weights_of(month: date) -> ScoreWeights | None:
    """The version that holds for a month: the newest that had begun. One query."""
    return ScoreWeights.objects.filter(valid_from__lte=month).order_by("-valid_from", "-version").first()


@transaction.atomic
def save_weights(
    *, rules: list[dict[str, Any]], valid_from: date, least_n: int, note: str, by: User, now: datetime
) -> ScoreWeights:
    """A new version of the weights. People know them before the month begins that they judge.

    Raises InvalidInput for weights that tempt or mean nothing, and for a month that has begun before this one.
    """
    if not by.has_perm("performance.add_scoreweights"):
        raise NotPermitted(_("You may not set the weights of the score."))
    if valid_from < this_month(now):
        raise InvalidInput(
            _("Weights begin this month at the earliest: people must know them first."), field="valid_from"
        )
    last = ScoreWeights.objects.order_by("-version").first()
    row = ScoreWeights(
        version=(last.version if last else 0) + 1, valid_from=valid_from, rules=rules, least_n=least_n, note=note, by=by
    )  # fmt: skip
    try:
        row.full_clean()
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), field="rules") from error
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise StaleState(_("Somebody else has just saved new weights. Look at them first.")) from error
    ActionLog.objects.create(
        model="performance.scoreweights", object_id=row.pk, verb="changed", by=by, via="admin", at=now,
        data={"version": row.version},
    )  # fmt: skip
    return row


def result_of(row: AgentMonth, weights: ScoreWeights) -> Result:
    """What a person's month is worth by these weights. No query."""
    return score(weights.parsed(), row.seen(), weights.least_n)


@transaction.atomic
def draft(*, month: date, now: datetime) -> int:
    """Drafts of a month that is over, one for everybody with figures; published ones stay. Answers how many drafts.

    Raises IllegalMove while the month runs. Running twice changes nothing more.
    """
    if month >= this_month(now):
        raise IllegalMove(_("Scores are computed once the month is over."))
    weights = weights_of(month)
    if weights is None:
        return 0
    known = {
        row.person_id: row for row in MonthlyScore.objects.select_for_update(of=("self",)).filter(month=month)
    }
    fresh, changed = [], []
    for row in AgentMonth.objects.filter(month=month, category__isnull=True):
        result = result_of(row, weights)
        present = known.get(row.person_id)
        values = {
            "weights": weights,
            "score": None if result.score is None else Decimal(str(result.score)),
            "parts": [part.plain() for part in result.parts],
            "computed_at": now,
            "updated_at": now,
        }
        if present is None:
            fresh.append(MonthlyScore(person_id=row.person_id, month=month, created_at=now, **values))
        elif present.status == ScoreState.DRAFT:
            for name, value in values.items():
                setattr(present, name, value)
            changed.append(present)
    MonthlyScore.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
    MonthlyScore.objects.bulk_update(
        changed, ["weights", "score", "parts", "computed_at", "updated_at"], batch_size=200
    )
    return len(fresh) + len(changed)


def draft_last(*, now: datetime) -> int:
    """Drafts of the month that ended last."""
    return draft(month=step(this_month(now), -1), now=now)


def _others(row: MonthlyScore, by: User) -> None:
    if row.person_id == by.pk:
        raise NotPermitted(_("Nobody publishes or takes back their own score."))
    if not may_see(by, row.person_id):
        raise NotPermitted(_("You do not lead this person."))


@transaction.atomic
def publish(*, row: MonthlyScore, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The person sees it from now on and is told. Raises NotPermitted for one's own and for people one does not lead."""
    _others(row, by)
    if row.month >= this_month(now):
        raise IllegalMove(_("Scores are computed once the month is over."))
    log = perform(
        SCORE, row, "publish", by=by, now=now, via=via, changes={"published_by": by, "published_at": now}
    )
    notify(
        recipients=[row.person_id],
        level="info",
        title=_("Your score of %(month)s is there") % {"month": f"{row.month:%Y-%m}"},
        body=_("You see how it came about, and you may comment on it."),
        key=f"score:{row.pk}:{now:%Y%m%d%H%M}",
        now=now,
        url=reverse("admin:performance_monthlyscore_change", args=[row.pk]),
    )
    return log


@transaction.atomic
def take_back(*, row: MonthlyScore, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """Back to a draft, which the next count computes anew. Raises NotPermitted as `publish`."""
    _others(row, by)
    return perform(
        SCORE, row, "take_back", by=by, now=now, reason=reason, via=via,
        changes={"published_by": None, "published_at": None},
    )  # fmt: skip


def may_comment(row: MonthlyScore, by: User) -> bool:
    """The person, and whoever publishes scores of people they lead; who only reads does not. One query at most."""
    return by.pk == row.person_id or (by.has_perm(PUBLISH) and may_see(by, row.person_id))


@transaction.atomic
def comment(*, row: MonthlyScore, text: str, by: User, now: datetime) -> ScoreComment:
    """The person's word on their score, or a lead's answer. The other side is told. Raises NotPermitted, InvalidInput."""
    if row.status != ScoreState.PUBLISHED or not may_comment(row, by):
        raise NotPermitted(_("You may not comment on this score."))
    if len(text.strip()) < 2:
        raise InvalidInput(_("Write what you want to say."), field="text")
    said = ScoreComment.objects.create(score=row, text=mask_text(text.strip())[:2000], by=by, at=now)
    others = leads_of(row.person_id) + [row.published_by_id] if by.pk == row.person_id else [row.person_id]
    notify(
        recipients=[pk for pk in others if pk and pk != by.pk],
        level="info",
        title=_("%(person)s commented on the score of %(month)s")
        % {"person": by, "month": f"{row.month:%Y-%m}"},
        key=f"score-comment:{said.pk}",
        now=now,
        url=reverse("admin:performance_monthlyscore_change", args=[row.pk]),
    )
    return said
