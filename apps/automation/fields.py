"""The fields conditions may name, as far as feedback, customers and shop know them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.automation.models import Mark
from apps.automation.registries import Choices, Facts, Field, fields, segments
from apps.customers.choices import MemberTier, OrderStatus
from apps.feedback.choices import ChannelGroup, Emotion, Kind, Sentiment, Source, Status, Tier
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference
from apps.shop.models import Product, Store

EARLIER_DAYS = 90
# More products than fit into a list are chosen by SKU elsewhere; the builder stays usable.
MAX_PRODUCTS = 1000


def _enum(choices: Any) -> Callable[[], Choices]:
    return lambda: [(value, str(label)) for value, label in choices.choices]


def _channels() -> Choices:
    return [(row.pk, str(row)) for row in reference().channels.values()]


def _categories() -> Choices:
    rows = [row for row in reference().categories.values() if row.is_active]
    tops = [row for row in rows if row.parent_id is None]
    return [
        choice
        for top in tops
        for choice in (
            (top.code, str(top)),
            *((row.code, f"{top} › {row}") for row in rows if row.parent_id == top.pk),
        )
    ]


def below(codes: Iterable[Any]) -> set[int]:
    """Keys of these categories and of everything below them."""
    ref = reference()
    wanted = {ref.categories[code].pk for code in codes if code in ref.categories}
    while True:
        more = {row.pk for row in ref.categories.values() if row.parent_id in wanted} - wanted
        if not more:
            return wanted
        wanted |= more


def _category_name(pk: Any) -> str:
    category = reference().categories_by_id.get(pk)
    return str(category or pk)


def _stores() -> Choices:
    return list(Store.objects.order_by("name").values_list("pk", "name"))


def _products() -> Choices:
    return list(Product.objects.order_by("name").values_list("pk", "name")[:MAX_PRODUCTS])


def _lower_text(facts: Facts) -> str:
    # Lowered once per row, however many rules look at it.
    lowered = facts.get("_lower")
    if lowered is None:
        lowered = facts["_lower"] = facts["text"].lower()
    return lowered


def _days_since_order(facts: Facts) -> float | None:
    placed = facts["order__placed_at"]
    return None if placed is None else (facts["_at"] - placed).total_seconds() / 86400


def _undelivered_days(facts: Facts) -> float | None:
    """Days since an order that has not arrived was placed; None where it arrived or is off."""
    if facts["order__delivered_at"] is not None or facts["order__status"] not in (
        OrderStatus.PLACED,
        OrderStatus.SHIPPED,
    ):
        return None
    return _days_since_order(facts)


def is_working_time(moment: Any) -> bool:
    """Whether the shop works at `moment`: the calendar “service”, else the first one; without any, always."""
    ref = reference()
    kept = getattr(ref, "_automation_calendar", None)
    if kept is None:
        from apps.shop.models import WorkCalendar

        codes = dict(WorkCalendar.objects.values_list("code", "pk"))
        pk = next((codes[code] for code in ("service", "service_hours") if code in codes), None)
        pk = pk or next(iter(ref.calculators), None)
        kept = ref._automation_calendar = ref.calculators.get(pk, False)  # type: ignore[attr-defined]
    return True if kept is False else bool(kept.is_open(moment))


def _load_earlier(rows: Sequence[Facts]) -> None:
    """Complaints of the same customer in the 90 days before. One query for all rows."""
    people = {row["customer_id"] for row in rows if row["customer_id"]}
    times: dict[int, list[tuple[Any, int]]] = defaultdict(list)
    if people:
        since = min(row["received_at"] for row in rows) - timedelta(days=EARLIER_DAYS)
        for customer_id, at, pk in Feedback.objects.filter(
            customer_id__in=people, kind=Kind.COMPLAINT, received_at__gte=since
        ).values_list("customer_id", "received_at", "id"):
            times[customer_id].append((at, pk))
    for row in rows:
        start = row["received_at"] - timedelta(days=EARLIER_DAYS)
        mine = (row["received_at"], row["id"])
        row["_earlier"] = sum(start <= at and (at, pk) < mine for at, pk in times.get(row["customer_id"], ()))


def _load_marks(rows: Sequence[Facts]) -> None:
    names: dict[int, list[str]] = defaultdict(list)
    for feedback_id, name in Mark.objects.filter(feedback__in=[row["id"] for row in rows]).values_list(
        "feedback_id", "name"
    ):
        names[feedback_id].append(name)
    for row in rows:
        row["_marks"] = names.get(row["id"], [])


def _load_segments(rows: Sequence[Facts]) -> None:
    people = {row["customer_id"] for row in rows if row["customer_id"]}
    within: dict[int, set[str]] = defaultdict(set)
    for code in segments.codes():
        segment = segments.get(code)
        for customer_id in segment.members(people) if segment and people else ():
            within[customer_id].add(code)
    for row in rows:
        row["_segments"] = within.get(row["customer_id"], frozenset())


def _hour(facts: Facts) -> int:
    return timezone.localtime(facts["received_at"]).hour


def _tags(facts: Facts) -> list[str]:
    return facts["customer__tags"] or []


FIELDS: tuple[tuple[str, Field], ...] = (
    ("tier", Field(_("tier"), "choice", ("tier",), choices=_enum(Tier))),
    ("kind", Field(pgettext_lazy("feedback", "kind"), "choice", ("kind",), choices=_enum(Kind))),
    (
        "category",
        Field(
            _("category (with all below it)"),
            "tree",
            ("category_id", "subcategory_id"),
            value=lambda facts: (facts["category_id"], facts["subcategory_id"]),
            choices=_categories,
            expand=below,
            show=_category_name,
        ),
    ),
    ("text", Field(_("text"), "text", ("text",), value=_lower_text)),
    ("sentiment", Field(_("sentiment"), "choice", ("sentiment",), choices=_enum(Sentiment))),
    ("emotion", Field(_("emotion"), "choice", ("emotion",), choices=_enum(Emotion))),
    ("rating", Field(_("stars"), "number", ("rating",))),
    ("priority", Field(_("priority"), "number", ("priority",))),
    ("channel", Field(_("channel"), "choice", ("channel_id",), choices=_channels)),
    (
        "channel_group",
        Field(_("group of channels"), "choice", ("channel__group",), choices=_enum(ChannelGroup)),
    ),
    ("source", Field(_("came in by"), "choice", ("source",), choices=_enum(Source))),
    ("store", Field(_("store"), "choice", ("store_id",), choices=_stores)),
    ("product", Field(_("product"), "choice", ("product_id",), choices=_products)),
    ("status", Field(_("state"), "choice", ("status",), choices=_enum(Status))),
    (
        "has_owner",
        Field(
            _("has an owner"), "bool", ("assignee_id",), value=lambda facts: facts["assignee_id"] is not None
        ),
    ),
    ("needs_review", Field(_("reading needs review"), "bool", ("needs_review",))),
    ("mentions_competitor", Field(_("mentions a competitor"), "bool", ("mentions_competitor",))),
    (
        "member_tier",
        Field(
            _("member level"),
            "choice",
            ("customer__member_tier",),
            choices=lambda: [(value, str(label)) for value, label in MemberTier.choices if value],
        ),
    ),
    ("customer_tags", Field(_("tags of the customer"), "list", ("customer__tags",), value=_tags)),
    (
        "earlier_complaints",
        Field(
            _("earlier complaints of the customer in 90 days"),
            "number",
            ("customer_id", "received_at"),
            value=lambda facts: facts["_earlier"],
            load=_load_earlier,
        ),
    ),
    (
        "segment",
        Field(
            _("customer segment"),
            "segment",
            ("customer_id",),
            value=lambda facts: facts["_segments"],
            load=_load_segments,
        ),
    ),
    (
        "order_status",
        Field(_("state of the order"), "choice", ("order__status",), choices=_enum(OrderStatus)),
    ),
    (
        "order_days",
        Field(_("days since the order"), "number", ("order__placed_at",), value=_days_since_order),
    ),
    (
        "undelivered_days",
        Field(
            _("days without delivery"),
            "number",
            ("order__placed_at", "order__delivered_at", "order__status"),
            value=_undelivered_days,
        ),
    ),
    (
        "working_time",
        Field(_("it is working time"), "bool", (), value=lambda facts: is_working_time(facts["_at"])),
    ),
    ("received_hour", Field(_("hour of arrival"), "number", ("received_at",), value=_hour)),
    ("is_historical", Field(_("historical"), "bool", ("is_historical",))),
    (
        "marks",
        Field(_("tags of the case"), "list", (), value=lambda facts: facts["_marks"], load=_load_marks),
    ),
)


def register() -> None:
    """Once, when Django starts."""
    for order, (code, field) in enumerate(FIELDS):
        fields.register(code, field, order=order)
