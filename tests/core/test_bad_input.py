"""What nobody types but somebody sends: no page answers it with a crash."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.core.exceptions import InvalidInput
from apps.core.models import StoredFile
from apps.core.numbers import whole_number, whole_numbers
from apps.feedback.fileformats import FileRefused, open_rows
from apps.feedback.models import Channel, ImportRun, SavedView
from apps.feedback.services import imports
from tests.factories import Cast, arrive, case

pytestmark = pytest.mark.django_db
QUEUE = "/admin/feedback/feedback/"
RUNS = "/admin/feedback/importrun/"
# A digit to `str.isdigit` that `int` refuses; more digits than `int` takes; more than a key has.
NUMBERS = ["²", "9" * 5000, "9" * 19, "9" * 18, "-1", "1\0", "١"]


def test_only_plain_numbers_count() -> None:
    assert [whole_number(text) for text in (*NUMBERS, "", "007", 17)] == [
        None, None, None, 10**18 - 1, None, None, None, None, 7, 17,
    ]  # fmt: skip
    assert whole_numbers(["2", "²", "1"]) == [2, 1]


@pytest.fixture
def client(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lin)
    return client


@pytest.fixture
def boss(django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("boss", password="x"))
    return client


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "page",
    [
        f"{QUEUE}?p=", f"{QUEUE}?import=", f"{QUEUE}pulse/?since=", f"{QUEUE}?q=F", f"{QUEUE}?q=",
        "/admin/customers/customer/?q=%23", "/admin/shop/calendarday/load/?year=", "/admin/core/actionlog/?q=",
    ],
)  # fmt: skip
def test_numbers_in_addresses(boss: Client, page: str, number: str) -> None:
    assert boss.get(page + number.replace("\0", "%00")).status_code in (200, 302)


@pytest.mark.parametrize("number", [number for number in NUMBERS if number != "-1"])
@pytest.mark.parametrize(
    "page", [f"{QUEUE}%s/change/", f"{RUNS}%s/change/", "/admin/core/integration/%s/change/"]
)
def test_numbers_of_pages(boss: Client, page: str, number: str) -> None:
    assert boss.get(page % number.replace("\0", "%00")).status_code in (302, 404)


def test_numbers_of_rows(boss: Client, cast: Cast) -> None:
    feedback = arrive("A")
    numbers = [number for number in NUMBERS if "\0" not in number]
    posted = {"ids": numbers, "id": numbers, "logs": numbers, "reason": "广告", "_confirmed": "1"}
    for page in ("bulk/close/", "bulk/dismiss/", "undo/"):
        assert boss.post(QUEUE + page, posted).status_code in (200, 302, 404, 422)
    assert boss.post(f"{QUEUE}{feedback.pk}/merge/", {"into": "F²", "reason": "同一件事"}).status_code < 500
    assert case(feedback.pk).status == feedback.status


def test_nul_in_what_is_typed(boss: Client, client: Client, cast: Cast) -> None:
    feedback = arrive("A")
    answer = client.post(f"{QUEUE}views/save/", {"name": "今\0天", "query": "tier=A\0", "team": "\0"})
    assert answer.status_code < 500
    assert set(SavedView.objects.values_list("name", flat=True)) <= {"今天"}
    assert client.get(f"{QUEUE}?q=%00龙井&category=%00").status_code == 200
    posted = {"id": [feedback.pk], "reason": "广告\0帖", "assignee": "a\0", "category": "x\0"}
    for verb in ("dismiss", "assign"):
        assert client.post(f"{QUEUE}bulk/{verb}/", posted).status_code < 500
    assert (
        client.post(f"{QUEUE}{feedback.pk}/quick/", {"category": "\0", "sentiment": "\0"}).status_code < 500
    )


# -- files
def given(cast: Cast, data: bytes) -> ImportRun:
    return imports.give_file(
        upload=SimpleUploadedFile("a.csv", data),
        channel=Channel.objects.get(code="taobao"),
        by=cast.alice,
        now=timezone.now(),
    ).run


@pytest.mark.parametrize("cell", ["²", "9" * 5000, "9" * 19])
def test_a_rejects_file_that_names_no_import(cast: Cast, cell: str) -> None:
    assert given(cast, f"评价内容,#import\n等了七天,{cell}\n".encode()).corrects is None


def test_no_file_stays_behind_without_a_run(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **options: Any) -> Any:
        raise RuntimeError("the disk came off")

    monkeypatch.setattr(imports, "read_sample", breaks)
    with pytest.raises(RuntimeError):
        given(cast, "评价内容\n等了七天\n".encode())
    monkeypatch.undo()
    with pytest.raises(InvalidInput):
        given(cast, "评价内容\n".encode())
    assert not StoredFile.objects.exists()


ENCODINGS = [
    "hex",
    "zlib",
    "idna",
    "undefined",
    "rot13",
    "punycode",
    "utf-8\0",
    "base64",
    "unicode_escape",
    "x" * 200,
]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_no_encoding_of_a_text_is_refused(tmp_path: Any, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("评价内容\n等了七天\n")
    with pytest.raises(FileRefused) as caught:
        with open_rows(path, encoding=encoding):
            pass
    assert caught.value.code == "unknown_encoding"


@pytest.mark.parametrize("encoding", [*ENCODINGS, "", "gb18030"])
def test_the_columns_page_takes_only_encodings_it_offers(boss: Client, cast: Cast, encoding: str) -> None:
    run = given(cast, "评价内容,评价结果\n等了七天,差\0评\n".encode())
    posted = {
        "encoding": encoding, "column-0": "text", "column-1": "rating",
        "value-rating-0-key": "差\0评", "value-rating-0": "²",
    }  # fmt: skip
    answer = boss.post(f"{RUNS}{run.pk}/columns/", posted)
    assert answer.status_code == 422
    assert boss.post(f"{RUNS}{run.pk}/columns/", posted | {"value-rating-0": "1"}).status_code in (302, 422)
    run.refresh_from_db()
    assert "\0" not in str(run.mapping)
