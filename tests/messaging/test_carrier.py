"""Carriers' rules over texts, and the words of opting out."""

from __future__ import annotations

import pytest

from apps.messaging import carrier


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("好" * 70, 1),
        ("好" * 71, 2),
        ("好" * 134, 2),
        ("好" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments(text: str, count: int) -> None:
    assert carrier.segments(text) == count


def test_the_signature_counts() -> None:
    assert carrier.segments("好" * 65, signature="云朵家居") == 2


@pytest.mark.parametrize(
    ("text", "message_class", "codes"),
    [
        ("您好,已为您换新。", "service", []),
        ("【云朵】您好", "service", ["brackets"]),
        ("好" * 501, "service", ["too_long"]),
        ("详见 https://t.cn/a1", "service", ["link"]),
        ("详见 shop.example.com/a", "service", ["link"]),
        ("共3.5公斤,单号SF1234567890,8.30前寄出", "service", []),
        ("五 星好 评送您", "service", ["words"]),
        ("新品上市", "marketing", ["opt_out_last"]),
        ("新品上市,拒收请回复R", "marketing", []),
        ("拒收请回复R,新品上市", "marketing", ["opt_out_last"]),
        ("新品上市 回T退订", "marketing", []),
        ("召回通知:请停止使用并联系抽奖处", "safety", []),
    ],
)
def test_what_carriers_refuse(text: str, message_class: str, codes: list[str]) -> None:
    assert [problem.code for problem in carrier.problems(text, message_class=message_class)] == codes


@pytest.mark.parametrize(
    "text",
    ["R", "r", " r ", "Ｒ", "t", "TD", "ｔｄ", "N", "退订", "退订。", "拒收", "「拒收」", "回复R", "td!"],
)
def test_opting_out_in_any_spelling(text: str) -> None:
    assert carrier.is_opt_out(text)


@pytest.mark.parametrize(
    "text", ["", "Right", "我要退订单里的鞋", "不要退订", "NO", "请问T恤有货吗", "拒收快递了怎么办"]
)
def test_a_sentence_is_no_opt_out(text: str) -> None:
    assert not carrier.is_opt_out(text)
