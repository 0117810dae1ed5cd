"""The fixed question set is honest: no question repeats six consecutive characters of a title or variant."""

import json
import re
from collections import Counter
from pathlib import Path

from apps.feedback.analysis import normalise

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "benchmarks/data/kb_questions.jsonl"
ARTICLES = ROOT / "apps/feedback/demo_data/knowledge.json"


def six(text: str) -> set[str]:
    """All runs of six characters, as written and without blanks and signs."""
    forms = (text, re.sub(r"[\W_]", "", normalise(text)))
    return {form[i : i + 6] for form in forms for i in range(len(form) - 5)}


def test_question_set_is_as_promised() -> None:
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    articles = json.loads(ARTICLES.read_text(encoding="utf-8"))["articles"]
    known = {
        run
        for article in articles
        for part in (article, article.get("en") or {"title": "", "variants": []})
        for text in (part["title"], *part["variants"])
        for run in six(text)
    }
    assert len(articles) >= 60 and len(known) > 500
    assert [row["id"] for row in rows if six(row["text"]) & known] == []
    per_article = Counter(row["article"] for row in rows if row["kind"] == "answer")
    assert len(per_article) == 60 and set(per_article.values()) == {5}
    assert set(per_article) <= {article["code"] for article in articles}
    others = Counter(row["kind"] for row in rows if row["kind"] != "answer")
    assert others == {"off_topic": 40, "price": 35, "refund": 40, "angry": 35}
    assert len({row["text"] for row in rows}) == 450
