"""The import pages as the people who use them: file → columns → check → run → report."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone, translation

from apps.core.models import ActionLog, StaffNotice, StoredFile, User
from apps.core.services.files import local_path
from apps.feedback.models import Channel, Feedback, ImportMapping, ImportRun
from apps.feedback.problem_texts import fix_text
from apps.feedback.selectors.imports import shown_cell
from apps.feedback.services import file_import, import_work, imports
from apps.feedback.services.file_import import import_file
from apps.shop.models import StaffProfile
from tests.factories import Cast, queries

pytestmark = pytest.mark.django_db
LIST = "/admin/feedback/importrun/"
YESTERDAY = (timezone.localtime() - timedelta(days=1)).strftime("%Y-%m-%d")
# Headers as the platforms' own exports have them.
TAOBAO = ("评价编号", "订单编号", "买家会员名", "宝贝标题", "评价结果", "评价内容", "评价时间", "联系电话")
JD = ("评价ID", "订单编号", "用户昵称", "商品编号", "评价星级", "评价内容", "评价时间", "店铺名称")
MEITUAN = ("评价ID", "门店名称", "用户昵称", "总体评分", "评价内容", "评价时间", "商家回复")
TB_ROWS = [
    ["88001", "2026112200012345", "小***鱼", "龙井茶", "好评", "茶叶很香，包装也好", f"{YESTERDAY} 08:05:00", "13812345678"],
    ["88002", "2026112200012346", "tb***9", "龙井茶", "差评", "等了七天才到，太慢了，要求退款", f"{YESTERDAY} 09:10:00", ""],
    ["88003", "2026112200012347", "阿***明", "普洱茶", "中评", "味道一般", f"{YESTERDAY} 10:00:00", ""],
]  # fmt: skip


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([columns, *rows])
    return stream.getvalue().encode(encoding)


def as_xlsx(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for line in (columns, *rows):
        book.active.append(list(line))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(cast: Cast) -> Client:
    return login(cast.alice)


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The broker is down in every test here: what is wanted must be found in the database."""
    asked: list[int] = []

    def down(run_id: int) -> None:
        asked.append(run_id)
        raise OSError("no broker")

    from apps.feedback import tasks

    monkeypatch.setattr(tasks.work_on_import_task, "delay", down)
    return asked


def give(
    client: Client, data: bytes, *, name: str = "评价.csv", channel: str = "taobao", **extra: Any
) -> Any:
    """Upload it as a person does."""
    return client.post(
        f"{LIST}add/",
        {
            "file": SimpleUploadedFile(name, data),
            "channel": Channel.objects.get(code=channel).pk,
            "mode": "auto",
            **extra,
        },
    )


def newest() -> ImportRun:
    return ImportRun.objects.order_by("-id")[0]


def page(run: ImportRun, name: str) -> str:
    return f"{LIST}{run.pk}/{name}/"


def chosen(client: Client, run: ImportRun) -> dict[str, str]:
    """What the columns page proposes, as its form would send it."""
    answer = client.get(page(run, "columns"))
    assert answer.status_code == 200
    data = {f"column-{head['index']}": head["chosen"] for head in answer.context["heads"]}
    for found in answer.context["maps"]:
        for index, (value, target) in enumerate(found["pairs"]):
            data[f"value-{found['field']}-{index}-key"] = value
            data[f"value-{found['field']}-{index}"] = target
    return data | {"encoding": answer.context["encoding"]}


def check(client: Client, run: ImportRun, **changes: str) -> Any:
    answer = client.post(page(run, "columns"), chosen(client, run) | changes)
    run.refresh_from_db()
    return answer


def sweep() -> int:
    return import_work.sweep_imports(clock=timezone.now)


def through(client: Client, data: bytes, **options: Any) -> ImportRun:
    """A file all the way in."""
    assert give(client, data, **options).status_code == 302
    run = newest()
    assert check(client, run).status_code == 302
    assert run.state == "ready", run.message
    assert client.post(f"{LIST}{run.pk}/move/start/", {"seen": "ready"}).status_code == 302
    sweep()
    run.refresh_from_db()
    return run


def counts(run: ImportRun) -> tuple[int, ...]:
    return run.read, run.created, run.duplicates, run.near_duplicates, run.rejected, run.changed


# -- the path
@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("评价.csv", as_csv(TAOBAO, TB_ROWS), "utf-8"),
        ("评价.csv", as_csv(TAOBAO, TB_ROWS, "utf-8-sig"), "utf-8-sig"),
        ("评价.csv", as_csv(TAOBAO, TB_ROWS, "gb18030"), "gb18030"),
        ("评价.csv", as_csv(TAOBAO, TB_ROWS, "utf-16"), "utf-16"),
        ("评价.csv.gz", gzip.compress(as_csv(TAOBAO, TB_ROWS, "gb18030"), mtime=0), "gb18030"),
        ("评价.xlsx", as_xlsx(TAOBAO, TB_ROWS), ""),
    ],
)
def test_from_the_file_to_the_report(alice: Client, name: str, data: bytes, encoding: str) -> None:
    assert give(alice, data, name=name).status_code == 302
    run = newest()
    assert (run.state, run.encoding, run.file_name) == ("draft", encoding, name)
    text = alice.get(page(run, "columns")).content.decode()
    assert "茶叶很香" in text
    assert "13812345678" not in text
    assert check(alice, run)["Location"] == page(run, "check")
    assert run.state == "ready", run.message
    assert {k: run.checked[k] for k in ("read", "created", "duplicates", "rejected")} == {
        "read": 3, "created": 3, "duplicates": 0, "rejected": 0,
    }  # fmt: skip
    assert Feedback.objects.count() == 0
    assert alice.get(page(run, "check")).status_code == 200
    assert alice.post(f"{LIST}{run.pk}/move/start/", {"seen": "ready"})["Location"] == page(run, "change")
    run.refresh_from_db()
    assert run.state == "queued"
    assert alice.get(page(run, "run")).status_code == 200
    assert sweep() == 1
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", (3, 3, 0, 0, 0, 0))
    assert set(Feedback.objects.values_list("external_id", "rating", "source")) == {
        ("88001", 5, "file"), ("88002", 1, "file"), ("88003", 3, "file"),
    }  # fmt: skip
    report = alice.get(page(run, "report")).content.decode()
    assert f"import={run.pk}" in report
    assert StaffNotice.objects.filter(recipient=run.by, url=import_work.page_of(run.pk)).count() == 1
    verbs = ActionLog.objects.filter(model="feedback.importrun", object_id=run.pk).order_by("id")
    assert [log.verb for log in verbs] == ["give", "edit", "check", "checked", "start", "work", "finish"]


@pytest.mark.parametrize(
    ("channel", "columns", "row", "expect"),
    [
        ("jd", JD, ["J1", "123456789012345678", "j***n", "TEA-1", "4星", "还行", f"{YESTERDAY} 08:00", "人民路店"], 4),
        ("meituan", MEITUAN, ["M1", "人民路店", "匿名用户", "2", "等位太久", f"{YESTERDAY} 08:00", "抱歉"], 2),
    ],
)  # fmt: skip
def test_presets_of_other_platforms(
    alice: Client, cast: Cast, channel: str, columns: tuple[str, ...], row: list[str], expect: int
) -> None:
    run = through(alice, as_xlsx(columns, [row]), name="a.xlsx", channel=channel)
    assert counts(run) == (1, 1, 0, 0, 0, 0), run.problems
    assert Feedback.objects.get().rating == expect
    assert Feedback.objects.get().store == cast.store


def test_every_step_has_its_address_and_leads_to_where_the_run_stands(alice: Client) -> None:
    give(alice, as_csv(TAOBAO, TB_ROWS))
    run = newest()
    assert alice.get(f"{LIST}{run.pk}/change/")["Location"] == page(run, "columns")
    for name in ("file", "columns"):
        assert alice.get(page(run, name)).status_code == 200
    for name in ("run", "undo", "check"):
        assert alice.get(page(run, name)).status_code in (302, 403)
    check(alice, run)
    assert alice.get(f"{LIST}{run.pk}/change/")["Location"] == page(run, "check")
    # Back to the columns and on again, as often as one likes.
    assert check(alice, run).status_code == 302
    alice.post(f"{LIST}{run.pk}/move/start/")
    assert alice.get(page(run, "columns"))["Location"] == page(run, "run")
    assert alice.post(page(run, "columns"), {"column-0": "text"})["Location"] == page(run, "run")
    sweep()
    assert alice.get(page(run, "run"))["Location"] == page(run, "report")
    assert alice.get(page(run, "check")).status_code == 200


# -- the file
@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.csv", b"", ""),
        ("a.csv", "评价内容\n".encode(), ""),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_excel"),
        ("a.csv", b"%PDF-1.7 something", "wrong_type"),
        ("a.xls", b"<html><table><tr><td>1</td></tr></table>", "wrong_type"),
        ("a.xlsx", b"PK\x03\x04 broken", "damaged"),
        ("a.csv.gz", gzip.compress(as_csv(TAOBAO, TB_ROWS), mtime=0)[:60], "damaged"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"aaaaaaa,bbbbbbb\n" * (5 * 1024 * 1024), mtime=0), "zip_bomb"),
    ],
)
def test_files_that_cannot_be_read_are_refused_with_what_to_do(
    alice: Client, name: str, data: bytes, code: str
) -> None:
    before = StoredFile.objects.count()
    answer = give(alice, data, name=name, store="")
    assert answer.status_code == 422
    assert answer.context["form"].errors["file"]
    assert answer.context["form"]["channel"].value()
    assert (ImportRun.objects.count(), StoredFile.objects.count()) == (0, before)
    if code:
        with translation.override("zh-hans"):
            assert fix_text(code) in answer.content.decode()


def test_a_file_above_the_limit_is_refused(alice: Client, settings: Any) -> None:
    settings.FEEDBACK_IMPORT_MAX_MB = 1
    answer = give(alice, as_csv(("评价内容",), [["啊" * 1000]] * 400))
    assert answer.status_code == 422
    assert "1 MB" in str(answer.context["form"].errors["file"])
    assert StoredFile.objects.count() == 0


def test_a_refused_file_leaves_nothing_on_disk(
    alice: Client, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert give(alice, b"%PDF-1.7 something").status_code == 422
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_the_same_file_again_leads_to_its_import(alice: Client, cast: Cast) -> None:
    data = as_csv(TAOBAO, TB_ROWS)
    give(alice, data)
    run = newest()
    files = StoredFile.objects.count()
    for _ in range(2):
        answer = give(alice, data, name="别的名字.csv")
        assert answer.status_code == 409
        assert f"{LIST}{run.pk}/change/" in answer.content.decode()
    assert (ImportRun.objects.count(), StoredFile.objects.count()) == (1, files)
    assert give(alice, data, channel="tmall").status_code == 302


def test_a_file_of_the_command_is_known_and_can_go_on_here(alice: Client, tmp_path: Any) -> None:
    data = as_csv(TAOBAO, TB_ROWS)
    (tmp_path / "a.csv").write_bytes(data)
    import_file(path=tmp_path / "a.csv", channel="taobao")
    assert give(alice, data).status_code == 409
    run = newest()
    assert (run.state, run.created, run.file is not None) == ("done", 3, True)
    assert alice.get(page(run, "report")).status_code == 200


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"complete": "on"}, "snapshot_store"),
        ({"complete": "on", "snapshot_store": "S"}, "snapshot_from"),
        ({"complete": "on", "snapshot_store": "S", "snapshot_from": "2026-11-01"}, "snapshot_to"),
        ({"complete": "on", "snapshot_store": "S", "snapshot_from": "2026-11-02", "snapshot_to": "2026-11-01"}, "snapshot_to"),
        ({"channel": "0"}, "channel"),
        ({"mode": "never"}, "mode"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(
    alice: Client, cast: Cast, extra: dict[str, Any], field: str
) -> None:
    if "snapshot_store" in extra:
        extra = extra | {"snapshot_store": cast.store.pk}
    data = {"file": SimpleUploadedFile("a.csv", as_csv(TAOBAO, TB_ROWS)), "mode": "auto"}
    data["channel"] = Channel.objects.get(code="taobao").pk
    answer = alice.post(f"{LIST}add/", data | extra)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert ImportRun.objects.count() == 0


def test_a_complete_list_is_kept_as_data_and_options_can_be_changed(alice: Client, cast: Cast) -> None:
    period = {"complete": "on", "snapshot_from": "2026-11-01", "snapshot_to": "2026-11-20"}
    give(alice, as_csv(TAOBAO, TB_ROWS), snapshot_store=cast.store.pk, store=cast.store.pk, **period)
    run = newest()
    assert run.snapshot == {"store": cast.store.code, "from": "2026-11-01", "to": "2026-11-20"}
    assert run.store == cast.store
    check(alice, run)
    answer = alice.post(
        page(run, "file"), {"channel": Channel.objects.get(code="tmall").pk, "mode": "historical"}
    )
    assert answer["Location"] == page(run, "columns")
    run.refresh_from_db()
    assert (run.state, run.channel.code, run.mode, run.snapshot, run.store) == (
        "draft", "tmall", "historical", {}, None,
    )  # fmt: skip
    assert run.mapping == {}


def test_rows_without_a_store_get_the_files_store(alice: Client, cast: Cast) -> None:
    run = through(alice, as_csv(TAOBAO, TB_ROWS), store=cast.store.pk)
    assert run.created == 3
    assert set(Feedback.objects.values_list("store", flat=True)) == {cast.store.pk}


@pytest.mark.parametrize(("mode", "historical"), [("auto", [False, True]), ("historical", [True, True]), ("new", [False, False])])  # fmt: skip
def test_new_or_historical(alice: Client, mode: str, historical: list[bool]) -> None:
    rows = [["昨天的评价内容", YESTERDAY], ["很久以前的评价", "2020-01-01"]]
    through(alice, as_csv(("评价内容", "评价时间"), rows), mode=mode)
    assert list(Feedback.objects.order_by("source_row").values_list("is_historical", flat=True)) == historical


# -- the columns
def test_the_encoding_can_be_changed(alice: Client) -> None:
    give(alice, as_csv(TAOBAO, TB_ROWS, "gb18030"))
    run = newest()
    wrong = alice.post(page(run, "columns"), {"encoding": "big5", "refresh": "1"})
    assert wrong.status_code == 200
    assert "茶叶很香" not in wrong.content.decode()
    right = alice.post(page(run, "columns"), {"encoding": "gb18030", "refresh": "1"})
    assert "茶叶很香" in right.content.decode()
    assert newest().encoding == "gb18030"
    nonsense = alice.post(page(run, "columns"), {"encoding": "klingon", "refresh": "1"})
    assert "klingon" in nonsense.context["error"]


def test_the_text_is_needed_and_no_field_twice(alice: Client) -> None:
    give(alice, as_csv(TAOBAO, TB_ROWS))
    run = newest()
    proposal = chosen(alice, run)
    place = next(name for name, field in proposal.items() if field == "text")
    missing = alice.post(page(run, "columns"), proposal | {place: ""})
    assert missing.status_code == 422
    assert missing.context["error"]
    # What was chosen stays chosen.
    assert {head["chosen"] for head in missing.context["heads"]} >= {"rating", "order_no"}
    twice = alice.post(page(run, "columns"), proposal | {"column-3": "text"})
    assert twice.status_code == 422
    assert "宝贝标题" in twice.context["error"]
    run.refresh_from_db()
    assert (run.state, ImportMapping.objects.count()) == ("draft", 0)


def test_values_are_said_in_our_words_and_remembered(alice: Client) -> None:
    columns = ("内容", "等第", "来源")
    rows = [["很好喝的茶叶", "甲"], ["难喝的一杯茶", "丁"], ["说不上来的味道", "乙"]]
    give(alice, as_csv(columns, [[*row, "x"] for row in rows]), channel="other")
    run = newest()
    data = chosen(alice, run) | {"column-1": "rating", "column-2": ""}
    shown = alice.post(page(run, "columns"), data | {"refresh": "1"})
    (stars,) = [m for m in shown.context["maps"] if m["field"] == "rating"]
    assert stars["pairs"] == [("甲", ""), ("丁", ""), ("乙", "")]
    for index, (value, star) in enumerate([("甲", "5"), ("丁", "1")]):
        data |= {f"value-rating-{index}-key": value, f"value-rating-{index}": star}
    alice.post(page(run, "columns"), data)
    run.refresh_from_db()
    # 乙 was given no meaning, is no rating by itself, and says so.
    assert (run.checked["created"], list(run.checked["problems"])) == (2, ["bad_rating"])
    alice.post(f"{LIST}{run.pk}/move/start/")
    sweep()
    assert list(Feedback.objects.order_by("source_row").values_list("rating", flat=True)) == [5, 1]
    # The next file of this platform with these columns is known.
    give(alice, as_csv(columns, [["又一条评价内容", "丁", "x"]]), channel="other")
    again = alice.get(page(newest(), "columns"))
    assert again.context["origin"] == "remembered"
    assert [head["chosen"] for head in again.context["heads"]] == ["text", "rating", ""]
    assert ("丁", "1") in again.context["maps"][0]["pairs"]
    give(alice, as_csv((*columns, "备注"), [["再一条评价内容", "丁", "x", ""]]), channel="other")
    assert alice.get(page(newest(), "columns")).context["origin"] != "remembered"


def test_forged_columns_and_values_are_refused(alice: Client) -> None:
    give(alice, as_csv(TAOBAO, TB_ROWS))
    run = newest()
    proposal = chosen(alice, run)
    forged = proposal | {"value-rating-0-key": "好评", "value-rating-0": "9"}
    assert alice.post(page(run, "columns"), forged).status_code == 422
    odd = alice.post(page(run, "columns"), proposal | {"column-0": "password"})
    assert odd.status_code == 302
    run.refresh_from_db()
    assert "password" not in run.mapping["fields"]


@pytest.mark.parametrize(
    ("name", "cell", "never"),
    [
        ("customer_phone", "13812345678", "13812345678"),
        ("customer_email", "zhang.wei@example.com", "zhang.wei"),
        ("customer_nickname", "张伟明", "伟明"),
        ("order_no", "2026112200012345", "2026112200012345"),
        ("text", "打我电话13812345678", "13812345678"),
        ("", "13812345678", "13812345678"),
    ],
)
def test_the_preview_masks(name: str, cell: str, never: str) -> None:
    assert never not in shown_cell(cell, name)


# -- the check
BAD = [
    ["1", "O1", "", "", "好评", "   ", YESTERDAY, ""],
    ["2", "O2", "", "", "好评", "日期不认识", "前天", ""],
    ["3", "1.23E+17", "", "", "好评", "单号被吃了", YESTERDAY, ""],
    ["4", "O4", "=CMD()", "", "五毛", "星级不认识", YESTERDAY, ""],
]


def test_the_check_foretells_what_the_run_then_does(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "CHUNK", 3)
    through(alice, as_csv(TAOBAO, TB_ROWS))
    near = "这家店的茶叶味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"
    rows = [
        *BAD,
        TB_ROWS[0],
        [*TB_ROWS[1][:5], "改过的评价内容了", *TB_ROWS[1][6:]],
        ["N1", "O7", "", "", "好评", near, YESTERDAY, ""],
        ["N2", "O8", "", "", "好评", near + "!", YESTERDAY, ""],
        ["N1", "O7", "", "", "好评", near + "又改", YESTERDAY, ""],
        ["N1", "O7", "", "", "好评", near, YESTERDAY, ""],
        ["", "", "", "", "差评", "没有编号的一条", YESTERDAY, ""],
    ]
    run = through(alice, as_csv(TAOBAO, rows))
    foretold = tuple(
        run.checked[name]
        for name in ("read", "created", "duplicates", "near_duplicates", "rejected", "changed")
    )
    assert foretold == counts(run) == (11, 3, 4, 1, 4, 3)
    assert run.checked["problems"] == run.problems
    assert set(run.problems) == {"text_missing", "bad_date", "lossy_number", "bad_rating"}
    text = alice.get(page(run, "report")).content.decode()
    assert "2025-09-01 08:05" in text  # how to fix a date


def test_large_files_are_checked_in_the_background(
    alice: Client, settings: Any, no_broker: list[int]
) -> None:
    settings.FEEDBACK_IMPORT_AT_ONCE_ROWS = 2
    give(alice, as_csv(TAOBAO, TB_ROWS))
    run = newest()
    check(alice, run)
    assert run.state == "checking"
    answer = alice.get(page(run, "check"))
    assert "data-progress" in answer.content.decode()
    assert '<noscript><meta http-equiv="refresh"' in answer.content.decode()
    # A check that somebody works on is left alone.
    ImportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now(), worker="other")
    assert sweep() == 0
    ImportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=10))
    assert sweep() == 1
    run.refresh_from_db()
    assert (run.state, run.checked["created"]) == ("ready", 3)


def test_a_check_that_cannot_be_made_leads_back_with_its_message(alice: Client) -> None:
    give(alice, as_csv(TAOBAO, TB_ROWS))
    run = newest()
    check(alice, run)
    # The kept file is gone from the disk.
    with local_path(run.file) as where:
        where.unlink()
    ImportRun.objects.filter(pk=run.pk).update(state="checking", heartbeat_at=None)
    sweep()
    run.refresh_from_db()
    assert run.state == "draft"
    assert run.message


# -- rejects
def test_rejects_are_fixed_given_again_and_linked(alice: Client, cast: Cast) -> None:
    run = through(alice, as_csv(TAOBAO, [*TB_ROWS, *BAD]))
    assert (run.created, run.rejected) == (3, 4)
    answer = alice.get(page(run, "rejects"))
    data = b"".join(answer.streaming_content)
    assert data.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert lines[0] == [*TAOBAO, "#row", "#problem", "#import"]
    assert {line[-1] for line in lines[1:]} == {str(run.pk)}
    assert [line for line in lines[1:] if line[2] == "'=CMD()"]
    assert (
        ActionLog.objects.filter(model="feedback.importrun", verb="download_rejects", by=cast.alice).count()
        == 1
    )
    for line in lines[1:]:
        line[1], line[4], line[5], line[6] = "O" + line[0], "差评", line[5].strip() or "补上的话", YESTERDAY
    lines[-1][5] = " "
    again = through(alice, as_csv(lines[0], lines[1:], "utf-8-sig"), name="改好的.csv")
    assert again.corrects == run
    assert (again.created, again.rejected) == (3, 1)
    assert f"{LIST}{again.pk}/change/" in alice.get(page(run, "report")).content.decode()
    # Extra columns do not pile up.
    third = b"".join(alice.get(page(again, "rejects")).streaming_content).decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(third))) == [*TAOBAO, "#row", "#problem", "#import"]


def test_importing_again_takes_in_what_was_rejected(alice: Client, cast: Cast) -> None:
    columns = ("评价内容", "店铺名称")
    run = through(alice, as_csv(columns, [["一条好的评价", "人民路店"], ["一条找不到门店的", "火星店"]]))
    assert counts(run)[:5] == (2, 1, 0, 0, 1)
    cast.store.aliases = ["人民路旗舰店", "火星店"]
    cast.store.save()
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    alice.post(f"{LIST}{run.pk}/move/again/", {"seen": "done"})
    sweep()
    run.refresh_from_db()
    assert (run.state, counts(run)[:5], run.rejects_file) == ("done", (2, 2, 0, 0, 0), None)
    assert Feedback.objects.count() == 2


# -- pause and resume, and whoever is gone
def many(count: int = 40) -> bytes:
    return as_csv(
        ("评价内容", "买家昵称"), [[f"第{n}位顾客说快递太慢了等了{n}天", f"客{n}"] for n in range(count)]
    )


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Ten rows a chunk; `acts` maps the number of a chunk to what happens right after it."""
    monkeypatch.setattr(file_import, "CHUNK", 10)
    yield []


def after_chunk(monkeypatch: pytest.MonkeyPatch, number: int, act: Any) -> None:
    real, calls = file_import.take_in, []

    def watched(*args: Any, **options: Any) -> Any:
        outcomes = real(*args, **options)
        if options.get("dry_run") is None:
            calls.append(1)
            if len(calls) == number:
                act()
        return outcomes

    monkeypatch.setattr(file_import, "take_in", watched)


def ready(client: Client, data: bytes) -> ImportRun:
    give(client, data)
    run = newest()
    check(client, run)
    client.post(f"{LIST}{run.pk}/move/start/")
    run.refresh_from_db()
    assert run.state == "queued"
    return run


def test_pause_stops_between_chunks_and_resume_doubles_nothing(
    alice: Client, small_chunks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ready(alice, many())
    after_chunk(monkeypatch, 2, lambda: alice.post(f"{LIST}{run.pk}/move/pause/", {"seen": "running"}))
    sweep()
    run.refresh_from_db()
    assert (run.state, Feedback.objects.count()) == ("paused", 20)
    assert sweep() == 0
    assert alice.get(page(run, "run")).status_code == 200
    alice.post(f"{LIST}{run.pk}/move/resume/", {"seen": "paused"})
    sweep()
    run.refresh_from_db()
    assert (run.state, counts(run)) == ("done", (40, 40, 0, run.near_duplicates, 0, 0))
    assert Feedback.objects.values("source_row").distinct().count() == Feedback.objects.count() == 40


def test_pause_before_it_began(alice: Client) -> None:
    run = ready(alice, many(3))
    alice.post(f"{LIST}{run.pk}/move/pause/", {"seen": "queued"})
    assert sweep() == 0
    assert Feedback.objects.count() == 0


def test_a_stale_button_does_nothing(alice: Client) -> None:
    run = ready(alice, many(3))
    sweep()
    alice.post(f"{LIST}{run.pk}/move/pause/", {"seen": "running"})
    alice.post(f"{LIST}{run.pk}/move/start/", {"seen": "ready"})
    run.refresh_from_db()
    assert run.state == "done"


def test_a_worker_that_was_thought_dead_changes_nothing_more(
    alice: Client, small_chunks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ready(alice, many())

    def taken_over() -> None:
        ImportRun.objects.filter(pk=run.pk).update(worker="another", heartbeat_at=timezone.now())

    after_chunk(monkeypatch, 2, taken_over)
    sweep()
    run.refresh_from_db()
    assert (run.state, run.worker, run.read, Feedback.objects.count()) == ("running", "another", 10, 20)


def test_a_worker_that_is_gone_is_noticed_and_nothing_doubles(
    alice: Client, small_chunks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ready(alice, many())

    def killed() -> None:
        raise KeyboardInterrupt

    after_chunk(monkeypatch, 3, killed)
    with pytest.raises(KeyboardInterrupt):
        sweep()
    monkeypatch.undo()
    run.refresh_from_db()
    # What was not counted yet is not there either.
    assert (run.state, run.read, Feedback.objects.count()) == ("running", 20, 20)
    assert sweep() == 0
    later = timezone.now() + timedelta(minutes=10)
    assert import_work.sweep_imports(clock=lambda: later) == 1
    run.refresh_from_db()
    assert (run.state, run.created, run.duplicates) == ("done", 40, 0)
    assert ActionLog.objects.filter(object_id=run.pk, verb="take_over").count() == 1


def test_a_fault_ends_the_run_with_words_and_it_can_go_on(
    alice: Client, small_chunks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ready(alice, many())

    def fault() -> None:
        raise ValueError("boom")

    after_chunk(monkeypatch, 1, fault)
    with pytest.raises(ValueError, match="boom"):
        import_work.work_on(run_id=run.pk, clock=timezone.now)
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.message
    assert "boom" not in run.message
    assert StaffNotice.objects.filter(recipient=run.by, level="warning").count() == 1
    monkeypatch.undo()
    alice.post(f"{LIST}{run.pk}/move/again/", {"seen": "failed"})
    sweep()
    run.refresh_from_db()
    assert (run.state, run.created, Feedback.objects.count()) == ("done", 40, 40)


def test_imports_leave_room_for_other_work(alice: Client) -> None:
    first, second = ready(alice, many(3)), ready(alice, many(4))
    ImportRun.objects.filter(pk=first.pk).update(state="running", worker="w", heartbeat_at=timezone.now())
    assert sweep() == 0
    second.refresh_from_db()
    assert second.state == "queued"


def test_a_long_check_waits_for_its_turn_and_a_short_one_does_not(alice: Client, settings: Any) -> None:
    running = ready(alice, many(3))
    ImportRun.objects.filter(pk=running.pk).update(state="running", worker="w", heartbeat_at=timezone.now())
    give(alice, as_csv(TAOBAO, TB_ROWS))
    short = newest()
    check(alice, short)
    assert short.state == "ready"
    settings.FEEDBACK_IMPORT_AT_ONCE_ROWS = 2
    give(alice, many(5))
    long = newest()
    check(alice, long)
    assert (long.state, sweep()) == ("checking", 0)
    assert alice.get(page(long, "progress")).json()["line"]
    ImportRun.objects.filter(pk=running.pk).update(state="done", worker="")
    assert sweep() == 1


def test_progress_is_told_as_json(alice: Client) -> None:
    run = ready(alice, many(3))
    ImportRun.objects.filter(pk=run.pk).update(
        state="running", read=500, share=0.25, seconds=5.0, created=499
    )
    data = alice.get(page(run, "progress")).json()
    assert (data["state"], data["percent"], data["figures"]["read"]) == ("running", 25, "500")
    assert "100" in data["line"]


# -- who may
def test_each_page_asks_for_its_permission(cast: Cast, alice: Client) -> None:
    run = through(alice, as_csv(TAOBAO, [*TB_ROWS, *BAD]))
    give(alice, many(3))
    draft = newest()
    ann, sue, lin = login(cast.ann), login(cast.sue), login(cast.lin)
    # The analyst may look at imports, not make them, and sees no rows of a file.
    assert ann.get(LIST).status_code == 200
    assert ann.get(page(run, "report")).status_code == 200
    assert page(run, "rejects") not in ann.get(page(run, "report")).content.decode()
    for name in ("rejects", "undo", "columns", "file", "discard"):
        assert (
            ann.get(page(draft if name in ("columns", "file", "discard") else run, name)).status_code == 403
        )
    assert give(ann, many(5)).status_code == 403
    for verb in ("start", "again", "pause", "resume"):
        assert ann.post(f"{LIST}{run.pk}/move/{verb}/").status_code == 403
    # Store staff have nothing to do with imports.
    for name in ("report", "progress", "check", "run", "rejects", "columns", "undo", "change"):
        assert sue.get(page(run, name)).status_code == 403
    assert sue.get(f"{LIST}add/").status_code == 403
    # Who imports may not undo; the lead may.
    assert alice.get(page(run, "undo")).status_code == 403
    assert alice.post(page(run, "undo"), {"reason": "试试"}).status_code == 403
    assert lin.get(page(run, "undo")).status_code == 200
    # The platform's export itself holds everybody's phones: nobody opens it past the pages that keep a trace.
    stored = f"/admin/core/storedfile/{run.file_id}/open/"
    assert {client.get(stored).status_code for client in (ann, sue, lin, alice)} == {403}
    assert Feedback.objects.count() == 3


def test_people_of_single_stores_see_only_their_own_imports(cast: Cast, alice: Client) -> None:
    run = through(alice, many(3))
    StaffProfile.objects.get(user=cast.bob).stores.set([cast.store])
    bob = login(cast.bob)
    assert bob.get(page(run, "report")).status_code == 404
    assert run.file_name not in bob.get(LIST).content.decode()
    assert give(bob, many(3)).status_code == 422  # known, but not theirs to see


def test_a_get_changes_nothing(alice: Client, cast: Cast) -> None:
    run = ready(alice, many(3))
    logs = ActionLog.objects.count()
    for verb in ("pause", "start", "again", "resume"):
        alice.get(f"{LIST}{run.pk}/move/{verb}/")
    login(cast.lin).get(page(run, "undo"))
    alice.get(page(run, "discard"))
    run.refresh_from_db()
    assert (run.state, ActionLog.objects.count()) == ("queued", logs)


def test_drafts_can_be_thrown_away_and_runs_not(
    alice: Client, django_capture_on_commit_callbacks: Any, settings: Any
) -> None:
    give(alice, many(3))
    draft = newest()
    assert alice.get(page(draft, "discard")).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        alice.post(page(draft, "discard"))
    assert (ImportRun.objects.count(), StoredFile.objects.count()) == (0, 0)
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []
    run = through(alice, many(3))
    alice.post(page(run, "discard"))
    assert (ImportRun.objects.count(), Feedback.objects.count()) == (1, 3)


# -- the list and the queue
def test_the_history_costs_the_same_for_1_and_50_rows(alice: Client, cast: Cast) -> None:
    channel = Channel.objects.get(code="taobao")

    def make(number: int) -> ImportRun:
        return ImportRun(
            sha256=f"{number:064d}", channel=channel, file_name="a.csv", started_at=timezone.now(), by=cast.bob,
            state="done", read=10, seconds=2,
        )  # fmt: skip

    make(0).save()
    alice.get(LIST)
    with queries() as one:
        assert alice.get(LIST).status_code == 200
    ImportRun.objects.bulk_create([make(number) for number in range(1, 51)])
    with queries() as fifty:
        assert alice.get(LIST).status_code == 200
    assert len(fifty.captured_queries) == len(one.captured_queries)
    assert not [q for q in fifty.captured_queries if '"problems"' in q["sql"]]


def test_the_queue_shows_the_rows_of_one_import(alice: Client, cast: Cast) -> None:
    first, second = through(alice, many(3)), through(alice, as_csv(TAOBAO, TB_ROWS))
    queue = alice.get("/admin/feedback/feedback/", {"tab": "all", "import": second.pk}).context["queue"]
    assert {row.import_run_id for row in queue.rows} == {second.pk}
    assert len(queue.rows) == 3
    assert queue.is_filtered
    assert f"import={second.pk}" in queue.link(tab="open")
    # An import nobody knows, or one they may not see, filters nothing away silently.
    for odd in ("999999", "x", "9" * 40):
        assert alice.get("/admin/feedback/feedback/", {"tab": "all", "import": odd}).status_code == 200
    assert first.pk != second.pk


def test_the_services_refuse_who_may_not(cast: Cast) -> None:
    from apps.core.exceptions import NotPermitted

    with pytest.raises(NotPermitted):
        imports.give_file(
            upload=SimpleUploadedFile("a.csv", many(3)),
            channel=Channel.objects.get(code="taobao"),
            by=cast.sue,
            now=timezone.now(),
        )


def test_rejects_as_a_workbook_keep_long_numbers_as_text(cast: Cast, tmp_path: Any) -> None:
    from openpyxl import load_workbook

    client = login(cast.lin)
    rows = [["1", "", "1", "2026-11-20 08:00", "2900123456789012345"]]
    header = ["评价编号", "评价内容", "星级", "评价时间", "订单号"]
    data = "\n".join([",".join(header), *(",".join(row) for row in rows)]).encode("gb18030")
    run = through(client, data)
    response = client.get(page(run, "rejects") + "?as=xlsx")
    assert response.status_code == 200
    book = tmp_path / "r.xlsx"
    book.write_bytes(b"".join(response.streaming_content))
    sheet = load_workbook(book).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert cells[0][:5] == header
    number = sheet.cell(2, 5)
    assert (number.value, number.data_type, number.number_format) == ("2900123456789012345", "s", "@")


def test_a_check_that_breaks_says_so_and_keeps_no_other_import_waiting(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = ready(alice, many(3)), ready(alice, many(4))
    ImportRun.objects.filter(pk=broken.pk).update(state="checking", worker="", heartbeat_at=None)
    ImportRun.objects.filter(pk=sound.pk).update(state="checking", worker="", heartbeat_at=None)
    real = import_work.import_file

    def breaks(**options: Any) -> Any:
        if options["run"].pk == broken.pk:
            raise ValueError("boom")
        return real(**options)

    monkeypatch.setattr(import_work, "import_file", breaks)
    assert sweep() == 2
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.state, sound.state) == ("draft", "ready")
    assert broken.message and "boom" not in broken.message


def test_a_number_cut_by_the_spreadsheet_shows_as_it_stands() -> None:
    from apps.feedback.selectors.imports import shown_cell

    cut = shown_cell("1.23E+17", "order_no")
    assert (cut, cut.spoilt) == ("1.23E+17", True)
    whole = shown_cell("123456789012345678", "order_no")
    assert (whole, whole.spoilt) == ("****5678", False)
