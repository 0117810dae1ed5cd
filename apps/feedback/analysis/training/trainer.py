"""Train and judge a sentiment model, the shipped one as well as a shop's own.

scikit-learn is imported inside the functions: serving never needs it, the worker that trains does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apps.feedback.analysis.normalise import normalise
from apps.feedback.analysis.sentiment import SentimentModel, ngrams
from apps.feedback.analysis.topics import TopicModel, topic_grams

# Weights this small change nothing measurable but triple the file.
_NEGLIGIBLE = 0.08
_NEGLIGIBLE_TOPIC = 0.5


@dataclass(slots=True, frozen=True)
class Example:
    """A text, 1 for positive or 0 for negative, and how much it counts."""

    text: str
    label: int
    weight: float = 1.0


@dataclass(slots=True, frozen=True)
class Evaluation:
    """How a model reads labelled texts by the sign of its score."""

    total: int
    accuracy: float
    positive_recall: float
    negative_recall: float


def train(
    examples: Iterable[Example | tuple[str, int]],
    *,
    strength: float = 0.3,
    min_count: int = 2,
    version: str = "custom",
) -> SentimentModel:
    """Fit a logistic regression on character 1–3-grams; ``strength`` is scikit-learn's ``C``.

    Deterministic for the same examples in the same order. Raises ``ValueError`` when one class is missing.
    """
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    rows = [item if isinstance(item, Example) else Example(*item) for item in examples]
    labels = [row.label for row in rows]
    if len(set(labels)) != 2:
        raise ValueError("training needs positive and negative texts")
    vectoriser = CountVectorizer(analyzer=ngrams, binary=True, min_df=min_count, dtype=np.float32)
    matrix = vectoriser.fit_transform(normalise(row.text) for row in rows)
    fitted = LogisticRegression(C=strength, solver="liblinear", random_state=0)
    fitted.fit(matrix, labels, sample_weight=[row.weight for row in rows])
    coefficients = fitted.coef_[0]
    weights = {
        gram: float(coefficients[column])
        for gram, column in vectoriser.vocabulary_.items()
        if abs(coefficients[column]) >= _NEGLIGIBLE
    }
    return SentimentModel(weights, float(fitted.intercept_[0]), version)


def adapt(
    base: SentimentModel,
    examples: Iterable[Example],
    *,
    strength: float = 0.1,
    min_count: int = 2,
    version: str = "custom",
) -> SentimentModel:
    """A model that starts from ``base`` and moves as far as the examples carry it.

    Logistic regression with the base's log-odds as a fixed offset: what is learned is the difference, and
    regularisation holds it near nothing, so few examples leave the base nearly as it is and many outweigh
    it. Raises ``ValueError`` when one class is missing.
    """
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit
    from sklearn.feature_extraction.text import CountVectorizer

    rows = list(examples)
    if len({row.label for row in rows}) != 2:
        raise ValueError("training needs positive and negative texts")
    texts = [normalise(row.text) for row in rows]
    vectoriser = CountVectorizer(analyzer=ngrams, binary=True, min_df=min_count, dtype=np.float64)
    grams = vectoriser.fit_transform(texts).tocsr()
    turned = grams.T.tocsr()
    sign = np.array([1.0 if row.label else -1.0 for row in rows])
    weight = np.array([row.weight for row in rows])
    offset = np.array([base.logit(text) for text in texts])

    def loss(values):  # type: ignore[no-untyped-def]
        delta, shift = values[:-1], values[-1]
        margin = sign * (offset + grams @ delta + shift)
        pull = -weight * sign * expit(-margin)
        total = weight @ np.logaddexp(0, -margin) + (delta @ delta + shift * shift) / (2 * strength)
        gradient = np.concatenate([turned @ pull + delta / strength, [pull.sum() + shift / strength]])
        return total, gradient

    start = np.zeros(grams.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    weights = dict(base.items())
    for gram, column in vectoriser.vocabulary_.items():
        weights[gram] = weights.get(gram, 0.0) + float(found[column])
    kept = {gram: value for gram, value in weights.items() if abs(value) >= _NEGLIGIBLE / 4}
    return SentimentModel(kept, base.bias + float(found[-1]), version)


def train_topics(
    examples: Iterable[tuple[str, str]], *, strength: float = 3.0, version: str = "custom"
) -> TopicModel:
    """Fit the subcategory model on ``(text, code)``; one linear scorer per code."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    rows = list(examples)
    vectoriser = CountVectorizer(analyzer=topic_grams, binary=True, min_df=2, dtype=np.float32)
    matrix = vectoriser.fit_transform(normalise(text) for text, _ in rows)
    scorer = LogisticRegression(C=strength, solver="liblinear", class_weight="balanced", random_state=0)
    fitted = OneVsRestClassifier(scorer).fit(matrix, [code for _, code in rows])
    table = np.vstack([one.coef_[0] for one in fitted.estimators_])
    weights = {}
    for gram, column in vectoriser.vocabulary_.items():
        parts = tuple((i, float(w)) for i, w in enumerate(table[:, column]) if abs(w) >= _NEGLIGIBLE_TOPIC)
        if parts:
            weights[gram] = parts
    bias = tuple(float(one.intercept_[0]) for one in fitted.estimators_)
    return TopicModel(tuple(map(str, fitted.classes_)), bias, weights, version)


def evaluate(model: SentimentModel, texts_labels: Iterable[tuple[str, int]]) -> Evaluation:
    """Accuracy of ``model`` on ``(text, 1 or 0)``; texts are normalised here."""
    right = {0: 0, 1: 0}
    seen = {0: 0, 1: 0}
    for text, label in texts_labels:
        seen[label] += 1
        right[label] += (model.logit(normalise(text)) > 0) == bool(label)
    total = seen[0] + seen[1]

    def share(hits: int, of: int) -> float:
        return hits / of if of else 0.0

    return Evaluation(
        total, share(right[0] + right[1], total), share(right[1], seen[1]), share(right[0], seen[0])
    )


def split(
    texts_labels: Sequence[tuple[str, int]], held_out: float = 0.2
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """A reproducible split by the text itself, so that equal texts never stand on both sides."""
    from zlib import crc32

    border = int(held_out * 1000)
    learn: list[tuple[str, int]] = []
    test: list[tuple[str, int]] = []
    for text, label in texts_labels:
        side = test if crc32(normalise(text).encode("utf-8", "replace")) % 1000 < border else learn
        side.append((text, label))
    return learn, test
