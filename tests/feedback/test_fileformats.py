"""Exports as they really come (peers.md 3.19 and 4.6): encodings, damage, spreadsheets, attacks."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.feedback.fileformats import (
    FIELDS,
    RATING_SCALES,
    FileRefused,
    Mapping,
    MappingError,
    ParseError,
    Problem,
    RowProblem,
    RowSource,
    clean_nickname,
    guess,
    open_rows,
    parse_datetime,
    parse_mapping,
    parse_order_no,
    parse_phone,
    parse_rating,
    presets,
    split_images,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
Maker = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    def write(content: bytes | str, encoding: str = "utf-8", name: str = "export.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def read(source: RowSource) -> tuple[list[tuple[int, dict[str, str]]], list[RowProblem]]:
    with source:
        items = list(source)
    return (
        [item for item in items if not isinstance(item, RowProblem)],
        [item for item in items if isinstance(item, RowProblem)],
    )


def refused(path: Path, **options: object) -> FileRefused:
    with pytest.raises(FileRefused) as caught, open_rows(path, **options) as source:  # type: ignore[arg-type]
        list(source)
    assert str(caught.value)
    return caught.value


PLAIN = "评价内容,星级\n很好,5\n不好,1\n"
ROWS = [(2, {"评价内容": "很好", "星级": "5"}), (3, {"评价内容": "不好", "星级": "1"})]


# -- encodings -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (PLAIN.encode(), "utf-8"),
        (PLAIN.encode("utf-8-sig"), "utf-8-sig"),
        (PLAIN.encode("gb18030"), "gb18030"),
        (PLAIN.encode("gbk"), "gb18030"),
        (PLAIN.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"), "utf-16"),
        (gzip.compress(PLAIN.encode("gb18030"), mtime=0), "gb18030"),
        (PLAIN.replace("\n", "\r\n").encode(), "utf-8"),
        (PLAIN.replace("\n", "\r").encode(), "utf-8"),
        (PLAIN.rstrip("\n").encode(), "utf-8"),
    ],
)
def test_encodings(make: Maker, data: bytes, encoding: str) -> None:
    source = open_rows(make(data))
    assert source.encoding == encoding
    assert source.format == "csv"
    assert source.columns == ("评价内容", "星级")
    assert read(source) == (ROWS, [])


def test_gb18030_with_rare_characters(make: Maker) -> None:
    """Names need characters GBK lacks: 䶮, 𬱖 (four bytes) and the euro sign."""
    text = "评价内容,买家昵称\n𬱖先生说€99很贵,䶮䶮\n" * 1
    data = text.encode("gb18030")
    with pytest.raises(UnicodeDecodeError):
        data.decode("gbk")
    rows, problems = read(open_rows(make(data)))
    assert rows == [(2, {"评价内容": "𬱖先生说€99很贵", "买家昵称": "䶮䶮"})]
    assert problems == []


def test_first_chinese_character_deep_in_the_file(make: Maker) -> None:
    """A long ASCII beginning says nothing about what follows."""
    data = b"text,no\n" + b"ok,123456789012345\n" * 200_000 + "中文评价,1\n".encode("gb18030")
    source = open_rows(make(data))
    assert source.encoding == "gb18030"
    rows, problems = read(source)
    assert len(rows) == 200_001
    assert rows[-1] == (200_002, {"text": "中文评价", "no": "1"})
    assert problems == []


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_broken_bytes_cost_one_row(make: Maker, encoding: str) -> None:
    good = "很好很好很好很好，下次还来,5\n".encode(encoding)
    data = "评价内容,星级\n".encode(encoding) + good * 20_000 + b"abc\xff\xfe,5\n" + good * 20_000
    source = open_rows(make(data))
    assert source.encoding == encoding
    rows, problems = read(source)
    assert len(rows) == 40_000
    assert [(p.row, p.field, p.code, p.fatal) for p in problems] == [
        (20_002, "评价内容", Problem.BAD_ENCODING, True)
    ]
    assert problems[0].values["评价内容"].startswith("abc\ufffd")
    assert source.counts == {Problem.BAD_ENCODING: 1}
    assert rows[-1][0] == 40_002


def test_encoding_may_be_said(make: Maker) -> None:
    rows, _ = read(open_rows(make("評價,星\n好,5\n", "big5"), encoding="big5"))
    assert rows == [(2, {"評價": "好", "星": "5"})]
    assert refused(make(PLAIN), encoding="klingon").code is Problem.UNKNOWN_ENCODING


# -- CSV in the wild -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_sniffed(make: Maker, delimiter: str) -> None:
    text = '评价内容,星级\n"很好,不错;真的|的\t确",5\n'.replace(",", delimiter, 1).replace(
        '",5', f'"{delimiter}5'
    )
    source = open_rows(make(text))
    assert source.delimiter == delimiter
    assert read(source)[0] == [(2, {"评价内容": "很好,不错;真的|的\t确", "星级": "5"})]


def test_single_column_and_said_delimiter(make: Maker) -> None:
    assert read(open_rows(make("text\n很好；不错\n")))[0] == [(2, {"text": "很好；不错"})]
    source = open_rows(make("sep=;\na;b\n1;2\n"))
    assert source.columns == ("a", "b")
    assert read(source)[0] == [(3, {"a": "1", "b": "2"})]
    assert open_rows(make("a,b\n1,2\n"), delimiter=";").columns == ("a,b",)


def test_cells_over_several_lines_and_long_cells(make: Maker) -> None:
    long = "长" * 100_000
    text = f'text,n\n"第一行\r\n第二行，""引用""",1\n"{long}",2\n'
    assert read(open_rows(make(text))) == (
        [(2, {"text": '第一行\r\n第二行，"引用"', "n": "1"}), (3, {"text": long, "n": "2"})],
        [],
    )


def test_oversize_cells_are_refused_row_by_row(make: Maker) -> None:
    huge = "长" * 1_000_001
    rows, problems = read(open_rows(make(f"text,n\n{huge},1\n好,2\n{'x' * 9_000_000},3\n好,4\n")))
    assert [n for n, _ in rows] == [3, 5]
    assert [(p.row, p.code) for p in problems] == [(2, Problem.FIELD_TOO_LONG), (4, Problem.FIELD_TOO_LONG)]
    assert len(problems[0].values["text"]) == 1000


def test_nul_bytes_are_removed_and_noted(make: Maker) -> None:
    rows, problems = read(open_rows(make("text,n\n很\0好,1\n好,2\n")))
    assert rows == [(2, {"text": "很好", "n": "1"}), (3, {"text": "好", "n": "2"})]
    assert [(p.row, p.code, p.fatal) for p in problems] == [(2, Problem.NUL_REMOVED, False)]


def test_ragged_rows_are_reported(make: Maker) -> None:
    rows, problems = read(open_rows(make("a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n,,\n\n1,2,3\n")))
    assert [n for n, _ in rows] == [4, 7]
    assert [(p.row, p.code, p.params) for p in problems] == [
        (2, Problem.RAGGED_ROW, {"found": 2, "expected": 3}),
        (3, Problem.RAGGED_ROW, {"found": 4, "expected": 3}),
    ]
    assert problems[1].values == {"a": "1", "b": "2", "c": "3", "#4": "4"}


def test_unclosed_quote_does_not_swallow_the_rows_behind_it(make: Maker) -> None:
    rows, problems = read(open_rows(make('text,n\n"没关上,1\n好,2\n"也"好,3\n很好,4\n')))
    assert [n for n, _ in rows] == [3, 4, 5]
    assert [(p.row, p.code) for p in problems] == [(2, Problem.UNCLOSED_QUOTE)]


def test_unclosed_quote_at_the_end(make: Maker) -> None:
    rows, problems = read(open_rows(make('text,n\n好,2\n"没关上,1\n' + "好,3\n" * 1000)))
    assert len(rows) == 1001
    assert [(p.row, p.code) for p in problems] == [(3, Problem.UNCLOSED_QUOTE)]
    rows, problems = read(open_rows(make('text,n\n好,2\n"没关上,1')))
    assert [n for n, _ in rows] == [2]
    assert [p.code for p in problems] == [Problem.UNCLOSED_QUOTE]


def test_unclosed_quote_before_megabytes(make: Maker) -> None:
    rows, problems = read(open_rows(make('text,n\n"没关上,1\n' + "评价内容很好很好很好,3\n" * 400_000)))
    assert len(rows) == 400_000
    assert [(p.row, p.code) for p in problems] == [(2, Problem.UNCLOSED_QUOTE)]


def test_headers_are_made_usable(make: Maker) -> None:
    source = open_rows(make("\n, \u200b评价 内容 ,备注,备注,\n1,2,3,4,5\n"))
    assert source.columns == ("#1", "评价 内容", "备注", "备注 (2)", "#5")
    assert read(source)[0] == [(3, {"#1": "1", "评价 内容": "2", "备注": "3", "备注 (2)": "4", "#5": "5"})]


def test_numbers_wrapped_against_spreadsheets(make: Maker) -> None:
    text = 'order,n\n="123456789012345678",1\n"=""22""",2\n'
    assert [row["order"] for _, row in read(open_rows(make(text)))[0]] == ["123456789012345678", "22"]


def test_source_can_be_read_twice_and_reports_progress(make: Maker) -> None:
    source = open_rows(make("a,b\n" + "1,2\n" * 300_000), name="评价导出.csv")
    assert source.name == "评价导出.csv"
    assert source.progress == 0
    iterator = iter(source)
    next(iterator)
    assert 0 < source.progress < 1
    assert sum(1 for _ in source) == sum(1 for _ in source) == 300_000
    source.close()


def test_limits(make: Maker) -> None:
    path = make(PLAIN)
    assert refused(path, max_rows=1).code is Problem.TOO_MANY_ROWS
    assert len(read(open_rows(path, max_rows=2))[0]) == 2
    assert refused(path, limit_bytes=10).code is Problem.TOO_LARGE
    assert (
        refused(make(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000, mtime=0)), limit_bytes=20_000).code
        is Problem.TOO_LARGE
    )


# -- what is refused -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Problem.EMPTY_FILE),
        (b"\n\n  \n", Problem.EMPTY_FILE),
        (codecs.BOM_UTF8, Problem.EMPTY_FILE),
        (b",,\n,,\n", Problem.NO_HEADER),
        (b"%PDF-1.4 ...", Problem.WRONG_TYPE),
        (b"\x89PNG\r\n\x1a\n", Problem.WRONG_TYPE),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, Problem.OLD_EXCEL),
        (b"<html><table><tr><td>x</td></tr></table>", Problem.WRONG_TYPE),
        (b'{"text": "x"}', Problem.WRONG_TYPE),
        (bytes(range(256)) * 3 + b"\0" * 500, Problem.WRONG_TYPE),
        (gzip.compress(PLAIN.encode() * 1000, mtime=0)[:-40], Problem.DAMAGED),
        (gzip.compress(b"", mtime=0), Problem.EMPTY_FILE),
        (b"\x1f\x8bgarbage garbage", Problem.DAMAGED),
        (b"PK\x03\x04 not really", Problem.DAMAGED),
    ],
)
def test_refused_files(make: Maker, data: bytes, code: Problem) -> None:
    assert refused(make(data)).code is code


def test_unreadable(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.csv").code is Problem.UNREADABLE
    assert refused(tmp_path).code is Problem.UNREADABLE


def test_gzip_bomb(make: Maker) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as stream:
        stream.write(b"a,b\n")
        for _ in range(100):
            stream.write(b"0" * 1024 * 1024)
    assert refused(make(packed.getvalue())).code is Problem.ZIP_BOMB


# -- XLSX ----------------------------------------------------------------------------------------------------
def workbook(path: Path, *rows: list[object], title: str = "评价") -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_workbook(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "export.xlsx",
        [None, None],
        ["评价内容", "星级", "订单编号", "评价时间", "备注", None],
        ["很好", 5, "123456789012345678", datetime(2025, 9, 1, 8, 5), None, None],
        [None, None, None],
        ["不好", 4.5, 123456789012, date(2025, 9, 1), True, None],
        ["=1+1", 3, 1.2345678901234568e17, "2025/9/1", "#N/A", None],
        ["整数", 1999.9, 123456789012345000, None, "", None],
        ["多了", 1, None, None, None, None, "外面"],
    )
    source = open_rows(path)
    assert (source.format, source.sheet, source.encoding) == ("xlsx", "评价", None)
    assert source.columns == ("评价内容", "星级", "订单编号", "评价时间", "备注")
    with source:
        first, second = list(source), list(source)
        assert source.progress == 1
    assert first == second
    rows = {item[0]: list(item[1].values()) for item in first if not isinstance(item, RowProblem)}
    assert rows == {
        3: ["很好", "5", "123456789012345678", "2025-09-01 08:05:00", ""],
        5: ["不好", "4.5", "123456789012", "2025-09-01 00:00:00", "TRUE"],
        6: ["=1+1", "3", "1.23456789012346E+17", "2025/9/1", ""],
        7: ["整数", "1999.9", "1.23456789012345E+17", "", ""],
    }
    notes = [(i.row, i.field, i.code, i.fatal) for i in first if isinstance(i, RowProblem)]
    assert notes == [
        (6, "评价内容", Problem.FORMULA, False),
        (6, "订单编号", Problem.LOSSY_NUMBER, False),
        (6, "备注", Problem.CELL_ERROR, False),
        (7, "订单编号", Problem.LOSSY_NUMBER, False),
        (8, None, Problem.RAGGED_ROW, True),
    ]
    with pytest.raises(ParseError) as caught:
        parse_order_no(rows[6][2])
    assert caught.value.code is Problem.LOSSY_NUMBER


def test_workbook_sheets(tmp_path: Path) -> None:
    path = tmp_path / "sheets.xlsx"
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "空"
    hidden = book.create_sheet("藏")
    hidden.append(["x"])
    hidden.sheet_state = "hidden"
    shown = book.create_sheet("评价")
    shown.append(["text"])
    shown.append(["好"])
    book.save(path)
    with open_rows(path) as source:
        assert source.sheet == "评价"
    with open_rows(path, sheet="藏") as source:
        assert source.columns == ("x",)
    error = refused(path, sheet="没有")
    assert error.code is Problem.UNKNOWN_SHEET
    assert error.params["sheets"] == "空, 藏, 评价"
    assert refused(workbook(tmp_path / "empty.xlsx")).code is Problem.EMPTY_FILE


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in members:
            new.writestr(name, change(name, data))
    return path


def test_zip_bomb_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "bomb.xlsx", ["text"], ["x"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b"0" * 100 * 1024 * 1024)
    monkeypatch.setattr(
        "apps.feedback.fileformats.workbook.load_workbook", lambda *_, **__: pytest.fail("was opened")
    )
    assert refused(path).code is Problem.ZIP_BOMB
    small = workbook(tmp_path / "large.xlsx", ["text"], ["x"])
    assert refused(small, limit_bytes=small.stat().st_size).code is Problem.ZIP_BOMB


def test_entity_bomb_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "laughs.xlsx", ["text"], ["x"])

    def change(name: str, data: bytes) -> bytes:
        return b'<!DOCTYPE lolz [<!ENTITY a "ha">]>' + data if name.endswith("sheet1.xml") else data

    assert refused(rewrite(path, change)).code is Problem.DAMAGED


def test_damaged_and_foreign_archives(tmp_path: Path) -> None:
    path = workbook(tmp_path / "cut.xlsx", ["text"], ["x"])
    rewrite(path, lambda name, data: data[: len(data) // 2] if name.endswith("sheet1.xml") else data)
    assert refused(path).code is Problem.DAMAGED
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    assert refused(other).code is Problem.WRONG_TYPE
    rows = rewrite(
        workbook(tmp_path / "rows.xlsx", ["text"], ["x"]),
        lambda name, data: data.replace(b'<row r="2"', b'<row r="99999999"').replace(b'"A2"', b'"A99999999"'),
    )
    assert refused(rows).code is Problem.TOO_MANY_ROWS


# -- round trip ----------------------------------------------------------------------------------------------
CELLS = st.text(
    st.characters(codec="gb18030", exclude_characters="\0\udfff\ufeff", exclude_categories=["Cs"]),
    max_size=20,
).filter(lambda cell: not cell.startswith('="'))


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS).filter(lambda row: any(map(str.strip, row))), max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    st.sampled_from([",", ";", "\t", "|"]),
)
@settings(deadline=None)
def test_what_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], encoding: str, delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("trip") / "x.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["评价内容", "星级", "备注"])
        writer.writerows(rows)
    got, problems = read(open_rows(path, encoding=encoding, delimiter=delimiter))
    assert problems == []
    assert [tuple(row.values()) for _, row in got] == rows


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=300)
def test_any_bytes_end_in_rows_or_a_coded_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "x"
    path.write_bytes(b"text,n\n" + data)
    try:
        rows, problems = read(open_rows(path))
    except FileRefused:
        return
    else:
        numbers = [n for n, _ in rows] + [p.row for p in problems if p.fatal]
        assert len(numbers) == len(set(numbers)), "one answer for each row"


# -- dates ---------------------------------------------------------------------------------------------------
def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2025/9/1 8:05", "2025-09-01 08:05"),
        ("2025-09-01 08:05:33", "2025-09-01 08:05:33"),
        ("2025年9月1日 8时5分", "2025-09-01 08:05"),
        ("2025年9月1日8点5分3秒", "2025-09-01 08:05:03"),
        ("2025年09月01日 08:05", "2025-09-01 08:05"),
        ("2025年9月1日", "2025-09-01"),
        ("2025年9月1日 8时", "2025-09-01 08:00"),
        ("2025年9月1日 下午3:05", "2025-09-01 15:05"),
        ("2025-09-01 上午12:05", "2025-09-01 00:05"),
        ("2025-09-01 3:05 PM", "2025-09-01 15:05"),
        ("2025-09-01 星期一 8:05", "2025-09-01 08:05"),
        ("2025.9.1", "2025-09-01"),
        ("2025-09-01", "2025-09-01"),
        ("2025-09-01T08:05:33", "2025-09-01 08:05:33"),
        ("2025-09-01T00:05:33Z", "2025-09-01 08:05:33"),
        ("2025-09-01T01:05:33.250+01:00", "2025-09-01 08:05:33.250"),
        ("2025-09-01 24:00", "2025-09-02 00:00"),
        ("２０２５／９／１　８：０５", "2025-09-01 08:05"),
        ("20250901", "2025-09-01"),
        ("20250901080533", "2025-09-01 08:05:33"),
        ("202509010805", "2025-09-01 08:05"),
        ("45901.336805555555", "2025-09-01 08:05"),
        (45901.336805555555, "2025-09-01 08:05"),
        (45901, "2025-09-01"),
        ("1756685133", "2025-09-01 08:05:33"),
        (1756685133250, "2025-09-01 08:05:33.250"),
        (datetime(2025, 9, 1, 8, 5), "2025-09-01 08:05"),
        (datetime(2025, 9, 1, 0, 5, tzinfo=UTC), "2025-09-01 08:05"),
        (date(2025, 9, 1), "2025-09-01"),
        ('="2025-09-01"', "2025-09-01"),
    ],
)
def test_dates(value: object, moment: str) -> None:
    parsed = parse_datetime(value, "Asia/Shanghai")
    assert parsed == at(moment)
    assert parsed is not None
    assert str(parsed.tzinfo) == "Asia/Shanghai"


@pytest.mark.parametrize("value", [None, "", "  ", "-", "无"])
def test_no_date(value: object) -> None:
    assert parse_datetime(value, SHANGHAI) is None


@pytest.mark.parametrize(
    "value",
    [
        "昨天", "2025-02-30", "2025-13-01", "01/02/2025", "25-09-01", "09-01 08:05", "2025-09-01 25:00", "1.23E+17",
        "123", "20251301", "0001-01-01", "9999-12-31", "2025-09-01 08:05 乱码", "99999999999999999", "1899-12-30",
    ],
)  # fmt: skip
def test_bad_dates(value: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_datetime(value, SHANGHAI)
    assert caught.value.code is Problem.BAD_DATE


@given(st.datetimes(datetime(1992, 1, 1), datetime(2099, 1, 1)))
def test_date_round_trip(moment: datetime) -> None:
    aware = moment.replace(microsecond=0, tzinfo=SHANGHAI)
    for text in (aware.isoformat(), f"{aware:%Y/%m/%d %H:%M:%S}", f"{aware:%Y年%m月%d日 %H时%M分%S秒}"):
        assert parse_datetime(text, SHANGHAI) == aware


# -- ratings -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "stars"),
    [
        ("5", 5), ("1", 1), ("5.0", 5), ("5星", 5), ("五星", 5), ("４", 4), ("４星", 4), ("3 分", 3), ("4/5", 4),
        ("好评", 5), ("中评", 3), ("差评", 1), ("非常满意", 5), ("★★★★★", 5), ("★★☆☆☆", 2), ("⭐⭐⭐", 3), ("4.5", 4),
        (5, 5), (2.0, 2), ("", None), ("-", None), (None, None), ("5星级", 5), ("5 stars", 5),
    ],
)  # fmt: skip
def test_ratings(value: object, stars: int | None) -> None:
    assert parse_rating(value) == stars


@pytest.mark.parametrize("value", ["0", "6", "10", "50", "500", "很长的话", "-1", "0.5", "☆☆☆☆☆"])
def test_bad_ratings(value: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_rating(value)
    assert caught.value.code is Problem.BAD_RATING


def test_rating_maps() -> None:
    assert parse_rating("0", {"0": 1, "1": 5}) == 1
    assert parse_rating("1.0", {"0": 1, "1": 5}) == 5
    assert parse_rating("", {"0": 1}) is None
    assert parse_rating("500", RATING_SCALES["scale500"]) == 5
    assert parse_rating("35", RATING_SCALES["scale50"]) == 3
    assert parse_rating("9", RATING_SCALES["scale10"]) == 4
    with pytest.raises(ParseError) as caught:
        parse_rating("2", {"0": 1, "1": 5})
    assert caught.value.code is Problem.BAD_VALUE
    assert "0, 1" in str(caught.value)


# -- numbers -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("123456789012345678", "123456789012345678"),
        ("\t123456789012345678 ", "123456789012345678"),
        ("'123456789012345678", "123456789012345678"),
        ('="123456789012345678"', "123456789012345678"),
        ("１２３４５６", "123456"),
        ("123456.0", "123456"),
        ("250901-123456789012345", "250901-123456789012345"),
        ("JD0123", "JD0123"),
        (123456789012, "123456789012"),
        ("", None),
        ("-", None),
        (None, None),
    ],
)
def test_order_numbers(value: object, number: str | None) -> None:
    assert parse_order_no(value) == number


@pytest.mark.parametrize(
    "value", ["1.23E+17", "1.23456789012345e17", "1E+17", "123456789012345000", 1.2345678901234568e17]
)
def test_shortened_order_numbers(value: object) -> None:
    with pytest.raises(ParseError) as caught:
        parse_order_no(value)
    assert caught.value.code is Problem.LOSSY_NUMBER


def test_bad_order_numbers() -> None:
    for value in ("订单", "a" * 65, "1,2", "<script>"):
        with pytest.raises(ParseError) as caught:
            parse_order_no(value)
        assert caught.value.code is Problem.BAD_ORDER_NO


@pytest.mark.parametrize(
    ("value", "phone"),
    [
        ("13812345678", "13812345678"),
        ("+86 138-1234-5678", "13812345678"),
        ("008613812345678", "13812345678"),
        ("１３８１２３４５６７８", "13812345678"),
        ("13812345678.0", "13812345678"),
        (13812345678, "13812345678"),
        ("13812345678-1234", "13812345678"),
        ("13812345678转1234", "13812345678"),
        ("010-88886666", "010-88886666"),
        ("(0571) 8888 6666", "0571-88886666"),
        ("4008208820", "4008208820"),
        ("+1 415 555 2671", "+14155552671"),
        ("138****5678", None),
        ("", None),
        (None, None),
    ],
)
def test_phones(value: object, phone: str | None) -> None:
    assert parse_phone(value) == phone


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1.38E+10", Problem.LOSSY_NUMBER),
        ("23812345678", Problem.BAD_PHONE),
        ("138123456789", Problem.BAD_PHONE),
        ("电话", Problem.BAD_PHONE),
        ("12", Problem.BAD_PHONE),
    ],
)
def test_bad_phones(value: str, code: Problem) -> None:
    with pytest.raises(ParseError) as caught:
        parse_phone(value)
    assert caught.value.code is code


# -- names and pictures --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "value",
    ["匿名用户", "匿名", "微信用户", "***", "", None, "-", "匿名买家", "（匿名）", "淘宝用户", "京东用户", "匿名用户***",
     "Anonymous", "游客", "已注销用户", "用户已注销", "👍", "默认用户", "手机用户"],
)  # fmt: skip
def test_nobody(value: object) -> None:
    assert clean_nickname(value) is None


@pytest.mark.parametrize(
    ("value", "text", "identifying"),
    [
        ("小明同学", "小明同学", True),
        (" 小明  同学 ", "小明 同学", True),
        ("j***n", "j***n", False),
        ("张**", "张**", False),
        ("微信用户小王", "微信用户小王", True),
        ("匿名的猫", "匿名的猫", True),
        ("ｔｏｍ", "tom", True),
    ],
)
def test_nicknames(value: str, text: str, identifying: bool) -> None:
    nickname = clean_nickname(value)
    assert nickname is not None
    assert (nickname.text, nickname.identifying) == (text, identifying)


@pytest.mark.parametrize(
    ("value", "images"),
    [
        ("https://a.cn/1.jpg,https://a.cn/2.jpg", ["https://a.cn/1.jpg", "https://a.cn/2.jpg"]),
        (
            "https://a.cn/1.jpg；//b.cn/2.png\nhttp://c.cn/3",
            ["https://a.cn/1.jpg", "https://b.cn/2.png", "http://c.cn/3"],
        ),
        (
            "https://a.cn/1.jpg?x=resize,w_100,https://a.cn/2.jpg",
            ["https://a.cn/1.jpg?x=resize,w_100", "https://a.cn/2.jpg"],
        ),
        ('["https://a.cn/1.jpg", "https://a.cn/1.jpg"]', ["https://a.cn/1.jpg"]),
        ("[https://a.cn/1.jpg]", ["https://a.cn/1.jpg"]),
        ("1.jpg、2.PNG", ["1.jpg", "2.PNG"]),
        ("javascript:alert(1).jpg", []),
        ("有图", []),
        ("", []),
        (None, []),
    ],
)
def test_images(value: object, images: list[str]) -> None:
    assert split_images(value) == images


# -- mapping -------------------------------------------------------------------------------------------------
def test_mapping_with_value_map() -> None:
    mapping = parse_mapping("text=评价内容,rating=label:0→1,1→5")
    assert mapping.columns == {"text": "评价内容", "rating": "label"}
    assert mapping.values == {"rating": {"0": 1, "1": 5}}
    assert parse_mapping("text=评价内容,rating=label:0->1,1->5") == mapping
    assert parse_mapping(" rating = label : 0 => 1 ， 1 => 5 ，text = 评价内容 ").columns == {
        "rating": "label",
        "text": "评价内容",
    }
    assert parse_mapping(str(mapping)) == mapping


def test_mapping_other_forms() -> None:
    assert parse_mapping('text="评价,内容",store=店铺:名称').columns == {
        "text": "评价,内容",
        "store": "店铺:名称",
    }
    assert parse_mapping("text=t,rating=score:scale50").values["rating"]["35"] == 3
    kinds = parse_mapping("text=t,kind=类型:投诉→complaint,咨询→inquiry")
    assert kinds.translate("kind", "投诉") == "complaint"
    assert kinds.translate("text", "原样") == "原样"
    with pytest.raises(ParseError) as caught:
        kinds.translate("kind", "表扬")
    assert caught.value.code is Problem.BAD_VALUE
    assert parse_mapping(str(kinds)) == kinds


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("text=a,colour=b", Problem.UNKNOWN_FIELD, "customer_nickname"),
        ("text=a,text=b", Problem.DUPLICATE_FIELD, "text"),
        ("rating=星级", Problem.MISSING_COLUMN, "text"),
        ("", Problem.MISSING_COLUMN, "text"),
        ("text", Problem.BAD_MAPPING, "text"),
        ("text=", Problem.BAD_MAPPING, "text="),
        ("text=a,0→1", Problem.BAD_MAPPING, "0→1"),
        ("text=a,rating=b:0→", Problem.BAD_MAPPING, "0→"),
    ],
)
def test_mapping_errors(text: str, code: Problem, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text)
    assert caught.value.code is code
    assert said in str(caught.value)


def test_mapping_binds_to_the_columns_of_a_file() -> None:
    mapping = parse_mapping("text=评价内容,order_no=Order ID")
    bound = mapping.bind(["*评价内容", "order id", "x"])
    assert bound.columns == {"text": "*评价内容", "order_no": "order id"}
    assert bound.pick({"*评价内容": "好", "order id": " ", "x": "1"}) == {"text": "好"}
    with pytest.raises(MappingError) as caught:
        mapping.bind(["评论", "星级"])
    assert caught.value.code is Problem.MISSING_COLUMN
    assert "评论, 星级" in str(caught.value)
    with pytest.raises(MappingError, match="text"):
        Mapping({"rating": "星级"}).bind(["星级"])


@pytest.mark.parametrize(
    ("channel", "columns", "expected"),
    [
        (
            "taobao",
            ["订单编号", "宝贝标题", "宝贝ID", "买家会员名", "评价结果", "评价内容", "评价时间", "追评内容", "卖家解释"],
            {
                "order_no": "订单编号", "product_sku": "宝贝ID", "customer_nickname": "买家会员名", "rating": "评价结果",
                "text": "评价内容", "posted_at": "评价时间", "follow_up_text": "追评内容", "reply": "卖家解释",
            },
        ),
        (
            "jd",
            ["商品编号", "商品名称", "订单号", "用户昵称", "评价星级", "评价内容", "评价时间", "晒单图片"],
            {
                "product_sku": "商品编号", "order_no": "订单号", "customer_nickname": "用户昵称", "rating": "评价星级",
                "text": "评价内容", "posted_at": "评价时间", "images": "晒单图片",
            },
        ),
        (
            "meituan",
            ["门店名称", "门店ID", "订单编号", "用户名", "总体评分", "口味评分", "包装评分", "评价内容", "评价时间", "商家回复"],
            {
                "store": "门店名称", "order_no": "订单编号", "customer_nickname": "用户名", "rating": "总体评分",
                "text": "评价内容", "posted_at": "评价时间", "reply": "商家回复",
            },
        ),
        (
            "dianping",
            ["点评ID", "门店", "用户昵称", "星级", "点评内容", "点评时间"],
            {
                "external_id": "点评ID", "store": "门店", "customer_nickname": "用户昵称", "rating": "星级",
                "text": "点评内容", "posted_at": "点评时间",
            },
        ),
        ("pinduoduo", ["订单编号", "描述相符", "评价内容"], {"order_no": "订单编号", "rating": "描述相符", "text": "评价内容"}),
        ("douyin", ["商品ID", "商品评分", "评价内容(必填)"], {"product_sku": "商品ID", "rating": "商品评分", "text": "评价内容(必填)"}),
        ("xiaohongshu", ["内容", "作者昵称"], {"text": "内容", "customer_nickname": "作者昵称"}),
    ],
)  # fmt: skip
def test_guess(channel: str, columns: list[str], expected: dict[str, str]) -> None:
    result = guess(columns, channel)
    assert result.mapping.columns == expected
    assert 0 < result.confidence <= 1
    assert set(result.unused) == set(columns) - set(expected.values())


@pytest.mark.parametrize("column", ["review", "text", "content", "评论内容", "评价内容"])
def test_guess_generic_text(column: str) -> None:
    assert guess(["x", column]).mapping.columns["text"] == column


def test_guess_of_a_label() -> None:
    columns = ["source", "category", "label", "review"]
    result = guess(columns, samples=[{"label": "1"}, {"label": "0"}])
    assert result.mapping.columns == {"channel": "source", "text": "review", "rating": "label"}
    assert result.mapping.values == {"rating": {"0": 1, "1": 5}}
    assert result.by_field["rating"] > guess(columns).by_field["rating"]
    assert "rating" not in guess(columns, samples=[{"label": "3"}]).mapping.columns


def test_guess_is_less_sure_of_vague_names() -> None:
    vague = guess(["商品的评价内容全文", "其他"], "taobao")
    assert vague.mapping.columns["text"] == "商品的评价内容全文"
    assert vague.confidence < guess(["评价内容", "评价时间"], "taobao").confidence


def test_guess_without_a_text() -> None:
    with pytest.raises(MappingError) as caught:
        guess(["评价时间", "星级", "评价数"])
    assert caught.value.code is Problem.MISSING_COLUMN
    assert "评价时间, 星级, 评价数" in str(caught.value)


def test_presets_are_sound() -> None:
    assert set(presets()) == {"generic", "taobao", "jd", "pinduoduo", "meituan", "dianping", "douyin"}
    for channel, fields in presets().items():
        assert set(fields) <= set(FIELDS), channel
        assert fields["text"], channel


# -- codes ---------------------------------------------------------------------------------------------------
def test_every_code_has_a_template() -> None:
    import string

    for problem in Problem:
        assert problem.template.endswith("."), problem
        names = [name for _, name, _, _ in string.Formatter().parse(problem.template) if name]
        assert problem.render(dict.fromkeys(names, "?"))
        assert problem == problem.value == str(problem)
