"""Taking an import back: all of it while nobody has touched it, never what somebody works on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.core.exceptions import InvalidInput, NotPermitted, ReasonNeeded, StaleState
from apps.core.models import ActionLog, StaffNotice
from apps.customers.models import Customer, CustomerIdentity, CustomerMerge
from apps.feedback.models import (
    Channel,
    Entry,
    Feedback,
    FeedbackSearch,
    ImportedCustomer,
    ImportRun,
    MysteryVisit,
    SlaClock,
    VisitFinding,
)
from apps.feedback.services import import_undo, import_work, imports, moves, promises
from apps.feedback.services.file_import import import_file
from apps.feedback.services.import_undo import undo
from apps.shop.models import WorkItem
from tests.factories import Cast, case, queries, take, voice

pytestmark = pytest.mark.django_db
YESTERDAY = (timezone.localtime() - timedelta(days=1)).strftime("%Y-%m-%d")
HEADER = "评价ID,评价内容,评价时间,买家ID,买家昵称,追评内容"
LINES = [
    f"U1,等了七天还没到，要求退款,{YESTERDAY} 08:00,buyer1,小王,又等了一天",
    f"U2,吃了拉肚子进医院了，食物中毒,{YESTERDAY} 08:00,buyer2,小李,",
    f"U3,很好喝，下次还来,{YESTERDAY} 08:00,buyer3,小张,",
    ",没有编号的一条评价,,,,",
    "U5,很久以前的评价,2020-01-01,buyer1,小王,",
]


def content(lines: list[str] | None = None) -> bytes:
    return "\n".join([HEADER, *(lines or LINES)]).encode()


def imported(cast: Cast, data: bytes | None = None) -> ImportRun:
    """A file given, checked and imported."""
    now = timezone.now
    given = imports.give_file(
        upload=SimpleUploadedFile("a.csv", data or content()),
        channel=Channel.objects.get(code="taobao"),
        by=cast.alice,
        now=now(),
    )
    run = given.run
    fields = {
        "text": "评价内容", "external_id": "评价ID", "posted_at": "评价时间", "customer_external_id": "买家ID",
        "customer_nickname": "买家昵称", "follow_up_text": "追评内容",
    }  # fmt: skip
    imports.choose_columns(
        run=run, fields=fields, values={}, encoding="utf-8", columns=tuple(HEADER.split(",")), by=cast.alice, now=now()
    )  # fmt: skip
    imports.ask_check(run=run, by=cast.alice, now=now(), at_once=True)
    import_work.work_on(run_id=run.pk, clock=now)
    run.refresh_from_db()
    imports.start(run=run, by=cast.alice, now=now())
    import_work.work_on(run_id=run.pk, clock=now)
    return fresh(run)


def fresh(run: ImportRun) -> ImportRun:
    return ImportRun.objects.get(pk=run.pk)


def take_back(run: ImportRun, cast: Cast, **options: Any) -> ImportRun:
    undo(run=run, by=cast.lin, now=timezone.now(), reason="导错渠道", **options)
    import_work.work_on(run_id=run.pk, clock=timezone.now)
    return fresh(run)


def everything() -> dict[str, int]:
    models = (Feedback, FeedbackSearch, SlaClock, Entry, Customer, CustomerIdentity, WorkItem)
    return {model.__name__: model.objects.count() for model in models} | {
        "logs": ActionLog.objects.filter(model="feedback.feedback").count(),
        "alarms": StaffNotice.objects.filter(url__startswith="/admin/feedback/feedback/").count(),
    }


def test_an_untouched_import_goes_without_a_trace_but_its_log(cast: Cast) -> None:
    take(voice("已经在的一条反馈", channel="taobao", customer={"external_id": "buyer1"}))
    before = everything()
    run = imported(cast)
    assert run.created == 5
    assert Feedback.objects.count() == 7  # one was there, one is a follow-up in its review's row
    assert everything()["Customer"] == before["Customer"] + 2
    assert everything()["WorkItem"] > 0 or not Feedback.objects.filter(tier="S").exists()
    run = take_back(run, cast)
    assert everything() == before
    assert (run.state, run.undone) == ("undone", 5)
    logs = ActionLog.objects.filter(model="feedback.importrun", object_id=run.pk).order_by("id")
    assert [(log.verb, log.by) for log in logs][-2:] == [("undo", cast.lin), ("undone", None)]
    assert logs.get(verb="undo").reason == "导错渠道"
    assert ImportedCustomer.objects.count() == 0
    assert {n.recipient for n in StaffNotice.objects.filter(dedupe_key__startswith=f"import:{run.pk}:")} == {
        cast.alice, cast.lin,
    }  # fmt: skip
    # The same file is free again and comes in as a new run.
    again = imported(cast)
    assert again.pk != run.pk
    assert (again.created, again.duplicates, Feedback.objects.count()) == (5, 0, 7)


TOUCHES: dict[str, Callable[[Feedback, Cast], Any]] = {
    "claimed": lambda f, c: moves.claim(feedback=f, by=c.bob, now=timezone.now()),
    "noted": lambda f, c: moves.add_note(feedback=f, text="先放着看看", by=c.bob, now=timezone.now()),
    "assigned": lambda f, c: moves.assign(
        feedback=f, to=c.max, by=c.lin, now=timezone.now(), reason="给经理"
    ),
    "contacted": lambda f, c: moves.record_contact(
        feedback=f, how="phone", said="已致电", by=c.bob, now=timezone.now()
    ),
    "closed": lambda f, c: moves.close(feedback=f, by=c.bob, now=timezone.now()),
    "dismissed": lambda f, c: moves.dismiss(feedback=f, by=c.bob, now=timezone.now(), reason="广告"),
    "corrected": lambda f, c: moves.correct(
        feedback=f, values={"sentiment": "neutral"}, by=c.bob, now=timezone.now()
    ),
    "changed by a later file": lambda f, c: take(
        voice("后来改过的评价内容", channel="taobao", external_id="U1"), now=timezone.now()
    ),
    "followed up from elsewhere": lambda f, c: take(
        voice("后来的追评内容", channel="taobao", follow_up_to="U1"), now=timezone.now()
    ),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_what_somebody_touched_keeps_the_undo_from_happening(cast: Cast, touch: str) -> None:
    run = imported(cast)
    touched = Feedback.objects.get(external_id="U1")
    TOUCHES[touch](touched, cast)
    before = everything()
    with pytest.raises(InvalidInput) as caught:
        undo(run=run, by=cast.lin, now=timezone.now(), reason="导错了")
    assert caught.value.code == "touched"
    assert (fresh(run).state, everything()) == ("done", before)
    run = take_back(run, cast, rest=True)
    # The touched review stays, with its follow-up gone or kept; all others are gone.
    assert run.state == "done"
    assert run.undone == 4
    assert Feedback.objects.filter(pk=touched.pk).exists()
    assert set(Feedback.objects.filter(import_run=run).values_list("external_id", flat=True)) == {"U1"}
    # Again brings the others back and doubles nothing.
    imports.again(run=run, by=cast.alice, now=timezone.now())
    import_work.work_on(run_id=run.pk, clock=timezone.now)
    run = fresh(run)
    assert (run.state, run.created) == ("done", 5)
    assert Feedback.objects.filter(import_run=run, source_row__lt=1_000_000_000).count() == 5


def test_a_started_self_check_is_work_too(cast: Cast) -> None:
    run = imported(cast)
    urgent = Feedback.objects.filter(import_run=run, tier="S").first()
    assert urgent is not None
    WorkItem.objects.filter(origin_key=f"feedback:{urgent.pk}:self_check").update(status="doing")
    run = take_back(run, cast, rest=True)
    assert list(Feedback.objects.filter(import_run=run).values_list("pk", flat=True)) == [urgent.pk]


def test_customers_who_have_anything_else_stay(cast: Cast) -> None:
    run = imported(cast)
    assert Customer.objects.count() == 3
    edited = CustomerIdentity.objects.get(external_id="buyer2").customer
    edited.note = "老顾客"
    edited.save()
    take(voice("另一条渠道的反馈", channel="taobao", customer={"external_id": "buyer3"}), now=timezone.now())
    take_back(run, cast)
    kept = CustomerIdentity.objects.values_list("external_id", flat=True)
    assert set(kept) == {"buyer2", "buyer3"}


def test_an_undo_that_breaks_off_goes_on(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    run = imported(cast)
    monkeypatch.setattr(import_undo, "CHUNK", 2)
    real, calls = import_undo._chunk, []

    def breaks(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(import_undo, "_chunk", breaks)
    undo(run=run, by=cast.lin, now=timezone.now(), reason="导错渠道")
    with pytest.raises(KeyboardInterrupt):
        import_work.work_on(run_id=run.pk, clock=timezone.now)
    assert (fresh(run).state, Feedback.objects.count()) == ("undoing", 4)
    # Somebody works on it, as far as anybody knows.
    assert import_work.sweep_imports(clock=timezone.now) == 0
    later = timezone.now() + timedelta(minutes=10)
    assert import_work.sweep_imports(clock=lambda: later) == 1
    assert (fresh(run).state, fresh(run).undone, Feedback.objects.count()) == ("undone", 5, 0)


def test_while_it_is_undone_nobody_imports_it(cast: Cast, tmp_path: Path) -> None:
    run = imported(cast)
    undo(run=run, by=cast.lin, now=timezone.now(), reason="导错渠道")
    path = tmp_path / "a.csv"
    path.write_bytes(content())
    with pytest.raises(InvalidInput) as caught:
        import_file(path=path, channel="taobao")
    assert caught.value.code == "undoing"
    import_work.work_on(run_id=run.pk, clock=timezone.now)
    assert import_file(path=path, channel="taobao").created == 5


def test_an_import_by_the_command_can_be_undone(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content())
    import_file(path=path, channel="taobao")
    run = take_back(ImportRun.objects.get(), cast)
    assert (run.state, Feedback.objects.count(), Customer.objects.count()) == ("undone", 0, 0)


def test_undo_needs_a_reason_and_the_permission(cast: Cast) -> None:
    run = imported(cast)
    with pytest.raises(NotPermitted):
        undo(run=run, by=cast.alice, now=timezone.now(), reason="导错了")
    with pytest.raises(ReasonNeeded):
        undo(run=run, by=cast.lin, now=timezone.now(), reason=" ")
    assert Feedback.objects.count() == 6


def test_the_page_previews_asks_and_undoes(cast: Cast) -> None:
    run = imported(cast)
    moves.claim(feedback=Feedback.objects.get(external_id="U2"), by=cast.bob, now=timezone.now())
    client = Client()
    client.force_login(cast.lin)
    address = f"/admin/feedback/importrun/{run.pk}/undo/"
    preview = client.get(address)
    assert (preview.context["preview"].untouched, preview.context["preview"].touched_count) == (5, 1)
    assert Feedback.objects.get(external_id="U2").number in preview.content.decode()
    refused = client.post(address, {"reason": "导错渠道"})
    assert (refused.status_code, bool(refused.context["rest_error"])) == (422, True)
    assert "导错渠道" in refused.content.decode()
    assert client.post(address, {"reason": "", "rest": "1"}).status_code == 422
    assert Feedback.objects.count() == 6
    done = client.post(address, {"reason": "导错渠道", "rest": "1"})
    assert done["Location"] == f"/admin/feedback/importrun/{run.pk}/report/"
    assert [f.external_id for f in Feedback.objects.all()] == ["U2"]
    report = client.get(done["Location"]).content.decode()
    assert "导错渠道" in report
    assert fresh(run).state == "done"


def test_two_files_with_the_same_reviews_do_not_take_each_others(cast: Cast) -> None:
    first = imported(cast)
    second = imported(cast, content([*LINES, f"U9,第二个文件里多的一条,{YESTERDAY},,,"]))
    # One row more, and the one without a number is new in every file.
    assert (second.created, second.duplicates) == (2, 4)
    take_back(second, cast)
    assert Feedback.objects.filter(import_run=first).count() == 6
    assert case(Feedback.objects.get(external_id="U1").pk).import_run_id == first.pk


def test_near_duplicates_are_not_linked_to_what_is_gone(cast: Cast) -> None:
    from apps.feedback.services.background import link_near_duplicates

    near = "这家店的茶叶味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"
    run = imported(cast, content([f"N1,{near},{YESTERDAY},,,"]))
    link_near_duplicates(now=timezone.now())
    take_back(run, cast)
    take(voice(near + "!", channel="taobao"), now=timezone.now())
    assert link_near_duplicates(now=timezone.now()) == 0
    assert Feedback.objects.get().similar_to_id is None


def test_what_a_visit_found_and_who_was_merged_stay(cast: Cast) -> None:
    run = imported(cast)
    visit = MysteryVisit.objects.create(store=cast.store, visitor=cast.alice, visited_at=timezone.now())
    held = Feedback.objects.get(external_id="U3")
    VisitFinding.objects.create(visit=visit, text="等位太久", severity="major", feedback=held)
    source = CustomerIdentity.objects.get(external_id="buyer2").customer
    CustomerMerge.objects.create(
        source=source, target=CustomerIdentity.objects.get(external_id="buyer3").customer, by=cast.lin, at=timezone.now()
    )  # fmt: skip
    with pytest.raises(InvalidInput):
        undo(run=run, by=cast.lin, now=timezone.now(), reason="导错了")
    run = take_back(run, cast, rest=True)
    assert (run.state, list(Feedback.objects.all())) == ("done", [held])
    assert Customer.objects.filter(pk=source.pk).exists()


def test_an_undo_that_cannot_go_on_ends_and_may_be_asked_for_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = imported(cast)

    def breaks(*args: Any) -> Any:
        raise ValueError("boom")

    monkeypatch.setattr(import_undo, "_forget_customers", breaks)
    undo(run=run, by=cast.lin, now=timezone.now(), reason="导错渠道")
    assert import_work.sweep_imports(clock=timezone.now) == 1
    assert (fresh(run).state, fresh(run).worker, Feedback.objects.count()) == ("done", "", 0)
    assert fresh(run).message and "boom" not in fresh(run).message
    monkeypatch.undo()
    assert take_back(fresh(run), cast).state == "undone"
    assert Customer.objects.count() == 0


def test_whoever_promises_or_merges_hears_that_the_import_was_undone(cast: Cast) -> None:
    run = imported(cast)
    gone, other = Feedback.objects.get(external_id="U1"), Feedback.objects.get(external_id="U2")
    stays = case(take(voice("别处来的一条反馈"), now=timezone.now())[0].feedback_id)
    take_back(run, cast)
    now = timezone.now()
    for act in (
        lambda: promises.make(feedback=gone, what="明天回电", due_at=now + timedelta(days=1), by=cast.bob, now=now),
        lambda: moves.merge(feedback=stays, into=gone, by=cast.bob, now=now, reason="同一件事"),
        lambda: moves.merge(feedback=gone, into=stays, by=cast.bob, now=now, reason="同一件事"),
        lambda: moves.merge(feedback=gone, into=other, by=cast.bob, now=now, reason="同一件事"),
    ):  # fmt: skip
        with pytest.raises(StaleState):
            act()


def test_undoing_quiet_rows_never_searches_the_notices(cast: Cast) -> None:
    loud, quiet = imported(cast), imported(cast, content([LINES[2].replace("U3", "Q3")]))
    with queries() as captured:
        take_back(quiet, cast)
    assert not [q for q in captured.captured_queries if "url" in q["sql"].partition("WHERE")[2] and "core_staffnotice" in q["sql"]]  # fmt: skip
    assert StaffNotice.objects.filter(url__startswith="/admin/feedback/feedback/").exists()
    take_back(loud, cast)
    assert not StaffNotice.objects.filter(url__startswith="/admin/feedback/feedback/").exists()
