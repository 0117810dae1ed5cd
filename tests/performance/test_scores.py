"""Weights and monthly scores: who may, when, and what stays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, ReasonNeeded
from apps.performance.models import MonthlyScore, ScoreWeights
from apps.performance.services import scores
from tests.factories import NOW, Cast, make_user, told
from tests.performance.world import LAST, MONTH, figures

pytestmark = pytest.mark.django_db
FAIR = [{"figure": "csat", "weight": 10, "best": 0.95, "worst": 0.6}]


def drafted(cast: Cast, **values: Any) -> MonthlyScore:
    figures(cast.alice, **values)
    scores.draft(month=LAST, now=NOW)
    return MonthlyScore.objects.get(person=cast.alice, month=LAST)


def test_drafts_come_once_the_month_is_over(cast: Cast) -> None:
    row = drafted(cast)
    assert row.status == "draft"
    assert row.score is not None and 0 < row.score <= 100
    assert {part["figure"] for part in row.parts} >= {"on_time", "csat", "quality"}
    with pytest.raises(IllegalMove):
        scores.draft(month=MONTH, now=NOW)


def test_too_little_makes_no_score_but_an_explanation(cast: Cast) -> None:
    few = {
        "due": 3,
        "met": 3,
        "responses": 3,
        "repairs": 1,
        "repaired": 1,
        "withdrawn": 0,
        "answers": 2,
        "happy": 2,
    }
    row = drafted(cast, **few, quality_cases=2, quality_points=10, quality_most=24)
    assert row.score is None
    assert {part["why"] for part in row.parts if part["points"] is None} == {"few"}


def test_publishing_freezes(cast: Cast) -> None:
    row = drafted(cast)
    scores.publish(row=row, by=cast.lin, now=NOW)
    assert told(cast.alice, "2026-10") == 1
    kept = row.score
    scores.weights_of(LAST)
    figures_row = MonthlyScore.objects.get(pk=row.pk)
    assert figures_row.published_by == cast.lin
    from apps.performance.models import AgentMonth

    AgentMonth.objects.filter(person=cast.alice).update(happy=0)
    assert scores.draft(month=LAST, now=NOW) == 0
    row.refresh_from_db()
    assert row.score == kept


def test_a_draft_is_computed_anew(cast: Cast) -> None:
    from apps.performance.models import AgentMonth

    row = drafted(cast)
    AgentMonth.objects.filter(person=cast.alice).update(happy=0)
    assert scores.draft(month=LAST, now=NOW) == 1
    before = row.score
    row.refresh_from_db()
    assert row.score is not None and before is not None and row.score < before


def test_nobody_publishes_their_own_nor_that_of_another_team(cast: Cast) -> None:
    figures(cast.lin)
    figures(cast.alice)
    scores.draft(month=LAST, now=NOW)
    own = MonthlyScore.objects.get(person=cast.lin)
    with pytest.raises(NotPermitted):
        scores.publish(row=own, by=cast.lin, now=NOW)
    stranger = make_user("eve", "ops-lead")
    with pytest.raises(NotPermitted):
        scores.publish(row=MonthlyScore.objects.get(person=cast.alice), by=stranger, now=NOW)
    with pytest.raises(NotPermitted):
        scores.publish(row=MonthlyScore.objects.get(person=cast.alice), by=cast.bob, now=NOW)
    scores.publish(row=own, by=cast.max, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        MonthlyScore.objects.filter(pk=own.pk).update(published_by=cast.lin)


def test_taking_back_needs_a_reason(cast: Cast) -> None:
    row = drafted(cast)
    scores.publish(row=row, by=cast.lin, now=NOW)
    with pytest.raises(ReasonNeeded):
        scores.take_back(row=row, by=cast.lin, now=NOW, reason=" ")
    scores.take_back(row=row, by=cast.lin, now=NOW, reason="少算了三单")
    assert (row.status, row.published_by) == ("draft", None)


def test_the_person_is_heard(cast: Cast) -> None:
    row = drafted(cast)
    with pytest.raises(NotPermitted):
        scores.comment(row=row, text="不同意", by=cast.alice, now=NOW)
    scores.publish(row=row, by=cast.lin, now=NOW)
    scores.comment(row=row, text="有两单是转来的", by=cast.alice, now=NOW)
    assert told(cast.lin, "2026-10") == 1
    scores.comment(row=row, text="已核实", by=cast.lin, now=NOW)
    assert told(cast.alice, "2026-10") == 2
    with pytest.raises(NotPermitted):
        scores.comment(row=row, text="看看", by=cast.bob, now=NOW)
    with pytest.raises(NotPermitted):
        scores.comment(row=row, text="看看", by=make_user("kim", "auditor"), now=NOW)
    with pytest.raises(InvalidInput):
        scores.comment(row=row, text=" ", by=cast.alice, now=NOW)


def test_weights_that_tempt_are_refused_with_the_reason(cast: Cast) -> None:
    bad = [{"figure": "withdrawn", "weight": 5, "best": 0.5, "worst": 0}]
    with pytest.raises(InvalidInput, match="三分之一"):
        scores.save_weights(rules=bad, valid_from=MONTH, least_n=10, note="", by=cast.max, now=NOW)
    for broken in ([{"figure": "csat"}], ["x"], {"a": 1}):
        with pytest.raises(InvalidInput):
            scores.save_weights(rules=broken, valid_from=MONTH, least_n=10, note="", by=cast.max, now=NOW)  # type: ignore[arg-type]
    assert ScoreWeights.objects.count() == 1


def test_weights_are_versions_and_known_before(cast: Cast) -> None:
    with pytest.raises(NotPermitted):
        scores.save_weights(rules=FAIR, valid_from=MONTH, least_n=10, note="", by=cast.lin, now=NOW)
    with pytest.raises(InvalidInput):
        scores.save_weights(rules=FAIR, valid_from=LAST, least_n=10, note="", by=cast.max, now=NOW)
    with pytest.raises(InvalidInput):
        scores.save_weights(
            rules=FAIR, valid_from=MONTH + timedelta(days=1), least_n=10, note="", by=cast.max, now=NOW
        )
    row = scores.save_weights(rules=FAIR, valid_from=MONTH, least_n=10, note="", by=cast.max, now=NOW)
    assert row.version == 2
    assert scores.weights_of(MONTH) == row
    assert scores.weights_of(LAST) != row
    assert scores.weights_of(date(2019, 1, 1)) is None
