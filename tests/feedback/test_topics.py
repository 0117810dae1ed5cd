"""Common problems: found by themselves, merged and given back exactly, answered with one text (R18)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.compliance.models import Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.models import Approval
from apps.core.services import approvals
from apps.feedback.clustering import Grouping, Text, name_of
from apps.feedback.models import Feedback, Topic, TopicAnswer, TopicMember
from apps.feedback.services import topics
from apps.messaging.models import OutboundMessage
from tests.factories import NOW, Cast, arrive, case, make_cast, queries
from tests.feedback.test_replies import may_send

LEAK = ["杯盖漏水,很严重", "这个杯盖漏水太严重了", "杯盖漏水严重,包都湿了", "买来杯盖就漏水,严重"]
SLOW = ["等了两个小时才送到", "两个小时才送到,太慢", "足足两个小时才送到"]


@pytest.fixture(autouse=True)
def _forget() -> Any:
    topics.forget_grouping()
    yield
    topics.forget_grouping()


@pytest.fixture
def crew(cast: Cast) -> Cast:
    may_send(cast.alice, cast.bob, cast.lin)
    return cast


def voices(texts: list[str], **values: Any) -> list[Feedback]:
    return [arrive("A", text=text, **values) for text in texts]


def members(topic: Topic) -> set[int]:
    return set(TopicMember.objects.filter(topic=topic).values_list("pk", flat=True))


def test_three_who_say_nearly_the_same_make_a_problem_and_a_fourth_joins(crew: Cast) -> None:
    leak, slow = voices(LEAK[:3]), voices(SLOW)
    assert topics.group_new(now=NOW) == 6
    assert Topic.objects.count() == 2
    topic = Topic.objects.get(members__feedback=leak[0])
    assert members(topic) == {row.pk for row in leak} and topic.size == 3 and "漏水" in topic.name
    assert {row.topic_member.topic_id for row in slow} != {topic.pk}
    (late,) = voices(LEAK[3:])
    topics.forget_grouping()
    assert topics.group_new(now=NOW) == 1 and late.pk in members(topic)
    topic.refresh_from_db()
    assert topic.size == 4 and topic.last_at == late.received_at
    assert topics.group_new(now=NOW) == 0


def test_praise_and_empty_words_are_no_problem(crew: Cast) -> None:
    for _ in range(4):
        arrive("praise", text="杯盖漂亮,颜色好看")
    assert topics.group_new(now=NOW) == 0 and not Topic.objects.exists()


def test_what_a_person_took_out_the_machine_does_not_put_back(crew: Cast) -> None:
    rows = voices(LEAK)
    topics.group_new(now=NOW)
    topic = Topic.objects.get()
    topics.unlink(topic=topic, feedback=rows[0], by=crew.lin, now=NOW)
    with pytest.raises(IllegalMove):
        topics.unlink(topic=topic, feedback=rows[0], by=crew.lin, now=NOW)
    assert topic.exclusions.count() == 1 and rows[0].pk not in members(topic)
    with pytest.raises(NotPermitted):
        topics.link(topic=topic, feedback=[rows[0]], by=crew.ann, now=NOW)


def test_a_merge_is_undone_exactly_and_leaves_what_moved_on_since(crew: Cast) -> None:
    leak, slow = voices(LEAK[:3]), voices(SLOW)
    topics.group_new(now=NOW)
    one = Topic.objects.get(members__feedback=leak[0])
    two = Topic.objects.get(members__feedback=slow[0])
    centre = dict(two.centre)
    topics.merge(topic=one, into=two, by=crew.lin, now=NOW, reason="同一批")
    two.refresh_from_db()
    assert members(two) == {row.pk for row in leak + slow} and two.size == 6 and not members(one)
    with pytest.raises(IllegalMove):
        topics.link(topic=one, feedback=slow[:1], by=crew.lin, now=NOW)
    own = topics.create(name="别的事", feedback=[leak[2]], by=crew.lin, now=NOW)
    topics.unmerge(topic=one, by=crew.lin, now=NOW, reason="看错了")
    two.refresh_from_db()
    assert members(one) == {leak[0].pk, leak[1].pk} and members(two) == {row.pk for row in slow}
    assert members(own) == {leak[2].pk} and one.state == "open" and (one.size, two.size) == (2, 3)
    assert two.centre == pytest.approx(centre, abs=0.01)
    with pytest.raises(IllegalMove):
        topics.unmerge(topic=one, by=crew.lin, now=NOW, reason="再来")


def answered(
    crew: Cast, text: str = "{{customer_name}}您好,杯盖已换新批次,{{case_no}}为您补发。"
) -> tuple[Topic, list[Feedback], TopicAnswer]:
    rows = voices(LEAK)
    topics.group_new(now=NOW)
    topic = Topic.objects.get()
    answer = topics.ask_answer(
        topic=topic,
        text=text,
        feedback_ids=[row.pk for row in rows],
        by=crew.lin,
        now=NOW,
        resolution="补发杯盖",
    )
    return topic, rows, answer


def test_one_answer_goes_to_many_after_a_second_persons_yes_and_never_twice(crew: Cast) -> None:
    topic, rows, answer = answered(crew)
    assert topics.send_answers(now=NOW) == 0 and not OutboundMessage.objects.exists()
    approval = Approval.objects.get()
    approvals.approve(approval=approval, by=crew.max, now=NOW)
    assert topics.send_answers(now=NOW, limit=2) == 2
    # A crash forgot what was done: nobody is written to twice.
    TopicAnswer.objects.filter(pk=answer.pk).update(done={})
    topics.send_answers(now=NOW)
    bodies = list(OutboundMessage.objects.values_list("body", flat=True))
    assert len(bodies) == len(rows) == len(set(bodies)) and rows[0].number in "".join(bodies)
    answer.refresh_from_db()
    topic.refresh_from_db()
    assert (answer.state, topic.state) == ("done", "answered")
    assert {case(row.pk).status for row in rows} == {"resolved"}


def test_who_asked_cannot_approve_and_no_means_nobody_is_written_to(crew: Cast) -> None:
    _topic, _rows, answer = answered(crew)
    approval = Approval.objects.get()
    with pytest.raises(NotPermitted):
        approvals.approve(approval=approval, by=crew.lin, now=NOW)
    approvals.reject(approval=approval, by=crew.max, now=NOW, reason="语气不对")
    answer.refresh_from_db()
    assert answer.state == "dropped" and topics.send_answers(now=NOW) == 0


def test_an_unlawful_or_empty_answer_is_refused(crew: Cast) -> None:
    with pytest.raises(Unlawful):
        answered(crew, "删了差评,给您补偿30元")
    topic = Topic.objects.get()
    with pytest.raises(InvalidInput):
        topics.ask_answer(topic=topic, text="给您换新", feedback_ids=[], by=crew.lin, now=NOW)
    with pytest.raises(InvalidInput, match="weather"):
        topics.ask_answer(
            topic=topic,
            text="今天{{weather}}给您换新",
            feedback_ids=list(members(topic)),
            by=crew.lin,
            now=NOW,
        )
    assert not TopicAnswer.objects.exists()
    assert Verdict.objects.get().ruling == "blocked"


def test_one_customers_fault_does_not_keep_the_others_waiting(
    crew: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _topic, rows, answer = answered(crew)
    approvals.approve(approval=Approval.objects.get(), by=crew.max, now=NOW)

    def send(*, feedback: Feedback, **values: Any) -> Any:
        if feedback.pk == rows[0].pk:
            raise ValueError("broken")
        return sent(feedback=feedback, **values)

    sent = topics.replies.send_approved
    monkeypatch.setattr(topics.replies, "send_approved", send)
    assert topics.send_answers(now=NOW) == len(rows) - 1
    answer.refresh_from_db()
    assert answer.state == "done" and answer.done[str(rows[0].pk)] != "sent"
    # Whoever looks again after a crash finds it sent, not impossible.
    TopicAnswer.objects.filter(pk=answer.pk).update(done={}, state="sending")
    monkeypatch.setattr(topics.replies, "send_approved", sent)
    topics.send_answers(now=NOW)
    answer.refresh_from_db()
    assert set(answer.done.values()) == {"sent"} and OutboundMessage.objects.count() == len(rows)


def test_a_merge_below_another_is_undone_from_the_top(crew: Cast) -> None:
    leak, slow = voices(LEAK[:3]), voices(SLOW)
    topics.group_new(now=NOW)
    one = Topic.objects.get(members__feedback=leak[0])
    two = Topic.objects.get(members__feedback=slow[0])
    three = topics.create(name="别的事", feedback=[arrive("A", text="袋子破了")], by=crew.lin, now=NOW)
    topics.merge(topic=one, into=two, by=crew.lin, now=NOW, reason="同一批")
    topics.merge(topic=two, into=three, by=crew.lin, now=NOW, reason="同一批")
    with pytest.raises(IllegalMove):
        topics.unmerge(topic=one, by=crew.lin, now=NOW, reason="看错了")
    topics.unmerge(topic=two, by=crew.lin, now=NOW, reason="看错了")
    topics.unmerge(topic=one, by=crew.lin, now=NOW, reason="看错了")
    assert members(one) == {row.pk for row in leak} and members(two) == {row.pk for row in slow}


def test_pages_show_voices_and_scope_them(crew: Cast) -> None:
    rows = voices(LEAK, store="renmin")
    topics.group_new(now=NOW)
    topic = Topic.objects.get()
    lead, store = Client(), Client()
    lead.force_login(crew.lin)
    store.force_login(crew.sue)
    url = reverse("admin:feedback_topic_change", args=[topic.pk])
    assert rows[0].snippet in lead.get(url).content.decode()
    assert topic.name in lead.get(reverse("admin:feedback_topic_changelist")).content.decode()
    assert Topic.objects.visible_to(crew.sue).count() == 1  # type: ignore[attr-defined]
    answer = lead.get(reverse("admin:feedback_topic_answer", args=[topic.pk]))
    assert answer.status_code == 200 and answer.content.decode().count('name="ids"') == len(rows)
    assert store.get(reverse("admin:feedback_topic_answer", args=[topic.pk])).status_code == 403
    page = lead.post(reverse("admin:feedback_topic_link", args=[topic.pk]), {"numbers": "F9999999, 乱"})
    assert page.status_code == 302 and topic.members.count() == len(rows)


def test_the_list_costs_the_same_queries_for_one_and_for_many(crew: Cast) -> None:
    client = Client()
    client.force_login(crew.lin)
    url = reverse("admin:feedback_topic_changelist")
    topics.create(name="第一个", feedback=[arrive("A")], by=crew.lin, now=NOW)
    client.get(url)
    with queries() as few:
        client.get(url)
    for number in range(12):
        topics.create(name=f"第{number}个", feedback=[arrive("A")], by=crew.lin, now=NOW)
    with queries() as many:
        client.get(url)
    assert len(many) == len(few)


def test_grouping_is_plain_and_names_what_is_shared() -> None:
    grouping = Grouping()
    texts = [Text(n, text, "QUALITY", "QUALITY_FAULT") for n, text in enumerate(LEAK + SLOW)]
    grouping.learn(texts)
    fresh = [placed.fresh for text in texts if (placed := grouping.place(text)).fresh]
    assert fresh and set(fresh[0]) <= {0, 1, 2, 3}
    assert any("漏水" in phrase for phrase in name_of(LEAK, grouping.frequency, grouping.texts))


@pytest.mark.postgres
def test_two_workers_group_once(committed: None) -> None:
    make_cast()
    voices(LEAK)
    gate = threading.Barrier(2)

    def run() -> None:
        try:
            gate.wait(10)
            topics.group_new(now=NOW)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Topic.objects.count() == 1 and TopicMember.objects.count() == len(LEAK)


def test_one_product_and_one_fault_are_one_problem_in_whatever_words() -> None:
    grouping = Grouping()
    said = ["盖子没拧紧,箱子里全是油", "瓶口是松的,味道倒喜欢", "泵头一按就喷", "漏漏漏"]
    texts = [Text(n, text, "PACKAGING", "PACKAGING_LEAK", "7") for n, text in enumerate(said)]
    slow = [Text(9 + n, "送得慢" * (n + 1), "LOGISTICS", "LOGISTICS_DELAY", "7") for n in range(2)]
    grouping.learn([*texts, *slow])
    placed = [grouping.place(text) for text in texts[:3]]
    assert placed[2].fresh == (0, 1, 2) and placed[2].about == "7|PACKAGING_LEAK"
    grouping.adopt(1, "PACKAGING", texts[:3], placed[2].about)
    assert grouping.place(texts[3]).group == 1
    assert not any(grouping.place(text).about for text in slow)
