"""`import_feedback`: whatever platforms export, once and only once, and never silently less."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.core.cells import neutral
from apps.core.models import ActionLog, StaffNotice
from apps.customers.models import Customer
from apps.feedback.incoming import MAX_TEXT
from apps.feedback.models import Feedback, FeedbackChange, FeedbackSearch, ImportRun, SlaClock
from apps.feedback.services import file_import
from apps.feedback.services.file_import import import_file, unneutral
from tests.factories import Cast, make_store

pytestmark = pytest.mark.django_db
COLUMNS = ("评价ID", "评价内容", "评价时间", "店铺名称", "订单编号", "买家昵称")
YESTERDAY = (timezone.localtime() - timedelta(days=1)).strftime("%Y-%m-%d")
TEXTS = ("快递送了七天才到,太慢了", "味道不错,下次还来", "包装破损“漏”了一半，\n很失望", "😀 𠮷 ① 很好用")


def row(
    number: str, text: str, *, day: str = YESTERDAY, store: str = "", order: str = "", name: str = ""
) -> list[str]:
    return [number, text, f"{day} 08:05:00" if day else "", store, order, name]


ROWS = [row(f"TB{n}", text) for n, text in enumerate(TEXTS, 1)]


def write(
    path: Path, rows: Sequence[Sequence[str]], *, columns: Sequence[str] = COLUMNS, encoding: str = "utf-8"
) -> Path:
    """A CSV file, a gzipped one or a workbook, by its name."""
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for line in (columns, *rows):
            book.active.append(list(line))
        book.save(path)
        return path
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([columns, *rows])
    data = stream.getvalue().encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


class Result(dict[str, Any]):
    """The counts of a run, and what it printed."""

    out: str
    err: str


def run(path: Path, channel: str = "taobao", **options: Any) -> Result:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_feedback", str(path), channel=channel, json=True, stdout=out, stderr=err, **options)
    result = Result(json.loads(out.getvalue().splitlines()[-1]))
    result.out, result.err = out.getvalue(), err.getvalue()
    assert list(result) == ["read", "created", "duplicates", "near_duplicates", "rejected", "seconds"]
    assert result["read"] == result["created"] + result["duplicates"] + result["rejected"]
    return result


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    return result["read"], result["created"], result["duplicates"], result["rejected"]


def everything() -> dict[str, int]:
    models = (Feedback, FeedbackChange, FeedbackSearch, SlaClock, Customer, ImportRun, ActionLog, StaffNotice)
    return {model.__name__: model.objects.count() for model in models}


def refused(path: Path, message: str = "", **options: Any) -> str:
    """The command ends with one line for people, and nothing is written."""
    before = everything()
    with pytest.raises(CommandError) as caught:
        run(path, **options)
    assert everything() == before
    assert message in str(caught.value) and "Traceback" not in str(caught.value)
    return str(caught.value)


# -- formats -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.csv", "utf-8"),
        ("a.csv", "utf-8-sig"),
        ("a.csv", "gb18030"),
        ("a.csv", "utf-16"),
        ("a.csv.gz", "utf-8"),
        ("a.csv.gz", "gb18030"),
        ("a.xlsx", ""),
    ],
)
def test_every_format_gives_the_same_feedback(tmp_path: Path, name: str, encoding: str) -> None:
    result = run(write(tmp_path / name, ROWS, encoding=encoding))
    assert counts(result) == (4, 4, 0, 0)
    stored = Feedback.objects.order_by("source_row")
    assert [f.text for f in stored] == [t.strip() for t in TEXTS]
    assert [f.external_id for f in stored] == ["TB1", "TB2", "TB3", "TB4"]
    assert {timezone.localtime(f.posted_at).strftime("%Y-%m-%d %H:%M") for f in stored} == {
        f"{YESTERDAY} 08:05"
    }
    assert {f.source for f in stored} == {"file"}


def test_values_find_their_places(tmp_path: Path, cast: Cast) -> None:
    path = write(
        tmp_path / "jd.csv",
        [
            [
                "J1",
                "坏了",
                "2 星",
                YESTERDAY,
                "人民路旗舰店",
                "123456789012345678",
                "pin_7",
                "j***n",
                "138 0000 1234",
                "TEA-1",
                "https://a.cn/1.jpg;https://a.cn/2.jpg",
                "抱歉",
            ]
        ],
        columns=(
            "评价ID",
            "评价内容",
            "评价星级",
            "评价时间",
            "店铺名称",
            "订单编号",
            "用户PIN",
            "用户昵称",
            "联系电话",
            "SKU",
            "晒单图片",
            "商家回复",
        ),
    )
    assert counts(run(path, "jd")) == (1, 1, 0, 0)
    feedback = Feedback.objects.get()
    assert (feedback.rating, feedback.store, feedback.product, feedback.order_no) == (
        2,
        cast.store,
        cast.product,
        "123456789012345678",
    )
    assert (feedback.author_name, feedback.customer.phone) == ("j***n", "13800001234")
    assert feedback.customer.identities.get().external_id == "pin_7"
    assert feedback.image_urls == ["https://a.cn/1.jpg", "https://a.cn/2.jpg"]
    assert [(e.speaker, e.text) for e in feedback.entries.all()] == [("shop", "抱歉")]


def test_a_mapping_names_columns_and_values(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", [["差评一条内容", "0"], ["好评一条内容", "1"]], columns=("review", "label")
    )
    assert counts(run(path, "meituan", mapping="text=review,rating=label:0→1,1→5")) == (2, 2, 0, 0)
    assert list(Feedback.objects.order_by("source_row").values_list("rating", flat=True)) == [1, 5]


def test_another_channels_preset_can_be_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["内容一条", "3"]], columns=("点评内容", "总评星级"))
    assert counts(run(path, "other", mapping="dianping")) == (1, 1, 0, 0)
    assert Feedback.objects.get().rating == 3


def test_rows_may_name_their_own_channel(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        [["一条内容在这", "weibo"], ["两条内容在那", ""], ["三条", "mars"]],
        columns=("内容", "渠道"),
    )
    assert counts(run(path, "other", mapping="text=内容,channel=渠道")) == (3, 2, 0, 1)
    assert set(Feedback.objects.values_list("channel__code", flat=True)) == {"weibo", "other"}


# -- once and only once --------------------------------------------------------------------------------------
LOOSE = [
    row("", "一样的话说两遍就是两条", name="小王"),
    row("", "一样的话说两遍就是两条", name="小王"),
    row("", "第三条没有编号"),
]


def test_the_same_file_twice_creates_nothing_new(tmp_path: Path, cast: Cast) -> None:
    path = write(tmp_path / "a.csv", [*ROWS, *LOOSE])
    assert counts(run(path)) == (7, 7, 0, 0)
    before = everything()
    renamed = tmp_path / "b.csv"
    renamed.write_bytes(path.read_bytes())
    for same in (path, renamed):
        assert counts(run(same)) == (7, 0, 7, 0)
        assert everything() == before
    record = ImportRun.objects.get()
    assert (record.state, record.read, record.created, record.file_name) == ("done", 7, 7, "a.csv")


def test_the_same_numbers_in_another_file_are_the_same_feedback(tmp_path: Path) -> None:
    run(write(tmp_path / "a.csv", ROWS))
    changed = [*ROWS[:3], row("TB4", "改过的评价内容")]
    assert counts(run(write(tmp_path / "b.csv", changed))) == (4, 0, 4, 0)
    assert Feedback.objects.count() == 4 and FeedbackChange.objects.count() == 1
    assert Feedback.objects.get(external_id="TB4").text == "改过的评价内容"


def test_the_same_file_for_another_channel_is_other_feedback(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROWS)
    run(path)
    assert counts(run(path, "tmall")) == (4, 4, 0, 0)


def test_the_same_number_twice_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        row("TB1", "第一版内容"),
        row("TB2", "另一条内容"),
        row("TB1", "第二版内容"),
        row("TB1", "第二版内容"),
    ]
    monkeypatch.setattr(file_import, "CHUNK", 3)
    assert counts(run(write(tmp_path / "a.csv", rows))) == (4, 2, 2, 0)
    assert Feedback.objects.get(external_id="TB1").changes.count() == 1


def test_near_duplicates_are_created_and_linked(tmp_path: Path) -> None:
    base = "这家店的烧烤味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"
    path = write(
        tmp_path / "a.csv",
        [row("1", base), row("2", base + "!"), row("3", base.replace("烧烤", "火锅")), row("4", "别的")],
    )
    result = run(path)
    assert (counts(result), result["near_duplicates"]) == ((4, 4, 0, 0), 2)
    assert set(Feedback.objects.exclude(similar_to=None).values_list("external_id", flat=True)) == {"2", "3"}


def test_a_run_that_breaks_off_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cast: Cast
) -> None:
    path = write(tmp_path / "a.csv", [*ROWS, *LOOSE])
    monkeypatch.setattr(file_import, "CHUNK", 3)
    real, calls = file_import.take_in, []

    def breaks(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return real(*args, **options)

    monkeypatch.setattr(file_import, "take_in", breaks)
    with pytest.raises(MemoryError):
        run(path)
    assert Feedback.objects.count() == 3 and ImportRun.objects.get().state == "running"
    monkeypatch.setattr(file_import, "take_in", real)
    assert counts(run(path)) == (7, 4, 3, 0)
    assert list(Feedback.objects.order_by("source_row").values_list("source_row", flat=True)) == list(
        range(2, 9)
    )
    record = ImportRun.objects.get()
    assert (record.state, record.read) == ("done", 7)


# -- bad rows ------------------------------------------------------------------------------------------------
BAD = [
    row("R1", "   "),
    row("R2", "门店不认识", store="火星店"),
    row("R3", "日期不认识", day="前天"),
    row("R4", "还没到的日子", day=(timezone.localtime() + timedelta(days=40)).strftime("%Y-%m-%d")),
    row("R5", "单号被表格吃了", order="1.23E+17"),
]
CODES = {"text_missing", "unknown_store", "bad_date", "future_date", "lossy_number"}


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_bad_rows_stay_outside_with_a_reason_and_the_rest_goes_in(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    result = run(write(tmp_path / "a.csv", [*BAD, *ROWS]), rejects=str(rejects))
    assert counts(result) == (9, 4, 0, 5)
    for code in CODES:
        assert f"1 × {code}: " in result.err
    assert rejects.read_bytes().startswith(b"\xef\xbb\xbf")
    header, *rows = read_csv(rejects)
    assert header == [*COLUMNS, "#row", "#problem"]
    assert [r[:6] for r in rows] == BAD and [r[6] for r in rows] == ["2", "3", "4", "5", "6"]
    assert all(r[7] for r in rows)


def test_rejects_are_fixed_and_given_again_and_nothing_doubles(tmp_path: Path) -> None:
    rejects, again = tmp_path / "rejects.csv", tmp_path / "again.csv"
    run(
        write(tmp_path / "a.csv", [*ROWS, *BAD, row("", "没有编号又没有门店", store="火星店")]),
        rejects=str(rejects),
    )
    make_store("mars", name="火星店")
    header, *rows = read_csv(rejects)
    fixed = [[*r[:1], r[1].strip() or "补上的话", f"{YESTERDAY} 09:00", r[3], "", *r[5:]] for r in rows]
    path = write(tmp_path / "fixed.csv", fixed, columns=header, encoding="utf-8-sig")
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    assert counts(run(path, rejects=str(again))) == (6, 6, 0, 0)
    assert counts(run(path)) == (6, 0, 6, 0)
    assert Feedback.objects.count() == 10 and read_csv(again) == [[*header, "#row", "#problem"]]
    assert set(Feedback.objects.values_list("external_id", flat=True)) == {
        "", "R1", "R2", "R3", "R4", "R5", "TB1", "TB2", "TB3", "TB4",
    }  # fmt: skip


FORMULAS = ["=1+1", "+86太贵", "-5分", "@小王说", '=HYPERLINK("http://evil","点我")']


def test_formulas_are_neutralised_in_rejects_and_come_back_as_they_were(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    rows = [row("", text, store="火星店", name="@小李") for text in FORMULAS]
    assert counts(run(write(tmp_path / "a.csv", rows), rejects=str(rejects))) == (5, 0, 0, 5)
    header, *refused_rows = read_csv(rejects)
    assert not [cell for line in refused_rows for cell in line if cell.startswith(("=", "+", "-", "@"))]
    assert [r[1] for r in refused_rows] == [f"'{text}" for text in FORMULAS]
    make_store("mars", name="火星店")
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    assert counts(run(rejects)) == (5, 5, 0, 0)
    stored = Feedback.objects.order_by("source_row")
    assert [f.text for f in stored] == FORMULAS and {f.author_name for f in stored} == {"@小李"}
    assert header[-2:] == ["#row", "#problem"]


@pytest.mark.parametrize("cell", [*FORMULAS, "\t=1", "\r", "普通", "", "'引号", "1-2"])
def test_neutral_and_back(cell: str) -> None:
    assert unneutral(neutral(cell)) == cell
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_no_more_than_twenty_rows_of_a_kind_are_named(tmp_path: Path) -> None:
    result = import_file(path=write(tmp_path / "a.csv", [row("", " ")] * 25), channel="taobao")
    assert result.problems["text_missing"]["count"] == 25
    assert result.problems["text_missing"]["rows"] == list(range(2, 22))


# -- follow-ups ----------------------------------------------------------------------------------------------
FOLLOWED = (*COLUMNS, "追评内容")


def test_a_follow_up_in_the_row_becomes_its_own_feedback_and_is_not_counted_twice(tmp_path: Path) -> None:
    rows = [
        [*row("TB1", "有编号的评价"), "用了一周坏了"],
        [*row("", "没有编号的评价"), "也坏了"],
        [*row("TB2", "没有追评"), ""],
    ]
    path = write(tmp_path / "a.csv", rows, columns=FOLLOWED)
    assert counts(run(path)) == (3, 3, 0, 0)
    assert {(f.text, f.parent.text) for f in Feedback.objects.exclude(parent=None)} == {
        ("用了一周坏了", "有编号的评价"), ("也坏了", "没有编号的评价"),
    }  # fmt: skip
    assert Feedback.objects.count() == 5
    assert counts(run(path)) == (3, 0, 3, 0) and Feedback.objects.count() == 5


def test_a_follow_up_of_a_refused_row_waits_with_it(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    path = write(tmp_path / "a.csv", [[*row("", " "), "追评先到了一步"]], columns=FOLLOWED)
    assert counts(run(path, rejects=str(rejects))) == (1, 0, 0, 1)
    assert Feedback.objects.count() == 0
    header, line = read_csv(rejects)
    line[1] = "补上的原评价"
    assert counts(run(write(tmp_path / "b.csv", [line], columns=header))) == (1, 1, 0, 0)
    assert Feedback.objects.get(text="追评先到了一步").parent.text == "补上的原评价"


# -- dry run -------------------------------------------------------------------------------------------------
def test_a_dry_run_writes_nothing_and_counts_as_the_real_one(
    tmp_path: Path, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "CHUNK", 4)
    base = "这家店的烧烤味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"
    more = [row("N1", base), row("N2", base + "!"), row("TB1", "第一条又改了"), row("N2", base + "!")]
    old = row("OLD", "很久以前的评价", day="2020-01-01")
    path = write(tmp_path / "a.csv", [*ROWS, *LOOSE, *BAD, *more, old])
    for _ in range(2):
        before = everything()
        dry = run(path, dry_run=True)
        assert everything() == before
        real = run(path)
        assert {k: dry[k] for k in dry if k != "seconds"} == {k: real[k] for k in real if k != "seconds"}
        assert dry.err.splitlines() == real.err.splitlines()
    assert counts(real) == (17, 0, 12, 5)
    assert (ImportRun.objects.get().created, ImportRun.objects.get().near_duplicates) == (10, 2)


# -- history -------------------------------------------------------------------------------------------------
def test_what_was_posted_long_ago_is_history_unless_told_otherwise(tmp_path: Path, cast: Cast) -> None:
    old = (timezone.localtime() - timedelta(days=31)).strftime("%Y-%m-%d")
    rows = [row("1", "很久以前坏了", day=old), row("2", "昨天才坏的")]

    def states(channel: str, **options: Any) -> dict[str, bool]:
        run(write(tmp_path / f"{channel}.csv", rows), channel, **options)
        return dict(
            Feedback.objects.filter(channel__code=channel).values_list("external_id", "is_historical")
        )

    assert states("taobao") == {"1": True, "2": False}
    assert states("tmall", historical=True) == {"1": True, "2": True}
    assert states("jd", new=True) == {"1": False, "2": False}
    assert SlaClock.objects.filter(feedback__is_historical=True).count() == 0
    refused(tmp_path / "jd.csv", historical=True, new=True)


# -- refused files -------------------------------------------------------------------------------------------
FILES: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "empty"),
    "paper.pdf": (b"%PDF-1.7 ...", "PDF"),
    "photo.csv": (b"\x89PNG\r\n\x1a\n", "image"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "XLSX"),
    "broken.xlsx": (b"PK\x03\x04 not a zip", ""),
    "broken.csv.gz": (gzip.compress("评价内容\n好\n".encode() * 999)[:40], "damaged"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path, settings: Any, name: str) -> None:
    settings.LANGUAGE_CODE = "en"
    data, message = FILES[name]
    (tmp_path / name).write_bytes(data)
    assert "\n" not in refused(tmp_path / name, message)


def test_a_missing_file_an_unknown_encoding_and_a_folder(tmp_path: Path, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    path = write(tmp_path / "a.csv", ROWS)
    refused(tmp_path / "nowhere.csv")
    refused(tmp_path)
    assert "klingon" in refused(path, encoding="klingon")


def test_a_missing_column_is_named_with_the_columns_there_are(tmp_path: Path, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    path = write(tmp_path / "a.csv", [["1", "2"]], columns=("编号", "数量"))
    assert refused(path) == "No column for text; the file has 编号, 数量."
    assert refused(path, mapping="text=评价") == "No column for text (评价); the file has 编号, 数量."
    assert refused(path, mapping="words=编号").startswith("There is no field words; there are ")
    assert refused(path, mapping="amazon").startswith("There is no mapping called amazon; there are ")


CATALOGUE = Path(django_settings.LOCALE_PATHS[0]) / "zh_Hans/LC_MESSAGES/django.mo"


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the Chinese catalogue is not compiled yet")
def test_the_missing_column_is_told_in_chinese(tmp_path: Path) -> None:
    message = refused(write(tmp_path / "a.csv", [["1", "2"]], columns=("编号", "数量")))
    assert "编号, 数量" in message and "列" in message and "column" not in message


@pytest.mark.parametrize("channel", ["amazon", "", "TAOBAO"])
def test_a_wrong_channel_is_refused_with_the_right_ones(tmp_path: Path, channel: str) -> None:
    assert "taobao" in refused(write(tmp_path / "a.csv", ROWS), channel=channel)


def test_the_summary_for_people_and_the_timings(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    path = write(tmp_path / "a.csv", ROWS, encoding="gb18030")
    call_command("import_feedback", str(path), channel="taobao", timings=True, stdout=out, stderr=err)
    (line,) = out.getvalue().splitlines()
    assert line.startswith("read 4, created 4, duplicates 0, near_duplicates 0, rejected 0, seconds ")
    assert "gb18030" in line and "text=评价内容" in line
    assert {"read", "write", "commit", "deduplicate"} <= {
        text.split()[-1] for text in err.getvalue().splitlines()
    }


def test_progress_rises_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "CHUNK", 2)
    seen: list[tuple[float, int]] = []
    import_file(
        path=write(tmp_path / "a.csv", ROWS),
        channel="taobao",
        progress=lambda share, result: seen.append((share, result.read)),
    )
    assert [read for _share, read in seen] == [2, 4]
    assert all(0 <= share <= 1 for share, _read in seen) and seen[-1][0] == 1


def test_a_row_whose_follow_up_cannot_come_in_is_refused_whole_and_named(cast: Cast, tmp_path: Path) -> None:
    path, rejects = tmp_path / "a.csv", io.StringIO()
    path.write_text(f"评价内容,追评内容\n好喝,{'长' * (MAX_TEXT + 1)}\n还行,又来了\n")
    mapping = "text=评价内容,follow_up_text=追评内容"
    result = import_file(path=path, channel="taobao", mapping=mapping, rejects=rejects)
    assert (result.read, result.created, result.duplicates, result.rejected) == (2, 1, 0, 1)
    assert result.problems["text_too_long"]["rows"] == [2]
    assert rejects.getvalue().count("好喝") == 1
    assert set(Feedback.objects.values_list("text", flat=True)) == {"还行", "又来了"}
    # Put right and given again, it comes in once.
    path.write_text("评价内容,追评内容\n好喝,短\n还行,又来了\n")
    again = import_file(path=path, channel="taobao", mapping=mapping)
    assert again.created == 2 and Feedback.objects.filter(text="好喝").count() == 1
    assert Feedback.objects.get(text="短").parent == Feedback.objects.get(text="好喝")
