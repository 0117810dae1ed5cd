"""A planned call does not outlive the state of the repair it was planned for."""

from __future__ import annotations

from typing import Any

import pytest

from apps.callbacks.models import Callback
from apps.repairs.models import RepairCase
from apps.repairs.querysets import RepairQuerySet
from apps.repairs.services import offers
from apps.repairs.services.callbacks import call_off_stale
from apps.repairs.services.sweep import sweep
from tests.repairs.world import agreed, carried_out, finish_all, fresh, make_case, make_shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["triaged", "removed", "withdrawn", "satisfied"])
def test_a_repair_that_went_on_is_not_called_about(status: str) -> None:
    shop = make_shop()
    case = carried_out(shop, make_case(shop))
    callback = Callback.objects.get(subject_key=f"repair:{case.pk}")
    assert fresh(case).status == "callback"
    sweep(now=shop.now)
    callback.refresh_from_db()
    assert callback.is_open
    values = {"outcome_proof": None}
    if status in ("removed", "withdrawn"):
        from apps.core.models import StoredFile

        values = {
            "outcome_proof": StoredFile.objects.create(
                file="p", name="p", content_type="image/png", size=1, sha256="2" * 64, created_at=shop.now
            ),
            "outcome_by": shop.lead,
        }
    RepairCase.objects.filter(pk=case.pk).update(status=status, **values)
    sweep(now=shop.now)
    callback.refresh_from_db()
    assert callback.status == "cancelled"
    assert call_off_stale(now=shop.now) == 0


def test_a_call_of_an_earlier_round_goes_a_begun_one_stays() -> None:
    shop = make_shop()
    case = carried_out(shop, make_case(shop))
    callback = Callback.objects.get(subject_key=f"repair:{case.pk}")
    RepairCase.objects.filter(pk=case.pk).update(callback_round=2)
    Callback.objects.filter(pk=callback.pk).update(status="calling", started_at=shop.now)
    assert call_off_stale(now=shop.now) == 0
    Callback.objects.filter(pk=callback.pk).update(status="planned")
    assert call_off_stale(now=shop.now) == 1


def test_a_call_planned_while_the_sweep_reads_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop()
    case = agreed(shop, make_case(shop))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    finish_all(shop, case)
    read = RepairQuerySet.values_list
    once: list[int] = []

    def completed_meanwhile(self: RepairQuerySet, *names: str, **options: Any) -> Any:
        rows = read(self, *names, **options)
        if names == ("pk", "callback_round") and not once:
            once.append(1)
            rows = list(rows)
            offers.complete(case=fresh(case), by=shop.agent, now=shop.now)
        return rows

    monkeypatch.setattr(RepairQuerySet, "values_list", completed_meanwhile)
    call_off_stale(now=shop.now)
    callback = Callback.objects.get(subject_key=f"repair:{case.pk}")
    assert once and (callback.status, fresh(case).status) == ("planned", "callback")
