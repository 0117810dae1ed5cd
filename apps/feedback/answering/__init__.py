"""Answers from the knowledge base: which article fits a question, how sure, and whether a machine may say it.

Plain Python: no Django, no network, no compiled dependency. Texts in, values out.

>>> from apps.feedback.answering import Entry, Index
>>> index = Index([Entry(key=1, language="zh", title="付款后多久发货", variants=("什么时候寄出",))])
>>> index.search("啥时候给发呀")[0].key
1
"""

from apps.feedback.answering.gates import REASONS, Facts, stops
from apps.feedback.answering.index import Entry, Hit, Index, Weights
from apps.feedback.answering.words import language_of, prepare

__all__ = ["REASONS", "Entry", "Facts", "Hit", "Index", "Weights", "language_of", "prepare", "stops"]
