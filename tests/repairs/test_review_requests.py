"""Asking everybody for a review after delivery, in the same words, unrewarded (R68; REV-09, MSG-04)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from apps.compliance.models import Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import StaffNotice
from apps.customers.models import ConsentEvent, ContactHold, Customer, Order
from apps.feedback.models import Feedback
from apps.messaging.models import MessageTemplate, OutboundMessage
from apps.repairs.models import ReviewRequest, ReviewRequestPlan
from apps.repairs.selectors.review_requests import figures
from apps.repairs.services import review_requests
from apps.shop.models import Store
from tests.factories import NOW, Cast, arrive, make_store, reads
from tests.factories import queries as queries_of
from tests.feedback.test_races import at_once, faults

DAY = timedelta(days=1)
LATER = NOW + 4 * DAY


def make_plan(**values: Any) -> ReviewRequestPlan:
    template = values.pop("template", None) or MessageTemplate.objects.get(code="RQ_MAIL")
    return ReviewRequestPlan.objects.create(
        **({"name": "三天后", "channel": "email", "template": template} | values)
    )


def switched_on(cast: Cast, **values: Any) -> ReviewRequestPlan:
    plan = make_plan(**values)
    review_requests.switch_on(plan=plan, by=cast.lin, now=NOW)
    return plan


_count = iter(range(1, 10_000))


def order(*, agreed: bool = True, delivered: Any = NOW + DAY, **values: Any) -> Order:
    number = next(_count)
    person = values.pop("customer", None) or Customer.objects.create(
        name="王小雨", email=f"r{number}@example.com", **values.pop("person", {})
    )
    if agreed:
        ConsentEvent.objects.create(
            customer=person, purpose="survey", channel="any", granted=True, source="t", at=NOW
        )
    return Order.objects.create(
        order_no=f"2026{number:06d}",
        customer=person,
        **({"status": "delivered", "delivered_at": delivered} | values),
    )


@pytest.mark.django_db
def test_off_by_default_and_only_orders_delivered_since(cast: Cast) -> None:
    order()
    plan = make_plan()
    assert plan.status == "off" and review_requests.sweep(now=LATER) == {"asked": 0, "refused": 0}
    with pytest.raises(NotPermitted):
        review_requests.switch_on(plan=plan, by=cast.alice, now=NOW)
    review_requests.switch_on(plan=plan, by=cast.lin, now=NOW)
    order(delivered=NOW - DAY)
    order(delivered=LATER)
    assert review_requests.sweep(now=LATER) == {"asked": 1, "refused": 0}
    assert review_requests.sweep(now=LATER) == {"asked": 0, "refused": 0}
    message = OutboundMessage.objects.get()
    assert message.is_automatic and message.purpose == "survey_review" and "真实评价" in message.body
    review_requests.switch_off(plan=plan, by=cast.lin, now=LATER)
    assert review_requests.sweep(now=LATER + DAY)["asked"] == 0


@pytest.mark.django_db
def test_who_is_asked_does_not_hang_on_what_they_think(cast: Cast) -> None:
    """Stars, feeling, member tier, open complaints, even a return: none of it changes who is asked, or the words."""
    switched_on(cast)
    grades = (("praise", 5), ("A", 1), ("S", 1), ("B", 3), (None, None))
    orders = []
    for member in ("", "gold", "diamond"):
        for grade, stars in grades:
            row = order(
                person={"member_tier": member} if member else {},
                status="returned" if stars == 1 else "delivered",
            )
            orders.append(row)
            if grade:
                case = arrive(grade, rating=stars, order_no=row.order_no)
                Feedback.objects.filter(pk=case.pk).update(customer=row.customer, order=row)
    assert review_requests.sweep(now=LATER) == {"asked": len(orders), "refused": 0}
    asked = set(ReviewRequest.objects.values_list("order_id", flat=True))
    assert asked == {row.pk for row in orders}
    words = {
        message.body.replace(Order.objects.get(pk=int(message.subject_key[6:])).order_no[-4:], "####")
        for message in OutboundMessage.objects.all()
    }
    assert len(words) == 1


@pytest.mark.django_db
def test_the_sweep_reads_nothing_about_what_they_think(cast: Cast) -> None:
    switched_on(cast)
    order()
    with queries_of() as captured:
        review_requests.sweep(now=LATER)
    assert not [
        sql for sql in reads(captured) if "feedback_" in sql or "member_tier" in sql.partition("WHERE")[2]
    ]


@pytest.mark.django_db
def test_the_gate_refuses_for_all_alike_and_figures_say_why(cast: Cast) -> None:
    plan = switched_on(cast)
    order()
    order(agreed=False)
    held = order()
    ContactHold.objects.create(customer=held.customer, reason="勿扰", starts_at=NOW, by=cast.lin)
    assert review_requests.sweep(now=LATER) == {"asked": 1, "refused": 2}
    found = figures(plan, now=LATER)
    assert (found.orders, found.sent + found.waiting) == (3, 1) and len(found.reasons) == 2
    assert review_requests.sweep(now=LATER) == {"asked": 0, "refused": 0}


@pytest.mark.django_db
def test_two_plans_ask_about_an_order_once_and_stores_narrow(cast: Cast) -> None:
    west = make_store("west")
    first, second = switched_on(cast), switched_on(cast, name="西湖")
    first.stores.set([west])
    inside, outside = order(store=west), order(store=cast.store)
    assert review_requests.sweep(now=LATER)["asked"] == 2
    plans = dict(ReviewRequest.objects.values_list("order_id", "plan_id"))
    assert plans == {inside.pk: first.pk, outside.pk: second.pk}


@pytest.mark.django_db
def test_late_orders_are_left_alone_and_many_cost_no_more(cast: Cast) -> None:
    switched_on(cast)
    order(delivered=NOW + timedelta(hours=1))
    assert review_requests.sweep(now=NOW + 12 * DAY)["asked"] == 0
    # The first look also reads gateways and rules, which stay in memory.
    order()
    review_requests.sweep(now=LATER)
    order()
    with queries_of() as one:
        review_requests.sweep(now=LATER)
    for _n in range(8):
        order()
    with queries_of() as many:
        assert review_requests.sweep(now=LATER)["asked"] == 8
    assert len(reads(one)) == len(reads(many))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        "您好，五星好评返现5元",
        "写评价送积分",
        "亲，给个好评，送您优惠券",
        "您的{{tracking_no}}到了，欢迎评价",
    ],
)
def test_rewards_and_unknown_values_are_refused(cast: Cast, body: str) -> None:
    bad = MessageTemplate.objects.create(
        code="RQ_BAD", channel="email", title="坏", body=body, message_class="marketing"
    )
    with pytest.raises((Unlawful, InvalidInput)):
        switched_on(cast, template=bad)
    assert not ReviewRequestPlan.objects.filter(status="on").exists()


@pytest.mark.django_db
def test_no_sms(cast: Cast) -> None:
    sms = MessageTemplate.objects.create(code="RQ_SMS", channel="sms", title="短信", body="欢迎评价")
    with pytest.raises(InvalidInput):
        switched_on(cast, template=sms)
    with pytest.raises(ValidationError):
        ReviewRequestPlan(name="x", channel="sms", template=sms).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(channel="sms", template=sms)


@pytest.mark.django_db
def test_pages(cast: Cast, client: Client) -> None:
    client.force_login(cast.lin)
    template = MessageTemplate.objects.get(code="RQ_MAIL")
    values = {"name": "三天后", "channel": "email", "template": template.pk, "days_after": 3}
    client.post("/admin/repairs/reviewrequestplan/add/", values)
    plan = ReviewRequestPlan.objects.get()
    page = f"/admin/repairs/reviewrequestplan/{plan.pk}/"
    assert client.get(f"{page}change/").status_code == 200
    client.post(f"{page}move/switch_on/", {})
    plan.refresh_from_db()
    assert plan.status == "on" and client.post(f"{page}change/", values).status_code == 403
    client.force_login(cast.alice)
    assert client.get(f"{page}move/switch_off/").status_code == 403


@pytest.mark.postgres
def test_sweeps_at_the_same_moment_ask_once(committed: None) -> None:
    from tests.factories import make_cast

    switched_on(make_cast())
    for _n in range(12):
        order()
    assert faults(at_once([lambda: review_requests.sweep(now=LATER)] * 4)) == []
    assert OutboundMessage.objects.count() == ReviewRequest.objects.count() == 12


# -- second reading ----------
@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [{"body": "写下评价，送您优惠券"}, {"body": "您的{{tracking_no}}到了，欢迎评价"}, {"is_active": False}],
)
def test_a_template_changed_under_a_running_plan_switches_it_off(cast: Cast, values: dict[str, Any]) -> None:
    plan, other = switched_on(cast), switched_on(cast, name="其它")
    own = MessageTemplate.objects.create(
        code="RQ_OWN", channel="email", title="问", body="欢迎写下真实评价", message_class="marketing"
    )
    ReviewRequestPlan.objects.filter(pk=other.pk).update(template=own)
    MessageTemplate.objects.filter(pk=plan.template_id).update(**values)
    row = order()
    assert review_requests.sweep(now=LATER) == {"asked": 1, "refused": 0}
    plan.refresh_from_db()
    other.refresh_from_db()
    assert (plan.status, other.status) == ("off", "on")
    assert ReviewRequest.objects.get(order=row).plan == other
    assert StaffNotice.objects.filter(recipient=cast.lin, title__contains=plan.name).count() == 1
    if "送您" in values.get("body", ""):
        assert Verdict.objects.filter(subject_key=f"review_requests:{plan.pk}").count() == 1


@pytest.mark.django_db
def test_a_name_that_looks_like_a_variable_stops_nobody(cast: Cast) -> None:
    switched_on(cast)
    store = make_store("odd")
    Store.objects.filter(pk=store.pk).update(name="{{customer_name}}店")
    order(store=store)
    order()
    assert review_requests.sweep(now=LATER) == {"asked": 2, "refused": 0}


@pytest.mark.django_db
def test_a_plan_that_fails_holds_up_no_other(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, _fine = switched_on(cast), switched_on(cast, name="其它")
    order()
    ask = review_requests._ask

    def failing(plan: ReviewRequestPlan, *, now: Any) -> list[str]:
        if plan.pk == bad.pk:
            raise RuntimeError("broken")
        return ask(plan, now=now)

    monkeypatch.setattr(review_requests, "_ask", failing)
    assert review_requests.sweep(now=LATER) == {"asked": 1, "refused": 0}
