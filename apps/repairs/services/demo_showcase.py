"""Demo data of the showcase and of reputation, through the real services; safe to repeat."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone, translation

from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, User
from apps.feedback.choices import Source
from apps.feedback.models import Feedback
from apps.feedback.models.feedback import IS_PRAISE
from apps.messaging.models import MessageTemplate
from apps.repairs.choices import Part, ValueSource
from apps.repairs.models import (
    ExternalIndicator,
    IndicatorValue,
    PraiseMark,
    PraiseTag,
    ReputationAction,
    ReviewRequestPlan,
    Showcase,
    ShowcaseItem,
)
from apps.repairs.services import indicators, praise, reputation, showcase
from apps.shop.models import Store, WorkItem

DAYS = 30
REVIEWS = "https://example.com/reviews"
ASKING = "签收三天后邀请评价"
TITLES = ("更换易碎品包装", "商品页补充尺寸实拍", "真实顾客故事两篇")
# Where a figure lies, and how far it swings.
LEVELS = {
    "search_rank": (18, 6),
    "visitors": (820, 160),
    "followers": (5200, 40),
    "sales_orders": (64, 18),
    "sales_amount": (3900, 900),
    "dsr_description": (4.78, 0.04),
    "dsr_service": (4.81, 0.03),
    "dsr_logistics": (4.72, 0.06),
    "reply_30s": (92, 4),
    "reply_5min": (97, 2),
}


def load(now: datetime) -> None:
    """Some praise tagged and thanked, reviews in every state, a showcase, actions, a month of figures."""
    people = list(User.objects.filter(is_active=True, is_superuser=True).order_by("pk")[:1])
    lead = (
        User.objects.filter(groups__name__in=("ops-lead", "manager"), is_active=True).order_by("pk").first()
    )
    if not people or lead is None or Showcase.objects.filter(code="home").exists():
        return
    with translation.override(settings.LANGUAGE_CODE):
        _praise(people[0], lead, now)
        _actions(people[0], lead, now)
        _figures(people[0], now)


def _praise(by: User, lead: User, now: datetime) -> None:
    rows = list(
        Feedback.objects.filter(IS_PRAISE, customer__isnull=False)
        .exclude(status__in=("dismissed", "merged"))
        .select_related("channel", "customer", "store", "product", "order", "category", "subcategory")
        .order_by("-posted_at", "-id")[:24]
    )
    tags = list(PraiseTag.objects.filter(is_active=True))
    for row in rows:
        fitting = praise.suggested(row, tags)
        if fitting:
            praise.set_tags(feedback=[row], add=fitting, by=by, now=now)
    thanks = list(MessageTemplate.objects.filter(code__in=("TH_IM", "TH_PUBLIC")))
    praise.thank_many(feedback=rows[:4], templates=thanks, by=by, now=now)
    items: list[ShowcaseItem] = []
    for row in rows[:12]:
        try:
            items.append(showcase.propose(feedback=row, by=by, now=now))
        except DomainError:
            continue
    for number, item in enumerate(items[2:]):
        showcase.grant(item=item, parts=[Part.TEXT], reason="顾客在平台聊天里回复“同意”", by=by, now=now)
        if number >= 2:
            showcase.release(item=item, by=lead, now=now)
    page = Showcase.objects.create(code="home", name="店铺首页好评", reviews_url=REVIEWS)
    showcase.switch_on(showcase=page, by=lead, now=now)
    ReviewRequestPlan.objects.get_or_create(
        name=ASKING, defaults={"template": MessageTemplate.objects.get(code="RQ_WX")}
    )


def _actions(by: User, lead: User, now: datetime) -> None:
    today = timezone.localdate(now)
    texts = (
        (TITLES[0], "packaging", "杯类商品改用蜂窝纸托,抽检跌落。", -35, 20, "review_negative_rate", "down", 12),
        (TITLES[1], "page", "每个在售商品补三张带尺子的实拍图。", -20, -3, "review_average", "up", "4.5"),
        (TITLES[2], "content", "约两位老顾客聊使用感受,征得同意后发布。", 3, 25, "review_positive_rate", "up", 85),
    )  # fmt: skip
    for number, (title, kind, what, begins, due, metric, direction, target) in enumerate(texts):
        action = ReputationAction.objects.create(
            title=title,
            kind=kind,
            what=what,
            owner=lead,
            starts_on=today + timedelta(days=begins),
            due_on=today + timedelta(days=due),
            metric=metric,
            direction=direction,
            target=Decimal(target),
            created_by=by,
        )
        reputation.keep_work(action=action, now=now)
        if number < 2:
            reputation.start(action=action, by=by, now=now)


def _figures(by: User, now: datetime) -> None:
    today = timezone.localdate(now)
    rows = []
    for index, store in enumerate(Store.objects.filter(is_active=True)):
        for indicator in ExternalIndicator.objects.filter(is_active=True, platform__in=("", store.platform)):
            if indicator.code not in LEVELS:
                continue
            level, swing = LEVELS[indicator.code]
            for day in range(DAYS):
                wave = math.sin(day / 4 + index) * 0.7 + math.sin(day * 2.3 + index * 5) * 0.3
                value = indicators.to_decimal(f"{level + swing * wave:.2f}")
                if value is None:
                    continue
                if indicator.unit in ("rank", "count"):
                    value = Decimal(max(round(value), 1))
                rows.append(indicators.Figure(indicator, store, today - timedelta(days=DAYS - day), value))
    indicators.keep(figures=rows, source=ValueSource.DEMO, by=by, now=now)


def clear() -> int:
    """Take away what `load` made: reviews of the demo shop from the showcase, its page, actions, plan and figures."""
    items = ShowcaseItem.objects.filter(feedback__source=Source.DEMO)
    ids = list(items.values_list("pk", flat=True))
    ActionLog.objects.filter(model="repairs.showcaseitem", object_id__in=ids).delete()
    items.delete()
    PraiseMark.objects.filter(feedback__source=Source.DEMO).delete()
    IndicatorValue.objects.filter(source=ValueSource.DEMO).delete()
    actions = ReputationAction.objects.filter(title__in=TITLES)
    numbers = list(actions.values_list("pk", flat=True))
    ActionLog.objects.filter(model="repairs.reputationaction", object_id__in=numbers).delete()
    works = WorkItem.objects.filter(origin_key__in=[reputation.origin(action) for action in actions])
    ActionLog.objects.filter(
        model="shop.workitem", object_id__in=list(works.values_list("pk", flat=True))
    ).delete()
    works.delete()
    actions.delete()
    pages = Showcase.objects.filter(code="home", reviews_url=REVIEWS)
    numbers = list(pages.values_list("pk", flat=True))
    ActionLog.objects.filter(model="repairs.showcase", object_id__in=numbers).delete()
    pages.delete()
    ReviewRequestPlan.objects.filter(name=ASKING, requests__isnull=True).delete()
    return len(ids)
