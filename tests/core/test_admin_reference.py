"""Rules of the shop by friendly forms: words, tiers, service levels, dispatch, webhooks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import ReferenceStamp, User
from apps.feedback.models import (
    Category,
    Channel,
    DispatchRule,
    SlaClock,
    SlaPolicy,
    TierPolicy,
    WebhookSecret,
    WordList,
)
from apps.feedback.selectors.reference import reference
from tests.factories import Cast, arrive, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages need no collected files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def boss(client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return user


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:feedback_{name}", args=args)


def stamp() -> int:
    return ReferenceStamp.objects.get(code="feedback").version


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


# -- words
def test_words_are_typed_one_per_line_and_reach_the_reader(boss: User, client: Client) -> None:
    words = WordList.objects.get(path="s_keywords/auto_S")
    address = url("wordlist_change", words.pk)
    assert reference().reader.read("肚子里长出了蓝毛怪").tier != "S"
    before = stamp()
    answer = client.post(address, {"label": "", "words": "\n".join([*words.words, " 蓝毛怪 ", "", "蓝毛怪"])})
    assert answer.status_code == 302
    row = WordList.objects.get(pk=words.pk)
    assert row.words == [*words.words, "蓝毛怪"]
    assert (row.is_edited, stamp()) == (True, before + 1)
    assert reference().reader.read("肚子里长出了蓝毛怪").tier == "S"
    long = client.post(address, {"label": "", "words": "好\n" + "长" * 41})
    assert errors(long) == {"words": ["Line 2 is longer than 40 characters."]}
    assert client.get(url("wordlist_add")).status_code == 403


def test_false_friends_are_typed_as_word_and_phrases(boss: User, client: Client) -> None:
    words = WordList.objects.get(path="s_keywords/false_friends")
    address = url("wordlist_change", words.pk)
    assert "假的: 度假的, 放假的, 休假的, 请假的" in client.get(address).content.decode()
    assert (
        client.post(address, {"label": "", "words": "假的：度假的，放假的\n\n爆炸: 差到爆炸"}).status_code
        == 302
    )
    words.refresh_from_db()
    assert words.words == {"假的": ["度假的", "放假的"], "爆炸": ["差到爆炸"]}
    for text, number in (("假的", 1), ("假的: 度假的\n: 度假的", 2), ("假的:", 1)):
        answer = client.post(address, {"label": "", "words": text})
        assert errors(answer) == {"words": [f"Line {number} is not of the form “word: phrase, phrase”."]}


# -- categories and channels
def test_categories_stand_in_tree_order(boss: User, client: Client) -> None:
    rows = list(client.get(url("category_changelist") + "?all=").context["cl"].result_list)
    last_top = None
    for row in rows:
        if row.parent_id is None:
            last_top = row.pk
        else:
            assert row.parent_id == last_top
    assert len({row.parent_id for row in rows}) > 3


def test_the_taxonomy_has_two_levels(boss: User, client: Client) -> None:
    sub = Category.objects.filter(parent__isnull=False).first()
    top = sub.parent
    data = {
        "name_zh": top.name_zh,
        "name_en": top.name_en,
        "parent": Category.objects.filter(parent=None).exclude(pk=top.pk).first().pk,
        "position": "0",
        "is_active": "on",
        "department": "",
        "default_tier": "B",
        "keywords": "",
        "exclusions": "",
    }
    answer = client.post(url("category_change", top.pk), data)
    assert errors(answer) == {"parent": ["This category has sub-categories and stays on top."]}
    words = client.post(url("category_change", sub.pk), data | {"parent": top.pk, "keywords": "慢\n慢\n太慢"})
    assert words.status_code == 302
    sub.refresh_from_db()
    assert (sub.keywords, sub.parent) == (["慢", "太慢"], top)
    assert client.get(url("category_delete", sub.pk)).status_code == 403


def test_a_channel_keeps_its_code(boss: User, client: Client) -> None:
    channel = Channel.objects.get(code="taobao")
    before = stamp()
    data = {
        "name_zh": "淘宝网",
        "name_en": "Taobao",
        "code": "other",
        "group": channel.group,
        "icon": "chat",
        "is_active": "on",
    }
    assert client.post(url("channel_change", channel.pk), data).status_code == 302
    channel.refresh_from_db()
    assert (channel.code, channel.name_zh, stamp()) == ("taobao", "淘宝网", before + 1)


# -- tiers
def tier_data(**values: str) -> dict[str, str]:
    base = {
        "authority_is_s": "on",
        "scope_hours": "24",
        "scope_count": "3",
        "base_s": "60",
        "base_a": "30",
        "base_b": "10",
        "urgency": "15",
        "urgent_words": "马上\n今天",
        "severity": "15",
        "scope": "15",
        "scope_full": "10",
        "value": "10",
    }
    return base | values


def test_weights_are_plain_numbers_and_the_rest_stays(boss: User, client: Client) -> None:
    policy = TierPolicy.objects.get()
    tiers = policy.weights["customer_value"]["member_tier"]
    address = url("tierpolicy_change", policy.pk)
    assert client.post(address, tier_data(base_s="70", value="20")).status_code == 302
    policy.refresh_from_db()
    assert policy.weights["tier_base"] == {"S": 70, "A": 30, "B": 10}
    assert policy.weights["customer_value"] == {"weight": 20, "member_tier": tiers}
    assert policy.weights["urgency"]["words"] == ["马上", "今天"]
    assert reference().weights["tier_base"]["S"] == 70
    turned = client.post(address, tier_data(base_s="20"))
    assert errors(turned) == {"base_s": ["S starts at least as high as A, A at least as high as B."]}
    assert client.get(url("tierpolicy_add")).status_code == 403
    assert client.get(url("tierpolicy_delete", policy.pk)).status_code == 403


# -- service levels
def sla_data(policy: SlaPolicy, **values: str) -> dict[str, str]:
    targets = list(policy.targets.order_by("id"))
    data = {
        "name": policy.name,
        "tier": policy.tier,
        "is_active": "on",
        "targets-TOTAL_FORMS": str(len(targets)),
        "targets-INITIAL_FORMS": str(len(targets)),
        "targets-MIN_NUM_FORMS": "0",
        "targets-MAX_NUM_FORMS": "1000",
    }
    for index, target in enumerate(targets):
        steps = "\n".join(f"{step['percent']}%: {', '.join(step['tell'])}" for step in target.steps)
        data |= {
            f"targets-{index}-id": str(target.pk),
            f"targets-{index}-policy": str(policy.pk),
            f"targets-{index}-kind": target.kind,
            f"targets-{index}-value": str(target.value),
            f"targets-{index}-unit": target.unit,
            f"targets-{index}-calendar": str(target.calendar_id or ""),
            f"targets-{index}-steps": steps,
            f"targets-{index}-is_active": "on",
        }
        if target.pausable:
            data[f"targets-{index}-pausable"] = "on"
    return data | values


def test_a_changed_promise_is_a_new_version_and_running_clocks_keep_theirs(
    boss: User, client: Client, cast: Cast
) -> None:
    policy = SlaPolicy.objects.get(code="A")
    case = arrive("A")
    due = SlaClock.objects.get(feedback=case, kind="first_response").due_at
    address = url("slapolicy_change", policy.pk)
    assert client.post(address, sla_data(policy, name="A: complaints")).status_code == 302
    policy.refresh_from_db()
    assert (policy.name, policy.version) == ("A: complaints", 1), "a new name is no new promise"
    changed = sla_data(
        policy, **{"targets-0-value": "120", "targets-0-steps": "+30：经理、lead\n80％: owner"}
    )
    refused = client.post(address, changed)
    assert refused.context["inline_admin_formsets"][0].formset.errors[0] == {
        "steps": ["Line 1: nobody is called “经理” here."]
    }
    before = stamp()
    assert (
        client.post(address, changed | {"targets-0-steps": "+30：manager、lead\n80％: owner"}).status_code
        == 302
    )
    policy.refresh_from_db()
    target = policy.targets.get(kind="first_response")
    assert (policy.version, target.value, stamp()) == (2, 120, before + 1)
    assert target.steps == [
        {"percent": 80, "tell": ["owner"]},
        {"minutes_after": 30, "tell": ["manager", "lead"]},
    ]
    assert policy.history.first().history_user == boss
    assert SlaClock.objects.get(feedback=case, kind="first_response").due_at == due
    newer = SlaClock.objects.get(feedback=arrive("A"), kind="first_response")
    assert (newer.value, newer.policy_version) == (120, 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"targets-0-steps": "soon"}, {"steps": ["Line 1 is not of the form “80%: owner, lead”."]}),
        ({"targets-0-steps": "120%: owner"}, {"steps": ["Line 1: between 1% and 100%."]}),
        (
            {"targets-0-unit": "workday", "targets-0-calendar": ""},
            {"calendar": ["Working time needs a calendar."]},
        ),
        ({"targets-0-value": "0"}, {"__all__": ["Constraint “feedback_target_positive” is violated."]}),
    ],
)
def test_a_promise_without_sense_is_explained(
    boss: User, client: Client, change: dict[str, str], expected: dict[str, list[str]]
) -> None:
    policy = SlaPolicy.objects.get(code="A")
    answer = client.post(url("slapolicy_change", policy.pk), sla_data(policy, **change))
    found = answer.context["inline_admin_formsets"][0].formset.errors[0]
    assert {key: found[key] for key in expected if key in found} == expected
    policy.refresh_from_db()
    assert policy.version == 1


# -- dispatch
def test_rules_are_added_changed_and_deleted(boss: User, client: Client, cast: Cast) -> None:
    before = stamp()
    data = {
        "name": "to care",
        "position": "1",
        "tier": "S",
        "category": "",
        "channel": "",
        "store": "",
        "team": cast.team.pk,
    }
    assert client.post(url("dispatchrule_add"), data | {"is_active": "on"}).status_code == 302
    rule = DispatchRule.objects.get()
    assert (rule.team, stamp()) == (cast.team, before + 1)
    assert client.post(url("dispatchrule_delete", rule.pk), {"post": "yes"}).status_code == 302
    assert (DispatchRule.objects.count(), stamp()) == (0, before + 2)


# -- webhooks
def test_a_secret_is_shown_once_and_the_old_one_ends(boss: User, client: Client) -> None:
    channel = Channel.objects.get(code="taobao")
    added = client.post(
        url("webhooksecret_add"), {"channel": channel.pk, "mapping": "text = data.content", "is_active": "on"}
    )
    hook = WebhookSecret.objects.get()
    address = url("webhooksecret_secret", hook.pk)
    assert added["Location"] == address
    assert (hook.mapping, len(hook.secret) >= 40) == ({"text": "data.content"}, True)
    first = hook.secret
    assert first not in client.get(address).content.decode()
    hook.refresh_from_db()
    assert hook.secret == first, "a GET changes nothing"
    shown = client.post(address)
    hook.refresh_from_db()
    secret = re.search(r'id="secret"[^>]* value="([^"]+)"', shown.content.decode())[1]
    assert secret == hook.secret != first
    assert "no-store" in shown["Cache-Control"]
    for page in (url("webhooksecret_change", hook.pk), url("webhooksecret_changelist"), address):
        assert secret not in client.get(page).content.decode()
    bad = client.post(url("webhooksecret_change", hook.pk), {"mapping": "text: data", "is_active": "on"})
    assert errors(bad) == {"mapping": ["Line 1 is not of the form “text = data.content”."]}
