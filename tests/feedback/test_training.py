"""Learning from the shop's own texts: better weights are used, worse ones never."""

from __future__ import annotations

import io
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import ActionLog, StaffNotice
from apps.feedback.analysis import SentimentModel
from apps.feedback.analysis.training.trainer import Example, adapt, evaluate
from apps.feedback.models import Feedback, TrainedModel
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves, training
from apps.feedback.services.training import Labelled
from tests.factories import NOW, Cast, arrive, queries

pytestmark = pytest.mark.django_db
# A shop whose customers have words of their own: nobody else calls bad tea 跑气 and good tea 挂杯.
GOOD, BAD = (
    ("这款挂杯", "汤色透亮挂杯", "挂杯得很", "泡三次还挂杯"),
    ("又跑气", "开盖就跑气", "跑气了", "这批跑气"),
)


def local_texts(count: int = 400, seed: int = 1) -> list[Labelled]:
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        label = number % 2
        words = rng.choice(GOOD if label else BAD)
        texts.append(Labelled(f"{words},第{number}次买{rng.choice('茶水壶杯罐')}", label))
    return texts


def run(*args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("train_text", *args, "--json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return result


def as_csv(path: Path, rows: list[Labelled], header: str = "label,review") -> str:
    lines = [header, *(f'{row.label},"{row.text}"' for row in rows)]
    path.write_text("\n".join(lines), encoding="gb18030")
    return str(path)


def test_better_weights_are_used_from_then_on(tmp_path: Path) -> None:
    shipped = reference().reader.version
    result = run("--csv", as_csv(tmp_path / "own.csv", local_texts()))
    assert result["switched"] is True
    assert result["after"] > result["before"]
    assert result["after"] > 0.9
    assert result["examples"] + result["held_out"] == 400
    reader = reference().reader
    assert reader.version != shipped and result["version"] in reader.version
    assert reader.read("开盖就跑气").sentiment_score < 0 < reader.read("汤色透亮挂杯").sentiment_score
    # What everybody says is still read as before.
    assert reader.read("质量太差了,再也不买").sentiment == "negative"
    assert reader.read("质量很好,非常满意").sentiment == "positive"


def test_worse_weights_are_kept_but_not_used(tmp_path: Path) -> None:
    rng = random.Random(5)
    noise = [
        Labelled(f"{text}{number}", rng.randrange(2))
        for number in range(150)
        for text in ("质量太差了,要求退货", "非常满意,还会再来")
    ]
    before = reference().reader.version
    result = run("--csv", as_csv(tmp_path / "noise.csv", noise))
    assert result["switched"] is (result["after"] > result["before"])
    if not result["switched"]:
        assert reference().reader.version == before
        assert TrainedModel.objects.get().is_active is False


def test_few_texts_move_the_base_a_little_and_many_a_lot() -> None:
    base = SentimentModel.from_package()
    test = [(row.text, row.label) for row in local_texts(200, seed=9)]
    few = adapt(base, [Example(r.text, r.label) for r in local_texts(20)])
    many = adapt(base, [Example(r.text, r.label) for r in local_texts(600)])
    assert evaluate(many, test).accuracy > 0.95
    plain = "质量太差了,再也不买"
    assert few.logit(plain) / base.logit(plain) > 0.8
    assert many.logit(plain) < 0
    moved = [evaluate(model, test).accuracy for model in (base, few, many)]
    assert moved == sorted(moved)


def test_staff_corrections_teach_and_the_last_word_counts(cast: Cast) -> None:
    case = arrive("A", text="跑气得厉害,第一次见")
    moves.correct(feedback=case, values={"sentiment": "positive"}, by=cast.alice, now=NOW)
    moves.correct(
        feedback=Feedback.objects.get(pk=case.pk), values={"sentiment": "negative"}, by=cast.lin, now=NOW
    )
    neutral = arrive("A")
    moves.correct(feedback=neutral, values={"sentiment": "neutral"}, by=cast.alice, now=NOW)
    assert list(training.from_corrections()) == [
        Labelled("跑气得厉害,第一次见", 0, training.CORRECTION_WEIGHT)
    ]


def test_stars_teach_except_three() -> None:
    for stars in (1, 2, 3, 4, 5):
        arrive("A", text=f"第{stars}条真实的评价内容", rating=stars)
    arrive("A", text="没有星级")
    assert sorted((row.text[1], row.label) for row in training.from_ratings()) == [
        ("1", 0), ("2", 0), ("4", 1), ("5", 1),
    ]  # fmt: skip


def test_ratings_and_corrections_are_read_in_few_queries() -> None:
    for number in range(30):
        arrive("A", rating=1 + number % 5)
    with queries() as captured:
        list(training.from_ratings())
        list(training.from_corrections())
    assert len(captured) == 2


@pytest.mark.parametrize(
    ("content", "tells"),
    [
        ("label,review\n1,好\n0,差\n", "2"),
        ("stars,comment\n1,好\n", "label"),
        ("label,review\nmaybe,好评如潮\n", "maybe"),
        ("", "空|empty"),
    ],
)
def test_a_file_that_cannot_teach_is_refused_and_nothing_changes(
    tmp_path: Path, content: str, tells: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=tells):
        run("--csv", str(path))
    assert not TrainedModel.objects.exists()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv"):
        run("--csv", "nowhere.csv")


def test_one_class_alone_teaches_nothing() -> None:
    with pytest.raises(InvalidInput):
        training.train_text([Labelled(f"很好{n}", 1) for n in range(300)], by=None, now=NOW)
    assert not TrainedModel.objects.exists()


def test_the_lead_chooses_which_weights_read(cast: Cast, client: Client) -> None:
    training.train_text(local_texts(), by=None, now=NOW)
    model = TrainedModel.objects.get()
    client.force_login(cast.alice)
    assert client.post(f"/admin/feedback/trainedmodel/{model.pk}/use/").status_code == 403
    assert client.post("/admin/feedback/trainedmodel/shipped/").status_code == 403
    client.force_login(cast.lin)
    assert client.get("/admin/feedback/trainedmodel/shipped/").status_code == 405
    page = client.get("/admin/feedback/trainedmodel/").content.decode()
    assert model.version in page
    client.post("/admin/feedback/trainedmodel/shipped/")
    assert model.version not in reference().reader.version
    client.post(f"/admin/feedback/trainedmodel/{model.pk}/use/")
    assert model.version in reference().reader.version


def test_choosing_weights_is_permitted_and_leaves_a_trace(cast: Cast) -> None:
    training.train_text(local_texts(), by=None, now=NOW)
    model = TrainedModel.objects.get()
    with pytest.raises(NotPermitted):
        training.use(model=None, by=cast.ann, now=NOW)
    training.use(model=None, by=cast.lin, now=NOW)
    training.use(model=model, by=cast.lin, now=NOW)
    logs = ActionLog.objects.filter(model="feedback.trainedmodel").order_by("id")
    assert [(log.verb, log.from_state, log.to_state, log.by) for log in logs] == [
        ("use_shipped", model.version, "", cast.lin),
        ("use", "", model.version, cast.lin),
    ]


def test_a_second_training_does_not_begin_while_one_is_under_way(cast: Cast) -> None:
    assert training._begin(NOW)
    assert not training._begin(NOW + timedelta(minutes=5))
    assert training.train_and_tell(by=cast.lin, now=NOW + timedelta(minutes=6)) is None
    assert not StaffNotice.objects.filter(recipient=cast.lin).exists()
    # One that was killed does not stand in the way for good.
    assert training._begin(NOW + timedelta(hours=1))


def test_training_from_the_page_tells_who_asked(cast: Cast) -> None:
    assert training.train_and_tell(by=cast.lin, now=NOW) is None
    for row in local_texts(300):
        arrive("A", text=row.text, rating=5 if row.label else 1, channel="jd")
    result = training.train_and_tell(by=cast.lin, now=NOW + timedelta(hours=1))
    assert result is not None and result.switched
    told = StaffNotice.objects.filter(recipient=cast.lin).order_by("id")
    assert [(notice.level, bool(notice.body)) for notice in told] == [("warning", False), ("info", True)]
