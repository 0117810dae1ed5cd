"""Writing into the outbox, what people do with messages, and one run of the worker."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog
from apps.customers.models import Customer
from apps.customers.services.consent import set_hold
from apps.messaging.gateways import Answer
from apps.messaging.models import MessageTemplate, MessagingPolicy, OutboundMessage
from apps.messaging.registries import text_checks
from apps.messaging.services import outbox
from apps.messaging.services.optout import block_address
from apps.messaging.services.outbox import Draft, enqueue
from apps.messaging.services.sending import LEASE, claim, release_expired, send_due
from apps.messaging.signals import message_settled
from apps.messaging.templates import Missing, preview, render
from tests.factories import NOW, Cast, at, queries, reads
from tests.messaging.conftest import Recorder, agree, draft, marketing


def put(*drafts: Draft, now: datetime = NOW, by: Any = None) -> list[OutboundMessage]:
    return enqueue(list(drafts), by=by, now=now)


def run(now: datetime = NOW, **options: Any) -> dict[str, int]:
    return {name: n for name, n in send_due(clock=lambda: now, **options).as_dict().items() if n}


def state(message: OutboundMessage) -> tuple[str, str]:
    message.refresh_from_db()
    return message.state, message.error_code


def test_the_same_message_is_written_once(zhang: Customer, gateway: Recorder) -> None:
    (first,) = put(draft(zhang))
    again = put(draft(zhang, body="换了一种说法"), draft(zhang, period_key="2"), draft(zhang, period_key="2"))
    assert again[0] == first
    assert again[1] == again[2] != first
    assert run() == {"claimed": 2, "sent": 2}
    assert run() == {}
    assert [out.address for out in gateway.sent] == ["13812345678"] * 2


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"body": "【云朵】您好"}, "carrier"),
        ({"body": "点这里 https://t.cn/1"}, "carrier"),
        ({"channel": "wechat"}, "no_address"),
        ({"purpose": "survey:nps"}, "no_consent"),
        ({"last_useful_at": at("11-18 09:00")}, "too_late"),
    ],
)
def test_a_refusal_keeps_its_row_and_its_reason(zhang: Customer, values: dict[str, Any], code: str) -> None:
    (message,) = put(draft(zhang, **values))
    assert state(message) == ("refused", code)
    assert message.error
    assert message.error != code


def test_what_cannot_be_a_message_is_an_error(zhang: Customer, cast: Cast) -> None:
    for values in ({"body": " "}, {"channel": "phone_script"}, {"message_class": "spam"}):
        with pytest.raises(InvalidInput):
            put(draft(zhang, **values))
    with pytest.raises(Missing, match="hotline"):
        put(draft(zhang, body="请致电{{hotline}}"))
    with pytest.raises(NotPermitted):
        put(draft(zhang), by=cast.ann)


def test_a_registered_check_stops_a_text(
    zhang: Customer, monkeypatch: pytest.MonkeyPatch, cast: Cast, gateway: Recorder
) -> None:
    class Found:
        title, message = "REV-01", "不得以利益换好评"

        def __init__(self, action: str) -> None:
            self.action = action

    monkeypatch.setattr(text_checks, "_items", {})
    text_checks.register(
        "test", lambda now: lambda text, facts: [Found("block" if "换" in text else "require_approval")]
    )
    blocked, waits, approved = put(
        draft(zhang),
        draft(zhang, body="您好", period_key="2"),
        draft(zhang, body="您好", approved=True, period_key="3"),
    )
    assert state(blocked) == ("refused", "text_blocked")
    assert "REV-01" in blocked.error
    assert state(waits) == ("refused", "needs_approval")
    assert state(approved) == ("queued", "")
    # Trying again is no way round a check; what was approved stays approved.
    for message in (blocked, waits):
        with pytest.raises(InvalidInput):
            outbox.retry(message=message, by=cast.lin, now=NOW)
    gateway.answers = [Answer("failed", code="x")]
    run()
    approved.refresh_from_db()
    outbox.retry(message=approved, by=cast.lin, now=NOW)
    assert run() == {"claimed": 1, "sent": 1}


def test_templates_name_what_is_unknown_and_what_is_empty(db: None) -> None:
    from django.core.exceptions import ValidationError

    row = MessageTemplate(code="t", channel="sms", title="t", body="{{nmae}}您好,{{ hotline }}")
    with pytest.raises(ValidationError, match="nmae"):
        row.full_clean()
    row.body = "{{hotline}您好"
    with pytest.raises(ValidationError, match="body"):
        row.full_clean()
    row.body = "您好,链接{{survey_link}}"
    with pytest.raises(ValidationError, match="survey_link"):
        row.full_clean()
    body = "{{customer_name?}}您好,工单{{case_no}},{{hotline}}"
    with pytest.raises(Missing) as caught:
        render(body, {"case_no": " ", "hotline": None})
    assert caught.value.params["names"] == ["case_no", "hotline"]
    assert render(body, {"case_no": "{{hotline}}", "hotline": 1}) == "您好,工单{{hotline}},1"
    assert preview(body, {}) == "您好,工单〔工单号〕,〔客服电话〕"


def test_a_changed_text_is_a_new_version(db: None) -> None:
    row = MessageTemplate.objects.get(code="FC_SMS")
    row.notes = "x"
    row.save()
    assert row.version == 1
    row.body += "。"
    row.save()
    assert (row.version, row.history.count()) == (2, 3)


def test_the_gate_is_asked_again_when_it_is_sent(zhang: Customer, gateway: Recorder, cast: Cast) -> None:
    (message,) = put(draft(zhang))
    set_hold(customer=zhang, reason="诉讼中", by=cast.lin, now=NOW)
    assert run() == {"claimed": 1, "refused": 1}
    assert state(message) == ("refused", "on_hold")
    assert gateway.sent == []


def test_night_defers_and_the_morning_sends(zhang: Customer, gateway: Recorder) -> None:
    careful = MessageTemplate.objects.get(code="FC_SMS")
    late = at("11-18 23:00")
    waits, answer = put(
        draft(zhang, template=careful),
        draft(zhang, template=careful, period_key="2", is_answer=True),
        now=late,
    )
    assert (waits.state, waits.not_before) == ("deferred", at("11-19 08:00"))
    assert run(late) == {"claimed": 1, "sent": 1}
    assert run(at("11-19 07:59")) == {}
    assert run(at("11-19 08:00")) == {"claimed": 1, "sent": 1}
    assert state(answer)[0] == state(waits)[0] == "sent"


def test_marketing_once_a_day_even_from_one_batch(zhang: Customer, gateway: Recorder) -> None:
    agree(zhang)
    _first, second = put(
        marketing(zhang), marketing(zhang, subject_key="campaign:2", body="换季清仓,拒收请回复R")
    )
    assert run() == {"claimed": 2, "sent": 1, "deferred": 1}
    assert state(second) == ("deferred", "frequency")
    assert run(NOW + timedelta(hours=24, minutes=1)) == {"claimed": 1, "sent": 1}
    same, _other = put(marketing(zhang, subject_key="campaign:3"), draft(zhang), now=NOW + timedelta(hours=1))
    assert same.error_code == "same_text"


def test_an_erased_address_is_never_written_to_again(zhang: Customer, gateway: Recorder) -> None:
    block_address(channel="sms", key=zhang.phone_hash, source="erase", now=NOW)
    revived = Customer.objects.create(phone="+86 138 1234 5678")
    for number, message in enumerate(put(draft(zhang), draft(revived), draft(address="13812345678"))):
        assert state(message) == ("refused", "erased"), number


@pytest.mark.parametrize(
    ("answer", "expected", "counted"),
    [
        (Answer("later", code="http_503", text="busy"), ("queued", "http_503"), "deferred"),
        (
            Answer("failed", code="isv.MOBILE_NUMBER_ILLEGAL"),
            ("failed", "isv.MOBILE_NUMBER_ILLEGAL"),
            "failed",
        ),
        (Answer("refused", code="window_closed"), ("refused", "window_closed"), "refused"),
        (Answer("unknown", code="unknown_outcome"), ("to_check", "unknown_outcome"), "to_check"),
        (RuntimeError("fault"), ("to_check", "fault"), "to_check"),
    ],
)
def test_what_an_answer_means(
    zhang: Customer, gateway: Recorder, answer: Any, expected: tuple[str, str], counted: str
) -> None:
    gateway.answers = [answer]
    (message,) = put(draft(zhang))
    assert run() == {"claimed": 1, counted: 1}
    assert state(message) == expected
    # Whatever is not surely unsent is never sent again by itself.
    run(NOW + timedelta(days=2))
    assert len(gateway.sent) == (2 if expected[0] == "queued" else 1)


def test_attempts_end_and_keep_one_key(zhang: Customer, gateway: Recorder) -> None:
    MessagingPolicy.objects.update(attempts=3, first_pause_seconds=10)
    from apps.messaging.selectors import forget_setup

    forget_setup()
    gateway.answers = [Answer("later", code="unreachable")] * 9
    (message,) = put(draft(zhang))
    now, pauses = NOW, []
    for _attempt in range(3):
        run(now)
        message.refresh_from_db()
        if message.next_attempt_at:
            pauses.append((message.next_attempt_at - now).total_seconds())
            now = message.next_attempt_at
    assert pauses == [10, 20]
    assert state(message) == ("failed", "unreachable")
    assert len({out.idempotency_key for out in gateway.sent}) == 1


def test_a_worker_that_dies_before_the_call_loses_nothing(zhang: Customer, gateway: Recorder) -> None:
    (message,) = put(draft(zhang))
    assert claim(token="dead", limit=9, now=NOW) == [message]
    assert run() == {}
    assert run(NOW + LEASE + timedelta(seconds=1)) == {"claimed": 1, "sent": 1}


def test_a_worker_that_dies_in_the_call_leaves_it_to_a_person(
    zhang: Customer, gateway: Recorder, cast: Cast
) -> None:
    """Peers 4.7: send first, save after – a crash must not send again."""

    class Killed(BaseException):
        pass

    def die(outgoing: Any) -> None:
        raise Killed

    gateway.during = die
    (message,) = put(draft(zhang))
    with pytest.raises(Killed):
        run()
    later = NOW + LEASE + timedelta(seconds=1)
    assert run(later) == {"to_check": 1}
    assert state(message) == ("to_check", "lease_expired")
    assert run(later + timedelta(days=3)) == {}
    with pytest.raises(DomainError):
        outbox.resolve_check(message=message, sent=False, by=cast.lin, now=later, reason=" ")
    with pytest.raises(NotPermitted):
        outbox.resolve_check(message=message, sent=True, by=cast.ann, now=later, reason="后台可见")
    old_key = message.idempotency_key
    outbox.resolve_check(message=message, sent=False, by=cast.lin, now=later, reason="后台没有记录")
    gateway.during = lambda outgoing: None
    assert run(later) == {"claimed": 1, "sent": 1}
    message.refresh_from_db()
    assert message.idempotency_key != old_key
    assert ActionLog.objects.filter(object_id=message.pk, verb="resolve_not_sent").count() == 1


def test_a_slow_workers_answer_still_counts(zhang: Customer, gateway: Recorder) -> None:
    def slow(outgoing: Any) -> None:
        assert release_expired(now=NOW + LEASE + timedelta(minutes=9)) == (0, 1)

    gateway.during = slow
    (message,) = put(draft(zhang))
    assert run() == {"claimed": 1, "sent": 1}
    assert state(message) == ("sent", "")


def test_what_waits_behind_a_slow_call_is_not_sent_twice(zhang: Customer, gateway: Recorder) -> None:
    """Peers 4.7: progress moves with confirmed sends, not with what was fetched."""
    first, second = put(draft(zhang), draft(zhang, period_key="2"))

    def slow(outgoing: Any) -> None:
        gateway.during = lambda outgoing: None
        late = NOW + LEASE + timedelta(minutes=9)
        assert run(late) == {"to_check": 1, "claimed": 1, "sent": 1}

    gateway.during = slow
    assert run() == {"claimed": 2, "sent": 1}
    assert state(first)[0] == state(second)[0] == "sent"
    assert len(gateway.sent) == 2


def test_a_message_that_cannot_be_prepared_holds_up_nobody(zhang: Customer, gateway: Recorder) -> None:
    template = MessageTemplate.objects.filter(channel="sms", body__contains="{{").first()
    odd, fine = put(
        draft(zhang, template=template, payload={"values": 5}), draft(zhang, period_key="2", is_answer=True)
    )
    assert run(at("11-19 10:00")) == {"claimed": 2, "sent": 1, "failed": 1}
    assert (state(odd), state(fine)[0]) == (("failed", "fault"), "sent")
    assert odd.error


def test_moves_of_people(zhang: Customer, cast: Cast, gateway: Recorder) -> None:
    chat, gone, failed = put(
        draft(zhang, channel="platform_im"),
        draft(zhang, period_key="2", not_before=at("11-20 10:00")),
        draft(zhang, period_key="3"),
    )
    assert (chat.state, gone.state) == ("to_do", "deferred")
    gateway.answers = [Answer("failed", code="bad")]
    run()
    with pytest.raises(DomainError):
        outbox.mark_sent(message=chat, proof="", by=cast.alice, now=NOW)
    outbox.mark_sent(message=chat, proof="旺旺已发", by=cast.alice, now=NOW)
    outbox.cancel(message=gone, by=cast.alice, now=NOW)
    failed.refresh_from_db()
    with pytest.raises(NotPermitted):
        outbox.retry(message=failed, by=cast.alice, now=NOW)
    outbox.retry(message=failed, by=cast.lin, now=NOW)
    assert run() == {"claimed": 1, "sent": 1}
    # A receiver that takes each key once would swallow the second attempt.
    assert len({out.idempotency_key for out in gateway.sent}) == 2
    assert [state(m)[0] for m in (chat, gone, failed)] == ["sent", "cancelled", "sent"]
    assert (chat.proof, chat.sent_at) == ("旺旺已发", NOW)


def test_others_are_told_after_the_commit(
    zhang: Customer, gateway: Recorder, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[tuple[int, str]] = []

    def listen(message_id: int, state: str, **others: Any) -> None:
        heard.append((message_id, state))

    message_settled.connect(listen)
    try:
        with django_capture_on_commit_callbacks() as callbacks:
            good, bad = put(draft(zhang), draft(zhang, channel="wechat", period_key="2"))
        assert heard == []
        outbox_nudges = [c for c in callbacks if c is outbox.nudge]
        assert len(outbox_nudges) == 1
        with django_capture_on_commit_callbacks(execute=True):
            run()
        for callback in callbacks:
            if callback is not outbox.nudge:
                callback()
        assert heard == [(good.pk, "sent"), (bad.pk, "refused")]
    finally:
        message_settled.disconnect(listen)


def test_a_broker_that_is_down_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.messaging.tasks import send_due_messages_task

    def down() -> None:
        raise ConnectionError

    monkeypatch.setattr(send_due_messages_task, "delay", down)
    outbox.nudge()


def test_fifty_cost_as_many_questions_as_one(db: None, gateway: Recorder) -> None:
    numbers = itertools.count()

    def some(count: int) -> list[Draft]:
        people = Customer.objects.bulk_create(
            [Customer(phone=f"1390000{next(numbers):04}").with_hashes() for _ in range(count)]
        )
        for one in people:
            agree(one)
        return [
            marketing(one, period_key=str(next(numbers)), body=f"{next(numbers)}号新品,拒收请回复R")
            for one in people
        ]

    def asked(drafts: list[Draft]) -> int:
        with queries() as captured:
            put(*drafts)
        return len(reads(captured))

    asked(some(1))
    assert asked(some(1)) == asked(some(50))
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {"queued"}


def test_every_shipped_text_may_be_sent(zhang: Customer) -> None:
    from apps.messaging.templates import examples

    zhang.identities.create(channel="wechat_mp", external_id="o1", created_at=NOW)
    zhang.identities.create(channel="app", external_id="a1", created_at=NOW)
    agree(zhang)
    rows = MessageTemplate.objects.exclude(channel="phone_script")
    assert rows.count() == 48
    refused = {}
    for row in rows:
        row.full_clean()
        (message,) = put(
            draft(
                zhang,
                purpose=row.scene,
                subject_key=row.code,
                channel=row.channel,
                message_class=row.message_class,
                template=row,
                body=render(row, examples()),
            )
        )
        if message.state == "refused":
            refused[row.code] = message.error
    assert refused == {}
