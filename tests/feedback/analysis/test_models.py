"""Serialised weights, and training a shop's own model."""

import subprocess
import sys

import pytest

from apps.feedback.analysis import Reader, SentimentModel
from apps.feedback.analysis.packs import shipped_lexicon, shipped_taxonomy
from apps.feedback.analysis.topics import TopicModel


def test_a_model_survives_saving(tmp_path):
    model = SentimentModel({"好": 1.5, "差": -2.0, "很好": 0.7}, -0.25, "own-3")
    path = tmp_path / "own.tsv.gz"
    path.write_bytes(model.dumps())
    again = SentimentModel.from_path(path)
    assert (again.version, again.bias, len(again)) == ("own-3", -0.25, 3)
    for text in ("很好", "差", "一般"):
        assert again.logit(text) == pytest.approx(model.logit(text))
    assert again.dumps() == model.dumps()


def test_a_foreign_file_is_refused():
    topics = TopicModel(("A", "B"), (0.0, 0.1), {"慢死": ((0, 1.0),)})
    with pytest.raises(ValueError, match="not a sentiment model"):
        SentimentModel.loads(topics.dumps())
    with pytest.raises(ValueError, match="not a topic model"):
        TopicModel.loads(SentimentModel({}, 0.0).dumps())


def test_a_topic_model_survives_saving():
    model = TopicModel(("A", "B"), (0.0, 0.1), {"慢死": ((0, 1.0),), "难吃": ((1, 2.0),)})
    again = TopicModel.loads(model.dumps())
    assert again.best("慢死了") == model.best("慢死了")
    assert again.best("难吃")[0] == "B"


def test_a_shops_own_model_is_used_and_named(tmp_path):
    path = tmp_path / "own.tsv.gz"
    path.write_bytes(SentimentModel({"嗯": 5.0}, 0.0, "own-1").dumps())
    reader = Reader.from_data(shipped_taxonomy(), shipped_lexicon(), weights_path=path)
    assert reader.read("嗯").sentiment == "positive"
    assert reader.version.endswith("+own-1")


def test_serving_loads_no_training_library():
    # In a process of its own: other tests of this one do train.
    script = (
        "import sys; from apps.feedback.analysis import Reader; Reader.from_package().read('很好');"
        "sys.exit('sklearn' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_training_learns_and_is_reproducible():
    pytest.importorskip("sklearn")
    from apps.feedback.analysis.training.trainer import evaluate, split, train

    rows = [(f"很好吃{n}", 1) for n in range(40)] + [(f"难吃死了{n}", 0) for n in range(40)]
    learn, test = split(rows)
    assert learn
    assert test
    assert not {text for text, _ in learn} & {text for text, _ in test}
    model = train(learn)
    assert evaluate(model, test).accuracy == 1.0
    assert train(learn).dumps() == model.dumps()


def test_training_needs_both_classes():
    pytest.importorskip("sklearn")
    from apps.feedback.analysis.training.trainer import train

    with pytest.raises(ValueError, match="positive and negative"):
        train([("好", 1), ("很好", 1)])


def test_examples_overlapping_an_excluded_text_are_recognised():
    from apps.feedback.analysis.training.build_weights import key

    assert key("很好，很满意！！") == key("很好,很满意。")
    assert key("很好") != key("很差")


def test_own_phrases_name_known_categories():
    from apps.feedback.analysis.training.phrases import compose, load_phrases

    phrases = load_phrases()
    codes = {node["code"] for node in shipped_taxonomy()}
    assert {phrase.code for phrase in phrases} <= codes
    assert list(compose(phrases)) == list(compose(phrases))
