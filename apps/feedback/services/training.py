"""Learning from the shop's own texts: rated reviews, what staff corrected, or a labelled file (R17)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import ActionLog, ReferenceStamp, User
from apps.core.reference import touch
from apps.core.services.notices import notify
from apps.feedback.analysis import SentimentModel
from apps.feedback.fileformats import RowProblem, open_rows
from apps.feedback.models import Correction, Feedback, TrainedModel
from apps.feedback.selectors.reference import STAMP, trained_model

# The newest so many texts are learned from; more costs memory and changes little.
MOST_TEXTS = 200_000
# What a person said counts more than what stars suggest.
CORRECTION_WEIGHT = 3.0
# Fewer tested texts than this prove nothing.
LEAST_TESTED = 20
PERMISSION = "feedback.change_trainedmodel"
# A row that says when the training under way began, in seconds; 0: none is.
RUNNING = "training"
DEAD_AFTER = 1800
POSITIVE = {"1", "positive", "pos", "正面", "好评", "好"}
NEGATIVE = {"0", "-1", "negative", "neg", "负面", "差评", "差"}


@dataclass
class TrainingResult:
    """What a training gave. `before` and `after` are shares of the tested texts read right (0 to 1)."""

    examples: int
    held_out: int
    before: float
    after: float
    switched: bool
    version: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The interface of `train_text --json`."""
        return asdict(self)


@dataclass(slots=True, frozen=True)
class Labelled:
    """A text, 1 for positive or 0 for negative, and how much it counts."""

    text: str
    label: int
    weight: float = 1.0


def from_ratings() -> Iterator[Labelled]:
    """Texts whose stars are plain: 1 and 2 are negative, 4 and 5 positive, 3 says nothing."""
    rated = (
        Feedback.objects.filter(rating__in=(1, 2, 4, 5))
        .exclude(source="demo")
        .order_by("-id")
        .values_list("text", "rating")[:MOST_TEXTS]
    )
    for text, rating in rated.iterator(chunk_size=5000):
        yield Labelled(text, int(rating >= 4))


def from_corrections() -> Iterator[Labelled]:
    """What staff put right or confirmed; the latest word on a text counts, neutral ones teach nothing here."""
    seen: set[int] = set()
    rows = Correction.objects.order_by("-at", "-id").values_list(
        "feedback_id", "feedback__text", "feedback__sentiment"
    )[:MOST_TEXTS]
    for pk, text, sentiment in rows.iterator(chunk_size=5000):
        if pk in seen:
            continue
        seen.add(pk)
        if sentiment in ("positive", "negative"):
            yield Labelled(text, int(sentiment == "positive"), CORRECTION_WEIGHT)


def from_csv(path: str | Path) -> Iterator[Labelled]:
    """A file with the columns `label` and `review` (or `text`), encoding detected. Raises InvalidInput."""
    with open_rows(path) as source:
        text_column = next((c for c in ("review", "text", "评价", "内容") if c in source.columns), "")
        label_column = next((c for c in ("label", "标签") if c in source.columns), "")
        if not text_column or not label_column:
            raise InvalidInput(
                _("The file needs the columns “label” and “review”; it has: %(columns)s")
                % {"columns": ", ".join(source.columns)},
                field="csv",
            )
        for item in source:
            if isinstance(item, RowProblem):
                continue
            row, cells = item
            label, text = cells.get(label_column, "").strip().lower(), cells.get(text_column, "").strip()
            if not text:
                continue
            if label in POSITIVE:
                yield Labelled(text, 1)
            elif label in NEGATIVE:
                yield Labelled(text, 0)
            else:
                raise InvalidInput(
                    _("Row %(row)d: the label is “%(label)s”; it must be 1 (positive) or 0 (negative).")
                    % {"row": row, "label": label[:20]},
                    field="csv",
                )


def train_text(rows: Iterable[Labelled], *, by: User | None, now: datetime) -> TrainingResult:
    """Train on four fifths, test on the rest, and use the new weights only if they read the rest better.

    The weights in use are the starting point, so that few texts shift them a little and many a lot. Raises
    InvalidInput when there is too little to learn from.
    """
    from apps.feedback.analysis.training.trainer import Example, adapt, evaluate, split

    weights: dict[tuple[str, int], float] = {}
    for row in rows:
        key = (row.text, row.label)
        weights[key] = max(weights.get(key, 0.0), row.weight)
    learn, test = split(list(weights))
    counts = [
        sum(1 for _text, label in side if label == wanted) for side in (learn, test) for wanted in (0, 1)
    ]
    if len(test) < LEAST_TESTED or min(counts) == 0:
        raise InvalidInput(
            _(
                "Too little to learn from: %(count)d texts (%(negative)d negative, %(positive)d positive). At least "
                "about a hundred of both kinds are needed."
            )
            % {
                "count": len(weights),
                "negative": counts[0] + counts[2],
                "positive": counts[1] + counts[3],
            }
        )
    present = trained_model() or SentimentModel.from_package()
    version = f"own-{now:%Y%m%d%H%M%S}"
    fresh = adapt(
        present, [Example(text, label, weights[(text, label)]) for text, label in learn], version=version
    )
    # What is stored is what is tested: weights are rounded when written.
    data = fresh.dumps()
    before = evaluate(present, test).accuracy
    after = evaluate(SentimentModel.loads(data), test).accuracy
    switched = after > before
    with transaction.atomic():
        if switched:
            TrainedModel.objects.select_for_update().filter(is_active=True).update(is_active=False)
        TrainedModel.objects.create(
            version=version,
            weights=data,
            examples=len(learn),
            held_out=len(test),
            before=before,
            after=after,
            is_active=switched,
            created_at=now,
            created_by=by,
        )
        if switched:
            touch(STAMP)
    why = (
        _("The new weights read more of the tested texts right: they are in use from now on.")
        if switched
        else _("The new weights are no better on the tested texts: the old ones stay in use.")
    )
    return TrainingResult(len(learn), len(test), round(before, 4), round(after, 4), switched, version, why)


def _begin(now: datetime) -> bool:
    """Whether this is the only training under way; one that died is forgotten after half an hour."""
    ReferenceStamp.objects.get_or_create(code=RUNNING, defaults={"version": 0})
    since = int(now.timestamp()) - DEAD_AFTER
    return bool(
        ReferenceStamp.objects.filter(code=RUNNING, version__lt=since).update(version=int(now.timestamp()))
    )


def train_and_tell(*, by: User, now: datetime) -> TrainingResult | None:
    """Train on stars and corrections; `by` learns by the bell what came of it. None: too little to learn from, or another training is under way."""
    result, level, body = None, NoticeLevel.INFO, ""
    if not _begin(now):
        return None
    with translation.override(settings.LANGUAGE_CODE):
        try:
            result = train_text(chain(from_ratings(), from_corrections()), by=by, now=now)
            body = _("Right before: %(before)s, after: %(after)s, tested on %(count)d texts.") % {
                "before": f"{result.before:.1%}",
                "after": f"{result.after:.1%}",
                "count": result.held_out,
            }
            title = result.why
        except InvalidInput as error:
            level, title = NoticeLevel.WARNING, str(error.message)
        finally:
            ReferenceStamp.objects.filter(code=RUNNING).update(version=0)
        notify(
            recipients=[by.pk],
            level=level,
            title=title,
            body=body,
            url=reverse("admin:feedback_trainedmodel_changelist"),
            key=f"trained:{now:%Y%m%d%H%M%S}",
            now=now,
        )
    return result


@transaction.atomic
def use(*, model: TrainedModel | None, by: User, now: datetime) -> None:
    """Read with these weights from now on; None goes back to the shipped ones. Raises NotPermitted."""
    if not by.has_perm(PERMISSION):
        raise NotPermitted(_("You may not choose which weights read."))
    # All rows, so that two who choose at once come one after the other.
    rows = {row.pk: row for row in TrainedModel.objects.select_for_update().defer("weights").order_by("pk")}
    before = next((row for row in rows.values() if row.is_active), None)
    if before is not None:
        TrainedModel.objects.filter(pk=before.pk).update(is_active=False)
    if model is not None:
        TrainedModel.objects.filter(pk=model.pk).update(is_active=True)
    touch(STAMP)
    subject = model or before
    if subject is not None:
        ActionLog.objects.create(
            model="feedback.trainedmodel",
            object_id=subject.pk,
            verb="use" if model is not None else "use_shipped",
            from_state=before.version if before else "",
            to_state=model.version if model else "",
            by=by,
            via="admin",
            at=now,
        )
