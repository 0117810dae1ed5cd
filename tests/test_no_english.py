"""Every page of the back office speaks Chinese to a Chinese shop: our texts and those of other packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from zoneinfo import available_timezones

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.automation.models import Proposal, Rule
from apps.callbacks.models import Callback
from apps.callbacks.services import calls
from apps.callbacks.services.scheduling import schedule
from apps.core.models import Integration, User
from apps.core.services.notices import notify
from apps.core.services.reveals import reveal
from apps.core.services.tokens import issue_token
from apps.customers.models import Customer, Order, OrderItem
from apps.customers.services import consent, merging
from apps.feedback.models import (
    Article,
    ArticleProposal,
    AutoAnswer,
    Channel,
    DispatchRule,
    Feedback,
    ImportRun,
    Macro,
    MysteryVisit,
    PublicEntry,
    Symposium,
    TrainedModel,
    VisitFinding,
    WebhookSecret,
)
from apps.feedback.services import moves, promises, replies, topics, views, visits
from apps.feedback.services.public_entry import open_page
from apps.feedback.transitions import FEEDBACK
from apps.messaging.models import MessageTemplate
from apps.messaging.services.inbound import IncomingMessage, receive
from apps.performance.models import MonthlyScore, ReplayCase, TrainingProposal
from apps.performance.services import months, quality, scores, training
from apps.repairs.models import ExternalIndicator, RepairCase, ReputationAction, ReviewRequestPlan, Showcase
from apps.repairs.services import appeals, cases, indicators, offers, showcase
from apps.repairs.services import replies as public_replies
from apps.repairs.services.rollup import rebuild_figures
from apps.repairs.transitions import REPAIR
from apps.rewards.services.grants import Reward
from apps.shop.choices import WorkKind
from apps.shop.models import Leave, StockLevel, WorkItem
from tests.factories import NOW, Cast, arrive
from tests.performance.world import LAST, MONTH, figures, make_training, right_answers, sample
from tests.repairs import world
from tests.repairs.test_figures import scatter
from tests.rewards.conftest import give, make_budget, make_gift, make_type

# What stays in Latin letters in Chinese text as well.
KEPT = frozenset(
    """
    ID IP API App App's CSV XLSX Excel JSON HTTP URL UTF UUID SKU SLA VIP NPS GB HMAC SHA Webhook PIN
    Token KEY Key Authorization Idempotency ASCII English en zh hans esc Control Command Mac Ctrl
    Mon Tue Wed Thu Fri Sat Sun Asia Shanghai com example pbkdf sha Celery celery Axes feedback crm
    JPEG PNG WebP HEIC PDF DSR GET Wilson Newcombe
    customer shop text data content days from to percent tell owner lead minutes after
    """.split()
)
# Texts of others that no catalogue reaches; each with the reason.
STORED = (
    # Chinese of django-celery-beat that quotes the values a person types.
    re.compile(r"用作\"all\"|enabled设置为False|\{\"argument\": \"value\"\}|positional"),
    # __str__ of log-in records and of crontab lines.
    # Sources of a rule of law with their addresses; names of variables in a template.
    re.compile(r"《[^》]+》.*https?://|\{\{\w+\}\}"),
    re.compile(r"^.*Access (?:Log|Attempt) .*$|\(m/h/dM/MY/d\)"),
)
# Data that looks like words: JSON, scopes, addresses, the beginning of a key, a masked password.
DATA = re.compile(r'^"\w+": |^[a-z]+:[a-z_]+( – |$)|^/[\w/]+$|^fc_[\w-]+…$|\*{6}|^(https?://)?localhost:\d+/')
WORD = re.compile(r"[A-Za-z][A-Za-z']+")
ZONES = {zone.replace("_", " ") for zone in available_timezones()}


class Visible(HTMLParser):
    """What a person sees or hears of a page: text and the attributes that are shown or read out."""

    silent = frozenset({"script", "style", "template", "svg", "code", "pre", "textarea"})
    empty = frozenset(
        {"input", "img", "br", "hr", "meta", "link", "source", "area", "base", "col", "embed", "wbr"}
    )
    spoken = ("placeholder", "title", "aria-label", "alt")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.texts += [values[name] for name in self.spoken if values.get(name)]
        if tag == "input" and values.get("type") in {"submit", "button", "reset"}:
            self.texts.append(values.get("value", ""))
        if tag not in self.empty:
            quiet = tag in self.silent or "material-symbols" in values.get("class", "")
            self.open.append((tag, quiet or (bool(self.open) and self.open[-1][1])))

    def handle_endtag(self, tag: str) -> None:
        for index in range(len(self.open) - 1, -1, -1):
            if self.open[index][0] == tag:
                del self.open[index:]
                return

    def handle_data(self, data: str) -> None:
        if data.strip() and not (self.open and self.open[-1][1]):
            self.texts.append(" ".join(data.split()))


def stored_words() -> set[str]:
    """Words that are data: codes, log-in names and the like. Columns with choices are labels, not data."""
    found: set[str] = set()
    for model in admin.site._registry:
        names = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.FileField) and not field.choices
        ]
        for row in model._default_manager.values_list(*names)[:3000]:
            found.update(word for value in row if value for word in WORD.findall(str(value)))
    return found


def english(html: str, data: set[str]) -> list[str]:
    page = Visible()
    page.feed(html)
    found = []
    for text in page.texts:
        if text in ZONES or DATA.search(text) or any(pattern.search(text) for pattern in STORED):
            continue
        # Codes such as SAFETY_FOOD or F0000017 are data in every language.
        words = [w for w in WORD.findall(text) if w not in KEPT and w not in data and w.lower() not in data]
        if [w for w in words if not w.isupper()]:
            found.append(text[:120])
    return found


@pytest.fixture
def pages(cast: Cast, settings: Any, client: Client) -> Client:
    """A small shop in which every table has a row, seen by a superuser."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    boss = User.objects.create_superuser("root", password="Kx83-wqpT!!z")
    store, product, later = cast.store, cast.product, NOW + timedelta(minutes=5)
    lin = Customer.objects.create(nickname="林小姐", phone="13800000001", member_tier="gold")
    twin = Customer.objects.create(nickname="林小姐", phone="13800000001")
    consent.record_consent(
        customer=lin,
        purpose="marketing",
        channel="sms",
        granted=True,
        source="门店柜台",
        text_version="一版",
        by=boss,
        now=NOW,
    )
    consent.set_hold(customer=lin, reason="要求勿扰", ends_at=None, by=boss, now=NOW)
    merging.merge(source=twin, target=lin, by=boss, now=NOW, reason="同一个人")
    order = Order.objects.create(
        order_no="2026110001", customer=lin, store=store, status="delivered", placed_at=NOW
    )
    OrderItem.objects.create(order=order, product=product, sku=product.sku, quantity=1)
    StockLevel.objects.create(store=store, product=product, level=0, reorder_point=5, counted_at=NOW)
    case = arrive("S", store=store.code)
    moves.claim(feedback=case, by=cast.alice, now=NOW)
    moves.record_contact(feedback=case, how="phone", said="已致电道歉", by=cast.alice, now=later)
    arrive("A")
    arrive("B")
    notify(recipients=[boss.pk], level="info", title="有新反馈", key="一", now=NOW)
    reveal(
        record=lin, fields=["phone"], permission="customers.unmask_customer", reason="回电", by=boss, now=NOW
    )
    Leave.objects.create(user=cast.alice, stand_in=cast.bob, first_day=NOW.date(), last_day=NOW.date())
    WorkItem.objects.create(
        kind=WorkKind.values[0], title="查看货架", store=store, owner=cast.sue, origin_key="一"
    )
    issue_token(integration=Integration.objects.create(name="收银系统"), scopes=["feedback:read"], now=NOW)
    DispatchRule.objects.create(team=cast.team)
    WebhookSecret.objects.create(channel=Channel.objects.first(), secret="s" * 40, created_at=NOW)
    ImportRun.objects.create(channel=Channel.objects.first(), file_name="评价.csv", started_at=NOW, by=boss)
    visit = MysteryVisit.objects.create(store=store, visited_at=NOW, visitor=cast.alice)
    visits.start_checklist(visit=visit)
    VisitFinding.objects.create(visit=visit, text="试吃台无人看管", severity="major")
    talk = Symposium.objects.create(topic="包装怎么改", held_at=NOW + timedelta(days=7), host=cast.lin)
    visits.choose(symposium=talk, customer_ids=[lin.pk], by=boss, now=NOW)
    open_page(store=store, by=boss, now=NOW)
    promises.make(feedback=case, what="今天补发", due_at=NOW + timedelta(hours=5), by=cast.alice, now=later)
    views.save_view(name="急件", params={"tier": "S"}, by=boss, now=NOW)
    TrainedModel.objects.create(
        version="own-1", weights=b"", examples=80, held_out=20, before=0.8, after=0.9, created_at=NOW
    )
    answering(cast, case, boss)
    called_back(cast, case)
    repairing()
    rewarding(lin, boss)
    reputation(cast, lin, boss)
    people(cast, boss)
    scatter(40)
    rebuild_figures(now=NOW)
    client.force_login(boss)
    return client


def repairing() -> None:
    """Repairs in their stages: offers, remedies, evidence, appeal, replies."""
    shop = world.make_shop()
    refund = world.line(shop, "refund", amount=Decimal(150))
    talked = world.talked(shop, world.make_case(shop))
    offers.prepare(case=talked, text=world.OFFER, lines=[refund], by=shop.agent, now=NOW)
    world.satisfied(shop, world.make_case(shop))
    case = world.with_evidence(shop, world.make_case(shop))
    appeals.file_appeal(case=case, case_number="20261", statement="请核实", by=shop.lead, now=NOW)
    ended = world.talked(shop, world.make_case(shop))
    cases.end_talks(case=ended, reason="谈不拢", by=shop.agent, now=NOW)
    public_replies.write(case=world.fresh(ended), text=world.REPLY, by=shop.agent, now=NOW)


def called_back(cast: Cast, about: Feedback) -> None:
    """Callbacks in their states: called off, called and planned again, planned."""
    who = Customer.objects.create(nickname="周先生", phone="13800000002")
    row = schedule(key="一", customer=who, reason="处理好了吗", due_at=NOW, now=NOW, feedback=about)
    calls.record_attempt(callback=row, outcome="no_answer", by=cast.bob, now=NOW, note="响铃")
    other = schedule(key="二", customer=who, reason="处理好了吗", due_at=NOW, now=NOW)
    calls.finish(callback=other, outcome="reached_neutral", satisfaction=3, by=cast.bob, now=NOW)
    schedule(key="三", customer=who, reason="关怀", due_at=NOW, now=NOW, is_service=False)


def rewarding(customer: Customer, boss: User) -> None:
    """Rows behind the pages of rewards: one grant of each kind."""
    budget = make_budget()
    for reward in (
        Reward("coupon", coupon_type=make_type()),
        Reward("points", points=50),
        Reward("gift", gift=make_gift()),
        Reward("cash"),
    ):
        give(customer, boss, budget, reward)


def answering(cast: Cast, urgent: Feedback, boss: User) -> None:
    """Rows behind the pages of answering: replies, approvals, topics, articles, rules, webhooks."""
    reply = replies.Reply(channel="platform_im", text="您好,非常抱歉,马上为您核实。", token="一")
    replies.send_reply(feedback=urgent, reply=reply, by=boss, now=NOW)
    receive(
        [IncomingMessage(channel="sms", address="13900000009", text="在吗", external_id="一")],
        gateway_code="yi",
        now=NOW,
    )
    held = "收到货后写评价领5元券"
    with suppress(replies.Held):
        replies.send_reply(
            feedback=urgent,
            reply=replies.Reply(channel="platform_im", text=held, token="二"),
            by=boss,
            now=NOW,
        )
    topic = topics.create(name="杯盖漏水", feedback=list(Feedback.objects.all()), by=boss, now=NOW)
    topics.ask_answer(
        topic=topic, text="您好,已为您换新。", feedback_ids=[urgent.pk], by=boss, now=NOW, resolution="换新"
    )
    article = Article.objects.create(
        code="hours", title="几点营业", body="每天十点到二十二点。", written_by=boss
    )
    AutoAnswer.objects.create(
        feedback=urgent, article=article, state="held", reasons=["unsure"], text="答", at=NOW, updated_at=NOW
    )
    ArticleProposal.objects.create(
        key="一", title="几点关门", questions=["几点关门"], body="二十二点。", count=3
    )
    rule = Rule.objects.order_by("pk")[0]
    Proposal.objects.create(
        kind="compensation",
        title="十元券",
        feedback=urgent,
        rule=rule,
        payload={"amount": 10},
        expires_at=NOW + timedelta(days=3),
    )


def reputation(cast: Cast, author: Customer, boss: User) -> None:
    """Rows behind the pages of praise, showcase, review requests, actions and figures from outside."""
    good = arrive("praise", text="很好喝，下次还来", rating=5, store=cast.store.code)
    Feedback.objects.filter(pk=good.pk).update(customer=author, author_name="林小姐")
    item = showcase.propose(feedback=good, by=cast.alice, now=NOW)
    showcase.grant(item=item, parts=["text"], reason="电话里同意", by=cast.alice, now=NOW)
    showcase.release(item=item, by=cast.lin, now=NOW)
    Showcase.objects.create(code="home", name="首页", reviews_url="https://example.com/all")
    ReviewRequestPlan.objects.create(name="三天后", template=MessageTemplate.objects.get(code="RQ_WX"))
    ReputationAction.objects.create(
        title="换包装",
        what="改用蜂窝纸",
        owner=cast.alice,
        starts_on=NOW.date(),
        due_on=NOW.date(),
        metric="review_negative_rate",
    )
    row = ExternalIndicator.objects.order_by("pk")[0]
    indicators.enter_day(store=cast.store, day=NOW.date(), values={row: Decimal(8)}, by=boss, now=NOW)
    indicators.import_file(
        upload=ContentFile("日期,门店,指标,数值\n昨天,无,无,无\n".encode(), name="数据.csv"), by=boss, now=NOW
    )


def test_public_pages_speak_chinese(pages: Client) -> None:
    entry = PublicEntry.objects.get()
    pages.logout()
    data, wrong = stored_words(), []
    for method, address, values in (
        ("get", "/f/", {}),
        ("get", entry.path, {}),
        ("post", entry.path, {"text": ""}),
        ("get", "/f/NOWHERE/", {}),
        ("get", "/f/status/", {}),
        ("post", "/f/status/", {"number": "F0000001", "secret": "XXXXXXXX"}),
    ):
        answer = getattr(pages, method)(address, values)
        assert answer.status_code < 500
        wrong += [f"{address}: {text}" for text in english(answer.content.decode(), data)]
    assert not wrong, "\n".join(sorted(set(wrong)))


def people(cast: Cast, boss: User) -> None:
    """Rows behind the pages of people: figures, a score, a review, a note, a training with quiz and replay, a proposal."""
    figures(cast.alice, category=None)
    months.rebuild(month=MONTH, now=NOW)
    scores.draft(month=LAST, now=NOW)
    scores.publish(row=MonthlyScore.objects.get(person=cast.alice), by=boss, now=NOW)
    sample(cast.bob, each=1)
    quality.write_note(person=cast.alice, kind="agreed", text="先听", by=cast.lin, now=NOW)
    session = make_training(boss, boss, cast.alice)
    case = Feedback.objects.filter(status="closed").latest("pk")
    training.add_replay(session=session, number=case.number, lesson="先道歉", by=boss, now=NOW)
    training.take_quiz(session=session, answers=right_answers(session), by=boss, now=NOW)
    TrainingProposal.objects.create(team=cast.team, reason="complaints", count=3, counted_until=NOW)


def addresses() -> Iterator[str]:
    """Every page that needs no more than a row: the usual ones and those each admin adds."""
    yield reverse("admin:index")
    yield reverse("admin:password_change")
    yield reverse("compliance_try")
    yield reverse("feedback_words") + "?days=90"
    funnel = reverse("admin:repairs_repaircase_funnel")
    yield f"{funnel}?period=own&first={NOW.date() - timedelta(days=80)}&last={NOW.date()}"
    yield f"{funnel}?period=own&first=2026-12-02&last=2026-12-01"
    for row in Callback.objects.all():
        yield reverse("admin:callbacks_callback_change", args=[row.pk])
    for case in Feedback.objects.all()[:3]:
        yield reverse("admin:feedback_feedback_change", args=[case.pk])
        yield reverse("admin:feedback_feedback_macro", args=[case.pk, Macro.objects.order_by("pk")[0].pk])
    for model, model_admin in admin.site._registry.items():
        newest = model._default_manager.order_by("pk").last()
        for name in {pattern.name for pattern in model_admin.get_urls() if pattern.name}:
            for args in ([], [newest.pk] if newest else []):
                with suppress(NoReverseMatch):
                    yield reverse(f"admin:{name}", args=args)
                    break
    for score in MonthlyScore.objects.all():
        yield reverse("admin:performance_agentmonth_person", args=[score.person_id]) + "?month=2026-10"
        yield reverse("admin:performance_monthlyscore_change", args=[score.pk])
    yield reverse("admin:performance_agentmonth_team") + "?month=2026-10"
    for row in ReplayCase.objects.all():
        yield reverse("admin:performance_trainingsession_replay", args=[row.session_id, row.pk])
        yield reverse("admin:performance_trainingsession_result", args=[row.session_id, 1])
    for customer in Customer.objects.all():
        page = reverse("admin:customers_customer_change", args=[customer.pk])
        yield from (
            f"{page}?tab={tab}"
            for tab in (
                "profile",
                "timeline",
                "orders",
                "consents",
                "identities",
                "history",
                "panel-callbacks",
            )
        )


def test_log_in_page_speaks_chinese(client: Client, db: None, settings: Any) -> None:
    html = client.get(reverse("admin:login"), follow=True).content.decode()
    assert not english(html, set())


def test_every_page_of_the_admin_speaks_chinese(pages: Client) -> None:
    data, wrong, seen = stored_words(), [], 0
    for address in addresses():
        answer = pages.get(address)
        assert answer.status_code < 500, address
        if answer.status_code == 200:
            seen += 1
            if answer["Content-Type"].startswith("text/html"):
                wrong += [f"{address}: {text}" for text in english(answer.content.decode(), data)]
    assert seen > 80
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_move_speaks_chinese(pages: Client) -> None:
    data, wrong = stored_words(), set()
    # One case of each state is enough: the pages differ by state and move.
    for case in {row.status: row for row in Feedback.objects.order_by("pk")}.values():
        for verb in FEEDBACK.verbs():
            address = reverse("admin:feedback_feedback_move", args=[case.pk, verb])
            html = pages.get(address, follow=True).content.decode()
            wrong.update(f"{verb}: {text}" for text in english(html, data))
    assert not wrong, "\n".join(sorted(wrong))


def test_every_step_of_a_repair_speaks_chinese(pages: Client) -> None:
    data, wrong = stored_words(), set()
    for case in {row.status: row for row in RepairCase.objects.order_by("pk")}.values():
        verbs = [move.verb for move in REPAIR.legal_from(case.status)]
        addresses = [reverse("admin:repairs_repaircase_move", args=[case.pk, verb]) for verb in verbs]
        addresses += [
            reverse(f"admin:repairs_repaircase_{name}", args=[case.pk])
            for name in ("offer", "reply", "change")
        ]
        for address in addresses:
            answer = pages.get(address, follow=True)
            if answer.status_code == 200:
                wrong.update(f"{address}: {text}" for text in english(answer.content.decode(), data))
    assert not wrong, "\n".join(sorted(wrong))
