"""Every page of the back office opens, costs the same for one row and several, shows nothing whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test import Client
from django.urls import reverse

from apps.core.models import ActionLog, Integration, IntegrationToken, Reveal, StaffNotice, User
from apps.core.services.files import store_file
from apps.core.services.tokens import issue_token
from apps.customers.models import (
    ConsentEvent,
    ContactHold,
    Customer,
    CustomerIdentity,
    CustomerMerge,
    Order,
    OrderItem,
)
from apps.feedback.models import Channel, DispatchRule, ImportRun, WebhookSecret
from apps.shop.models import Leave, StockLevel, WorkItem
from tests.factories import Cast, make_product, make_profile, make_store, make_team, make_user, queries

PHONE, EMAIL, NAME, ORDER = "13812345678", "zhang.wei@example.com", "张伟明", "2026112200012345"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
# Pages of the case and the imports have tests of their own.
OTHERS = {"feedback.feedback", "feedback.importrun"}


def everything(by: User) -> None:
    """Three rows of whatever the back office lists."""
    now = datetime.now(UTC)
    store = make_store("pages")
    for number in range(3):
        person = make_user(f"person{number}", "ops")
        make_profile(person, stores=[store])
        make_team(f"team{number}", [person], stores=[store])
        Leave.objects.create(user=person, first_day=now.date(), last_day=now.date())
        product = make_product(f"PAGE-{number}")
        StockLevel.objects.create(store=store, product=product, level=number, reorder_point=1, counted_at=now)
        WorkItem.objects.create(
            kind="task",
            title=f"work {number}",
            store=store,
            due_at=now,
            owner=person,
            origin_key=f"p{number}",
        )
        customer = Customer.objects.create(
            nickname=f"晚风{number}",
            name=NAME,
            phone=PHONE,
            email=EMAIL,
            member_tier="gold",
            external_id=f"C{number}",
        )
        other = Customer.objects.create(nickname=f"old{number}")
        CustomerIdentity.objects.create(
            customer=customer, channel="taobao", external_id=f"tb_{number}", created_at=now
        )
        order = Order.objects.create(
            order_no=f"{ORDER}{number}",
            customer=customer,
            store=store,
            placed_at=now,
            tracking_no="SF1234567890123",
        )
        OrderItem.objects.create(order=order, product=product, sku=product.sku)
        ConsentEvent.objects.create(
            customer=customer,
            purpose="marketing",
            channel="sms",
            granted=True,
            source=f"call {PHONE}",
            at=now,
            by=by,
        )
        ContactHold.objects.create(customer=customer, reason="lawsuit", starts_at=now, by=by)
        CustomerMerge.objects.create(
            source=other, target=customer, reason=f"same phone {PHONE}", by=by, at=now
        )
        StaffNotice.objects.create(
            recipient=by, title=f"notice {number}", dedupe_key=f"n{number}", created_at=now
        )
        ActionLog.objects.create(
            model="shop.workitem",
            object_id=number + 1,
            verb="start",
            from_state="open",
            to_state="doing",
            by=by,
            at=now,
            reason=f"called {PHONE}",
            data={"old": {"phone": PHONE}},
        )
        Reveal.objects.create(
            model="customers.customer",
            object_id=number + 1,
            fields=["phone"],
            reason=f"asked by {PHONE}",
            by=by,
            at=now,
        )
        integration = Integration.objects.create(name=f"shop system {number}")
        issue_token(integration=integration, scopes=["feedback:read"], now=now)
        DispatchRule.objects.create(name=f"rule {number}", team=person.teams.get().team)
        channel = Channel.objects.order_by("code")[number]
        WebhookSecret.objects.create(channel=channel, secret="s" * 40, created_at=now)
        ImportRun.objects.create(sha256=str(number) * 64, channel=channel, file_name="a.csv", started_at=now)
        store_file(upload=SimpleUploadedFile(f"{number}.png", PNG + bytes([number])), by=by, now=now)


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages need no collected files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def boss(cast: Cast, client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    everything(user)
    return user


def registered() -> list[type[models.Model]]:
    return sorted(
        (model for model in admin.site._registry if model._meta.label_lower not in OTHERS),
        key=lambda model: model._meta.label_lower,
    )


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label_lower)
def test_pages_open(model: type[models.Model], boss: User, client: Client) -> None:
    assert client.get(url(model, "changelist")).status_code == 200
    model_admin = admin.site._registry[model]
    request = client.get(url(model, "changelist")).wsgi_request
    added = client.get(url(model, "add")).status_code
    assert added == (200 if model_admin.has_add_permission(request) else 403)
    for row in model_admin.get_queryset(request)[:2]:
        assert client.get(url(model, "change", row.pk)).status_code == 200
        if hasattr(model, "history") and model is not Customer:
            assert client.get(url(model, "history", row.pk)).status_code == 200


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label_lower)
def test_a_list_costs_the_same_for_one_row_and_for_three(
    model: type[models.Model], boss: User, client: Client
) -> None:
    keys = list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:3])
    if len(keys) < 3:
        pytest.skip("too few rows")
    address, by = url(model, "changelist"), f"{model._meta.pk.name}__in"
    extra = {"what": "all"} if model is WorkItem else {}
    counts = []
    for chosen in (keys[:1], keys[:1], keys):  # the first call fills caches of permissions and content types
        with queries() as captured:
            answer = client.get(address, {by: ",".join(str(key) for key in chosen)} | extra)
        assert answer.status_code == 200
        assert len(answer.context["cl"].result_list) == len(chosen)
        counts.append(len(captured.captured_queries))
    assert counts[1] == counts[2]


def test_no_list_and_no_page_shows_personal_data_whole(boss: User, client: Client) -> None:
    customer = Customer.objects.get(external_id="C0")
    order = Order.objects.get(order_no=f"{ORDER}0")
    pages = [
        url(model, "changelist")
        for model in (Customer, Order, ConsentEvent, CustomerMerge, ContactHold, ActionLog, Reveal)
    ]
    pages += [
        url(Customer, "change", customer.pk) + f"?tab={tab}"
        for tab in ("profile", "timeline", "orders", "consents", "identities", "history")
    ]
    pages += [
        url(Customer, "edit", customer.pk),
        url(Customer, "merge", customer.pk),
        url(Customer, "changelist") + f"?q={PHONE[:3]}",
        url(Order, "change", order.pk),
        url(CustomerMerge, "change", CustomerMerge.objects.first().pk),
        url(ActionLog, "change", ActionLog.objects.first().pk),
        url(Reveal, "change", Reveal.objects.first().pk),
        url(ConsentEvent, "change", ConsentEvent.objects.first().pk),
    ]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        for secret in (PHONE, EMAIL, NAME, ORDER, "SF1234567890123", customer.phone_hash):
            assert secret not in text, (page, secret)


def test_who_may_only_look_is_offered_no_action_and_no_button(cast: Cast, client: Client) -> None:
    everything(cast.alice)
    looker = make_user("looker")
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(looker)
    for model in registered():
        answer = client.get(url(model, "changelist"))
        assert answer.status_code == 200, model
        form = answer.context.get("action_form")
        actions = [name for name, _label in form.fields["action"].choices if name] if form else []
        assert actions == [], model
        assert client.get(url(model, "add")).status_code == 403, model
    assert client.get(url(WorkItem, "move", WorkItem.objects.first().pk, "start")).status_code in (403, 404)


def test_who_may_only_look_changes_nothing_by_post(cast: Cast, client: Client) -> None:
    everything(cast.alice)
    looker = make_user("looker")
    wanted = Permission.objects.filter(codename__startswith="view_") | Permission.objects.filter(
        codename="see_all_feedback"
    )
    looker.user_permissions.set(wanted.distinct())
    client.force_login(looker)
    item = WorkItem.objects.first()
    customer, other = Customer.objects.get(external_id="C0"), Customer.objects.get(external_id="C1")
    token = IntegrationToken.objects.first()
    hold = ContactHold.objects.filter(customer=customer).get()
    merge = CustomerMerge.objects.first()
    hook = WebhookSecret.objects.first()
    for address, data in (
        (url(WorkItem, "move", item.pk, "start"), {}),
        (url(WorkItem, "bulk_move", "start"), {"ids": [item.pk]}),
        (url(Customer, "edit", customer.pk), {"nickname": "x"}),
        (url(Customer, "consent", customer.pk), {}),
        (url(Customer, "hold", customer.pk), {"reason": "why not"}),
        (url(Customer, "release", customer.pk, hold.pk), {}),
        (url(Customer, "merge_with", customer.pk, other.pk), {"stays": customer.pk, "reason": "same"}),
        (url(Customer, "reveal", customer.pk), {"fields_wanted": ["phone"], "reason": "because"}),
        (url(CustomerMerge, "undo", merge.pk), {}),
        (url(Integration, "key", token.integration_id), {"scopes": ["feedback:read"]}),
        (url(Integration, "revoke", token.integration_id, token.pk), {}),
        (url(WebhookSecret, "secret", hook.pk), {}),
        (reverse("admin:shop_calendarday_load"), {"year": 2026}),
    ):
        assert client.post(address, data).status_code == 403, address
    item.refresh_from_db()
    token.refresh_from_db()
    hold.refresh_from_db()
    merge.refresh_from_db()
    assert (item.status, token.revoked_at, hold.released_at, merge.undone_at) == ("open", None, None, None)
    assert WebhookSecret.objects.get(pk=hook.pk).secret == "s" * 40
    assert Reveal.objects.filter(by=looker).count() == 0


def test_switching_schedules_needs_the_permission_to_change(cast: Cast, client: Client) -> None:
    from django_celery_beat.models import PeriodicTask

    task = PeriodicTask.objects.filter(enabled=True).first()
    looker = make_user("looker")
    looker.user_permissions.set(Permission.objects.filter(codename="view_periodictask"))
    client.force_login(looker)
    address = url(PeriodicTask, "changelist")
    data = {"action": "switch_off", "_selected_action": [task.pk]}
    client.post(address, data)
    task.refresh_from_db()
    assert task.enabled
    looker.user_permissions.set(
        Permission.objects.filter(codename__in=["view_periodictask", "change_periodictask"])
    )
    assert client.post(address, data).status_code == 302
    task.refresh_from_db()
    assert not task.enabled


def test_every_link_of_the_menu_has_a_page(boss: User, client: Client, rf: Any) -> None:
    from feedback_crm.unfold import navigation

    request = client.get(reverse("admin:index")).wsgi_request
    links = [entry["link"] for group in navigation(request) for entry in group["items"]]
    assert reverse("admin:customers_customer_changelist") in links
    assert len(links) == len(set(links)) >= 36
    for link in links:
        assert client.get(link).status_code == 200, link


def test_the_action_log_speaks_as_the_buttons_do(boss: User, client: Client) -> None:
    client.cookies["django_language"] = "en"
    text = client.get(url(ActionLog, "changelist")).content.decode()
    assert "Start" in text
    assert "back office" not in text
    ActionLog.objects.filter(verb="start").update(via="admin")
    assert "back office" in client.get(url(ActionLog, "changelist")).content.decode()
    ActionLog.objects.filter(pk=ActionLog.objects.first().pk).update(object_id=9001)
    for term in ("9001", "F0009001", "#9001"):
        found = client.get(url(ActionLog, "changelist"), {"q": term, "type": "shop.workitem"})
        assert [row.object_id for row in found.context["cl"].result_list] == [9001]
    assert list(client.get(url(ActionLog, "changelist"), {"q": "call"}).context["cl"].result_list) == []
