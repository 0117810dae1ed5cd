"""Keys and near duplicates (decisions.md 6): the index must agree with brute force, always."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.feedback.matching import (
    MAX_KEY,
    NearIndex,
    grams,
    jaccard,
    key_hash,
    link_run,
    text_key,
)


# -- keys ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("质量很好，下次还来！", "质量很好下次还来"),
        ("质量 很好~ 下次👍还来。。。", "质量很好下次还来"),
        ("质量很好好好好好，下次还来", "质量很好下次还来"),
        ("ＡＢＣ１２３很好", "abc123很好"),
        ("Very GOOD product", "verygodproduct"),
        ("价格1000元很贵", "价格1000元很贵"),
        ("价格100元很贵", "价格100元很贵"),
        ("好评！！！", ""),
        ("不错不错", ""),
        ("", ""),
        ("👍👍👍", ""),
    ],
)
def test_text_key(text: str, key: str) -> None:
    assert text_key(text) == key


def test_text_key_with_a_table_of_simplified_characters() -> None:
    table = str.maketrans("質還來", "质还来")
    assert text_key("質量很好，下次還來！", table) == text_key("质量很好,下次还来")


def test_equal_keys_share_a_hash_that_fits_a_bigint() -> None:
    first, second = text_key("质量很好，下次还来！"), text_key("质量很好……下次还来")
    assert key_hash(first) == key_hash(second)
    assert key_hash(first) != key_hash(text_key("质量很差，下次不来"))
    # Stored in a column: must be the same in every process and version.
    assert key_hash("质量很好下次还来") == -2940522184680276898
    assert all(-(2**63) <= key_hash(str(n)) < 2**63 for n in range(1000))


@given(st.text(max_size=80))
def test_text_key_properties(text: str) -> None:
    key = text_key(text)
    assert key == "" or len(key) >= 6
    assert text_key(f"！ {text}…") == key
    assert isinstance(key_hash(key), int)


# -- near ----------------------------------------------------------------------------------------------------
def brute(keys: list[tuple[int, str]], known: list[tuple[int, str]], threshold: float) -> dict[int, float]:
    best: dict[int, float] = {}
    before = [pair for pair in known if pair[1]]
    for id, key in keys:
        if not key:
            continue
        scores = [jaccard(grams(key), grams(other)) for _, other in before]
        if scores and max(scores) >= threshold:
            best[id] = max(scores)
        before.append((id, key))
    return best


def test_near_texts_are_found() -> None:
    index = NearIndex()
    assert index.add(1, text_key("快递太慢了，等了一个星期才收到，包装也破了，非常失望"))
    assert index.add(2, text_key("口味很好，分量也足，推荐大家来尝尝"))
    found = index.find(text_key("快递太慢了，等了一个星期才收到，包装也破了，非常失望啊"))
    assert [id for id, _ in found] == [1]
    assert 0.8 <= found[0][1] < 1
    assert index.find(text_key("完全不同的一条评论，说的是客服态度")) == []
    assert index.find("") == []
    assert not index.add(3, "")
    assert len(index) == 2


def test_threshold_is_inclusive_and_exact() -> None:
    # 8 common grams of 10: exactly 0.8, which floats could miss on either side.
    index = NearIndex(0.8)
    index.add("a", "0123456789a")
    assert index.find("0123456789b") == [("a", 0.8)]
    assert NearIndex(0.81).find("0123456789b") == []


def test_all_equal_texts_are_listed_oldest_first() -> None:
    index = NearIndex()
    for id in (5, 3, 9):
        index.add(id, "一模一样的评论")
    assert index.find("一模一样的评论") == [(5, 1.0), (3, 1.0), (9, 1.0)]
    assert len(index) == 3


def test_index_is_bounded() -> None:
    index = NearIndex(max_texts=2)
    assert index.add(1, "第一条评论内容")
    assert index.add(2, "第二条评论不同")
    assert index.full
    assert not index.add(3, "第三条评论再见")
    assert index.find("第三条评论再见") == []
    assert index.find("第一条评论内容") == [(1, 1.0)]


def test_long_texts_are_compared_by_their_beginning() -> None:
    generator = random.Random(7)
    body = "".join(chr(generator.randrange(0x4E00, 0x9000)) for _ in range(MAX_KEY))
    index = NearIndex()
    index.add(1, body + "甲乙丙丁" * 5000)
    assert index.find(body + "完全别的结尾") == [(1, 1.0)]


def test_link_run_links_to_known_and_within_the_run() -> None:
    known = [("k1", "发货速度太慢等了十天"), ("k2", "质量很好下次还来买")]
    keys = [
        ("r1", "质量很好下次还来买"),
        ("r2", "全新的一条长评论内容"),
        ("r3", "全新的一条长评论内容"),
        ("r4", ""),
    ]
    assert link_run(keys, known) == {"r1": ("k2", 1.0), "r3": ("r2", 1.0)}
    # A single text against many is scanned for; the answer is the same.
    many = known + [(f"x{n}", f"第{n}个不相干的评论{n * 7}") for n in range(200)]
    assert link_run(keys[:1], many) == {"r1": ("k2", 1.0)}


def test_wrong_threshold() -> None:
    for threshold in (0, 1.1, -1):
        with pytest.raises(ValueError, match="threshold"):
            NearIndex(threshold)


# Few letters and copies with small edits make many pairs near the threshold.
BASES = st.text("甲乙丙丁abc1", min_size=3, max_size=30)


@st.composite
def families(draw: st.DrawFn) -> list[tuple[int, str]]:
    texts: list[str] = []
    for base in draw(st.lists(BASES, min_size=1, max_size=5)):
        texts.append(base)
        for place, insert in draw(
            st.lists(st.tuples(st.integers(0, 30), st.text("甲丁x", max_size=2)), max_size=4)
        ):
            texts.append(base[:place] + insert + base[place:])
    return list(enumerate(draw(st.permutations(texts))))


@given(families(), st.sampled_from([0.5, 0.6, 0.8, 0.9, 1.0]), st.booleans())
@settings(deadline=None, max_examples=300)
def test_agrees_with_brute_force(pairs: list[tuple[int, str]], threshold: float, sampled: bool) -> None:
    half = len(pairs) // 2
    known, keys = pairs[:half], pairs[half:]
    expected = brute(keys, known, threshold)
    linked = link_run(keys, known, threshold=threshold)
    assert {id: score for id, (_, score) in linked.items()} == pytest.approx(expected)
    index = NearIndex(threshold, sample=[key for _, key in known] if sampled else (), max_texts=1000)
    for id, key in known:
        index.add(id, key)
    for _, key in keys:
        want = {id for id, other in known if other and jaccard(grams(key), grams(other)) >= threshold}
        assert {id for id, _ in index.find(key)} == want


@given(families(), st.sampled_from([0.5, 0.8, 1.0]))
@settings(deadline=None)
def test_scanning_agrees_with_brute_force(pairs: list[tuple[int, str]], threshold: float) -> None:
    filler = [(1000 + n, f"{n:05d}zz") for n in range(100)]
    known, keys = filler + pairs[1:], pairs[:1]
    linked = link_run(keys, known, threshold=threshold)
    assert {id: score for id, (_, score) in linked.items()} == pytest.approx(brute(keys, known, threshold))


def test_collisions_of_gram_hashes_do_not_matter() -> None:
    """With one bucket for all grams the index is slow but still right."""
    generator = random.Random(3)
    texts = ["".join(generator.choice("甲乙丙丁戊己") for _ in range(20)) for _ in range(60)]
    texts += [text[:18] + "xy" for text in texts[:30]]
    index = NearIndex()
    index._mask = 0
    for id, text in enumerate(texts):
        want = {n for n in range(id) if jaccard(grams(text), grams(texts[n])) >= 0.8}
        assert {n for n, _ in index.find(text)} == want
        index.add(id, text)


def test_learning_which_grams_are_rare_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.feedback.matching._LEARN_AT", (10, 40))
    generator = random.Random(5)
    texts = ["".join(generator.choice("甲乙丙丁戊己庚辛") for _ in range(20)) for _ in range(60)]
    texts = [text for base in texts for text in (base, base[:19] + "x")]
    index = NearIndex()
    for id, text in enumerate(texts):
        want = {n for n in range(id) if jaccard(grams(text), grams(texts[n])) >= 0.8}
        assert {n for n, _ in index.find(text)} == want
        found = index.link(id, text)
        assert (found is not None) == bool(want)


def test_speed_of_a_run() -> None:
    """A loose floor (1,000 texts a second) that a quadratic search would miss by far."""
    generator = random.Random(1)
    words = ["".join(chr(generator.randrange(0x4E00, 0x6000)) for _ in range(2)) for _ in range(3000)]
    keys: list[tuple[object, str]] = [
        (n, "".join(generator.choices(words, k=generator.randrange(5, 40)))) for n in range(4000)
    ]
    began = time.perf_counter()
    link_run(keys)
    assert time.perf_counter() - began < 4
