"""The demo shop and its feedback are consistent, cover every channel and category, and hold no real person's data."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "apps" / "feedback" / "demo_data"
REFERENCE = ROOT / "apps" / "feedback" / "reference"

KINDS = {"complaint", "inquiry", "suggestion", "praise", "review"}
SENTIMENTS = {"positive", "neutral", "negative"}
EMOTIONS = {"anger", "anxiety", "disappointment", "suggestion", "satisfaction", "neutral"}
TOP = {
    "SAFETY", "COUNTERFEIT", "QUALITY", "MISMATCH", "LOGISTICS", "SERVICE", "STORE", "PACKAGING",
    "GIFT", "PRICE", "STOCK", "REFUND", "SUGGESTION", "PRAISE", "OTHER",
}  # fmt: skip
DEPARTMENTS = {
    "质检品控",
    "法务合规",
    "产品部",
    "供应链",
    "运营部",
    "客服部",
    "门店",
    "财务",
    "市场公关",
    "会员部",
}
GROUPS = {
    "ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "legal", "manager", "dept", "store",
    "analyst", "integration", "auditor", "admin",
}  # fmt: skip
STORIES = re.compile(
    r"new|assigned|in_progress|waiting:(customer|third_party|appointment)|resolved|closed|dismissed:spam|merged:d\d+|reopened"
)
PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
FICTIONAL_PHONE = re.compile(r"138000\d{5}")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


FILE = load(DEMO / "feedback.json")
ITEMS: list[dict[str, Any]] = FILE["items"]
SHOP = load(DEMO / "shop.json")
CHANNELS = {row["code"]: row for row in load(REFERENCE / "channels.json")["channels"]}
BY_ID = {item["id"]: item for item in ITEMS}
STORES = {row["code"]: row for row in SHOP["stores"]}
PRODUCTS = {row["sku"]: row for row in SHOP["products"]}
CUSTOMERS = {row["code"]: row for row in SHOP["customers"]}
ORDERS = {row["order_no"]: row for row in SHOP["orders"]}
STOCK = {(row["store"], row["sku"]): row for row in SHOP["stock"]}


def of(**expected: str) -> list[dict[str, Any]]:
    """The items whose labels are as given."""
    return [item for item in ITEMS if all(item["expect"][key] == value for key, value in expected.items())]


def minutes_since(item: dict[str, Any]) -> int:
    """How long ago, at the least: a load at midnight makes `days_ago` shortest."""
    if "minutes_ago" in item:
        return int(item["minutes_ago"])
    hours, minutes = map(int, item["time"].split(":"))
    return (item["days_ago"] - 1) * 1440 + (1440 - hours * 60 - minutes)


def without_clock(item: dict[str, Any]) -> bool:
    """Praise and positive reviews get no clock (decisions, item 2)."""
    expect = item["expect"]
    return expect["kind"] == "praise" or (expect["kind"] == "review" and expect["sentiment"] == "positive")


# --- shop -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "key", "least"),
    [
        ("stores", "code", 10),
        ("departments", "code", 10),
        ("teams", "code", 8),
        ("people", "username", 16),
        ("products", "sku", 30),
        ("customers", "code", 80),
        ("orders", "order_no", 200),
    ],
)
def test_shop_parts_have_unique_keys_and_enough_rows(part: str, key: str, least: int) -> None:
    keys = [row[key] for row in SHOP[part]]
    assert len(keys) == len(set(keys))
    assert len(keys) >= least


def test_shop_references_resolve() -> None:
    names = {row["name"] for row in SHOP["departments"]}
    teams = {row["code"] for row in SHOP["teams"]}
    assert names == DEPARTMENTS
    for store in SHOP["stores"]:
        assert store["kind"] in ("physical", "platform")
        assert set(store["channels"]) <= set(CHANNELS)
    for team in SHOP["teams"]:
        assert team["department"] in names
        assert set(team["stores"]) <= set(STORES)
        assert set(team["skills"]) <= TOP
        assert any(person["team"] == team["code"] for person in SHOP["people"])
    for person in SHOP["people"]:
        assert set(person["groups"]) <= GROUPS
        assert person["team"] is None or person["team"] in teams
        assert set(person["stores"]) <= set(STORES)
        assert person["shift"]
    for row in SHOP["stock"]:
        assert row["store"] in STORES
        assert row["sku"] in PRODUCTS
    for order in SHOP["orders"]:
        assert order["store"] in STORES
        assert order["customer"] in CUSTOMERS
        assert order["items"]
        assert all(line["sku"] in PRODUCTS and line["qty"] > 0 and line["batch"] for line in order["items"])


def test_every_category_finds_a_team() -> None:
    assert set().union(*(team["skills"] for team in SHOP["teams"])) == TOP


def test_customers_are_fictional_and_varied() -> None:
    phones = [row["phone"] for row in SHOP["customers"]]
    assert len(set(phones)) == len(phones)
    assert all(FICTIONAL_PHONE.fullmatch(phone) for phone in phones)
    assert all(row["email"].endswith("@example.com") for row in SHOP["customers"])
    assert {row["member_tier"] for row in SHOP["customers"]} == {"普通", "银卡", "金卡", "钻石"}
    assert {row["birthday"]["calendar"] for row in SHOP["customers"]} == {"solar", "lunar"}
    assert any(not row["consents"]["birthday"] for row in SHOP["customers"])
    handles = [(one["channel"], one["external_id"]) for row in SHOP["customers"] for one in row["identities"]]
    assert len(handles) == len(set(handles))
    assert all(channel in CHANNELS and CHANNELS[channel]["identity_kind"] for channel, _handle in handles)


@pytest.mark.parametrize("name", ["feedback.json", "shop.json"])
def test_phone_numbers_stand_in_the_fictional_range_only(name: str) -> None:
    found = PHONE.findall((DEMO / name).read_text(encoding="utf-8"))
    assert [phone for phone in found if not FICTIONAL_PHONE.fullmatch(phone)] == []


# --- feedback: keys and references ------------------------------------------------------------------------------


def test_there_are_enough_items_with_unique_ids() -> None:
    assert len(BY_ID) == len(ITEMS)
    assert len(ITEMS) >= 430


def test_references_resolve() -> None:
    for item in ITEMS:
        assert item["channel"] in CHANNELS, item["id"]
        assert item["store"] is None or item["store"] in STORES, item["id"]
        assert item.get("sku") is None or item["sku"] in PRODUCTS, item["id"]
        assert item["customer"] is None or item["customer"] in CUSTOMERS, item["id"]
        assert item["text"].strip() == item["text"] != "", item["id"]
        assert not re.search(r"[{}]", item["text"]), item["id"]


def test_orders_agree_with_customer_store_product_and_time() -> None:
    with_order = [item for item in ITEMS if item.get("order")]
    assert len(with_order) >= 150
    for item in with_order:
        order = ORDERS[item["order"]]
        assert order["customer"] == item["customer"], item["id"]
        assert order["store"] == item["store"], item["id"]
        assert item["sku"] in {line["sku"] for line in order["items"]}, item["id"]
        assert order["days_ago"] >= item["days_ago"], item["id"]
        if order["days_ago"] == item["days_ago"] and "minutes_ago" not in item:
            assert order["time"] < item["time"], item["id"]


def test_order_numbers_in_texts_belong_to_the_item() -> None:
    naming = [item for item in ITEMS for number in ORDERS if number in item["text"]]
    assert len(naming) >= 4
    assert all(item["order"] in item["text"] for item in naming)


def test_some_texts_hold_a_phone_number_to_mask() -> None:
    assert sum(1 for item in ITEMS if PHONE.search(item["text"])) >= 4


def test_channels_are_used_or_listed_as_unused() -> None:
    used = {item["channel"] for item in ITEMS}
    assert used.isdisjoint(FILE["unused_channels"])
    assert used | set(FILE["unused_channels"]) == set(CHANNELS)


def test_stars_stand_on_platforms_that_have_them() -> None:
    for item in ITEMS:
        if "rating" in item:
            assert CHANNELS[item["channel"]]["has_rating"], item["id"]
            assert 1 <= item["rating"] <= 5, item["id"]
            if item["rating"] <= 2:
                assert item["expect"]["sentiment"] == "negative", item["id"]
            if item["rating"] == 5:
                assert item["expect"]["sentiment"] == "positive", item["id"]


def test_customers_are_known_where_they_speak() -> None:
    for item in ITEMS:
        if item["customer"] and CHANNELS[item["channel"]]["identity_kind"]:
            known = {one["channel"] for one in CUSTOMERS[item["customer"]]["identities"]}
            assert item["channel"] in known, item["id"]


# --- feedback: labels -------------------------------------------------------------------------------------------


def test_labels_use_the_agreed_words() -> None:
    for item in ITEMS:
        expect = item["expect"]
        assert expect["kind"] in KINDS, item["id"]
        assert expect["sentiment"] in SENTIMENTS, item["id"]
        assert expect["emotion"] in EMOTIONS, item["id"]
        assert expect["category"] in TOP, item["id"]
        assert expect["tier"] in ("S", "A", "B"), item["id"]
        assert expect["subcategory"] == "" or expect["subcategory"].startswith(expect["category"] + "_"), (
            item["id"]
        )
        if expect["emotion"] == "satisfaction":
            assert expect["sentiment"] == "positive", item["id"]
        if expect["tier"] == "B":
            assert expect["emotion"] != "anger", item["id"]
        if without_clock(item):
            assert expect["tier"] == "B", item["id"]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("kind", KINDS),
        ("sentiment", SENTIMENTS),
        ("emotion", EMOTIONS),
        ("category", TOP),
        ("tier", {"S", "A", "B"}),
    ],
)
def test_every_label_occurs(label: str, words: set[str]) -> None:
    seen = Counter(item["expect"][label] for item in ITEMS)
    assert set(seen) == words
    assert min(seen.values()) >= 4


def test_nearly_every_subcategory_occurs() -> None:
    assert len({item["expect"]["subcategory"] for item in ITEMS} - {""}) >= 50


def test_reviews_are_the_larger_half_and_mostly_positive() -> None:
    reviews = of(kind="review")
    positive = [item for item in reviews if item["expect"]["sentiment"] == "positive"]
    assert 0.5 <= len(reviews) / len(ITEMS) <= 0.65
    assert 0.5 <= len(positive) / len(reviews) <= 0.75


def test_urgent_items_and_their_traps() -> None:
    urgent = of(tier="S")
    assert 32 <= len(urgent) <= 50
    assert all(item["expect"]["tier"] == "S" for item in ITEMS if CHANNELS[item["channel"]]["authority"]
               if item["expect"]["category"] != "PRICE")  # fmt: skip
    traps = (
        "度假的",
        "没有过敏",
        "二手烟",
        "不是假货,放心",
        "超过期望",
        "工商银行",
        "翻新",
        "爆炸",
        "退款秒到账",
    )
    for words in traps:
        found = [item for item in ITEMS if words in item["text"]]
        assert found, words
        assert all(item["expect"]["tier"] != "S" for item in found), words
    assert any("是不是假货" in item["text"] for item in urgent)


# --- feedback: texts --------------------------------------------------------------------------------------------


def test_texts_vary_in_length() -> None:
    lengths = [len(item["text"]) for item in ITEMS]
    assert sum(1 for length in lengths if length < 15) / len(lengths) >= 0.15
    assert sum(1 for length in lengths if length > 120) / len(lengths) >= 0.10


def test_texts_are_written_once_unless_marked_as_duplicates() -> None:
    counted = Counter(
        item["text"]
        for item in ITEMS
        if item.get("duplicate_kind") not in ("exact", "same_text_other_author")
    )
    assert [text for text, count in counted.items() if count > 1] == []


def test_duplicates_point_at_an_earlier_item() -> None:
    marked = [item for item in ITEMS if "duplicate_of" in item]
    assert len(marked) >= 8
    for item in marked:
        first = BY_ID[item["duplicate_of"]]
        assert minutes_since(first) >= minutes_since(item), item["id"]
        if item["duplicate_kind"] in ("exact", "same_text_other_author"):
            assert item["text"] == first["text"], item["id"]
        else:
            assert item["text"] != first["text"], item["id"]
        if item["duplicate_kind"] in ("exact", "near"):
            assert item["story"] == f"merged:{first['id']}", item["id"]
            assert item["customer"] == first["customer"], item["id"]


def test_follow_ups_continue_an_earlier_review() -> None:
    follow_ups = [item for item in ITEMS if "follow_up_to" in item]
    assert len(follow_ups) >= 15
    for item in follow_ups:
        first = BY_ID[item["follow_up_to"]]
        assert minutes_since(first) > minutes_since(item), item["id"]
        for key in ("channel", "store", "customer"):
            assert item[key] == first[key], item["id"]
        assert (item.get("sku"), item.get("order")) == (first.get("sku"), first.get("order")), item["id"]


def test_changed_reviews_change_in_the_past() -> None:
    changed = [item for item in ITEMS if "changes" in item]
    assert len(changed) >= 8
    for item in changed:
        assert item["rating"], item["id"]
        for change in item["changes"]:
            assert 0 < change["days_later"] < item["days_ago"], item["id"]
            assert change["text"], item["id"]
            assert 1 <= change["rating"] <= 5, item["id"]


def test_transcripts_run_forward() -> None:
    spoken = [item for item in ITEMS if "transcript" in item]
    assert len(spoken) >= 6
    for item in spoken:
        times = [line["at"] for line in item["transcript"]]
        assert times == sorted(times), item["id"]
        assert times[0] == item["time"], item["id"]
        assert {line["who"] for line in item["transcript"]} <= {"customer", "agent", "bot"}, item["id"]
        if CHANNELS[item["channel"]]["recording_possible"]:
            assert isinstance(item["recording_consent"], bool), item["id"]


def test_competitors_are_named_in_the_text() -> None:
    names = {row["code"]: row["name"] for row in load(REFERENCE / "competitors.json")["competitors"]}
    naming = [item for item in ITEMS if "competitors" in item]
    assert len(naming) >= 10
    assert all(names[code] in item["text"] for item in naming for code in item["competitors"])


def test_missing_products_have_no_stock_in_that_store() -> None:
    missing = [item for item in ITEMS if item.get("stock_out")]
    assert len(missing) >= 12
    assert all(STOCK[item["store"], item["sku"]]["level"] == 0 for item in missing)


def test_the_leaking_cap_looks_like_one_problem() -> None:
    cluster = [
        item
        for item in ITEMS
        if item.get("cluster") == "leaking_cap" and not item["story"].startswith("merged")
    ]
    assert len(cluster) >= 12
    assert {item["sku"] for item in cluster} == {"BT002"}
    near_peak = [item for item in cluster if 7 <= item["days_ago"] <= 13]
    assert len(near_peak) >= 10
    batches = {
        line["batch"]
        for item in cluster
        if item.get("order")
        for line in ORDERS[item["order"]]["items"]
        if line["sku"] == "BT002"
    }
    assert batches == {"MG0923A"}


# --- feedback: stories ------------------------------------------------------------------------------------------


def test_stories_are_known_and_lie_in_the_past() -> None:
    for item in ITEMS:
        assert STORIES.fullmatch(item["story"]), item["id"]
        ago = minutes_since(item)
        contact = item.get("contact")
        if contact:
            assert 0 < contact["after_minutes"] < ago, item["id"]
            assert contact["how"] in {
                "phone",
                "chat",
                "sms",
                "wechat",
                "email",
                "in_person",
                "public_reply",
            }, item["id"]
            assert contact["said"], item["id"]
            assert "{" not in contact["said"], item["id"]
        first = contact["after_minutes"] if contact else 0
        for hours in [
            *(
                item[key]
                for key in ("resolve_after_hours", "reopen_after_hours", "wait_after_hours")
                if key in item
            ),
            *(item[key]["after_hours"] for key in ("plan", "progress") if key in item),
        ]:
            assert first < hours * 60 < ago, item["id"]
        if "reopen_after_hours" in item:
            assert item["reopen_after_hours"] > item["resolve_after_hours"], item["id"]


def test_finished_cases_had_a_contact_and_a_resolution() -> None:
    for item in ITEMS:
        if without_clock(item) or item["expect"]["subcategory"] == "OTHER_OPINION":
            continue
        if item["story"] in ("resolved", "closed", "reopened"):
            assert item["contact"], item["id"]
            assert item["resolve_after_hours"], item["id"]
            assert item["resolution"], item["id"]
        if item["story"] in ("in_progress", "resolved", "closed") and item["expect"]["tier"] == "S":
            assert item["plan"], item["id"]
        if item["story"] in ("new", "assigned"):
            assert "contact" not in item, item["id"]
            assert item["days_ago"] == 0 or "overdue" in item, item["id"]
        if item["story"].startswith("waiting"):
            assert item["days_ago"] <= 2, item["id"]  # resumes by itself after 72 hours
            assert item["wait_reason"], item["id"]


def test_every_story_occurs() -> None:
    seen = Counter(item["story"].split(":d")[0] for item in ITEMS)
    assert set(seen) == {
        "new", "assigned", "in_progress", "waiting:customer", "waiting:third_party", "waiting:appointment",
        "resolved", "closed", "dismissed:spam", "merged", "reopened",
    }  # fmt: skip


def test_late_answers_and_open_overdue_cases() -> None:
    late = [item for item in ITEMS if item.get("late")]
    assert 15 <= len(late) <= 22
    least = {"S": 60, "A": 4 * 60, "B": 24 * 60}
    assert all(item["contact"]["after_minutes"] > least[item["expect"]["tier"]] for item in late)
    overdue = [item for item in ITEMS if "overdue" in item]
    assert 10 <= len(overdue) <= 14
    for item in overdue:
        assert item["story"] in ("new", "assigned", "in_progress"), item["id"]
        assert ("contact" in item) == (item["overdue"] == "second"), item["id"]


def test_urgent_cases_are_answered_within_the_hour_unless_marked_late() -> None:
    for item in of(tier="S"):
        if "contact" in item and not item.get("late"):
            assert item["contact"]["after_minutes"] <= 60, item["id"]
    for item in of(tier="B"):
        if "contact" in item and not item.get("late"):
            assert item["contact"]["after_minutes"] <= 24 * 60, item["id"]


def test_nothing_is_promised_for_a_review() -> None:
    forbidden = re.compile(r"返现|红包|好评.{0,6}(送|券|元)|改.{0,3}(评|好评).{0,6}(退|补|送)|最终解释权")
    said = [item[key] for item in ITEMS for key in ("resolution",) if key in item]
    said += [item["contact"]["said"] for item in ITEMS if "contact" in item]
    allowed = "返现卡全部清出并停用"
    assert [text for text in said if forbidden.search(text) and allowed not in text] == []


def test_public_replies_name_no_customer() -> None:
    for item in ITEMS:
        if item["customer"] and item.get("contact", {}).get("how") == "public_reply":
            assert not re.search(r"\w(先生|女士)", item["contact"]["said"]), item["id"]


def test_volume_is_denser_lately_with_one_bump() -> None:
    days = Counter(item["days_ago"] for item in ITEMS)
    assert max(days) <= 60
    today = [item for item in ITEMS if "minutes_ago" in item]
    assert len(today) >= 12
    assert all(item["days_ago"] == 0 and 3 <= item["minutes_ago"] <= 400 for item in today)
    assert all("minutes_ago" in item for item in ITEMS if item["days_ago"] == 0)
    assert sum(days[day] for day in range(1, 31)) > 2 * sum(days[day] for day in range(31, 61))
    negative = Counter(item["days_ago"] for item in ITEMS if item["expect"]["sentiment"] == "negative")
    bump = sum(negative[day] for day in range(8, 13)) / 5
    around = sum(negative[day] for day in (*range(13, 21),)) / 8
    assert bump > 1.2 * around


# --- reference --------------------------------------------------------------------------------------------------


def test_channels_are_complete() -> None:
    keys = {
        "code", "name_zh", "name_en", "group", "is_review_platform", "has_rating", "accepts_public_reply", "review_url_pattern",
        "icon", "authority", "identity_kind", "customer_zone", "recording_possible", "active", "sort",
    }  # fmt: skip
    groups = {row["code"] for row in load(REFERENCE / "channels.json")["groups"]}
    for row in CHANNELS.values():
        assert set(row) == keys, row["code"]
        assert row["group"] in groups, row["code"]
        assert re.fullmatch(r"[a-z0-9_]+", row["code"])
        assert re.fullmatch(r"[a-z0-9_]+", row["icon"])
    assert {code for code, row in CHANNELS.items() if row["authority"]} == {
        "authority_12315",
        "consumer_association",
        "heimao",
    }
    assert {code for code, row in CHANNELS.items() if row["recording_possible"]} == {"hotline", "callback"}


def test_service_levels_are_those_decided() -> None:
    policies = {row["code"]: row for row in load(REFERENCE / "sla_policies.json")["policies"]}

    def target(code: str, name: str) -> tuple[str, int, str, str]:
        row = policies[code][name]
        return row["kind"], row["value"], row["unit"], row["calendar"]

    assert target("S", "first_response") == ("first_response", 60, "minutes", "always")
    assert target("S", "second") == ("plan_given", 1440, "minutes", "always")
    assert target("A", "first_response") == ("first_response", 240, "business_minutes", "service")
    assert target("A", "second") == ("resolved", 1, "workday", "workday")
    assert target("B", "first_response") == ("first_response", 1440, "minutes", "always")
    assert target("B", "second") == ("progress_given", 3, "workday", "workday")
    assert policies["no_clock"]["no_clock"]
    assert all(policies[code]["first_response"]["pausable"] == [] for code in "SAB")


def test_departments_are_those_of_the_taxonomy() -> None:
    rows = load(ROOT / "apps" / "shop" / "reference" / "departments.json")["departments"]
    assert {row["name_zh"] for row in rows} == DEPARTMENTS
    assert {row["code"] for row in rows} == {row["code"] for row in SHOP["departments"]}


def test_the_literal_reading_is_off() -> None:
    policy = load(REFERENCE / "tier_policy.json")
    assert policy["literal_seed"] is False
    assert set(policy["priority_weights"]["severity"]["emotion"]) == EMOTIONS
