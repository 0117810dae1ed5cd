"""The customer hears what was issued for them, once, and alone (R27)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog, Approval
from apps.core.services import approvals
from apps.customers.models import Customer
from apps.feedback.models import Entry, Feedback
from apps.feedback.services.replies import Held
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs.models import Remedy
from apps.repairs.selectors.coupons import told
from apps.repairs.services import offers, telling
from apps.rewards.models import Coupon
from apps.rewards.services import coupons
from tests.factories import make_user
from tests.repairs.world import Shop, agreed, carried_out, line, make_case, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


def issued(shop: Shop) -> tuple[Remedy, Coupon]:
    case = agreed(shop, make_case(shop), line(shop, "coupon", coupon_type=shop.coupon))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    remedy = Remedy.objects.select_related("offer__case__feedback").get()
    return remedy, Coupon.objects.get(grant=remedy.grant_id)


def test_the_code_is_sent_once_with_its_terms_and_stays_out_of_the_conversation(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    text = telling.draft(remedy, coupon, shop.agent)
    assert telling.PLACE in text and "10元" in text and "〔" not in text and coupon.code not in text
    for _press in range(2):
        telling.tell(remedy=remedy, text=text, send_by="platform_im", by=shop.agent, now=shop.now)
    message = OutboundMessage.objects.get(period_key=f"coupon-{remedy.pk}")
    assert coupon.code in message.body
    entry = Entry.objects.get(message=message)
    assert coupon.masked_code in entry.text and coupon.code not in entry.text
    mark_sent(message=message, proof="已发", by=shop.agent, now=shop.now)
    telling.forget_code(message_id=message.pk)
    message.refresh_from_db()
    assert coupon.code not in message.body and coupon.masked_code in message.body


def test_what_failed_is_not_told_and_can_be_sent_again(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    tell = {"remedy": remedy, "send_by": "platform_im", "by": shop.agent, "now": shop.now}
    telling.tell(text=telling.draft(remedy, coupon, shop.agent), **tell)
    assert told([remedy]) == {remedy.pk}
    OutboundMessage.objects.update(state="failed")
    assert told([remedy]) == set()
    telling.tell(text=telling.draft(remedy, coupon, shop.agent), **tell)
    assert told([remedy]) == {remedy.pk}
    assert sorted(OutboundMessage.objects.values_list("state", flat=True)) == ["failed", "to_do"]


def test_a_code_is_not_told_in_public_nor_forgotten_nor_told_when_void_or_expired(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    text = telling.draft(remedy, coupon, shop.agent)
    for values in (
        {"text": "给您补了一张券", "how": "phone"},
        {"text": text, "send_by": "public_reply"},
        {"text": text},
    ):
        with pytest.raises(InvalidInput):
            telling.tell(remedy=remedy, by=shop.agent, now=shop.now, **values)
    assert coupon.valid_until is not None
    with pytest.raises(DomainError):
        telling.tell(remedy=remedy, text=text, how="phone", by=shop.agent, now=coupon.valid_until)
    coupons.void(coupon=coupon, reason="发错", by=shop.lead, now=shop.now)
    with pytest.raises(DomainError):
        telling.tell(remedy=remedy, text=text, how="phone", by=shop.agent, now=shop.now)
    assert not ActionLog.objects.filter(model="repairs.remedy", verb="tell").exists()


def test_a_code_is_not_told_to_another_customer(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    other = Customer.objects.create(name="李四", phone="13900000000")
    Feedback.objects.filter(pk=remedy.offer.case.feedback_id).update(customer=other)
    text = telling.draft(remedy, coupon, shop.agent)
    with pytest.raises(DomainError):
        telling.tell(remedy=remedy, text=text, send_by="platform_im", by=shop.agent, now=shop.now)
    assert not OutboundMessage.objects.exists()


def test_words_that_are_held_go_out_after_the_case_is_resolved(shop: Shop) -> None:
    """Telling a coupon after everything is done is the usual order."""
    carried_out(shop, make_case(shop), line(shop, "coupon", coupon_type=shop.coupon), line(shop, "exchange"))
    remedy = Remedy.objects.select_related("offer__case__feedback").get(type__code="coupon")
    coupon = Coupon.objects.get(grant=remedy.grant_id)
    text = telling.draft(remedy, coupon, shop.agent) + "关注公众号还可以领5元券。"
    with pytest.raises(Held):
        telling.tell(remedy=remedy, text=text, send_by="platform_im", by=shop.agent, now=shop.now)
    asked = Approval.objects.get(state="pending", kind="feedback.reply")
    approvals.decide(approval=asked, verb="approve", by=shop.legal, now=shop.now, reason="可以")
    message = OutboundMessage.objects.get(period_key=f"coupon-{remedy.pk}")
    mark_sent(message=message, proof="已发", by=shop.agent, now=shop.now)
    telling.forget_code(message_id=message.pk)
    assert coupon.code not in Entry.objects.get(message=message).text


def test_on_the_page_until_it_is_told(shop: Shop, client: Client) -> None:
    remedy, coupon = issued(shop)
    page = reverse("admin:repairs_repaircase_change", args=[remedy.offer.case_id])
    url = reverse("admin:repairs_repaircase_remedy", args=[remedy.offer.case_id, remedy.pk, "tell"])
    client.force_login(shop.agent)
    shop.now = timezone.now()
    Coupon.objects.update(valid_until=shop.now + timedelta(days=30))
    assert url in client.get(page).content.decode()
    asked = client.get(url).content.decode()
    assert telling.PLACE in asked and coupon.code not in asked
    text = telling.draft(remedy, coupon, shop.agent)
    assert client.post(url, {"way": "phone", "text": text}).status_code == 302
    shown = client.get(page).content.decode()
    assert url not in shown and coupon.code not in shown
    # What was said stands in the conversation without the code.
    note = Entry.objects.filter(feedback=remedy.offer.case.feedback, kind="note").latest("pk")
    assert coupon.masked_code in note.text and coupon.code not in note.text
    client.force_login(make_user("looks", "analyst"))
    assert client.get(url).status_code in (302, 403, 404)


def test_a_whole_code_is_seen_with_a_reason(shop: Shop, client: Client) -> None:
    _remedy, coupon = issued(shop)
    client.force_login(shop.agent)
    url = reverse("admin:rewards_coupon_reveal", args=[coupon.pk])
    page = client.get(reverse("admin:rewards_coupon_change", args=[coupon.pk])).content.decode()
    assert url in page and coupon.code not in page
    assert coupon.code not in client.post(url, {"fields_wanted": "code", "reason": ""}).content.decode()
    seen = client.post(url, {"fields_wanted": "code", "reason": "顾客来电询问券码"})
    assert coupon.code in seen.content.decode()
    client.force_login(make_user("looks", "analyst"))
    assert client.post(url, {"fields_wanted": "code", "reason": "想看看"}).status_code in (302, 403, 404)
