"""The reading engine: text in, :class:`Reading` out. Plain Python, no Django, no network.

>>> from apps.feedback.analysis import Reader
>>> reader = Reader.from_package()
>>> reader.read("吃完全家上吐下泻").tier
'S'
"""

from .normalise import normalise, to_simplified
from .reader import Reader, shipped_version
from .sentiment import SentimentModel
from .types import Reading, Span

#: Changes whenever the shipped words, rules or weights change; stored with every reading.
VERSION: str = shipped_version()

__all__ = ["VERSION", "Reader", "Reading", "SentimentModel", "Span", "normalise", "to_simplified"]
