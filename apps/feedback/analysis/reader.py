"""Read one text: kind, sentiment, emotion, category, tier, and the evidence for each.

The order of work (R7, domain.md 4, labelling guide):

1. normalise, find every word of the packs and the structural patterns in one pass each;
2. throw out false friends, words inside longer words, and denied dangers (没有过敏);
3. sentiment from the n-gram model, the words found and, when given, the stars;
4. the S rule, then the category by precedence, tier, kind and emotion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from apps.feedback.analysis.gates import Gates

from . import context, intent, turns
from .evidence import Evidence, Findings
from .normalise import Normalised, normalise_mapped
from .packs import Packs, shipped_lexicon, shipped_taxonomy
from .packs import shipped_version as words_version
from .patterns import PATTERNS
from .sentiment import SentimentModel, ngrams, shipped_model_version, squash
from .topics import TopicModel
from .types import Emotion, Kind, Reading, Sentiment, Tier

RULES_VERSION = "rules-3"

# Stars as log-odds. A clear text outweighs them: people click one star for the courier.
_STARS = {1: -2.6, 2: -2.2, 3: -0.5, 4: 1.8, 5: 2.4}
# The text's own score beyond which it contradicts the stars: five for plain blame, one for plain praise.
_CONTRADICTS_GOOD = -0.8
_CONTRADICTS_BAD = 0.85
# Scores between the bands are neutral; praise next to a problem needs a clearer score to leave it.
_NEUTRAL_BAND = 0.25
_MIXED_BAND = 0.5
# Vermin where people sleep is S, though the complaint is about hygiene (labelling guide: 虫害).
_VERMIN = ("蟑螂", "臭虫", "老鼠", "跳蚤", "虱子", "床虱", "小强")

# How far the topic model's first choice must lead before it is believed.
_TOPIC_LEAD = 0.3
_WISH = re.compile(
    r"希望[^,。!?]{0,8}(?:再|更|多|少|快|能|可以|改|增|加|出|提高)|(?:就|才)(?:更)?好了$|(?:就|会)更好"
)
_WISH_GATE = frozenset({"希望", "好了", "更好"})
_NOT_A_WISH = re.compile(r"希望[^,。!?]{0,6}(?:不是|别|不要|退|赔|处理|解决|没|给个说法|大家)")
_NOTHING_YET = re.compile(r"还没有?(?:用|吃|拆|试|穿|开|喝|装)|用了再|用过再|再来评|再评|先囤")
# Asking about harm before use (会不会过敏) is an inquiry; after use it is a worry.
_USED = re.compile(r"[用吃喝涂抹敷洗穿戴喷](?:了|完|过|后|着)|之后|以后|现在|已经|今天|昨")
# 一星是手滑: the stars do not count.
_SLIP = re.compile(r"手滑|手误|手抖|(?:星|评)[^,。!?]{0,3}(?:点|打|按)错|点错(?:了)?(?:星|评)|误点")
_NOTHING = "OTHER_NO_CONTENT"
# 还可以 and nothing else is no praise.
_LUKEWARM = re.compile(
    r"^(?:也|就|感觉|总体|整体)*(?:还(?:可以|行|好)|可以吧?|中规中矩|凑合|过得去|将就|一般般?吧|(?:已经?)?收(?:到|货)(?:货|了)?)(?:吧|啦|的)?[,。.!~\s]*$"
)
_INFORM = re.compile(r"查|发票|开票|专票|资料|预约|办理|证明|告知")
_TURN_OF_ANGER = frozenset({"who_pays", "mockery", "how_dare"})
_WORRIED = re.compile(r"担心|害怕|会不会|怕|急|怎么办|跑了[^,。]{0,3}趟|安全吗")
# Staff notes speak of the customer in the third person.
_TOLD = frozenset(
    {
        "记录",
        "来电",
        "来函",
        "顾客",
        "客户",
        "消费者",
        "投诉人",
        "会员",
        "参会者",
        "工单",
        "转述",
        "转办",
        "补录",
    }
    | {"询问", "表扬"}
)
_TOLD_CUES = {"grievance": -2.5, "praise": 1.5, "inquiry": 0.0, "suggestion": 0.0, "": 0.0}
# Too grave, too kind or too conspicuous to be guessed.
_NOT_BY_MODEL = frozenset({"SAFETY", "COUNTERFEIT", "PRAISE", "SUGGESTION"})
_NO_PROBLEM = frozenset({"PRAISE", "SUGGESTION", "OTHER", ""})
# What a question may name without being a grievance: 断货了吗.
_ASKABLE = _NO_PROBLEM | {"STOCK"}
# Subjects that a question in shop talk may name without a complaint.
_MILD = frozenset(
    {
        "OTHER_PLATFORM",
        "STORE",
        "PRICE",
        "GIFT",
        "LOGISTICS_TRACKING",
        "LOGISTICS_COLD",
        "LOGISTICS_COURIER",
        "MISMATCH_QUANTITY",
        "QUALITY_COLOR_SIZE",
        "QUALITY_TASTE",
        "QUALITY_MATERIAL",
        "PACKAGING_DESIGN",
        "REFUND_REPAIR",
    }
)
# What makes a demanded refund a dispute: what was sold is bad, broken or not as told, or the shop puts the customer off.
_GROUNDS = frozenset({"QUALITY", "SAFETY", "COUNTERFEIT", "MISMATCH", "PACKAGING"})
_PUT_OFF = frozenset(
    {"REFUND_REFUSED", "REFUND_SLOW", "SERVICE_EVASION", "LOGISTICS_LOST", "LOGISTICS_DAMAGE"}
)
# Precedence of the labelling guide: safety, genuineness, refund dispute, then the most severe; generic
# words yield to specific ones. A subcategory not listed takes its parent's weight, or 30.
_SEVERITY = {
    "SAFETY": 100.0,
    "COUNTERFEIT": 90.0,
    "REFUND_REFUSED": 80.0,
    "REFUND_SLOW": 78.0,
    "REFUND": 31.0,
    "LOGISTICS_LOST": 65.0,
    "STORE_CHECKOUT": 65.0,
    "QUALITY_FAULT": 34.0,
    "REFUND_FREIGHT": 28.0,
    "REFUND_INVOICE": 33.0,
    "REFUND_REPAIR": 33.0,
    "QUALITY": 26.0,
    "QUALITY_FRESH": 30.5,
    "QUALITY_COLOR_SIZE": 29.0,
    "QUALITY_MATERIAL": 29.5,
    "QUALITY_WORKMANSHIP": 30.0,
    "QUALITY_FUNCTION": 30.0,
    "QUALITY_TASTE": 30.0,
    "SERVICE": 26.0,
    "SERVICE_SLOW": 27.0,
    "SERVICE_EVASION": 27.5,
    "PRICE": 28.0,
    "STORE_LOCATION": 25.0,
    "PACKAGING": 29.0,
    "LOGISTICS_COLD": 29.5,
    "LOGISTICS_DELAY": 30.5,
    "OTHER": 12.0,
    "SUGGESTION": 15.0,
    "PRAISE": 5.0,
}


def _version(words: str, weights: str) -> str:
    return f"{RULES_VERSION}.{words}+{weights}"


def shipped_version() -> str:
    """The version of readings made with the shipped words and weights."""
    return _version(words_version(), shipped_model_version())


class Reader:
    """Reads feedback texts. Build one per process and share it: it never changes after construction."""

    #: Characters of a text the rules look at. A review is 60 characters long on average and the longest
    #: of 59,000 real ones has 2,900; the cap bounds the time for pasted novels.
    MAX_SCAN = 8_000

    def __init__(
        self, packs: Packs, model: SentimentModel, topics: TopicModel, *, literal_seed: bool = False
    ) -> None:
        self._packs = packs
        self._model = model
        self._topics = topics
        self._literal_seed = literal_seed
        self._denial = context.negation(packs.negators)
        self._patterns = Gates((p for p in PATTERNS if p.code in packs.nodes), lambda pattern: pattern.gate)
        self.version = _version(packs.version, model.version)

    @classmethod
    def from_package(cls) -> Reader:
        """The shipped taxonomy, lexicon and weights."""
        return cls.from_data(shipped_taxonomy(), shipped_lexicon())

    @classmethod
    def from_data(
        cls,
        taxonomy: Sequence[Mapping[str, Any]],
        lexicon: Mapping[str, Any],
        literal_seed: bool = False,
        *,
        competitors: Iterable[str] = (),
        model: SentimentModel | None = None,
        weights_path: str | Path | None = None,
    ) -> Reader:
        """A shop's own reference data, and optionally its own trained model.

        ``literal_seed`` reads "商品质量问题 is S" to the letter: every negative QUALITY text becomes S
        (domain.md 3.1). ``competitors`` adds to the list in ``lexicon["competitors"]`` (R8).
        """
        if model is None:
            model = SentimentModel.from_path(weights_path) if weights_path else SentimentModel.from_package()
        return cls(
            Packs(taxonomy, lexicon, competitors), model, TopicModel.from_package(), literal_seed=literal_seed
        )

    def read_many(
        self, items: Iterable[tuple[str, int | None] | tuple[str, int | None, bool | None]]
    ) -> list[Reading]:
        """Read a batch of ``(text, rating)`` or ``(text, rating, is_review_channel)``."""
        read = self.read
        return [
            read(item[0], item[1], is_review_channel=item[2] if len(item) == 3 else None) for item in items
        ]

    def read(self, text: str, rating: int | None = None, *, is_review_channel: bool | None = None) -> Reading:
        """Read one text; ``rating`` is 1–5 stars when the customer gave them.

        Where evaluations are expected (``is_review_channel``), praise and blame which ask nothing of the
        shop are reviews; elsewhere they are praise and complaints. ``None``: with stars it is a review.
        """
        mapped = normalise_mapped(text[: self.MAX_SCAN])
        return _Judgement(self, mapped, rating, is_review_channel).reading()


class _Judgement(Findings):
    """Turns the findings of one text into a reading."""

    def __init__(
        self, reader: Reader, mapped: Normalised, rating: int | None, is_review_channel: bool | None
    ) -> None:
        super().__init__(mapped, reader._packs, reader._patterns, reader._denial)
        self.reader = reader
        self.rating = rating if rating in _STARS else None
        given = self.rating is not None
        if self.rating and self.rating <= 2 and _SLIP.search(mapped.text):
            self.rating = None  # the customer says the stars are a mistake
        self.among_reviews = given if is_review_channel is None else is_review_channel
        self.grams = ngrams(self.text)
        self.text_logit = reader._model.weigh(self.grams) if self.text else 0.0
        self.turns = turns.Turns(self.text, self.grams)
        self.told = "" if _TOLD.isdisjoint(self.grams) else intent.told(self.text)
        self.problems = 0
        self.reasons: list[str] = []

    def reading(self) -> Reading:
        if turns.is_spam(self.text, self.characters):
            return self._empty("spam", None)
        if turns.is_filler(self.text, self.characters):
            return self._empty("filler", self.rating)
        if self._wishes() or self._offers():
            self.kinds.add("suggestion")
        cues = self._cues()
        logit = self.text_logit + cues
        if not cues and _NOTHING_YET.search(self.text):
            logit *= 0.3  # nothing was judged: the rest is how the model feels about parcels
        own = squash(logit / 2)
        stars = _STARS.get(self.rating, 0.0) if self.rating else 0.0
        score = squash((logit + stars) / 2) if stars else own
        asking = self._asks(own)
        tier_s, s_review = self._s_rule(score, asking)
        asking = asking and not tier_s
        proposing = not asking and not tier_s and self._proposes(own)
        sentiment = self._sentiment(score, own, asking, proposing)
        if self.rating and sentiment == "positive":
            score = max(score, 0.05)
        elif self.rating and sentiment == "negative":
            score = min(score, -0.05)
        category = self._category(score, sentiment, tier_s or s_review, asking, proposing)
        emotion, strength = self._emotion(sentiment, score, asking, proposing)
        kind = self._kind(sentiment, category, tier_s or s_review, asking, proposing)
        tier = self._tier(kind, sentiment, category, tier_s, own)
        top = self.packs.top(category)
        confidence = self._confidence(score, stars, logit, category)
        doubtful = confidence < 0.45 and kind not in ("inquiry", "suggestion")
        return self._result(
            kind, sentiment, score, emotion, category, top, tier, s_review, doubtful, confidence, strength
        )

    @cached_property
    def demanding(self) -> bool:
        return intent.demands(self.text)

    def _wishes(self) -> bool:
        if _WISH_GATE.isdisjoint(self.grams):
            return False
        return _WISH.search(self.text) is not None and _NOT_A_WISH.search(self.text) is None

    def _offers(self) -> bool:
        return self.told == "suggestion" or intent.proposes(self.text, self.grams)

    def _result(
        self,
        kind: Kind,
        sentiment: Sentiment,
        score: float,
        emotion: Emotion,
        category: str,
        top: str,
        tier: Tier,
        s_review: bool,
        doubtful: bool,
        confidence: float,
        strength: float,
    ) -> Reading:
        self.spans.sort(key=lambda span: (span.start, span.end, span.role, span.code))
        return Reading(
            kind=kind,
            sentiment=sentiment,
            sentiment_score=round(score, 4),
            emotion=emotion,
            category=top,
            subcategory="" if category == top else category,
            tier=tier,
            s_review=s_review,
            needs_review=s_review or doubtful,
            confidence=confidence,
            keywords=self._keywords(),
            spans=tuple(self.spans),
            competitors=tuple(self.competitors),
            strength=strength,
            reasons=tuple(dict.fromkeys(self.reasons)),
            version=self.reader.version,
        )

    def _empty(self, reason: str, rating: int | None) -> Reading:
        """Advertising, or words put there by the platform: only the stars say anything."""
        self.reasons.append(reason)
        stars = _STARS.get(rating, 0.0) if rating else 0.0
        score = squash(stars / 2)
        sentiment: Sentiment = "positive" if stars > 1 else "negative" if stars < -1 else "neutral"
        emotions: dict[Sentiment, Emotion] = {"positive": "satisfaction", "negative": "disappointment"}
        category = _NOTHING if _NOTHING in self.packs.nodes else "OTHER"
        tier: Tier = "A" if sentiment == "negative" else "B"
        emotion = emotions.get(sentiment, "neutral")
        return self._result(
            "review", sentiment, score, emotion, category, "OTHER", tier, False, False, 0.9, max(0.0, -score)
        )

    def _sentiment(self, score: float, own: float, asking: bool, proposing: bool) -> Sentiment:
        """Three classes; praise and blame side by side is neutral (labelling guide: 优缺点参半)."""
        good = self.emotions.get("satisfaction", 0) > 0
        if not self.text:
            return "negative" if score < -0.5 else "positive" if score > 0.5 else "neutral"
        if asking and not self.rating:
            return "neutral"
        if proposing and not self.rating:
            return "positive" if own > 0.6 else "neutral"
        if self.rating:
            return self._by_stars(self.rating, own, good)
        if self.told == "grievance" and score < 0.3:
            return "negative"
        if _LUKEWARM.match(self.text):
            return "neutral"
        if self.problems and not (self.turns.approval >= 2 and not self.turns.blame):
            if good:
                return (
                    "negative" if score < -_MIXED_BAND else "positive" if score > _MIXED_BAND else "neutral"
                )
            return "negative" if score < 0.15 else "positive" if score > _MIXED_BAND else "neutral"
        if (good or self.turns.approval) and score > 0.08 and not self.turns.blame and not self._bad():
            return "positive"
        if score < -_NEUTRAL_BAND or (
            score < -0.1
            and not self.problems
            and not good
            and not self.turns.approval
            and self.guessed != _NOTHING
        ):
            return "negative"
        return "positive" if score > _NEUTRAL_BAND else "neutral"

    def _bad(self) -> int:
        return self.emotions.get("anger", 0) + self.emotions.get("disappointment", 0)

    def _by_stars(self, rating: int, own: float, good: bool) -> Sentiment:
        """Stars decide unless the text plainly says otherwise, or names both sides."""
        bad = self._bad()
        blamed = self.turns.blame > self.turns.approval
        if rating >= 4:
            plain = not good or bad + self.problems > self.emotions["satisfaction"]
            if own < _CONTRADICTS_GOOD and plain and (bad or blamed or self.problems > 1):
                return "negative"
            if self.emotions.get("anger") and own < 0 and (blamed or self.emotions["anger"] > 1):
                return "negative"  # 五星送给你们的垃圾服务
            mixed = own < -0.6 and self.problems and not good and not self.turns.approval
            return "neutral" if mixed else "positive"
        if rating <= 2:
            if own > _CONTRADICTS_BAD and not self.problems and not bad and not blamed:
                return "positive"
            mixed = good and self.problems and own > -0.45
            return (
                "neutral" if mixed or (not self.problems and _NOTHING_YET.search(self.text)) else "negative"
            )
        if own < -0.15 or (self.problems and not good):
            return "negative"
        return "positive" if own > 0.7 and not self.problems and not bad else "neutral"

    def _cues(self) -> float:
        """Words of the packs as log-odds: they carry the domain where the training text is thin."""
        good = self.emotions.get("satisfaction", 0)
        bad = self._bad()
        self.problems = sum(
            1 for e in self.evidence if e.category and self.packs.top(e.category) not in _NO_PROBLEM
        )
        turned = min(self.turns.approval, 4.0) - min(self.turns.blame, 4.0)
        if self.turns.blame and "thanks" in self.turns.names:
            turned -= 1.0
        elif "thanks" in self.turns.names and intent.is_courtesy(self.text):
            turned -= 1.9
        return (
            0.45 * min(good, 4)
            + 2.5 * min(self.relief, 2)
            - 0.7 * min(bad, 4)
            - 0.5 * min(self.problems, 4)
            + turned
            + _TOLD_CUES[self.told]
        )

    def _s_rule(self, score: float, asking: bool) -> tuple[bool, bool]:
        before_use = asking and not _USED.search(self.text)
        sure = review = suspected = False
        disputed = self.emotions.get("anger", 0) > 0 or any(
            self.packs.top(item.category) in _GROUNDS or item.category in _PUT_OFF for item in self.evidence
        )
        for item in self.evidence:
            top = self.packs.top(item.category)
            group = item.s_group
            s_code = item.category in self.packs.s_codes or top == "SAFETY"
            if before_use and top == "SAFETY" and group in ("question", "worry"):
                item.category = ""  # 会不会过敏 asked before buying tells of no harm
                continue
            if asking and item.category == "QUALITY_FAULT" and intent.needs_help_paying(self.text):
                item.category = "OTHER_PLATFORM"  # 扫码付款没反应: no goods are broken
                continue
            if asking and item.category == "SAFETY_FOOD" and intent.asks_expiry(self.text):
                item.category = ""  # 饼干什么时候过期 asks for a date
                continue
            if group == "fault" and self.lodging:
                continue  # a hotel's broken network is an inconvenience, a shop's dead tablet a defect
            vermin = self.lodging and any(v in item.word for v in _VERMIN)
            if not (s_code or group or vermin):
                continue
            verdict = "s_trigger"
            if group == "question" and top == "COUNTERFEIT" and score < -0.6 and (self.rating or 5) <= 2:
                group = "suspicion"  # 是不是假货啊 under one star accuses
            if group in ("question", "worry", "elsewhere"):
                verdict = "s_review"
                if score > 0.5:
                    verdict = ""
            elif group == "suspicion":
                suspected = suspected or score < 0.1
                verdict = "s_trigger" if score < 0.1 else "s_review"
            elif item.category == "REFUND" and group == "auto" and not disputed:
                # 买大了一号,要求退款 asks for what every shop does daily; who was sold something bad, put off or
                # refused has a dispute (domain.md 4: a bare 退款 is for a person to look at).
                verdict = "s_review" if score < 0.1 else ""
            elif group == "review" or item.word in self.packs.review_words:
                verdict = "s_review" if score < 0.1 else ""
            elif top == "SAFETY" or top == "COUNTERFEIT":
                if score > 0.6:
                    verdict = "s_review"
            elif score > 0.3:
                verdict = ""
            if not verdict:
                continue
            code = item.category or group.upper()
            self.reasons.append(f"{verdict}:{code}")
            item.role = "s_trigger" if verdict == "s_trigger" else "s_review"
            if verdict == "s_review":
                review = True
            elif group != "suspicion":
                sure = True
        # One certain reason settles it; a mere suspicion is S and still wants a pair of eyes.
        return sure or suspected, not sure and (review or suspected)

    def _category(
        self, score: float, sentiment: Sentiment, s_like: bool, asking: bool, proposing: bool
    ) -> str:
        weights: dict[str, float] = {}
        for item in self.evidence:
            role = item.role if item.role in ("s_trigger", "s_review", "doubt") else "category"
            if item.category:
                self.mark(item.start, item.end, item.word, role, item.category)
                # The same topic again is a little stronger; what is mentioned first wins a draw.
                known = weights.get(item.category)
                weights[item.category] = self._severity(item) if known is None else known + 1.5
        best = max(weights, key=weights.__getitem__, default="")
        for item in self.evidence:
            if not item.category:
                self.mark(
                    item.start,
                    item.end,
                    item.word,
                    item.role if item.role != "category" else "s_review",
                    item.s_group,
                )
        problem = bool(best) and self.packs.top(best) not in _NO_PROBLEM
        if asking:
            return best if best == "REFUND_INVOICE" or self.packs.top(best) == "STOCK" else "SUGGESTION_ASK"
        if proposing:
            return best if self.packs.top(best) == "SUGGESTION" else "SUGGESTION_EXPERIENCE"
        if not s_like and (
            sentiment == "positive"
            or (not self.rating and score > (_MIXED_BAND if problem else _NEUTRAL_BAND))
        ):
            return "PRAISE_GENERAL"
        if problem:
            self.reasons.append(f"category:{best}")
            return best
        if "suggestion" in self.kinds and (score > -0.5 or not self.emotions.get("anger")):
            return best if self.packs.top(best) == "SUGGESTION" else "SUGGESTION_EXPERIENCE"
        if best and self.packs.top(best) not in (
            ("PRAISE", "SUGGESTION") if sentiment == "negative" else ("PRAISE",)
        ):
            return best
        if score > 0.1 and not self.rating:
            return "PRAISE_GENERAL"
        return self._topic() if score < 0.1 and not self.turns.approval else _NOTHING

    def _severity(self, item: Evidence) -> float:
        """Precedence of the labelling guide: safety, genuineness, refund dispute, then severity."""
        top = self.packs.top(item.category)
        weight = _SEVERITY.get(item.category) or _SEVERITY.get(top, 30.0)
        if item.role == "s_trigger" and item.category != "REFUND":
            weight += 20
        elif item.role == "s_review" and top == "SAFETY":
            weight -= 15  # an itch alone: an outspoken charge of counterfeit comes first
        elif item.role == "s_review" and top not in ("REFUND", "QUALITY"):
            weight += 10
        if self.lodging and top in ("STORE", "PRICE", "SERVICE"):
            weight += 4
        return weight

    def _asks(self, own: float) -> bool:
        """Whether the text is a question rather than a reproach in the form of one (为什么还不发货?)."""
        if self.told:
            return self.told == "inquiry"
        if "suggestion" in self.kinds or self.emotions.get("anger"):
            return False
        grievances = any(
            self.packs.top(e.category) not in _ASKABLE and e.category != "REFUND_INVOICE"
            for e in self.evidence
        )
        if self.turns.blame >= 1.5 or (grievances and self.demanding):
            return False
        if self.emotions.get("satisfaction", 0) > 1 and "inquiry" not in self.kinds:
            return False
        form = intent.asks(self.text)
        if not form and not self.rating and not self.among_reviews and intent.asks_in_shop_talk(self.text):
            grave = any(self._is_grave(e.category) for e in self.evidence)
            upset = self.emotions.get("disappointment", 0) > int(
                intent.asks_what_to_do(self.text) or intent.owns_slip(self.text)
            )
            if not grave and not upset:
                return True
        if not self.rating and not self.among_reviews:
            if intent.needs_help_paying(self.text):
                return True
            bare = (
                not self.evidence and not self.emotions and not self.turns.blame and not self.turns.approval
            )
            if bare and -0.45 < own < 0.3 and intent.is_plain_message(self.text) and not form:
                return intent.names_business(self.text)
        if self.rating or self.among_reviews:
            # Among reviews a question is one only if it is asked to the end and nothing else is said.
            clear = form and intent.ends_asking(self.text) and not self.emotions.get("satisfaction")
            return clear and not grievances and (self.rating or 5) > 2 and not intent.shouts(self.text)
        if self.emotions.get("disappointment") and not (form and len(self.text) <= 30):
            return False
        if form:
            return not intent.shouts(self.text) or own > -0.3
        return (
            "inquiry" in self.kinds
            and not grievances
            and own > -0.6
            and not intent.reproaches(self.text)
            and intent.ends_asking(self.text)
        )

    def _is_grave(self, category: str) -> bool:
        """Whether a named subject is trouble even in a friendly question. 单号发我一下 names tracking, no trouble."""
        if category in _MILD or self.packs.top(category) in _ASKABLE | _MILD or category == "REFUND_INVOICE":
            return False
        if category == "LOGISTICS_DELAY":
            return not intent.is_on_time(self.text)
        if category == "SAFETY_FOOD":
            return not intent.asks_expiry(self.text)
        return not (self.packs.top(category) == "MISMATCH" and intent.owns_slip(self.text))

    def _proposes(self, own: float) -> bool:
        """Whether the text is above all a proposal, so that what it names is no complaint."""
        if self.told:
            return self.told == "suggestion"
        if "suggestion" not in self.kinds or self.among_reviews or self.demanding:
            return False
        if self.emotions.get("anger") or self.turns.blame >= 2:
            return False
        return not self.problems or (self.problems == 1 and self._offers())

    @cached_property
    def guessed(self) -> str:
        """The topic model's guess for a text without a listed word, if it is sure enough."""
        code, lead = self.reader._topics.best(self.text)
        if lead < _TOPIC_LEAD or code not in self.packs.nodes or self.packs.top(code) in _NOT_BY_MODEL:
            return _NOTHING
        return code

    def _topic(self) -> str:
        if self.guessed != _NOTHING:
            self.reasons.append(f"topic_model:{self.guessed}")
        return self.guessed

    def _emotion(
        self, sentiment: Sentiment, score: float, asking: bool, proposing: bool
    ) -> tuple[Emotion, float]:
        """Anger before anxiety before disappointment (labelling guide); suggestions stay calm."""
        found = self.emotions
        strength = round(max(0.0, -score), 2)
        calm = not found.get("anger") and self.text.count("!") < 3
        if asking:
            return ("anxiety" if _WORRIED.search(self.text) else "neutral"), 0.0
        if proposing:
            return "suggestion", 0.0
        if sentiment == "positive":
            return ("suggestion" if "suggestion" in self.kinds and score < 0.85 else "satisfaction"), 0.0
        if "suggestion" in self.kinds and calm and score > -0.85:
            return "suggestion", strength
        if sentiment == "negative":
            if not calm or intent.shouts(self.text) or not _TURN_OF_ANGER.isdisjoint(self.turns.names):
                return "anger", round(min(1.0, strength + 0.1), 2)
            charges = {e.accused for e in self.evidence if e.accused}
            if found.get("anxiety") or "doubted" in charges:
                return "anxiety", strength
            if "charged" in charges:
                return "anger", strength
            return "disappointment", strength
        if found.get("anxiety"):
            return "anxiety", strength
        return ("disappointment" if self.problems else "neutral"), strength

    def _kind(self, sentiment: Sentiment, category: str, s_like: bool, asking: bool, proposing: bool) -> Kind:
        """Intent (decisions 7): what the text wants of the shop, not whether it is kind."""
        if asking:
            return "inquiry"
        if proposing:
            return "suggestion"
        if self.told == "grievance":
            return "complaint"
        among = self.among_reviews
        incident = any(e.role == "s_trigger" for e in self.evidence)
        if incident or (s_like and not among):
            return "complaint"
        if (
            "suggestion" in self.kinds
            and not self.demanding
            and (self.packs.top(category) == "SUGGESTION" or sentiment != "negative" or not self.problems)
            and (not among or self._offers())
        ):
            return "suggestion"
        if sentiment == "negative":
            return "complaint" if not among or self._addresses_the_shop(category) else "review"
        if sentiment == "positive":
            return "praise" if not among or intent.thanks(self.text) else "review"
        if self.demanding and not among:
            return "inquiry" if not self.problems and _INFORM.search(self.text) else "complaint"
        return "review"

    def _addresses_the_shop(self, category: str) -> bool:
        """A demand, a question thrown at the shop in anger, or a matter which is still open."""
        if self.packs.top(category) == "REFUND" or intent.is_open(self.text):
            return True
        return self.demanding or "?" in self.text or "who_pays" in self.turns.names

    def _tier(self, kind: Kind, sentiment: Sentiment, category: str, tier_s: bool, own: float) -> Tier:
        if tier_s:
            return "S"
        if self.reader._literal_seed and sentiment == "negative" and self.packs.top(category) == "QUALITY":
            self.reasons.append("literal_seed")
            return "S"
        top = self.packs.top(category)
        if kind in ("inquiry", "suggestion", "praise") or sentiment == "positive":
            return "B"
        if top in ("PRAISE", "SUGGESTION") or category == "OTHER_OPINION":
            return "B"
        if sentiment == "negative":
            return "A"
        # Neutral: a listed problem is enough, a guess of the topic model is not; good stars want more.
        if top in _NO_PROBLEM or not self.problems or self.turns.approval >= 2:
            return "B"
        return "B" if self.rating and self.rating >= 4 and own > -0.6 else "A"

    def _confidence(self, score: float, stars: float, logit: float, category: str) -> float:
        value = 0.35 + 0.45 * abs(score)
        if any(e.category == category for e in self.evidence):
            value += 0.15
        if stars * logit < 0 and abs(stars) > 1 and abs(logit) > 1.5:
            value -= 0.3
        return round(min(0.98, max(0.05, value)), 2)

    def _keywords(self) -> tuple[str, ...]:
        words: dict[str, None] = {}
        for span in self.spans:
            if span.role in ("s_trigger", "s_review", "category", "emotion"):
                words.setdefault(span.word)
        return tuple(words)[:6]
