"""A planned call does not outlive the state of the repair it was planned for."""

from __future__ import annotations

import pytest

from apps.callbacks.models import Callback
from apps.repairs.models import RepairCase
from apps.repairs.services.callbacks import call_off_stale
from apps.repairs.services.sweep import sweep
from tests.repairs.world import carried_out, fresh, make_case, make_shop

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
