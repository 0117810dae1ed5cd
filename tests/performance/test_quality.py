"""Samples that can be drawn again, reviews by others, notes between two people."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.performance.models import CoachingNote, PerformancePolicy, QualityReview
from apps.performance.services import quality
from tests.factories import NOW, Cast, told
from tests.performance.world import LAST, MONTH, points, sample, solved

pytestmark = pytest.mark.django_db


def test_the_sample_can_be_drawn_again_from_its_seed(cast: Cast) -> None:
    PerformancePolicy.objects.create(sample_count=2, sample_percent=0)
    drawn = sample(cast.alice, cast.bob, each=5)
    picked = {}
    for review in drawn.reviews.all():
        picked.setdefault(review.person_id, set()).add(review.feedback_id)
    again = quality.chosen(quality.population(LAST), drawn.seed, drawn.count, drawn.percent)
    assert {person: set(ids) for person, ids in again.items()} == picked
    assert {len(ids) for ids in picked.values()} == {2}
    assert drawn.population == 10


def test_a_month_is_drawn_once_and_only_when_it_is_over(cast: Cast) -> None:
    with pytest.raises(IllegalMove):
        quality.draw_sample(month=MONTH, by=None, now=NOW)
    with pytest.raises(IllegalMove):
        quality.draw_sample(month=LAST, by=None, now=NOW)
    solved(cast.alice)
    with pytest.raises(NotPermitted):
        quality.draw_sample(month=LAST, by=cast.alice, now=NOW)
    quality.draw_sample(month=LAST, by=cast.max, now=NOW)
    with pytest.raises(IllegalMove):
        quality.draw_sample(month=LAST, by=cast.max, now=NOW)
    assert quality.draw_last(now=NOW) is None


def test_a_review_needs_every_line_and_another_person(cast: Cast) -> None:
    review = sample(cast.alice).reviews.select_related("feedback").first()
    assert review is not None
    with pytest.raises(InvalidInput):
        quality.submit(review=review, points={}, comment="", by=cast.lin, now=NOW)
    with pytest.raises(InvalidInput):
        quality.submit(review=review, points=points(3), comment="", by=cast.lin, now=NOW)
    for nobody in (cast.alice, cast.bob):
        with pytest.raises(NotPermitted):
            quality.submit(review=review, points=points(), comment="", by=nobody, now=NOW)
    quality.submit(review=review, points=points(1), comment="下次先道歉", by=cast.lin, now=NOW)
    assert (review.status, review.percent, review.passed) == ("done", 50, False)
    assert told(cast.alice, "12") == 1
    with pytest.raises(IllegalMove):
        quality.submit(review=review, points=points(), comment="", by=cast.lin, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        QualityReview.objects.filter(pk=review.pk).update(reviewer=cast.alice)


def test_a_lead_does_not_review_the_case_they_handled(cast: Cast) -> None:
    review = sample(cast.alice).reviews.select_related("feedback").first()
    assert review is not None
    review.feedback.assignee = cast.lin
    review.feedback.save(update_fields=["assignee"])
    with pytest.raises(NotPermitted):
        quality.submit(review=review, points=points(), comment="", by=cast.lin, now=NOW)


def test_left_out_and_reviewed_again(cast: Cast) -> None:
    first, second, _third = sample(cast.alice).reviews.select_related("feedback").order_by("pk")
    quality.skip(review=first, by=cast.lin, now=NOW, reason="同事代接")
    quality.submit(review=second, points=points(), comment="", by=cast.lin, now=NOW)
    quality.reopen(review=second, by=cast.lin, now=NOW, reason="看漏了")
    assert (second.status, second.points) == ("open", None)
    quality.submit(review=second, points=points(1), comment="", by=cast.lin, now=NOW)
    assert second.lines.count() == len(points())


def test_notes_are_between_leads_and_the_person(cast: Cast) -> None:
    note = quality.write_note(person=cast.alice, kind="advice", text="先听", by=cast.lin, now=NOW)
    assert told(cast.alice) == 1
    seen = CoachingNote.objects.visible_to
    assert [seen(user).filter(pk=note.pk).exists() for user in (cast.alice, cast.lin, cast.max, cast.bob)] == [
        True, True, True, False,
    ]  # fmt: skip
    with pytest.raises(NotPermitted):
        quality.write_note(person=cast.alice, kind="advice", text="先听", by=cast.bob, now=NOW)
    with pytest.raises(NotPermitted):
        quality.write_note(person=cast.lin, kind="advice", text="先听", by=cast.lin, now=NOW)
    with pytest.raises(InvalidInput):
        quality.write_note(person=cast.alice, kind="nonsense", text="先听", by=cast.lin, now=NOW)


def test_only_the_person_acknowledges_and_the_lead_closes(cast: Cast) -> None:
    note = quality.write_note(person=cast.alice, kind="advice", text="先听", by=cast.lin, now=NOW)
    with pytest.raises(NotPermitted):
        quality.acknowledge(note=note, by=cast.lin, now=NOW)
    quality.acknowledge(note=note, by=cast.alice, now=NOW, answer="好的")
    assert (note.status, note.answer) == ("seen", "好的")
    with pytest.raises(NotPermitted):
        quality.close_note(note=note, by=cast.alice, now=NOW)
    quality.close_note(note=note, by=cast.lin, now=NOW)
    assert note.status == "closed"


def test_authors_are_reminded_once(cast: Cast) -> None:
    quality.write_note(
        person=cast.alice, kind="agreed", text="两周后看", by=cast.lin, now=NOW, follow_up_on=NOW.date()
    )
    assert (quality.remind_follow_ups(now=NOW), quality.remind_follow_ups(now=NOW)) == (1, 0)
    assert told(cast.lin) == 1
