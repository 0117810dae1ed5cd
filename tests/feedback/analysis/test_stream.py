"""JSON lines in, JSON lines out: bad lines are answered, never fatal."""

import itertools
import json
import time

from apps.feedback.analysis.stream import analyse_lines

FIELDS = [
    "id",
    "kind",
    "sentiment",
    "sentiment_score",
    "emotion",
    "category",
    "subcategory",
    "tier",
    "s_review",
    "needs_review",
    "confidence",
    "keywords",
    "spans",
]


def run(reader, *lines, use_rating=False):
    return [json.loads(line) for line in analyse_lines(lines, use_rating, reader)]


def test_fields_and_order(reader):
    [answer] = run(reader, '{"id": "a1", "text": "用了过敏"}')
    assert list(answer) == FIELDS
    assert answer["id"] == "a1"
    assert answer["tier"] == "S"
    assert answer["spans"][0].keys() == {"start", "end", "word", "role", "code"}


def test_bad_lines_are_answered_and_the_stream_goes_on(reader):
    answers = run(
        reader,
        "{broken",
        "[1, 2]",
        '{"id": 2}',
        '{"id": 3, "text": 5}',
        '{"id": {"x": 1}, "text": "好"}',
        "",
        '{"id": 4, "text": "很好"}',
        '{"id": NaN, "text": "很好"}',
    )
    assert [(a["id"], a.get("line")) for a in answers] == [
        (None, 1),
        (None, 2),
        (2, 3),
        (3, 4),
        (None, 5),
        (4, None),
        (None, 8),
    ]
    assert all("error" in a for a in answers if a["id"] != 4)


def test_rating_is_used_only_when_asked(reader):
    line = '{"id": 1, "text": "收到了", "rating": 1}'
    without, with_stars = run(reader, line)[0], run(reader, line, use_rating=True)[0]
    assert with_stars["sentiment_score"] < without["sentiment_score"]


def test_a_wrong_rating_is_an_error_only_when_used(reader):
    for value in ("6", '"five"', "true", "[1]", "2.5"):
        line = f'{{"id": 1, "text": "好", "rating": {value}}}'
        assert "error" in run(reader, line, use_rating=True)[0], value
        assert "error" not in run(reader, line)[0]
    assert "error" not in run(reader, '{"id": 1, "text": "好", "rating": null}', use_rating=True)[0]
    assert "error" not in run(reader, '{"id": 1, "text": "好", "rating": "4"}', use_rating=True)[0]


def test_odd_characters_can_always_be_written(reader):
    lines = ['{"id": "\\ud800", "text": "坏\\u0000了\\ud83d"}', '\ufeff{"id": 1, "text": "😀很好"}']
    for line in analyse_lines(lines, False, reader):
        line.encode("utf-8")
        assert "error" not in json.loads(line)


def test_streaming_is_lazy(reader):
    endless = itertools.repeat('{"id": 1, "text": "很好"}')
    assert len(list(itertools.islice(analyse_lines(endless, False, reader), 3))) == 3


def test_huge_texts_take_bounded_time(reader):
    texts = (
        "太慢了,没有过敏,假货!" * 10_000,
        "好" * 100_000,
        "吃了" * 50_000,
        "10个" * 30_000,
        " " * 100_000,
    )
    for text in texts:
        start = time.perf_counter()
        [answer] = run(reader, json.dumps({"id": 1, "text": text}))
        assert "error" not in answer
        assert time.perf_counter() - start < 2, text[:10]
