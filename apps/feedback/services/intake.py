"""Taking feedback in: one pipeline behind every door, batch first (architecture, decision 1).

Stages: check → identify → deduplicate → read → triage → clocks → dispatch → store → after commit. Each takes the whole
list; none asks the database per row.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Count, Q
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core import masking
from apps.core.bulk import COPY_FROM_ROWS, allocate_ids, insert_many, quick_row
from apps.core.choices import NoticeLevel
from apps.core.hashing import email_key, phone_key
from apps.core.models import ActionLog, StaffNotice, User
from apps.core.services.notices import notice_rows, notify
from apps.customers.choices import CustomerState
from apps.customers.models import Customer, CustomerIdentity, Order, OrderItem
from apps.customers.selectors import survivors
from apps.feedback import matching, search, signals
from apps.feedback.analysis import Reading
from apps.feedback.choices import TIER_RANK, EntryKind, Kind, Sentiment, Status, Tier
from apps.feedback.incoming import (
    FOLLOW_UP_ROWS,
    MAX_TEXT,
    IncomingFeedback,
    Outcome,
    clean_text,
    clean_values,
)
from apps.feedback.marks import Marks
from apps.feedback.models import (
    Category,
    Channel,
    Entry,
    Feedback,
    FeedbackSearch,
    ImportedCustomer,
    ImportRun,
)
from apps.feedback.selectors.reference import Reference, reference
from apps.feedback.services import changes as change_service
from apps.feedback.services import clocks as clock_service
from apps.feedback.services.dispatch import Dispatcher, team_of
from apps.feedback.services.grading import asks_for_nothing, priority_of, tier_of
from apps.feedback.services.self_check import open_self_checks
from apps.feedback.services.telling import address
from apps.shop.models import Product

SNIPPET = 200
# Clocks of two machines differ; anything further ahead than this is a mistake.
FUTURE_TOLERANCE = timedelta(minutes=10)
# Above this many S in one batch their alarms become one notice: 500 bells are none.
S_ALARMS_ONE_BY_ONE = 20
# An author that says nothing about who it is (peers 3.19).
ANONYMOUS = re.compile(
    r"^(匿名(用户|买家|顾客|会员)?|微信用户|游客|用户|anonymous|\*+|.?\*{2,}.?)$", re.IGNORECASE
)


@dataclass(slots=True)
class Work:
    """One item on its way through the pipeline."""

    index: int
    item: IncomingFeedback
    channel: Channel
    outcome: Outcome
    store_id: int | None = None
    product: Product | None = None
    order: Order | None = None
    customer: Customer | None = None
    parent_id: int | None = None
    posted_at: datetime | None = None
    historical: bool = False
    key: str = ""
    key_hash: int | None = None
    reading: Reading | None = None
    similar_id: int | None = None
    similarity: float | None = None
    record: Feedback | None = None


@dataclass
class Near:
    """Look-up of near duplicates for one run (decision 6): one index per channel, filled with its last 30 days.

    An index holds at most 200,000 texts. A longer run starts a new one then, so that memory stays flat however long
    the file is; what it links to is then only what came since.
    """

    indexes: dict[int, matching.NearIndex] = field(default_factory=dict)

    def index(self, channel_id: int, now: datetime, sample: Iterable[str] = ()) -> matching.NearIndex:
        """The channel's index, loaded on first use. `sample` are some keys of the run: they tell rare from common."""
        index = self.indexes.get(channel_id)
        if index is None:
            recent = (
                Feedback.objects.filter(channel_id=channel_id, received_at__gte=now - timedelta(days=30))
                .order_by("-received_at", "-id")
                .values_list("id", "text")[: matching.MAX_KNOWN // 2]
            )
            index = matching.NearIndex(threshold=0.8, sample=sample, max_texts=matching.MAX_KNOWN)
            for pk, text in recent.iterator(chunk_size=5000):
                key = matching.text_key(text)
                if key:
                    index.add(pk, key)
            self.indexes[channel_id] = index
        elif index.full:
            index = self.indexes[channel_id] = matching.NearIndex(
                threshold=0.8, sample=sample, max_texts=matching.MAX_KNOWN
            )
        return index


class Timings(defaultdict):
    """Seconds by stage."""

    def __init__(self) -> None:
        super().__init__(float)
        self._last = time.perf_counter()

    def start(self) -> None:
        """Begin measuring from here."""
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap to `stage`."""
        now = time.perf_counter()
        self[stage] += now - self._last
        self._last = now


def take_in(
    items: Sequence[IncomingFeedback],
    *,
    source: str,
    now: datetime,
    by: User | None = None,
    run: ImportRun | None = None,
    historical: bool = False,
    near: Near | None = None,
    timings: Timings | None = None,
    historical_after_days: int | None = None,
    dry_run: Marks | None = None,
) -> list[Outcome]:
    """Take `items` in; answers one Outcome per item, in order. One bad item does not sink the others.

    `run` makes rows known by their number in the file. `historical` (or being posted longer ago than
    `historical_after_days`) means stored and searchable, but no clock, no dispatch, no message (decision 3).
    `near` links near duplicates at once; without it a background task does. `dry_run` writes nothing and says what
    would happen; the table remembers the text and stars of what a run has seen from one list to the next.
    """
    timings = timings if timings is not None else Timings()
    timings.start()
    ref = reference()
    outcomes = [Outcome(state="rejected", row=item.row) for item in items]
    works = _checked(ref, items, outcomes, now=now, historical=historical, after_days=historical_after_days)
    timings.lap("check")
    if dry_run is not None:
        _foretell(works, run=run, near=near, now=now, seen=dry_run)
        return outcomes
    # Two writers may bring the same new thing at once. The database lets one through; the other looks again, finds
    # it, and goes on. Three rounds are ample, since each round settles at least one meeting.
    for attempt in range(4):
        try:
            # What staff will read speaks the shop's language, whichever the sender's page or program speaks.
            with translation.override(settings.LANGUAGE_CODE), transaction.atomic():
                taken = _store(ref, works, source=source, now=now, by=by, run=run, near=near, timings=timings)
            break
        except (IntegrityError, OperationalError) as error:
            if attempt == 3 or not _met_another_writer(error):
                raise
            for work in works:
                # What the lost round found or made is rolled back.
                work.customer = work.parent_id = work.similar_id = work.similarity = work.record = None
            if near is not None:
                # It holds ids of rows that were rolled back.
                near.indexes.clear()
    timings.lap("commit")
    if taken:
        ids = [record.pk for record in taken]
        is_historical = all(record.is_historical for record in taken)
        transaction.on_commit(
            lambda: signals.taken_in.send(Feedback, feedback_ids=ids, historical=is_historical)
        )
    return outcomes


def _met_another_writer(error: Exception) -> bool:
    """Whether a fresh look can help: a key was taken meanwhile, or two lists locked each other out."""
    return isinstance(error, IntegrityError) or getattr(error.__cause__, "sqlstate", "") == "40P01"


def _foretell(
    works: list[Work], *, run: ImportRun | None, near: Near | None, now: datetime, seen: Marks
) -> None:
    new, later, _twins = _without_known(works, run=run, now=now)
    sample: list[str] | None = None
    fresh = {id(work) for work in new}
    known = {id(work): pk for work, pk in later}
    for work in sorted([*new, *(work for work, _pk in later)], key=lambda work: work.index):
        item = work.item
        work.outcome.feedback_id = known.get(id(work))
        mark = hash((work.channel.pk, item.external_id)) if item.external_id else None
        text_mark = hash(item.text)
        before = seen.get(mark) if mark is not None else None
        if before is not None:
            # Met earlier in this file, where the real run would have stored or changed it.
            same = before[0] == text_mark and item.rating in (None, before[1])
            work.outcome.state = "unchanged" if same else "changed"
        elif id(work) in fresh:
            work.outcome.state = "created"
        else:
            work.outcome.state = "changed"
        if mark is not None:
            rating = item.rating if item.rating is not None or before is None else before[1]
            seen[mark] = (text_mark, rating)
        if work.outcome.state == "created" and near is not None and _key_of(work):
            if sample is None:
                sample = [key for other in new if (key := _key_of(other))]
            # No row, no number: the link only counts.
            linked = near.index(work.channel.pk, now, sample).link(0, work.key)
            work.outcome.similar_to = None if linked is None else int(str(linked[0]))


def _checked(
    ref: Reference,
    items: Sequence[IncomingFeedback],
    outcomes: list[Outcome],
    *,
    now: datetime,
    historical: bool,
    after_days: int | None,
) -> list[Work]:
    works = []
    refused: dict[int, tuple[str, str, str]] = {}
    spoiled: dict[int | None, tuple[str, str, str]] = {}
    oldest = now - timedelta(days=after_days) if after_days is not None else None
    for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        problem = _problem(ref, item, now)
        if item.row is not None:
            # A follow-up in the row of a review that stays outside stays outside with it.
            problem = problem or refused.get(item.row - FOLLOW_UP_ROWS)
            if problem is not None:
                refused[item.row] = problem
        if problem is not None:
            outcome.code, outcome.field, outcome.message = problem
            if item.follow_up_row is not None and item.follow_up_row not in refused:
                spoiled[item.follow_up_row] = problem
            continue
        work = Work(index=index, item=item, channel=ref.channels[item.channel], outcome=outcome)
        work.posted_at = item.posted_at or now
        work.historical = historical or (
            oldest is not None and item.posted_at is not None and item.posted_at < oldest
        )
        if item.store:
            store = ref.store(item.store)
            work.store_id = store.pk if store else None
        works.append(work)
    if not spoiled:
        return works
    # A row of a file comes in whole or not at all: given again with its follow-up put right, it doubles nothing.
    for work in works:
        if (problem := spoiled.get(work.item.row)) is not None:
            code, _field, message = problem
            work.outcome.code, work.outcome.field = code, "follow_up_text"
            work.outcome.message = _("The follow-up in this row: %(problem)s") % {"problem": message}
    return [work for work in works if work.item.row not in spoiled]


def _problem(ref: Reference, item: IncomingFeedback, now: datetime) -> tuple[str, str, str] | None:
    """(code, field, message) of the first thing that keeps an item out."""
    channel = ref.channels.get(item.channel)
    if channel is None or not channel.is_active:
        return "unknown_channel", "channel", _("There is no channel “%(code)s”.") % {"code": item.channel}
    if len(item.text) > MAX_TEXT:
        return (
            "text_too_long",
            "text",
            _("The text has %(length)d characters; at most %(limit)d can be kept.")
            % {"length": len(item.text), "limit": MAX_TEXT},
        )
    for name, limit in (("external_id", 120), ("order_no", 64), ("product_sku", 64)):
        if len(getattr(item, name)) > limit:
            return (
                f"{name}_too_long",
                name,
                _("This number has more than %(limit)d characters: %(value)s…")
                % {"limit": limit, "value": getattr(item, name)[:20]},
            )
    item.text = clean_text(item.text)
    clean_values(item)
    if not item.text:
        return "text_missing", "text", _("The text is empty.")
    if item.rating is not None and not 1 <= item.rating <= 5:
        return "bad_rating", "rating", _("Stars must be 1 to 5, not %(value)s.") % {"value": item.rating}
    if item.posted_at is not None and item.posted_at > now + FUTURE_TOLERANCE:
        return (
            "future_date",
            "posted_at",
            _("The date lies in the future: %(value)s.") % {"value": item.posted_at},
        )
    if item.store and ref.store(item.store) is None:
        return (
            "unknown_store",
            "store",
            _("There is no store “%(name)s”. Create it or add the name to a store's other names.")
            % {"name": item.store},
        )
    if item.kind and item.kind not in Kind.values:
        return "unknown_kind", "kind", _("Unknown kind “%(kind)s”.") % {"kind": item.kind}
    return None


def _store(
    ref: Reference,
    works: list[Work],
    *,
    source: str,
    now: datetime,
    by: User | None,
    run: ImportRun | None,
    near: Near | None,
    timings: Timings,
) -> list[Feedback]:
    new, later, twins = _without_known(works, run=run, now=now)
    timings.lap("deduplicate")
    if new:
        _identify(new, now=now, run=run)
        timings.lap("identify")
        for work, reading in zip(
            new,
            ref.reader.read_many(
                [(work.item.text, work.item.rating, work.channel.is_review_platform) for work in new]
            ),
            strict=True,
        ):
            work.reading = reading
        timings.lap("read")
        # The rows of a run are linked to each other before they are written, so they need their keys beforehand.
        many = len(new) >= COPY_FROM_ROWS or near is not None
        ids = allocate_ids(Feedback, len(new)) if many else [None] * len(new)
        _link_similar(new, ids, near=near, now=now)
        timings.lap("near duplicates")
        seeds = _triage(ref, new, ids, source=source, now=now, run=run)
        timings.lap("triage and clocks")
        _dispatch(ref, new, now=now)
        timings.lap("dispatch")
        _write(new, seeds, now=now, by=by)
        timings.lap("write")
        _alarm(ref, new, now=now)
        timings.lap("alarm")
    # Later versions of a review come after the rows they change are there.
    firsts = {(work.channel.pk, work.item.external_id): work for work in new} if later else {}
    for work, existing_id in later:
        record_id = existing_id
        if record_id is None:
            record_id = firsts[work.channel.pk, work.item.external_id].outcome.feedback_id
        assert record_id is not None
        changed = change_service.apply_change(ref, feedback_id=record_id, item=work.item, now=now)
        work.outcome.state = "changed" if changed else "unchanged"
        work.outcome.feedback_id = record_id
    for work, first in twins:
        work.outcome.feedback_id = first.outcome.feedback_id
    timings.lap("changes")
    return [work.record for work in new if work.record is not None]


def _without_known(
    works: list[Work], *, run: ImportRun | None, now: datetime
) -> tuple[list[Work], list[tuple[Work, int | None]], list[tuple[Work, Work]]]:
    """Split into new works, later versions of known ones, and twins of a new one without an id of their own, which
    learn its number when it is written. What is known and equal is settled here (decision 6).
    """
    by_channel: dict[int, set[str]] = defaultdict(set)
    rows: set[int] = set()
    loose: list[Work] = []
    for work in works:
        if work.item.external_id:
            by_channel[work.channel.pk].add(work.item.external_id)
        elif run is None:
            loose.append(work)
        if work.item.follow_up_to:
            # The first review, found by the same query.
            by_channel[work.channel.pk].add(work.item.follow_up_to)
        if run is not None and work.item.row is not None:
            rows.add(work.item.row)
    known: dict[tuple[int, str], tuple[int, str, int | None]] = {}
    for channel_id, external_ids in by_channel.items():
        for pk, external_id, text, rating in Feedback.objects.filter(
            channel_id=channel_id, external_id__in=external_ids
        ).values_list("id", "external_id", "text", "rating"):
            known[(channel_id, external_id)] = (pk, text, rating)
    known_rows: dict[int, int] = {}
    if run is not None and run.pk is not None and rows:
        # Follow-ups have their own numbers far above: one range over both would read every follow-up before them.
        for part in (
            [row for row in rows if row < FOLLOW_UP_ROWS],
            [row for row in rows if row >= FOLLOW_UP_ROWS],
        ):
            if part:
                known_rows |= dict(
                    Feedback.objects.filter(
                        import_run=run, source_row__gte=min(part), source_row__lte=max(part)
                    ).values_list("source_row", "id")
                )
    known_loose = _known_loose(loose)

    new: list[Work] = []
    later: list[tuple[Work, int | None]] = []
    twins: list[tuple[Work, Work]] = []
    seen: dict[tuple[int, str], IncomingFeedback] = {}
    seen_loose: dict[tuple[Any, ...], Work] = {}
    for work in works:
        item, outcome = work.item, work.outcome
        if item.follow_up_to and (work.channel.pk, item.follow_up_to) in known:
            work.parent_id = known[(work.channel.pk, item.follow_up_to)][0]
        elif item.follow_up_row in known_rows:
            work.parent_id = known_rows[item.follow_up_row]
        if run is not None and item.row in known_rows:
            outcome.state, outcome.feedback_id = "unchanged", known_rows[item.row]
            continue
        if item.external_id:
            key = (work.channel.pk, item.external_id)
            present = known.get(key)
            if present is not None:
                pk, text, rating = present
                if text == item.text and (item.rating is None or rating == item.rating):
                    outcome.state, outcome.feedback_id = "unchanged", pk
                else:
                    later.append((work, pk))
                    known[key] = (pk, item.text, item.rating if item.rating is not None else rating)
            elif key in seen:
                first = seen[key]
                if first.text == item.text and first.rating == item.rating:
                    outcome.state = "unchanged"
                # Whether anything differs is seen once the first is written.
                later.append((work, None))
                seen[key] = item
            else:
                seen[key] = item
                new.append(work)
            continue
        identity = _loose_identity(work)
        if identity is not None and run is None:
            if identity in known_loose:
                outcome.state, outcome.feedback_id = "unchanged", known_loose[identity]
                continue
            if identity in seen_loose:
                outcome.state = "unchanged"
                twins.append((work, seen_loose[identity]))
                continue
            seen_loose[identity] = work
        new.append(work)
    return new, later, twins


def _loose_identity(work: Work) -> tuple[Any, ...] | None:
    """Without an id: same channel, same known author or order, same posted time, same text. None: nobody known."""
    item = work.item
    author = item.order_no or _author_key(item)
    if not author or item.posted_at is None:
        return None
    return work.channel.pk, author, item.posted_at, item.text


def _author_key(item: IncomingFeedback) -> str:
    customer = item.customer
    if customer is None:
        return ""
    if customer.external_id and not ANONYMOUS.match(customer.external_id):
        return customer.external_id
    # Stored customers are known by the hashes of these.
    if known := _usable(customer.phone, phone_key) or _usable(customer.email, email_key):
        return known
    return "" if ANONYMOUS.match(customer.nickname.strip()) else customer.nickname.strip()


def _known_loose(works: list[Work]) -> dict[tuple[Any, ...], int]:
    wanted = {identity: work for work in works if (identity := _loose_identity(work)) is not None}
    known: dict[tuple[Any, ...], int] = {}
    keyed = [identity for identity, work in wanted.items() if _key_of(work)]
    # A text without letters has no key: it is found by its time alone.
    bare = [identity for identity, work in wanted.items() if not work.key]
    # Key and time together: by either alone a text everybody writes, or a day without hours, reads half the table.
    if keyed:
        hashes = {wanted[identity].key_hash for identity in keyed}
        known |= _loose_among(keyed, text_key__in=hashes)
    if bare:
        known |= _loose_among(bare, text_key__isnull=True)
    return known


def _loose_among(wanted: list[tuple[Any, ...]], **narrow: Any) -> dict[tuple[Any, ...], int]:
    """The stored ones of these identities. Only rows of these authors are read, however many share time and text."""
    channels, people, times, _texts = (set(parts) for parts in zip(*wanted, strict=True))
    fields = (
        "order_no",
        "author_name",
        "customer__identities__external_id",
        "customer__phone_hash",
        "customer__email_hash",
        # Whoever wrote may have been merged into somebody with another phone since.
        "customer__merged_from__phone_hash",
        "customer__merged_from__email_hash",
    )
    by_them = Q()
    for name in fields:
        by_them |= Q(**{f"{name}__in": people})
    candidates = (
        Feedback.objects.filter(by_them, channel_id__in=channels, posted_at__in=times, **narrow)
        .order_by()
        .values_list("id", "channel_id", "posted_at", "text", *fields)
    )
    known: dict[tuple[Any, ...], int] = {}
    for pk, channel_id, posted_at, text, *authors in candidates:
        for author in authors:
            if author:
                known.setdefault((channel_id, author, posted_at, text), pk)
    return known


def _key_of(work: Work) -> str:
    if not work.key:
        work.key = matching.text_key(work.item.text)
        work.key_hash = matching.key_hash(work.key) if work.key else None
    return work.key


def _identify(works: list[Work], *, now: datetime, run: ImportRun | None) -> None:
    """Find products, orders, first reviews and customers; make customers that are new. At most ten queries; where
    somebody was merged one more for each step of the longest chain, for orders and for customers.
    """
    skus = {work.item.product_sku for work in works if work.item.product_sku}
    products = {product.sku: product for product in Product.objects.filter(sku__in=skus)} if skus else {}
    numbers = {work.item.order_no for work in works if work.item.order_no}
    orders = (
        {
            order.order_no: order
            for order in Order.objects.select_related("customer").filter(order_no__in=numbers)
        }
        if numbers
        else {}
    )
    single: dict[int, Product] = {}
    if orders and any(work.item.order_no in orders and not work.item.product_sku for work in works):
        lines: dict[int, list[Product]] = defaultdict(list)
        for line in OrderItem.objects.select_related("product").filter(
            order__in=[o.pk for o in orders.values()]
        ):
            if line.product is not None:
                lines[line.order_id].append(line.product)
        single = {order_id: found[0] for order_id, found in lines.items() if len(found) == 1}
    buyers = survivors(order.customer for order in orders.values() if order.customer is not None)
    for work in works:
        work.product = products.get(work.item.product_sku)
        work.order = orders.get(work.item.order_no)
        if work.order is not None:
            work.store_id = work.store_id or work.order.store_id
            work.product = work.product or single.get(work.order.pk)
            work.customer = buyers.get(work.order.customer_id or 0, work.order.customer)
        work.store_id = work.store_id or work.channel.default_store_id
    _find_customers([work for work in works if work.item.customer is not None], now=now, run=run)


def _find_customers(works: list[Work], *, now: datetime, run: ImportRun | None) -> None:
    """By the channel's own id first, then by phone or e-mail; who has neither stays nobody (peers 3.19).

    Somebody merged is found as the record they live on in. A phone or address of a merged record counts only where
    nobody else has it now.
    """
    ids: dict[str, set[str]] = defaultdict(set)
    for work in works:
        incoming = work.item.customer
        assert incoming is not None
        if incoming.external_id and not ANONYMOUS.match(incoming.external_id):
            ids[work.channel.code].add(incoming.external_id)
    known: dict[tuple[str, str], Customer] = {}
    if ids:
        wanted = {external_id for values in ids.values() for external_id in values}
        for identity in CustomerIdentity.objects.select_related("customer").filter(
            channel__in=list(ids), external_id__in=wanted
        ):
            known[(identity.channel, identity.external_id)] = identity.customer
    phones: set[str] = set()
    emails: set[str] = set()
    for work in works:
        incoming = work.item.customer
        if incoming is not None and (work.channel.code, incoming.external_id) not in known:
            phones.add(_usable(incoming.phone, phone_key))
            emails.add(_usable(incoming.email, email_key))
    # "" is nobody: as a key it would find every customer without a phone.
    phones.discard("")
    emails.discard("")
    holders: list[Customer] = []
    if phones or emails:
        holders = list(
            Customer.objects.filter(
                Q(phone_hash__in=list(phones)) | Q(email_hash__in=list(emails)),
                state__in=(CustomerState.ACTIVE, CustomerState.RESTRICTED, CustomerState.MERGED),
            ).order_by("-id")
        )
    ends = survivors([*known.values(), *holders])
    known = {key: ends.get(customer.pk, customer) for key, customer in known.items()}
    by_phone: dict[str, Customer] = {}
    by_email: dict[str, Customer] = {}
    # Merged ones first: who has a phone now takes precedence over who had it.
    for holder in sorted(holders, key=lambda customer: customer.pk not in ends):
        customer = ends.get(holder.pk, holder)
        if customer.state in (CustomerState.ACTIVE, CustomerState.RESTRICTED):
            by_phone[holder.phone_hash] = customer
            by_email[holder.email_hash] = customer
    fresh: list[Customer] = []
    identities: list[CustomerIdentity] = []
    for work in works:
        incoming = work.item.customer
        assert incoming is not None
        name = incoming.external_id if not ANONYMOUS.match(incoming.external_id) else ""
        customer = known.get((work.channel.code, name)) if name else None
        phone, email = _usable(incoming.phone, phone_key), _usable(incoming.email, email_key)
        customer = customer or (by_phone.get(phone) if phone else None)
        customer = customer or (by_email.get(email) if email else None)
        customer = customer or work.customer
        if customer is None:
            if not (name or phone or email):
                continue
            customer = Customer(
                nickname=incoming.nickname[:80],
                phone=incoming.phone[:30] if phone else "",
                email=incoming.email[:254] if email else "",
            ).with_hashes()
            fresh.append(customer)
            if customer.phone_hash:
                by_phone[customer.phone_hash] = customer
            if customer.email_hash:
                by_email[customer.email_hash] = customer
        if name and (work.channel.code, name) not in known:
            known[(work.channel.code, name)] = customer
            identities.append(
                CustomerIdentity(
                    customer=customer,
                    channel=work.channel.code,
                    external_id=name[:120],
                    nickname=incoming.nickname[:80],
                    created_at=now,
                )
            )
        work.customer = customer
    # No "ignore conflicts" here: if another intake made the same customer first, the whole round is done again and
    # finds that one, instead of leaving a second person behind.
    Customer.objects.bulk_create(fresh, batch_size=500)
    for identity in identities:
        identity.customer_id = identity.customer.pk
    CustomerIdentity.objects.bulk_create(identities, batch_size=500)
    if run is not None:
        ImportedCustomer.objects.bulk_create(
            [ImportedCustomer(run=run, customer_id=customer.pk) for customer in fresh], batch_size=500
        )


def _usable(value: str, key: Callable[[str], str]) -> str:
    """The look-up key of a whole phone or address. Platforms pass masked ones on (138****5678), whose visible part

    many people share: these identify nobody.
    """
    return "" if not value or "*" in value else key(value)


def _link_similar(works: list[Work], ids: Sequence[int | None], *, near: Near | None, now: datetime) -> None:
    """Near duplicates through the run's index; without one, equal texts only, by one look-up of their hashes."""
    if near is not None:
        sample = [key for work in works if (key := _key_of(work))]
        for work, pk in zip(works, ids, strict=True):
            if not work.key:
                continue
            index = near.index(work.channel.pk, now, sample)
            matches = index.find(work.key)
            if matches:
                work.similar_id, work.similarity = max(matches, key=lambda match: (match[1], -match[0]))
            if pk is not None:
                index.add(pk, work.key)
        return
    hashes = {work.key_hash for work in works if _key_of(work)}
    if not hashes:
        return
    equal: dict[tuple[int, int], int] = {}
    for pk, channel_id, key in (
        Feedback.objects.filter(text_key__in=hashes, received_at__gte=now - timedelta(days=30))
        .order_by("-id")
        .values_list("id", "channel_id", "text_key")[:5000]
    ):
        equal[(channel_id, key)] = pk
    for work in works:
        if work.key_hash is not None and (work.channel.pk, work.key_hash) in equal:
            work.similar_id, work.similarity = equal[(work.channel.pk, work.key_hash)], 1.0


def _same_problem(works: Iterable[Work], ref: Reference, now: datetime) -> dict[tuple[int, int | None], int]:
    """How many negative feedback of the last hours name the same product and category (scope of impact, R13)."""
    products = {
        work.product.pk
        for work in works
        if work.product is not None
        and work.reading is not None
        and work.reading.sentiment == Sentiment.NEGATIVE
    }
    if not products:
        return {}
    since = now - timedelta(hours=ref.tier_policy.scope_hours)
    return {
        (product_id, category_id): count
        for product_id, category_id, count in Feedback.objects.filter(
            product_id__in=products, received_at__gte=since, sentiment=Sentiment.NEGATIVE
        )
        .order_by()
        .values_list("product_id", "category_id")
        .annotate(n=Count("id"))
    }


def _triage(
    ref: Reference,
    works: list[Work],
    ids: Sequence[int | None],
    *,
    source: str,
    now: datetime,
    run: ImportRun | None,
) -> dict[str, list[clock_service.ClockSeed]]:
    """Build the records: category, tier, priority, deadlines. Answers the clocks of each tier."""
    same = _same_problem(works, ref, now)
    seeds = {tier: clock_service.seeds(ref, tier, now) for tier in Tier.values}
    due = {tier: clock_service.due_values(seeds[tier]) for tier in Tier.values}
    for work, pk in zip(works, ids, strict=True):
        item, reading = work.item, work.reading
        assert reading is not None and work.posted_at is not None
        category, sub = categories_of(ref, reading)
        tier, reasons = tier_of(ref, reading, work.channel)
        kind = item.kind or reading.kind
        idle = work.historical or asks_for_nothing(kind, reading.sentiment, tier, reading.needs_review)
        member = work.customer.member_tier if work.customer is not None else ""
        product_id = work.product.pk if work.product is not None else None
        count = same.get((product_id, category.pk if category else None), 0) + 1 if product_id else 0
        masked = masking.mask_text(item.text)
        deadline = due[tier] if not idle else {"due_at": None, "due_kind": "", "due_from": None}
        work.record = quick_row(
            Feedback,
            id=pk,
            channel_id=work.channel.pk,
            source=source,
            external_id=item.external_id[:120],
            text=item.text,
            snippet=masked[:SNIPPET],
            rating=item.rating,
            posted_at=work.posted_at,
            received_at=now,
            author_name=(item.customer.nickname[:80] if item.customer else ""),
            store_id=work.store_id,
            product_id=product_id,
            order_id=work.order.pk if work.order is not None else None,
            order_no=item.order_no[:64],
            customer_id=work.customer.pk if work.customer is not None else None,
            image_urls=item.images,
            is_historical=work.historical,
            parent_id=work.parent_id,
            similar_to_id=work.similar_id,
            similarity=work.similarity,
            import_run_id=run.pk if run is not None else None,
            source_row=item.row if run is not None else None,
            text_key=work.key_hash,
            kind=kind,
            sentiment=reading.sentiment,
            sentiment_score=reading.sentiment_score,
            emotion=reading.emotion,
            category_id=category.pk if category else None,
            subcategory_id=sub.pk if sub else None,
            s_review=reading.s_review,
            needs_review=reading.needs_review and not work.historical,
            confidence=reading.confidence,
            reading=reading_data(reading, reasons)
            | ({"product_sku": item.product_sku} if item.product_sku else {}),
            reading_version=reading.version,
            mentions_competitor=bool(reading.competitors),
            tier=tier,
            tier_rank=TIER_RANK[tier],
            priority=priority_of(
                ref,
                tier=tier,
                text=item.text,
                strength=reading.strength,
                same_problem=count,
                member_tier=member,
                sentiment=reading.sentiment,
            ),
            status=Status.CLOSED if idle else Status.NEW,
            closed_at=now if idle else None,
            department_id=_department(category, sub),
            created_at=now,
            updated_at=now,
            **deadline,
        )
        work.record.masked = masked  # type: ignore[attr-defined]
    return seeds


def categories_of(ref: Reference, reading: Reading) -> tuple[Category | None, Category | None]:
    """(category, sub-category) rows of a reading."""
    return ref.categories.get(reading.category), ref.categories.get(reading.subcategory)


def _department(category: Category | None, sub: Category | None) -> int | None:
    if sub is not None and sub.department_id:
        return sub.department_id
    return category.department_id if category is not None else None


def reading_data(reading: Reading, reasons: list[str]) -> dict[str, Any]:
    """What is kept of a reading beside its columns: the words that decided, and why."""
    data: dict[str, Any] = {
        "reasons": reasons,
        "keywords": list(reading.keywords),
        "strength": round(reading.strength, 3),
    }
    if reading.spans:
        data["spans"] = [[s.start, s.end, s.role, s.code] for s in reading.spans[:20]]
    if reading.competitors:
        data["competitors"] = list(reading.competitors)
    return data


def _dispatch(ref: Reference, works: list[Work], *, now: datetime) -> None:
    """Team and person for everything that is somebody's work."""
    chosen = []
    for work in works:
        record = work.record
        assert record is not None
        if record.status != Status.NEW:
            continue
        team = team_of(ref, record)
        if team is not None:
            record.team_id = team.id
            chosen.append((record, team))
    if not chosen:
        return
    dispatcher = Dispatcher(ref, now)
    dispatcher.lock(team for _, team in chosen)
    # S first: when room runs out, it is the B that waits.
    for record, team in sorted(chosen, key=lambda pair: pair[0].tier_rank):
        user_id = dispatcher.pick(team, record.tier)
        if user_id is not None:
            record.assignee_id = user_id
            record.assigned_at = now
            record.status = Status.ASSIGNED
    dispatcher.save()


def _write(
    works: list[Work], seeds: dict[str, list[clock_service.ClockSeed]], *, now: datetime, by: User | None
) -> None:
    records = [work.record for work in works if work.record is not None]
    unlinked = [
        work
        for work in works
        if (work.item.follow_up_to or work.item.follow_up_row is not None)
        and work.record is not None
        and work.record.parent_id is None
    ]
    if unlinked and works[0].record is not None and works[0].record.pk is not None:
        # All have their numbers: the link is written with the row.
        _link_follow_ups(unlinked, works)
        unlinked = []
    # In the order of the unique key: two writers with the same new rows wait for each other, they never dead-lock.
    insert_many(Feedback, sorted(records, key=lambda record: (record.channel_id, record.external_id)))
    with_grams = connection.vendor == "postgresql"
    insert_many(
        FeedbackSearch,
        [
            quick_row(
                FeedbackSearch,
                feedback_id=record.pk,
                body=(body := search.body_of(record.masked, record.external_id)),  # type: ignore[attr-defined]
                grams=search.vector(body) if with_grams else None,
            )
            for record in records
        ],
    )
    insert_many(
        clock_service.SlaClock,
        [
            seed.build(record.pk)
            for record in records
            if record.due_at is not None
            for seed in seeds[record.tier]
        ],
    )
    logs = [
        ActionLog(
            model="feedback.feedback",
            object_id=record.pk,
            verb="dispatch",
            from_state=Status.NEW,
            to_state=Status.ASSIGNED,
            via="dispatch",
            at=now,
            data={"assignee": record.assignee_id, "team": record.team_id},
        )
        for record in records
        if record.assignee_id is not None
    ]
    insert_many(ActionLog, logs)
    entries = [
        Entry(
            feedback_id=work.record.pk,
            kind=EntryKind.TRANSCRIPT,
            speaker=clean_text(str(line.get("who", "")))[:60],
            text=clean_text(str(line.get("text", ""))),
            at=line.get("at") or work.posted_at or now,
            by=by,
        )
        for work in works
        if work.record is not None
        for line in work.item.transcript
        if str(line.get("text", "")).strip()
    ]
    insert_many(Entry, entries)
    if unlinked:
        _link_follow_ups(unlinked, works)
        Feedback.objects.bulk_update(
            [record for work in unlinked if (record := work.record) is not None and record.parent_id],
            ["parent_id"],
            batch_size=500,
        )
    for work in works:
        record = work.record
        assert record is not None
        work.outcome.state, work.outcome.feedback_id = "created", record.pk
        work.outcome.similar_to, work.outcome.record = record.similar_to_id, record


def _link_follow_ups(follow_ups: list[Work], works: list[Work]) -> None:
    """Give follow-ups the first review that arrived in the same list, if it is there and has its number."""
    first = {
        (w.channel.pk, w.item.external_id): w.record.pk for w in works if w.record and w.item.external_id
    }
    first_row = {w.item.row: w.record.pk for w in works if w.record and w.item.row is not None}
    for work in follow_ups:
        assert work.record is not None
        parent_id = first.get((work.channel.pk, work.item.follow_up_to)) if work.item.follow_up_to else None
        if parent_id is None and work.item.follow_up_row is not None:
            parent_id = first_row.get(work.item.follow_up_row)
        work.record.parent_id = parent_id


def _alarm(ref: Reference, works: list[Work], *, now: datetime) -> None:
    """S: tell lead and manager at once, have the store check itself (R15)."""
    urgent = [
        work.record
        for work in works
        if work.record is not None and work.record.tier == Tier.S and not work.record.is_historical
    ]
    if not urgent:
        return
    open_self_checks(ref, urgent, now=now)
    leads = {team.id: team.leads for team in ref.teams}

    def told(record: Feedback) -> list[int]:
        # The leads of the queue hear of every S, whichever team it went to.
        return [*leads.get(record.team_id or 0, []), *ref.ops_leads, *ref.managers]

    if len(urgent) > S_ALARMS_ONE_BY_ONE:
        notify(
            recipients=sorted({user_id for record in urgent for user_id in told(record)}),
            level=NoticeLevel.URGENT,
            title=_("%(count)d urgent feedback (S) arrived together") % {"count": len(urgent)},
            body=urgent[0].snippet,
            url="/admin/feedback/feedback/?tier=S",
            key=f"s_batch:{urgent[0].pk}",
            now=now,
        )
        return
    rows = [
        row
        for record in urgent
        for row in notice_rows(
            recipients=told(record),
            level=NoticeLevel.URGENT,
            title=_("S · %(number)s: respond within the hour") % {"number": record.number},
            body=record.snippet,
            url=address(record.pk),
            key=f"s:{record.pk}",
            now=now,
        )
    ]
    StaffNotice.objects.bulk_create(rows, ignore_conflicts=True)
