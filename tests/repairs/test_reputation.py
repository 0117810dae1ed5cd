"""Reputation actions beside the figures they should move (R33; domain.md 3.3)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core.exceptions import IllegalMove, NotPermitted, ReasonNeeded
from apps.core.metrics import Span, metrics
from apps.core.models import StaffNotice
from apps.feedback.models import Category, Feedback
from apps.feedback.models.feedback import IS_PRAISE
from apps.repairs.models import ExternalIndicator, ReputationAction
from apps.repairs.selectors.drawing import line
from apps.repairs.selectors.reputation import effect, home_card
from apps.repairs.services import indicators, reputation
from apps.shop.models import WorkItem
from apps.shop.services import work as work_services
from tests.factories import NOW, Cast, arrive, reads
from tests.factories import queries as queries_of

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
DAY = timedelta(days=1)


def reviews(stars: int, count: int, *, day: date = TODAY, **values: Any) -> None:
    """So many reviews of that day, straight into the table: the intake has its own tests."""
    model = arrive("praise" if stars > 3 else "A", rating=stars, **values)
    moment = NOW + (day - TODAY)
    Feedback.objects.filter(pk=model.pk).update(posted_at=moment)
    model.refresh_from_db()
    rows = []
    for _n in range(count - 1):
        model.pk = None
        rows.append(
            Feedback(
                **{
                    f.attname: getattr(model, f.attname)
                    for f in Feedback._meta.concrete_fields
                    if not f.primary_key
                }
            )
        )
    Feedback.objects.bulk_create(rows)


def ask(code: str, *spans: Span, **scope: int) -> Any:
    return metrics.get(code).series(spans, scope)  # type: ignore[union-attr]


def test_shares_of_reviews_in_overlapping_spans_by_one_query(cast: Cast) -> None:
    reviews(1, 4)
    reviews(3, 2)
    reviews(5, 10, day=TODAY - 10 * DAY)
    week, both, none = (
        Span(TODAY - 6 * DAY, TODAY),
        Span(TODAY - 20 * DAY, TODAY),
        Span(TODAY + DAY, TODAY + 2 * DAY),
    )
    with queries_of() as captured:
        points = ask("review_negative_rate", week, both, none)
    assert len(captured) == 1
    assert [(point.hits, point.n) for point in points] == [(4, 6), (4, 16), (0, 0)]
    # Fewer than ten: nothing may be said but the counts.
    assert [point.value for point in points] == [None, 0.25, None]
    assert ask("review_positive_rate", both)[0].value == 10 / 16
    assert ask("review_average", both)[0].value == (4 + 6 + 50) / 16


def test_what_is_no_review_does_not_count(cast: Cast) -> None:
    reviews(1, 2, channel="hotline")
    assert ask("review_negative_rate", Span(TODAY, TODAY))[0].n == 0


def test_narrowing(cast: Cast) -> None:
    reviews(1, 2, store="renmin")
    reviews(5, 3)
    span = Span(TODAY, TODAY)
    assert ask("review_negative_rate", span, store=cast.store.pk)[0].n == 2
    node = Category.objects.get(code="LOGISTICS")
    assert ask("review_negative_rate", span, category=node.pk)[0].n == 2
    point = ask("complaint_share", span, category=node.pk)[0]
    assert (point.hits, point.n) == (2, 2)
    with pytest.raises(KeyError):
        ask("review_negative_rate", span, agent=1)
    with pytest.raises(KeyError):
        ask("complaint_share", span)


@pytest.mark.postgres
def test_indexes_serve_praise_and_figures(cast: Cast) -> None:
    reviews(5, 300)
    reviews(1, 300)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE feedback_feedback")
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Feedback.objects.filter(IS_PRAISE).order_by("-posted_at", "-id")[:25].explain()
        assert "feedback_praise" in plan
        found = Feedback.objects.filter(
            posted_at__gte=NOW - DAY, posted_at__lt=NOW + DAY, rating__isnull=False
        )
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert "feedback_voices" in found.order_by().values("rating").explain() or "Index" in found.explain()


def make_action(cast: Cast, **values: Any) -> ReputationAction:
    defaults: dict[str, Any] = {
        "title": "换包装",
        "what": "改用蜂窝纸",
        "owner": cast.alice,
        "starts_on": TODAY - 14 * DAY,
        "due_on": TODAY + 7 * DAY,
        "metric": "review_negative_rate",
        "window_days": 14,
        "target": Decimal(10),
        "created_by": cast.lin,
    }
    return ReputationAction.objects.create(**(defaults | values))


def test_before_and_after_with_their_ranges(cast: Cast) -> None:
    action = make_action(cast)
    early = effect(make_action(cast, starts_on=TODAY + DAY), today=TODAY)
    assert early is not None and (early.verdict, early.after) == ("early", None)
    assert effect(action, today=TODAY).verdict == "few"  # type: ignore[union-attr]
    reviews(1, 40, day=TODAY - 20 * DAY)
    reviews(5, 60, day=TODAY - 20 * DAY)
    reviews(1, 5, day=TODAY - 3 * DAY)
    reviews(5, 95, day=TODAY - 3 * DAY)
    with queries_of() as captured:
        found = effect(action, today=TODAY)
    assert found is not None and len(captured) == 1
    assert (found.verdict, found.reached, found.before.n, found.before.text) == ("better", True, 100, "40.0%")
    assert found.line.mark is not None and found.after is not None and found.after.interval == "2.2% – 11.2%"
    reviews(1, 20, day=TODAY - 2 * DAY)
    assert effect(action, today=TODAY).reached is False  # type: ignore[union-attr]
    assert effect(make_action(cast, metric="gone"), today=TODAY) is None


def test_a_line_has_gaps_and_a_mark() -> None:
    drawn = line([1, 2, None, 4, 4], mark=1.5)
    assert len(drawn.stretches) == 2 and len(drawn.dots) == 4 and drawn.mark is not None
    assert line([]).is_empty and line([None]).is_empty and not line([3.0]).is_empty


def test_states(cast: Cast) -> None:
    action = make_action(cast)
    with pytest.raises(IllegalMove):
        reputation.finish(action=action, reason="好了", by=cast.alice, now=NOW)
    reputation.start(action=action, by=cast.alice, now=NOW)
    with pytest.raises(ReasonNeeded):
        reputation.finish(action=action, reason="", by=cast.alice, now=NOW)
    reputation.finish(action=action, reason="全部换完", by=cast.alice, now=NOW)
    with pytest.raises(NotPermitted):
        reputation.check(action=action, reason="有效", by=cast.alice, now=NOW)
    reputation.check(action=action, reason="有效", by=cast.lin, now=NOW)
    action.refresh_from_db()
    assert (action.status, action.outcome, action.conclusion) == ("checked", "全部换完", "有效")
    assert StaffNotice.objects.filter(recipient=cast.lin).count() == 1


def test_late_is_told_once(cast: Cast) -> None:
    action = make_action(cast, due_on=TODAY - DAY)
    make_action(cast)
    assert (reputation.sweep_overdue(now=NOW), reputation.sweep_overdue(now=NOW)) == (1, 0)
    assert StaffNotice.objects.filter(recipient=cast.alice).count() == 1
    assert StaffNotice.objects.filter(recipient=cast.lin).count() == 1
    card = home_card(cast.lin, NOW)
    assert card is not None and card["late"] == [action] and home_card(cast.alice, NOW) is None


def test_pages(cast: Cast, client: Client) -> None:
    cache.clear()
    client.force_login(cast.alice)
    today = timezone.localdate()
    values = {
        "title": "换包装", "kind": "packaging", "what": "改用蜂窝纸", "owner": cast.bob.pk,
        "starts_on": today.isoformat(), "due_on": (today + 7 * DAY).isoformat(),
        "metric": "review_negative_rate", "direction": "down", "target": "5", "window_days": "28",
    }  # fmt: skip
    add = "/admin/repairs/reputationaction/add/"
    wrong = client.post(add, values | {"metric": "ext:visitors", "product": cast.product.pk})
    assert wrong.context["adminform"].form.errors["product"]
    assert (
        client.post(add, values | {"metric": "complaint_share"}).context["adminform"].form.errors["category"]
    )
    client.post(add, values)
    action = ReputationAction.objects.get()
    work = WorkItem.objects.get()
    assert (work.owner, work.title, timezone.localdate(work.due_at)) == (cast.bob, "换包装", today + 7 * DAY)
    assert action.created_by == cast.alice and StaffNotice.objects.filter(recipient=cast.bob).exists()
    page = f"/admin/repairs/reputationaction/{action.pk}/"
    assert "差评率" in client.get(f"{page}change/").content.decode()
    client.post(f"{page}move/start/", {"seen": "planned"})
    action.refresh_from_db()
    assert action.status == "doing"
    later = values | {"due_on": (today + 9 * DAY).isoformat(), "owner": cast.lin.pk, "target": "5"}
    client.post(f"{page}change/", later)
    work = WorkItem.objects.get()
    assert (work.owner, timezone.localdate(work.due_at), work.status) == (cast.lin, today + 9 * DAY, "doing")
    with queries_of() as one:
        client.get("/admin/repairs/reputationaction/")
    for _n in range(6):
        make_action(cast)
    with queries_of() as many:
        assert client.get("/admin/repairs/reputationaction/").context["cl"].result_count == 7
    assert len(reads(one)) == len(reads(many))
    client.force_login(cast.sue)
    assert client.get("/admin/repairs/reputationaction/").context["cl"].result_count == 0


# -- second reading ----------
@pytest.mark.parametrize(("verb", "state"), [("finish", "done"), ("drop", "cancelled")])
def test_the_owner_has_one_piece_of_work_that_ends_with_the_action(cast: Cast, verb: str, state: str) -> None:
    action = make_action(cast)
    reputation.keep_work(action=action, now=NOW)
    reputation.keep_work(action=action, now=NOW)
    reputation.start(action=action, by=cast.alice, now=NOW)
    work = WorkItem.objects.get()
    assert (work.status, work.owner, work.url) == ("doing", cast.alice, reputation.address(action))
    getattr(reputation, verb)(action=action, reason="全部换完", by=cast.alice, now=NOW)
    work.refresh_from_db()
    assert work.status == state and (work.evidence == "全部换完") == (verb == "finish")


def test_work_that_was_handed_on_or_ended_stays_so(cast: Cast) -> None:
    action = make_action(cast)
    reputation.start(action=action, by=cast.alice, now=NOW)
    WorkItem.objects.update(owner=cast.bob)
    reputation.keep_work(action=action, now=NOW, changed=["title"])
    assert WorkItem.objects.get().owner == cast.bob
    work_services.finish(item=WorkItem.objects.get(), evidence="已经换完", by=cast.bob, now=NOW)
    reputation.finish(action=action, reason="换完了", by=cast.alice, now=NOW)
    assert WorkItem.objects.get().evidence == "已经换完"


def test_small_samples_are_no_verdict(cast: Cast) -> None:
    """Ten to thirty: the figure with its range and a word of warning, no better or worse (domain.md 3.3)."""
    share, mean = make_action(cast), make_action(cast, metric="review_average")
    reviews(1, 20, day=TODAY - 20 * DAY)
    reviews(5, 20, day=TODAY - 3 * DAY)
    for action in (share, mean):
        found = effect(action, today=TODAY)
        assert found is not None and found.after is not None
        assert (found.verdict, found.before.small, found.after.small) == ("few", True, True)
    reviews(1, 20, day=TODAY - 20 * DAY)
    reviews(5, 20, day=TODAY - 3 * DAY)
    assert [effect(a, today=TODAY).verdict for a in (share, mean)] == ["better", "better"]  # type: ignore[union-attr]


def test_days_from_outside_are_compared_from_a_week_on(cast: Cast) -> None:
    action = make_action(cast, metric="ext:visitors", store=cast.store)
    row = ExternalIndicator.objects.get(code="visitors")
    days = lambda first, n, value: indicators.keep(  # noqa: E731
        figures=[
            indicators.Figure(row, cast.store, TODAY - (first - k) * DAY, Decimal(value)) for k in range(n)
        ],
        source="form",
        by=cast.alice,
        now=NOW,
    )
    days(28, 14, 100)
    days(14, 2, 900)
    assert effect(action, today=TODAY).verdict == "few"  # type: ignore[union-attr]
    days(14, 9, 900)
    assert effect(action, today=TODAY).verdict == "better"  # type: ignore[union-attr]
