"""Codes of tables in the reader's language: roles, permissions, moves, reasons, levels."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import translation

from apps.core.choices import NoticeLevel
from apps.core.history import coded, reason_text
from apps.core.models import ActionLog, Integration, Reveal, User
from apps.core.wording import ROLES, permission_label, role_label
from apps.feedback.admin.reference import StepsField
from apps.shop.models import Store
from feedback_crm import roles
from tests.factories import NOW, Cast, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def test_every_role_of_the_product_has_a_name() -> None:
    assert set(ROLES) == {*roles.ROLES, "admin"}
    with translation.override("zh-hans"):
        assert (role_label("ops-lead"), role_label("夜班")) == ("运营组长", "夜班")
        assert not [code for code in ROLES if role_label(code).isascii()]


def test_permissions_are_named_in_the_readers_language() -> None:
    def label(codename: str) -> str:
        return permission_label(Permission.objects.select_related("content_type").get(codename=codename))

    with translation.override("zh-hans"):
        assert label("view_order") == "顾客 | 订单 | 可查看"
        assert label("merge_customer").startswith("顾客 | 顾客 | 可")
    with translation.override("en"):
        assert label("view_order") == "Customers | order | Can view"
        assert label("merge_customer") == "Customers | customer | Can merge customers and undo it"


def test_the_role_editor_speaks_chinese_and_keeps_the_products_codes(boss: User, client: Client) -> None:
    ops = Group.objects.get(name="ops")
    own = Group.objects.create(name="夜班")
    address = reverse("admin:auth_group_change", args=[ops.pk])
    page = client.get(address).content.decode()
    assert "运营" in page and "顾客 | 订单 | 可查看" in page
    assert "Can view" not in page and "historical" not in page
    assert "公关组长" in client.get(reverse("admin:auth_group_changelist")).content.decode()
    view = Permission.objects.get(codename="view_order")
    # The product looks for its roles by their codes, so these stay; what staff made has the name they give it.
    for group, name in ((ops, "ops"), (own, "x")):
        answer = client.post(
            reverse("admin:auth_group_change", args=[group.pk]), {"name": "x", "permissions": [view.pk]}
        )
        assert answer.status_code == 302
        group.refresh_from_db()
        assert (group.name, list(group.permissions.all())) == (name, [view])


def test_accounts_show_roles_in_words_also_to_those_who_only_look(boss: User, client: Client) -> None:
    clerk = make_user("clerk", "ops-lead")
    clerk.user_permissions.add(Permission.objects.get(codename="view_reveal"))
    address = reverse("admin:core_user_change", args=[clerk.pk])
    assert "运营组长 (ops-lead)" in client.get(address).content.decode()
    listed = client.get(reverse("admin:core_user_changelist")).content.decode()
    assert "运营组长" in listed and "ops-lead" not in listed
    answer = client.post(
        address,
        {"username": "clerk", "is_active": "on", "groups": [Group.objects.get(name="care").pk]},
    )
    assert answer.status_code == 302
    assert [group.name for group in clerk.groups.all()] == ["care"]
    client.force_login(make_user("lead", "ops-lead"))
    page = client.get(address).content.decode()
    assert "会员关怀" in page and "Can view" not in page
    assert clerk.user_permissions.count() == 0


def test_filtering_accounts_by_role(boss: User, client: Client) -> None:
    clerk = make_user("clerk", "pr")
    found = client.get(
        reverse("admin:core_user_changelist"), {"groups__id__exact": Group.objects.get(name="pr").pk}
    )
    assert list(found.context["cl"].result_list) == [clerk]


def test_logs_read_as_their_buttons_do() -> None:
    log = ActionLog(model="feedback.feedback", object_id=7, verb="claim", at=NOW)
    look = Reveal(model="customers.customer", object_id=7, at=NOW)
    with translation.override("zh-hans"):
        assert (str(log), str(look)) == ("反馈 7 · 认领", "顾客 7")
    with translation.override("en"):
        assert str(log) == "feedback 7 · Claim"


def test_reasons_of_changes_are_read_in_the_readers_language(boss: User, client: Client, cast: Cast) -> None:
    with translation.override("zh-hans"):
        assert reason_text(coded("merged_into", 3)) == "并入 #3"
        assert reason_text("api") == "接口写入"
        assert (reason_text(None), reason_text("顾客来电: 13800001234")) == ("", "顾客来电: 138****1234")
    cast.store.city = "杭州"
    cast.store._change_reason = "搬家"
    cast.store.save()
    page = client.get(reverse("admin:shop_store_history", args=[cast.store.pk])).content.decode()
    assert "搬家" in page and "None" not in page
    assert Store.history.filter(history_change_reason__isnull=True).exists()


def test_steps_are_shown_in_words_and_understood_in_words_and_codes() -> None:
    steps = [{"percent": 80, "tell": ["owner", "lead"]}, {"minutes_after": 30, "tell": ["manager"]}]
    field = StepsField()
    with translation.override("zh-hans"):
        shown = field.prepare_value(steps)
        assert shown.isascii() is False and "owner" not in shown
        assert field.clean(shown) == steps
        assert not field.has_changed(steps, shown)
        assert field.clean("80%: owner, lead\n+30: manager") == steps
    with translation.override("en"):
        assert field.prepare_value(steps) == "80%: owner, lead\n+30: manager"


def test_a_note_of_the_bell_is_not_the_note_of_a_form() -> None:
    note = Integration._meta.get_field("note")
    with translation.override("zh-hans"):
        assert (NoticeLevel.INFO.label, note.verbose_name) == ("提示", "说明")
