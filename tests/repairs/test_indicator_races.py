"""Files of figures brought at the same moment (R70)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.repairs.models import IndicatorUpload, IndicatorValue
from apps.repairs.services import indicators
from tests.factories import make_cast
from tests.feedback.test_races import at_once
from tests.repairs.test_indicators import HEAD, TODAY, bring


@pytest.mark.postgres
def test_two_files_in_opposite_order_do_not_lock_each_other_out(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = make_cast()
    # Many chunks, so that the two meet in the middle.
    monkeypatch.setattr(indicators, "BATCH", 10)
    rows = [f"{(TODAY - timedelta(days=n)).isoformat()},renmin,访客数,{n}\n" for n in range(1, 400)]
    for shift in (0, 1):
        texts = [HEAD + "".join(lines).replace("\n", f"{shift}\n") for lines in (rows, rows[::-1])]
        acts = [lambda text=text: bring(cast, text) for text in texts * 2]
        assert [r for r in at_once(acts) if isinstance(r, Exception)] == []  # type: ignore[arg-type]
    assert (IndicatorValue.objects.count(), IndicatorUpload.objects.count()) == (399, 8)
