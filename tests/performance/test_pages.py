"""Pages: who may open them, how many queries they cost, what bad input does."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.metrics import Span, metrics
from apps.core.models import User
from apps.feedback.models import Category
from apps.performance.figures import step
from apps.performance.models import (
    CoachingNote,
    MonthlyScore,
    QualityReview,
    QualitySample,
    ScoreWeights,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.selectors import pages
from apps.performance.services import months, quality, scores, training
from apps.shop.models import TeamMember
from tests.factories import NOW, Cast, make_user, queries
from tests.performance.world import figures, make_training, points, right_answers, solved

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> Any:
    return timezone.now()


@pytest.fixture
def last(now: Any) -> Any:
    return step(months.this_month(now), -1)


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:performance_{name}", args=args)


def get(client: Client, user: User, address: str) -> Any:
    client.force_login(user)
    return client.get(address)


def test_ones_own_page_and_whose_else(client: Client, cast: Cast, last: Any) -> None:
    figures(cast.alice, last)
    mine = url("agentmonth_mine") + f"?month={last:%Y-%m}"
    assert "90%" in get(client, cast.alice, mine).content.decode()
    hers = url("agentmonth_person", cast.alice.pk)
    stranger, auditor = make_user("eve", "ops-lead"), make_user("kim", "auditor")
    codes = [get(client, user, hers).status_code for user in (cast.alice, cast.lin, cast.max, auditor)]
    assert codes == [200] * 4
    assert [get(client, user, hers).status_code for user in (cast.bob, stranger)] == [404, 404]
    assert get(client, cast.ann, mine).status_code == 403
    for month in ("nonsense", "2199-01", "2026-13", "²", "0001-01", "0001-12"):
        assert get(client, cast.alice, url("agentmonth_mine") + f"?month={month}").status_code == 200


def test_the_team_table_shows_the_team_alone_and_ranks_no_small_sample(
    client: Client, cast: Cast, last: Any
) -> None:
    figures(cast.alice, last)
    figures(cast.bob, last, answers=12, happy=12)
    figures(cast.sue, last)
    team = url("agentmonth_team") + f"?month={last:%Y-%m}"
    assert get(client, cast.alice, team).status_code == 403
    answer = get(client, cast.lin, f"{team}&order=csat")
    assert [row.person for row in answer.context["rows"]] == [cast.alice, cast.bob]
    worst_first = get(client, cast.lin, f"{team}&order=-csat").context["rows"]
    assert worst_first[0].person == cast.alice
    # Nobody is ranked by withdrawn reviews.
    assert get(client, cast.lin, f"{team}&order=withdrawn").context["order"] == ""
    assert len(get(client, cast.max, team).context["rows"]) == 3
    for wrong in ("&order=nonsense", "&category=x", "&category=999999999999999999999"):
        assert get(client, cast.lin, team + wrong).status_code == 200


def test_the_file(client: Client, cast: Cast, last: Any) -> None:
    User.objects.filter(pk=cast.alice.pk).update(name="=cmd()")
    figures(cast.alice, last, answers=5, happy=5)
    address = url("agentmonth_export") + f"?month={last:%Y-%m}"
    answer = get(client, cast.lin, address)
    rows = list(csv.reader(io.StringIO(answer.content.decode().lstrip("\ufeff"))))
    assert rows[1][0] == "'=cmd()"
    place = rows[0].index("顾客满意率")
    assert rows[1][place : place + 2] == ["", "5"]
    assert get(client, make_user("kim", "auditor"), address).status_code == 403
    assert get(client, cast.alice, address).status_code == 403


def test_pages_cost_the_same_for_one_and_for_many(client: Client, cast: Cast, last: Any) -> None:
    figures(cast.alice, last)
    scores.draft(month=last, now=timezone.now())
    client.force_login(cast.max)
    addresses = [
        url("agentmonth_team") + f"?month={last:%Y-%m}",
        url("agentmonth_person", cast.alice.pk) + f"?month={last:%Y-%m}",
        url("monthlyscore_changelist"),
        url("agentmonth_changelist"),
    ]
    few = []
    for address in addresses:
        client.get(address)
        with queries() as asked:
            client.get(address)
        few.append(len(asked))
    for number in range(30):
        person = make_user(f"p{number}", "ops")
        TeamMember.objects.create(team=cast.team, user=person)
        figures(person, last)
    for category in Category.objects.filter(parent__isnull=True)[:10]:
        figures(cast.alice, last, category=category)
    scores.draft(month=last, now=timezone.now())
    for address, before in zip(addresses, few, strict=True):
        with queries() as asked:
            assert client.get(address).status_code == 200
        assert len(asked) <= before, address


def test_the_queue_and_the_training_cost_the_same(client: Client, cast: Cast) -> None:
    client.force_login(cast.max)
    sample = QualitySample.objects.create(
        month=step(months.this_month(NOW), -1), seed="s", count=5, percent=0, population=1, digest="", drawn_at=NOW
    )  # fmt: skip
    session = make_training(cast.lin, cast.alice)
    addresses = [
        url("qualityreview_changelist"), url("trainingsession_changelist"), url("coachingnote_changelist"),
        url("trainingproposal_changelist"), url("trainingsession_change", session.pk),
    ]  # fmt: skip

    def one_more(number: int) -> None:
        (case,) = solved(cast.alice, 1)
        QualityReview.objects.create(sample=sample, feedback=case, person=cast.alice)
        quality.write_note(person=cast.alice, kind="praise", text="很好", by=cast.lin, now=NOW)
        person = make_user(f"q{number}", "ops")
        TrainingProposal.objects.create(person=person, reason="quality", count=2, counted_until=NOW)
        training.invite(session=session, people=[person], by=cast.lin, now=NOW)
        TrainingSession.objects.create(topic=f"第{number}期", trainer=cast.lin, starts_at=NOW)

    def cost(address: str) -> int:
        with queries() as asked:
            assert client.get(address).status_code == 200, address
        return len(asked)

    one_more(0)
    for address in addresses:
        client.get(address)
    before = [cost(address) for address in addresses]
    for number in range(1, 12):
        one_more(number)
    assert [cost(address) for address in addresses] == before


def test_a_score_page_and_its_comment(client: Client, cast: Cast, last: Any, now: Any) -> None:
    figures(cast.alice, last)
    scores.draft(month=last, now=now)
    row = MonthlyScore.objects.get()
    page, said = url("monthlyscore_change", row.pk), url("monthlyscore_comment", row.pk)
    # A draft is not the person's to see.
    assert get(client, cast.alice, page).status_code == 404
    client.force_login(cast.lin)
    assert client.post(url("monthlyscore_move", row.pk, "publish"), {"seen": "draft"}).status_code == 302
    client.force_login(cast.alice)
    assert client.post(said, {"text": "有两单是转来的"}, follow=True).status_code == 200
    assert row.comments.get().by == cast.alice
    assert "有两单是转来的" in get(client, cast.lin, page).content.decode()
    assert client.get(said).status_code == 405
    assert client.post(said, {"text": ""}).status_code == 200
    assert get(client, cast.bob, page).status_code == 404
    client.force_login(cast.alice)
    assert client.get(url("monthlyscore_move", row.pk, "take_back")).status_code == 403


def weights_form(now: Any, **values: Any) -> dict[str, Any]:
    month = step(months.this_month(now), 1)
    return {"valid_from": f"{month:%Y-%m}", "least_n": 10} | values


def test_weights_are_looked_at_before_they_are_saved(client: Client, cast: Cast, last: Any, now: Any) -> None:
    figures(cast.alice, last)
    client.force_login(cast.max)
    address = url("scoreweights_add")
    assert client.get(address).status_code == 200
    fair = weights_form(now, weight_csat=10, best_csat=95, worst_csat=60, preview=1)
    lines = client.post(address, fair).context["preview"]["lines"]
    assert lines[0]["after"] == 85.7
    assert ScoreWeights.objects.count() == 1
    tempting = weights_form(now, weight_withdrawn=10, best_withdrawn=50, worst_withdrawn=0, save=1)
    assert "三分之一" in client.post(address, tempting).content.decode()
    for bad in (
        {"valid_from": "x"},
        {"least_n": 0},
        {"weight_csat": "x"},
        {"weight_csat": "nan"},
        {"valid_from": "2020-01"},
    ):
        assert client.post(address, {**fair, "save": 1, **bad}).status_code == 200
    assert ScoreWeights.objects.count() == 1
    assert client.post(address, {**fair, "save": 1}).status_code == 302
    row = ScoreWeights.objects.get(version=2)
    assert row.rules == [{"figure": "csat", "weight": 10.0, "best": 0.95, "worst": 0.6}]
    assert client.get(url("scoreweights_change", row.pk)).status_code == 200
    assert get(client, cast.lin, address).status_code == 403


def test_a_review_is_done_on_its_page(client: Client, cast: Cast, now: Any, last: Any) -> None:
    start = timezone.localtime(now).replace(day=1, hour=9) - timedelta(days=5)
    solved(cast.alice, 2, now=start)
    client.force_login(cast.max)
    assert client.get(url("qualitysample_draw")).status_code == 405
    assert client.post(url("qualitysample_draw")).status_code == 302
    review, other = QualityReview.objects.order_by("pk")
    page = url("qualityreview_change", review.pk)
    assert get(client, cast.alice, page).status_code == 404
    client.force_login(cast.lin)
    assert client.get(page).status_code == 200
    data = {f"p{pk}": judgement.points for pk, judgement in points().items()}
    assert client.post(page, {}).status_code == 200
    assert client.post(page, {**data, next(iter(data)): "9"}).status_code == 200
    assert client.post(page, data | {"comment": "不错"}).status_code == 302
    review.refresh_from_db()
    assert (review.points, review.reviewer) == (12, cast.lin)
    assert "不错" in get(client, cast.alice, page).content.decode()
    client.force_login(cast.lin)
    note = url("coachingnote_add") + f"?review={review.pk}"
    assert client.get(note).context["form"].initial["person"] == cast.alice.pk
    ok = {"person": cast.alice.pk, "kind": "praise", "text": "很好", "case": review.feedback.number}
    for bad in (
        {"case": "F²"},
        {"person": cast.sue.pk},
        {"kind": "x"},
        {"text": ""},
        {"follow_up_on": "2020-01-01"},
    ):
        assert client.post(note, ok | bad).status_code == 200
    assert client.post(note, ok).status_code == 302
    written = CoachingNote.objects.get()
    assert (written.review, written.feedback_id) == (review, review.feedback_id)
    client.force_login(cast.alice)
    seen = url("coachingnote_move", written.pk, "acknowledge")
    assert client.post(seen, {"answer": "谢谢"}).status_code == 302
    assert get(client, cast.bob, url("coachingnote_change", written.pk)).status_code == 404
    client.force_login(cast.lin)
    assert client.post(url("qualityreview_move", other.pk, "skip"), {"reason": "同事代接"}).status_code == 302


def test_a_quiz_on_its_page(client: Client, cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice)
    page = url("trainingsession_quiz", session.pk)
    client.force_login(cast.alice)
    assert client.get(page).status_code == 200
    first, second = right_answers(session)
    for bad in (
        {},
        {f"q{first}": "x"},
        {f"q{first}": "²", f"q{second}": "9"},
        {f"q{first}": ["0", "1"], f"q{second}": "0"},
    ):
        assert client.post(page, bad).status_code == 422
    answer = client.post(page, {f"q{first}": "1", f"q{second}": ["0", "2"]}, follow=True)
    assert "因为" in answer.content.decode()
    assert client.get(url("trainingsession_result", session.pk, 9)).status_code == 404
    # Another one's result, and a training one has no part in, do not exist.
    assert get(client, cast.bob, page).status_code == 404
    assert get(client, cast.lin, url("trainingsession_result", session.pk, 1)).status_code == 404
    assert get(client, cast.bob, url("trainingsession_change", session.pk)).status_code == 404


def test_a_training_is_planned_and_led(client: Client, cast: Cast) -> None:
    client.force_login(cast.lin)
    data = {
        "topic": "怎么开口", "trainer": cast.lin.pk, "starts_at_0": "2026-11-01", "starts_at_1": "10:00", "minutes": 60,
        "pass_percent": 80, "questions-TOTAL_FORMS": 1, "questions-INITIAL_FORMS": 0, "questions-0-position": 0,
        "questions-0-text": "第一句", "questions-0-kind": "single", "questions-0-options": "甲\n乙",
        "questions-0-right": "2", "upload": SimpleUploadedFile("a.pdf", b"%PDF-1.4 x"),
    }  # fmt: skip
    for bad in (
        {"questions-0-right": "3"},
        {"questions-0-right": "x"},
        {"questions-0-options": "甲"},
        {"minutes": 0},
    ):
        assert client.post(url("trainingsession_add"), data | bad).status_code == 200
    data["upload"] = SimpleUploadedFile("a.pdf", b"%PDF-1.4 x")
    assert client.post(url("trainingsession_add"), data).status_code == 302
    session = TrainingSession.objects.get()
    assert session.questions.get().right == [1]
    assert session.material is not None
    assert client.get(url("trainingsession_edit", session.pk)).status_code == 200
    assert (
        client.post(url("trainingsession_invite", session.pk), {"people": [cast.alice.pk]}).status_code == 302
    )
    part = session.participants.get()
    stored = reverse("admin:core_storedfile_open", args=[session.material.pk])
    assert get(client, cast.alice, stored).status_code == 200
    assert get(client, cast.bob, stored).status_code == 403
    assert get(client, cast.alice, url("trainingsession_edit", session.pk)).status_code == 403
    client.force_login(cast.lin)
    TrainingSession.objects.update(starts_at=NOW)
    training.hold(session=TrainingSession.objects.get(), by=cast.lin, now=NOW)
    assert (
        client.post(url("trainingsession_attendance", session.pk), {f"a{part.pk}": "attended"}).status_code
        == 302
    )
    part.refresh_from_db()
    assert part.state == "attended"
    for bad in ({f"a{part.pk}": "x"}, {"ax": "attended"}, {"a²": "absent"}):
        assert client.post(url("trainingsession_attendance", session.pk), bad).status_code == 302
    case = solved(cast.alice)[0]
    assert (
        client.post(url("trainingsession_add_case", session.pk), {"number": case.number}).status_code == 302
    )
    row = session.replays.get()
    client.force_login(cast.alice)
    page = url("trainingsession_replay", session.pk, row.pk)
    assert client.get(page).status_code == 200
    found = client.post(url("trainingsession_check", session.pk, row.pk), {"text": "好评返现20元"}).json()
    assert not found["ok"] and found["findings"]
    assert client.post(page, {"step": "x", "text": ""}).status_code == 200
    assert client.post(page, {"step": 0, "text": "非常抱歉"}).status_code == 302
    assert client.get(page).context["ending"] is not None
    assert client.post(url("trainingsession_again", session.pk, row.pk)).status_code == 302
    assert get(client, cast.bob, page).status_code == 404


def test_a_proposal_is_accepted_on_its_page(client: Client, cast: Cast) -> None:
    row = TrainingProposal.objects.create(team=cast.team, reason="complaints", count=3, counted_until=NOW)
    assert (
        get(client, make_user("eve", "ops-lead"), url("trainingproposal_change", row.pk)).status_code == 302
    )
    client.force_login(cast.lin)
    assert client.get(url("trainingproposal_change", row.pk)).status_code == 200
    data = {"topic": "服务礼仪", "starts_at": "2026-12-20T10:00", "seen": "open"}
    assert client.post(url("trainingproposal_move", row.pk, "accept"), data).status_code == 302
    row.refresh_from_db()
    assert row.session is not None and row.session.trainer == cast.lin


def test_what_waits_stands_on_the_first_page(cast: Cast, last: Any, now: Any) -> None:
    assert pages.home_card(cast.alice, now) is None
    figures(cast.alice, last)
    scores.draft(month=last, now=now)
    quality.write_note(person=cast.alice, kind="praise", text="很好", by=cast.lin, now=now)
    make_training(cast.lin, cast.alice, held=False, starts_at=now + timedelta(days=1))
    mine, leads = pages.home_card(cast.alice, now), pages.home_card(cast.lin, now)
    assert mine and leads
    assert [figure["count"] for figure in mine["figures"]] == [1]
    assert len(mine["trainings"]) == 1
    assert [figure["count"] for figure in leads["figures"]] == [0, 0, 1]


def test_metrics_say_their_n_and_cost_one_query(cast: Cast, now: Any) -> None:
    session = make_training(cast.lin, cast.alice, cast.bob)
    part = session.participants.get(person=cast.alice)
    training.note_attendance(session=session, states={part.pk: "attended"}, by=cast.lin, now=NOW)
    training.take_quiz(session=session, answers=right_answers(session), by=cast.alice, now=NOW)
    spans = [
        Span(NOW.date(), NOW.date()),
        Span(NOW.date() - timedelta(days=9), NOW.date() - timedelta(days=8)),
    ]
    for code, hits, n in (("training_attendance", 1, 2), ("quiz_passed", 1, 1), ("quality_points", 0, 0)):
        metric = metrics.get(code)
        assert metric is not None
        with queries() as asked:
            first, second = metric.series(spans, {})
        assert len(asked) == 1
        assert (first.hits, first.n, second.n, first.value) == (hits, n, 0, None)
        assert metric.series([], {}) == []
        with pytest.raises(KeyError):
            metric.series(spans, {"product": 1})


def test_months_of_figures_are_locked_on_their_page(client: Client, cast: Cast, last: Any, now: Any) -> None:
    months.rebuild(month=last, now=now)
    from apps.performance.models import MonthRoll

    roll = MonthRoll.objects.get()
    client.force_login(cast.max)
    assert client.get(url("monthroll_change", roll.pk)).status_code == 200
    assert client.post(url("monthroll_move", roll.pk, "lock"), {"seen": "open"}).status_code == 302
    roll.refresh_from_db()
    assert roll.status == "locked"
