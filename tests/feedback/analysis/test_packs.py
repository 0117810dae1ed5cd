"""The shipped reference data is well formed, and the package stays free of Django."""

import ast
from collections import Counter
from pathlib import Path

from apps.feedback import analysis
from apps.feedback.analysis.packs import Packs, shipped_lexicon, shipped_taxonomy


def test_taxonomy_is_a_two_level_tree():
    nodes = {node["code"]: node for node in shipped_taxonomy()}
    assert len(nodes) == len(shipped_taxonomy())
    for node in nodes.values():
        parent = node["parent"]
        assert parent is None or nodes[parent]["parent"] is None
        assert node["default_tier"] in "SAB"


def test_words_are_listed_once_per_node_and_long_enough():
    for node in shipped_taxonomy():
        words = Counter([*node["keywords"], *node.get("unverified_keywords", [])])
        assert [w for w, n in words.items() if n > 1] == [], node["code"]
        assert set(node["evidence"]) <= set(node["keywords"]), node["code"]


def test_no_word_is_shielded_by_its_own_node():
    for node in shipped_taxonomy():
        assert not set(node["keywords"]) & set(node["exclusions"]), node["code"]


def test_lexicon_lists_hold_words():
    lexicon = shipped_lexicon()
    for section in ("emotion", "kind"):
        for entry in lexicon[section].values():
            for words in (entry["words"], entry["exclusions"]):
                assert isinstance(words, list)
                assert all(isinstance(word, str) and word for word in words)
    for words in lexicon["s_keywords"]["false_friends"].values():
        assert words
        assert "" not in words


def test_missing_lexicon_keys_fall_back_to_the_shipped_ones():
    packs = Packs(shipped_taxonomy(), {})
    assert packs.s_codes == set(shipped_lexicon()["s_keywords"]["s_subcategories"])


def test_no_django_in_the_package():
    for path in Path(analysis.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(name.split(".")[0] in {"django", "rest_framework"} for name in names), path
