"""Frequent words: counted once a text, ranked by certainty, linked to their feedback (R12)."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from apps.feedback.wordcount import Voice, count, log_odds, words_of
from tests.factories import Cast, arrive, make_store, queries


def test_words_are_counted_once_a_text_and_phrases_swallow_their_parts() -> None:
    assert "漏水" in words_of("漏水漏水漏水") and "这个" not in words_of("这个漏水")
    found = count([Voice("杯盖漏水", "negative")] * 5 + [Voice("杯子好看", "positive")] * 5)
    assert found.total == 10 and found.negatives == found.positives == 5
    leak = next(word for word in found.frequent if "漏水" in word.word)
    assert (leak.now, leak.negative, leak.positive) == (5, 5, 0)


def test_only_what_is_sure_rises_hurts_or_pleases() -> None:
    calm = [Voice("味道不错包装精美", "positive", present=False)] * 200
    now = [Voice("味道不错包装精美", "positive")] * 170 + [Voice("收到漏水了", "negative")] * 30
    found = count(calm + now)
    assert any("漏水" in word.word for word in found.rising) and any(
        "漏水" in word.word for word in found.pains
    )
    assert not any("味道" in word.word for word in found.rising) and any(
        "包装" in word.word for word in found.praise
    )
    few = count(calm + [Voice("漏水", "negative")] * 2 + [Voice("味道不错", "positive")] * 198)
    assert not any("漏水" in word.word for word in few.rising)
    assert log_odds(3, 100, 3, 100) == 0 and log_odds(300, 1000, 200, 1000) > log_odds(3, 10, 2, 10)


def test_the_page_answers_for_a_slice_with_links_and_says_when_it_is_small(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    url = reverse("feedback_words")
    assert "fc-empty" in client.get(url).content.decode()
    from django.utils import timezone

    make_store("other")
    for number in range(4):
        arrive("A", now=timezone.now(), text=f"杯盖漏水严重{'零一二三'[number]}", store="renmin")
    html = client.get(url).content.decode()
    assert "漏水" in html and "tab=all" in html and "is-amber" in html
    with queries() as asked:
        client.get(url, {"days": "7", "store": "other"})
    assert len(asked) < 25
    assert "fc-empty" in client.get(url, {"days": "7", "store": "other"}).content.decode()
    assert client.get(url, {"days": "no", "store": "nowhere"}).status_code == 200
    client.logout()
    assert client.get(url).status_code == 302
