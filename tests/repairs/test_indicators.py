"""Figures from outside, by form and by file, beside ours (R70)."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from openpyxl import Workbook

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.metrics import Span
from apps.repairs.models import ExternalIndicator, IndicatorUpload, IndicatorValue
from apps.repairs.selectors.indicators import all_metrics, board, metric_of
from apps.repairs.services import indicators
from apps.shop.models import Store
from tests.factories import NOW, Cast, make_store
from tests.factories import queries as queries_of
from tests.repairs.test_reputation import reviews

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


# -- second reading ----------
@pytest.mark.parametrize("text", ["4,9", "1,23,456", "1_000", "9999999999.99999", "1,2%"])
def test_what_can_be_read_two_ways_is_no_number(text: str) -> None:
    assert indicators.to_decimal(text) is None


def test_percent_signs_belong_to_percentages(cast: Cast) -> None:
    report = bring(
        cast,
        HEAD + "2026-11-17,renmin,访客数,98%\n2026-11-17,renmin,30秒应答率,0.986\n"
        "2026-11-17,renmin,5分钟回复率,0.5%\n",
    )
    assert (report.created, report.rejected) == (1, 2)
    assert IndicatorValue.objects.get().value == Decimal("0.5")
    assert "%" in report.problems[1]["why"] and "30秒应答率" in report.problems[1]["why"]


def workbook(*rows: Any, percent: str = "") -> bytes:
    book = Workbook()
    sheet = book.active
    for row in (("日期", "门店", "指标", "数值"), *rows):
        sheet.append(row)
    if percent:
        sheet[percent].number_format = "0.0%"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_percentage_of_a_spreadsheet_is_what_people_see(cast: Cast) -> None:
    rows = ((date(2026, 11, 17), "renmin", "30秒应答率", 0.986), ("2026-11-17", "renmin", "访客数", "#N/A"))
    upload = ContentFile(workbook(*rows, percent="D2"), name="a.xlsx")
    report = indicators.import_file(upload=upload, by=cast.alice, now=NOW)
    row = IndicatorValue.objects.get()
    assert (row.value, row.day.isoformat()) == (Decimal("98.6"), "2026-11-17")
    # What a spreadsheet could not compute comes back, it is no empty line.
    assert (report.read, report.rejected) == (2, 1)


def test_a_name_of_two_stores_or_of_another_platform_is_refused(cast: Cast) -> None:
    west = make_store("west")
    Store.objects.filter(pk=west.pk).update(aliases=["旗舰店"], platform="jd")
    Store.objects.filter(pk=cast.store.pk).update(aliases=["旗舰店"], platform="taobao")
    for code, platform in (("dsr_tb", "taobao"), ("dsr_jd", "jd")):
        ExternalIndicator.objects.create(code=code, name_zh="店铺评分", name_en=code, platform=platform)
    report = bring(
        cast,
        HEAD + "2026-11-17,旗舰店,访客数,5\n2026-11-17,west,店铺评分,4\n2026-11-17,renmin,店铺评分,3\n"
        "2026-11-17,west,dsr_tb,2\n",
    )
    assert (report.created, report.rejected) == (2, 2)
    found = IndicatorValue.objects.values_list("store__code", "indicator__code", "value")
    assert set(found) == {("west", "dsr_jd", 4), ("renmin", "dsr_tb", 3)}
    assert "west" in report.problems[0]["why"] and "renmin" in report.problems[0]["why"]


def test_many_corrections_cost_no_more_and_keep_their_history(cast: Cast) -> None:
    lines = lambda shift, days: "".join(  # noqa: E731
        f"{(TODAY - DAY * n).isoformat()},renmin,访客数,{n + shift}\n" for n in range(1, days)
    )
    bring(cast, HEAD + lines(0, 61))
    with queries_of() as few:
        bring(cast, HEAD + lines(1, 3))
    with queries_of() as many:
        assert bring(cast, HEAD + lines(2, 61)).changed == 60
    assert len(few) == len(many)
    row = IndicatorValue.objects.get(day=TODAY - DAY)
    assert [entry.value for entry in row.history.order_by("pk")] == [1, 2, 3]
    assert row.history.latest().history_user == cast.alice


def test_the_day_shown_is_the_day_kept_though_midnight_passes(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(cast.alice)
    page = f"/admin/repairs/indicatorvalue/enter/?store={cast.store.pk}"
    shown = client.get(page).context["day"]
    body = client.get(page).content.decode()
    assert f'name="day" value="{shown:%Y-%m-%d}"' in body
    client.post(page, {"day": (shown - DAY).isoformat(), f"i{one().pk}": "5"})
    assert IndicatorValue.objects.get().day == shown - DAY


def test_ours_says_the_n_of_the_days_it_is_from(cast: Cast) -> None:
    reviews(5, 12, day=TODAY - 10 * DAY, store="renmin")
    reviews(5, 3, day=TODAY, store="renmin")
    panel = board(cast.store, today=TODAY)[0]
    assert (panel.latest, panel.n) == ("100.0%", 12)


def test_small_percentages_come_back_from_the_grid_as_they_are(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    day = timezone.localdate() - DAY
    field = f"i{one('reply_30s').pk}"
    page = f"/admin/repairs/indicatorvalue/enter/?store={cast.store.pk}&day={day.isoformat()}"
    assert client.post(page, {field: "0.5"}).context["form"].errors
    client.post(page, {field: "0.5%"})
    assert client.get(page).context["form"][field].value() == "0.5%"
