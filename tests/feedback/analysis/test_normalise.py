"""Normalisation, traditional characters, and offsets that still point into the original."""

import pytest

from apps.feedback.analysis import normalise, to_simplified
from apps.feedback.analysis.normalise import normalise_mapped


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ＡＢＣ１２３！", "abc123!"),
        ("好好好好好", "好好"),
        ("差差差", "差差"),
        ("10000元", "10000元"),
        ("質量很差", "质量很差"),
        ("  很  好  ", "很 好"),
        ("很\x00好\n的", "很 好 的"),
        ("假\u200b货", "假货"),
        ("❤️", "❤"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("①", "1"),
        ("", ""),
    ],
)
def test_normalise(raw, expected):
    assert normalise(raw) == expected


def test_normalise_is_idempotent():
    for raw in ("  ！！！！好好好好  ", "ＡAＡ", "\u200b\u200b", "還沒收到貨,態度惡劣"):
        assert normalise(normalise(raw)) == normalise(raw)


def test_to_simplified_keeps_length():
    raw = "還沒收到貨,客服態度惡劣 😀"
    assert to_simplified(raw) == "还没收到货,客服态度恶劣 😀"
    assert len(to_simplified(raw)) == len(raw)


def test_lone_surrogates_do_not_survive():
    normalise("坏\ud800了").encode("utf-8")


def test_plain_text_needs_no_map():
    assert normalise_mapped("质量很差").offsets is None


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("😀😀😀😀买到假货了", "假货"),
        ("太差了！！！！！买到假货了", "假货"),
        ("　　买到假\u200b货了", "假\u200b货"),
        ("ＡＢ  买到　假货", "假货"),
        ("好好好好好的東西竟然過敏了", "過敏"),
        ("a\x00b  过敏", "过敏"),
    ],
)
def test_spans_point_into_the_original(reader, text, piece):
    spans = [s for s in reader.read(text).spans if s.role in ("s_trigger", "s_review")]
    assert any(piece in text[s.start : s.end] for s in spans), spans
    assert all(0 <= s.start < s.end <= len(text) for s in spans)


def test_traditional_text_reads_like_simplified(reader):
    old, new = reader.read("商家賣假貨,拒絕退款"), reader.read("商家卖假货,拒绝退款")
    assert (old.tier, old.subcategory, old.sentiment_score) == (
        new.tier,
        new.subcategory,
        new.sentiment_score,
    )
    assert old.tier == "S"
