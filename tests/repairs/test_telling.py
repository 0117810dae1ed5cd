"""The customer hears what was issued for them, once, and alone (R27)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog
from apps.feedback.models import Entry
from apps.messaging.models import OutboundMessage
from apps.repairs.models import Remedy
from apps.repairs.services import offers, telling
from apps.rewards.models import Coupon
from apps.rewards.services import coupons
from tests.factories import make_user
from tests.repairs.world import Shop, agreed, line, make_case, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


def issued(shop: Shop) -> tuple[Remedy, Coupon]:
    case = agreed(shop, make_case(shop), line(shop, "coupon", coupon_type=shop.coupon))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    remedy = Remedy.objects.select_related("offer__case__feedback").get()
    return remedy, Coupon.objects.get(grant=remedy.grant_id)


def test_the_code_is_sent_once_with_its_terms(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    text = telling.draft(remedy, coupon, shop.agent)
    assert coupon.code in text and "10元" in text and "〔" not in text
    for _press in range(2):
        telling.tell(remedy=remedy, text=text, send_by="platform_im", by=shop.agent, now=shop.now)
    assert OutboundMessage.objects.filter(period_key=f"coupon-{remedy.pk}").count() == 1


def test_a_code_is_not_told_in_public_nor_forgotten_nor_told_when_void(shop: Shop) -> None:
    remedy, coupon = issued(shop)
    text = telling.draft(remedy, coupon, shop.agent)
    for values in (
        {"text": "给您补了一张券", "how": "phone"},
        {"text": text, "send_by": "public_reply"},
        {"text": text},
    ):
        with pytest.raises(InvalidInput):
            telling.tell(remedy=remedy, by=shop.agent, now=shop.now, **values)
    coupons.void(coupon=coupon, reason="发错", by=shop.lead, now=shop.now)
    with pytest.raises(DomainError):
        telling.tell(remedy=remedy, text=text, how="phone", by=shop.agent, now=shop.now)
    assert not ActionLog.objects.filter(model="repairs.remedy", verb="tell").exists()


def test_on_the_page_until_it_is_told(shop: Shop, client: Client) -> None:
    remedy, coupon = issued(shop)
    page = reverse("admin:repairs_repaircase_change", args=[remedy.offer.case_id])
    url = reverse("admin:repairs_repaircase_remedy", args=[remedy.offer.case_id, remedy.pk, "tell"])
    client.force_login(shop.agent)
    assert url in client.get(page).content.decode()
    asked = client.get(url).content.decode()
    assert coupon.code in asked
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
