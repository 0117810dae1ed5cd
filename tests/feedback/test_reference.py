"""Shipped reference data: loaded once, repeated without effect, never over what staff edited."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.forms.models import model_to_dict
from django_celery_beat.models import PeriodicTask

from apps.core.models import ReferenceStamp
from apps.core.reference import Cached, touch
from apps.feedback.models import Category, Channel, SlaPolicy, SlaTarget, TierPolicy, WordList
from apps.feedback.selectors.reference import STAMP, lexicon_from, reference
from apps.feedback.services.reference_data import flat_lists
from apps.shop.models import CalendarDay, Department, WorkCalendar
from tests.factories import Cast, make_store, queries

pytestmark = pytest.mark.django_db
GROUPS = {
    "ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "legal", "manager", "dept", "store", "analyst",
    "integration", "auditor", "admin",
}  # fmt: skip
SHIPPED = (Channel, Category, WordList, TierPolicy, SlaPolicy, SlaTarget, WorkCalendar, Department)


def load() -> dict[str, str]:
    """What the command says it did, by kind."""
    out = io.StringIO()
    call_command("load_reference", stdout=out, stderr=io.StringIO())
    return dict(line.split(": ", 1) for line in out.getvalue().splitlines())


def rows() -> dict[str, list[dict[str, Any]]]:
    return {
        model.__name__: [
            {k: v for k, v in row.items() if k != "updated_at"}
            for row in model.objects.order_by("pk").values()
        ]
        for model in (*SHIPPED, CalendarDay, Group, PeriodicTask)
    }


def test_loading_again_changes_nothing() -> None:
    before, histories = rows(), {m.__name__: m.history.count() for m in SHIPPED}
    done = load()
    assert rows() == before and {m.__name__: m.history.count() for m in SHIPPED} == histories
    assert not [kind for kind, text in done.items() if "created" in text or "updated" in text]
    assert done["public holidays"] == "0 added" and done["groups"] == "14 kept"


def test_what_a_person_edited_stays(cast: Cast) -> None:
    edited = [
        (Channel.objects.get(code="taobao"), "name_zh", "淘宝旗舰店"),
        (Category.objects.get(code="PRICE"), "keywords", ["贵"]),
        (WordList.objects.get(path="competitors"), "words", ["隔壁老王"]),
        (SlaPolicy.objects.get(tier="A"), "name", "我们的 A"),
        (SlaTarget.objects.get(policy__tier="A", kind="first_response"), "value", 30),
        (WorkCalendar.objects.get(code="workday"), "standard_day_minutes", 480),
    ]
    for row, name, value in edited:
        setattr(row, name, value)
        row._history_user = cast.lin
        row.save()
    policy = TierPolicy.objects.get()
    policy.literal_seed = True
    policy.save()
    done = load()
    for row, name, value in edited:
        row.refresh_from_db()
        assert getattr(row, name) == value, row
    assert TierPolicy.objects.get().literal_seed is True
    assert done["channels"] == "1 kept, 36 unchanged" and "1 kept" in done["categories"]


def test_what_only_a_machine_changed_is_brought_up_to_date() -> None:
    Channel.objects.filter(code="taobao").update(name_zh="旧名")
    row = Channel.objects.get(code="jd")
    row.name_zh = "更旧的名"
    row.save()
    assert load()["channels"] == "35 unchanged, 2 updated"
    assert set(Channel.objects.filter(code__in=["taobao", "jd"]).values_list("name_zh", flat=True)) == {
        "淘宝",
        "京东",
    }


def test_what_was_deleted_comes_back_and_days_entered_by_hand_stay() -> None:
    SlaTarget.objects.filter(policy__tier="B", kind="resolved").delete()
    day = CalendarDay.objects.filter(calendar=None, kind="holiday").order_by("date")[0]
    CalendarDay.objects.filter(pk=day.pk).update(kind="makeup", note="我们上班")
    done = load()
    assert done["service levels"] == "1 created, 11 unchanged"
    day.refresh_from_db()
    assert (day.kind, day.note) == ("makeup", "我们上班")


def test_every_row_passes_its_own_checks() -> None:
    for model in SHIPPED:
        for row in model.objects.all():
            row.full_clean()
    assert all(model_to_dict(calendar)["weekly"] for calendar in WorkCalendar.objects.all())


def test_fourteen_groups_with_rising_rights() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == GROUPS

    def rights(name: str) -> set[str]:
        return set(Permission.objects.filter(group__name=name).values_list("codename", flat=True))

    assert rights("integration") == set()
    assert len(rights("admin")) == Permission.objects.count()
    assert "work_feedback" in rights("ops") and "assign_feedback" not in rights("ops")
    assert rights("ops") < rights("ops-lead") and rights("care") < rights("care-lead")
    assert not {"work_feedback", "unmask_customer"} & (rights("analyst") | rights("auditor"))
    for name in GROUPS - {"dept", "store", "integration"}:
        assert "see_all_feedback" in rights(name), name
    for name in ("dept", "store"):
        assert "see_all_feedback" not in rights(name)
    # Records of what was done are nobody's to change; deleting feedback is nobody's but the administrator's.
    for name in GROUPS - {"admin"}:
        assert not {"change_actionlog", "delete_actionlog", "delete_feedback", "change_reveal"} & rights(
            name
        ), name


def test_rights_a_shop_changed_stay() -> None:
    ops = Group.objects.get(name="ops")
    ops.permissions.clear()
    assert load()["groups"] == "14 kept" and ops.permissions.count() == 0


def test_schedules_are_made_once_and_name_real_tasks() -> None:
    from importlib import import_module

    for task in PeriodicTask.objects.filter(task__startswith="apps."):
        module, name = task.task.rsplit(".", 1)
        assert callable(getattr(import_module(module), name)), task.task
    PeriodicTask.objects.filter(task__contains="sweep_sla").update(enabled=False)
    load()
    assert PeriodicTask.objects.get(task__contains="sweep_sla").enabled is False


def test_the_lexicon_in_the_database_is_the_shipped_one() -> None:
    from apps.feedback.analysis import Reader

    shipped = Reader.from_package()
    for text in (
        "吃了以后全身过敏起红疹",
        "快递送了七天才到",
        "很好用,物流也快",
        "收到的是假货",
        "请问什么时候有货",
    ):
        ours, theirs = reference().reader.read(text, None), shipped.read(text, None)
        assert (ours.tier, ours.category, ours.subcategory, ours.kind, ours.sentiment) == (
            theirs.tier, theirs.category, theirs.subcategory, theirs.kind, theirs.sentiment,
        )  # fmt: skip
    nested = {"a": {"b": [1], "note": "x"}, "c": [2], "false_friends": {"x": ["y"]}}
    flat = {"a/b": [1], "c": [2], "false_friends": {"x": ["y"]}}
    assert flat_lists(nested) == flat
    assert lexicon_from(flat) == {"a": {"b": [1]}, "c": [2], "false_friends": {"x": ["y"]}}


def test_edited_words_take_effect_after_a_touch() -> None:
    text = "这个东西太坑坑洼洼了"
    before = reference().reader.read(text, None)
    assert before.category != "PRICE"
    row = Category.objects.get(code="PRICE_HIGH")
    row.keywords = [*row.keywords, "坑坑洼洼"]
    row.save()
    assert reference().reader.read(text, None) == before
    touch(STAMP)
    assert reference().reader.read(text, None).category == "PRICE"


def test_cached_reference_costs_one_query_until_its_stamp_moves() -> None:
    reference()
    with queries() as captured:
        kept = reference()
    assert len(captured) == 1
    make_store("neu")
    assert reference() is kept
    touch(STAMP)
    fresh = reference()
    assert fresh is not kept and fresh.store("neu") is not None


def test_a_stamp_is_made_on_its_first_touch() -> None:
    loaded: list[int] = []
    cached = Cached("test", lambda: loaded.append(1) or len(loaded))
    assert (cached.get(), cached.get()) == (1, 1)
    touch("test")
    assert ReferenceStamp.objects.get(code="test").version == 1
    assert cached.get() == 2
    touch("test")
    assert (ReferenceStamp.objects.get(code="test").version, cached.get(), cached.get()) == (2, 3, 3)
    cached.forget()
    assert cached.get() == 4


def test_roles_keep_what_staff_took_away_and_get_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    from feedback_crm import roles

    ops = Group.objects.get(name="ops")
    taken = Permission.objects.get(codename="import_feedback")
    new = Permission.objects.get(codename="delete_leave")
    assert taken in ops.permissions.all() and new not in ops.permissions.all()
    ops.permissions.remove(taken)
    monkeypatch.setitem(roles.ROLES, "ops", [*roles.ROLES["ops"], "shop.delete_leave"])
    for _ in range(2):
        load()
        assert taken not in ops.permissions.all() and new in ops.permissions.all()
