"""Figures from outside, by form and by file, beside ours (R70)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.metrics import Span
from apps.repairs.models import ExternalIndicator, IndicatorUpload, IndicatorValue
from apps.repairs.selectors.indicators import all_metrics, board, metric_of
from apps.repairs.services import indicators
from tests.factories import NOW, Cast, make_store
from tests.factories import queries as queries_of

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
DAY = timedelta(days=1)
HEAD = "日期,门店,指标,数值\n"


def bring(cast: Cast, text: str, *, encoding: str = "utf-8", by: Any = None) -> IndicatorUpload:
    upload = ContentFile(text.encode(encoding), name="数据.csv")
    return indicators.import_file(upload=upload, by=by or cast.alice, now=NOW)


def one(code: str = "visitors") -> ExternalIndicator:
    return ExternalIndicator.objects.get(code=code)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12,345", "12345"),
        ("98.6%", "98.6"),
        ("４．９", "4.9"),
        (" 7 ", "7"),
        ("x", None),
        ("1e99", None),
        ("nan", None),
    ],
)
def test_numbers_as_people_write_them(text: str, value: str | None) -> None:
    found = indicators.to_decimal(text)
    assert found == (Decimal(value) if value is not None else None)


def test_a_day_is_entered_and_corrected_with_history(cast: Cast) -> None:
    enter = lambda value: indicators.enter_day(  # noqa: E731
        store=cast.store, day=TODAY, values={one(): value, one("followers"): None}, by=cast.alice, now=NOW
    )
    assert vars(enter(Decimal(800))) == {"created": 1, "changed": 0, "same": 0}
    assert vars(enter(Decimal(800))) == {"created": 0, "changed": 0, "same": 1}
    assert vars(enter(Decimal(900))) == {"created": 0, "changed": 1, "same": 0}
    row = IndicatorValue.objects.get()
    assert [entry.value for entry in row.history.order_by("pk")] == [800, 900]
    for wrong in ({"day": TODAY + DAY}, {"values": {one("dsr_service"): Decimal(6)}}):
        with pytest.raises(InvalidInput):
            indicators.enter_day(
                **({"store": cast.store, "day": TODAY, "values": {}, "by": cast.alice, "now": NOW} | wrong)
            )
    with pytest.raises(NotPermitted):
        indicators.enter_day(store=make_store("west"), day=TODAY, values={}, by=cast.sue, now=NOW)
    with pytest.raises(NotPermitted):
        indicators.enter_day(store=cast.store, day=TODAY, values={}, by=cast.ann, now=NOW)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_good_rows_are_kept_and_the_others_come_back(cast: Cast, encoding: str) -> None:
    rows = (
        '2026-11-17,人民路店,访客数,"1,234"\n'
        "2026/11/17,renmin,粉丝数,55\n"
        "2026-11-17,人民路旗舰店,30秒应答率,98.5%\n"
        "昨天,人民路店,访客数,1\n"
        "2026-11-17,没有的店,访客数,1\n"
        "2026-11-17,人民路店,没有的指标,1\n"
        "2026-11-17,人民路店,DSR描述相符,9\n"
        "2026-11-17,人民路店,访客数,999\n"
        "2026-11-17,人民路店,搜索排名,=1+2\n"
        "2030-01-01,人民路店,访客数,1\n"
        "2026-11-17,人民路店,成交单数,\n"
    )
    report = bring(cast, HEAD + rows, encoding=encoding)
    assert (report.read, report.created, report.rejected) == (10, 3, 7)
    assert set(IndicatorValue.objects.values_list("value", flat=True)) == {1234, 55, Decimal("98.5")}
    assert report.rejects.startswith("\ufeff日期,门店,指标,数值") and "'=1+2" in report.rejects
    again = bring(cast, HEAD + rows, encoding=encoding)
    assert (again.created, again.changed, again.same) == (0, 0, 3)
    changed = bring(cast, HEAD + "2026-11-17,人民路店,访客数,1300\n")
    assert (changed.created, changed.changed) == (0, 1)
    # What comes back, put right, is taken.
    mended = bring(cast, report.rejects.replace("昨天", "2026-11-16"))
    assert mended.created == 1


def test_files_that_cannot_be_used(cast: Cast) -> None:
    for text in ("日期,门店,数值\n2026-11-17,人民路店,1\n", ""):
        with pytest.raises(InvalidInput) as refusal:
            bring(cast, text)
        assert refusal.value.params["field"] == "file"
    with pytest.raises(NotPermitted):
        bring(cast, HEAD, by=cast.ann)
    other = bring(cast, HEAD + "2026-11-17,west,访客数,1\n", by=cast.sue)
    assert other.rejected == 1


def test_each_is_an_indicator_among_the_others(cast: Cast) -> None:
    west = make_store("west")
    for store, value in ((cast.store, 100), (west, 300)):
        indicators.enter_day(store=store, day=TODAY, values={one(): Decimal(value)}, by=cast.alice, now=NOW)
    metric = metric_of("ext:visitors")
    assert metric is not None and "ext:visitors" in all_metrics() and metric_of("ext:none") is None
    spans = [Span(TODAY - DAY, TODAY), Span(TODAY - 9 * DAY, TODAY - 5 * DAY)]
    with queries_of() as captured:
        points = metric.series(spans, {})
    assert len(captured) == 1 and [(point.value, point.n) for point in points] == [(200, 2), (None, 0)]
    assert metric.series(spans, {"store": west.pk})[0].value == 300
    with pytest.raises(KeyError):
        metric.series(spans, {"product": 1})


def test_pages(cast: Cast, client: Client) -> None:
    today = timezone.localdate()
    client.force_login(cast.sue)
    make_store("west")
    page = "/admin/repairs/indicatorvalue/"
    entered = client.get(f"{page}enter/?store={cast.store.pk}&day={today.isoformat()}")
    assert entered.context["stores"] == [cast.store]
    bad = client.post(f"{page}enter/?store={cast.store.pk}", {f"i{one().pk}": "很多"})
    assert bad.context["form"].errors
    client.post(f"{page}enter/?store={cast.store.pk}&day={today.isoformat()}", {f"i{one().pk}": "1,200"})
    assert IndicatorValue.objects.get().value == 1200
    with queries_of() as few:
        board(cast.store, today=today)
    for days in range(1, 9):
        indicators.enter_day(
            store=cast.store,
            day=today - days * DAY,
            values={row: Decimal(3) for row in ExternalIndicator.objects.all()},
            by=cast.sue,
            now=timezone.now(),
        )
    with queries_of() as many:
        panels = board(cast.store, today=today)
    assert len(few) == len(many) == 3
    assert panels[0].is_ours and len(panels) == 11
    assert "好评率" in client.get(f"{page}board/").content.decode()
    assert client.get(f"{page}template/").content.decode().startswith("\ufeff日期,门店,指标,数值")
    upload = ContentFile((HEAD + "昨天,人民路店,访客数,1\n").encode(), name="a.csv")
    report = client.post(f"{page}upload/", {"file": upload})
    assert "昨天" in client.get(report.url).content.decode()
    pk = IndicatorUpload.objects.get().pk
    assert "昨天" in client.get(f"/admin/repairs/indicatorupload/{pk}/rejects/").content.decode()
    client.force_login(cast.ann)
    assert client.get(f"{page}board/").status_code == 200 and client.get(f"{page}enter/").status_code == 403
    assert client.get(f"/admin/repairs/indicatorupload/{pk}/rejects/").status_code == 404
