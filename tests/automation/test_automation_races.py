"""Two workers with the same events, on PostgreSQL."""

from __future__ import annotations

import pytest

from apps.automation.models import EventBatch, Mark, Rule, RuleRun
from apps.automation.services import engine, rules
from apps.automation.services.dry_run import dry_run
from apps.feedback.models import Entry
from tests.factories import NOW, arrive, make_cast
from tests.feedback.test_races import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


def test_the_same_events_in_two_hands_act_once() -> None:
    make_cast()
    for rule in Rule.objects.filter(status="enabled"):
        rules.disable(rule=rule, by=None, now=NOW)
    rule = Rule(
        code="race",
        name="race",
        event="taken_in",
        actions=[{"code": "mark", "params": {"name": "x"}}, {"code": "note", "params": {"text": "once"}}],
    )
    rules.save(rule=rule, by=None, now=NOW)
    dry_run(rule=rule, days=1, by=None, now=NOW)
    rules.enable(rule=rule, by=None, now=NOW)
    EventBatch.objects.all().delete()
    ids = [arrive("A").pk for _ in range(20)]
    EventBatch.objects.all().delete()
    # The same batch twice, and a second batch with the same events in another order.
    (first,) = engine.arrived(feedback_ids=ids, now=NOW)
    (second,) = engine.arrived(feedback_ids=reversed(ids), now=NOW)
    at_once([lambda pk=pk: engine.work_on(batch_id=pk, now=NOW) for pk in (first, second, first, second)])
    engine.work_due(now=NOW)
    assert RuleRun.objects.count() == Mark.objects.count() == 20
    assert Entry.objects.filter(feedback__in=ids, kind="note").count() == 20
    assert not EventBatch.objects.filter(done_at__isnull=True).exists()
