"""Customers and orders as the shop's own systems report them, by their numbers there (R25)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from apps.core.hashing import email_key, phone_key
from apps.customers import signals
from apps.customers.choices import CustomerState
from apps.customers.models import Customer, Order, OrderItem
from apps.customers.selectors import survivors
from apps.shop.models import Product, Store

PROFILE = (
    "nickname",
    "name",
    "gender",
    "phone",
    "email",
    "city",
    "member_tier",
    "birth_year",
    "birth_month",
    "birth_day",
    "birth_is_lunar",
    "tags",
    "note",
)
ORDER = ("channel", "status", "placed_at", "delivered_at", "total", "carrier", "tracking_no")

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Upserted:
    """What became of one item: created, changed, unchanged or rejected (with code, field and message)."""

    state: str
    id: int | None = None
    code: str = ""
    field: str = ""
    message: str = ""


def upsert_customers(*, profiles: Sequence[Mapping[str, Any]], now: datetime) -> list[Upserted]:
    """Create or change customers by `external_id`; one answer per profile, in order.

    Only the fields that a profile has are changed. A number not seen before takes over the person that intake
    made from the same phone or e-mail, if that person has no number yet; so nobody stands there twice. An
    erased customer is not filled again and a restricted one not changed (PIPL art. 47). Queries do not grow
    with the number of profiles.
    """
    return _again(lambda: _customers(profiles, now))


def upsert_orders(
    *, orders: Sequence[Mapping[str, Any]], now: datetime, only_stores: Iterable[str] = ()
) -> list[Upserted]:
    """Create or change orders by `order_no`; one answer per order, in order.

    Only the fields that an order has are changed; `items` replace the lines as a whole. A customer is found
    as in `upsert_customers`, made when new, and never changed by an order. SKUs without a product are kept as
    text. `only_stores` (codes) refuses the orders of other stores; empty allows all.
    """
    return _again(lambda: _orders(orders, now, list(dict.fromkeys(only_stores))))


def _again(work: Callable[[], Answer]) -> Answer:
    """Two writers may bring the same new number at once, or lock each other out on their way along merges: the
    database lets one through, the other looks again.
    """
    for attempt in range(4):
        try:
            with transaction.atomic():
                return work()
        except (IntegrityError, OperationalError) as error:
            dead_lock = getattr(error.__cause__, "sqlstate", "") == "40P01"
            if attempt == 3 or not (isinstance(error, IntegrityError) or dead_lock):
                raise
    raise AssertionError("unreachable")


class People:
    """Finds the customers that a list speaks of, in one query, locked in the order of keys against
    dead-locks. Who was merged away is found as whoever they were merged into, by a further query then.
    """

    def __init__(self, wanted: Iterable[Mapping[str, Any]]) -> None:
        people = list(wanted)
        numbers = {person["external_id"] for person in people if person.get("external_id")}
        phones = {key for person in people if (key := usable_phone(person))}
        emails = {key for person in people if (key := usable_email(person))}
        self.by_number: dict[str, Customer] = {}
        self.by_phone: dict[str, list[Customer]] = defaultdict(list)
        self.by_email: dict[str, list[Customer]] = defaultdict(list)
        self.fresh: list[Customer] = []
        if not (numbers or phones or emails):
            return
        found = (
            Customer.objects.select_for_update()
            .filter(Q(external_id__in=numbers) | Q(phone_hash__in=phones) | Q(email_hash__in=emails))
            .order_by("pk")
        )
        # One object for each person, however they were found: changes of both ways must meet.
        rows = {row.pk: row for row in found}
        merged: list[tuple[Customer, Customer]] = []
        for pk, end in survivors(rows.values(), lock=True).items():
            merged.append((rows[pk], rows.setdefault(end.pk, end)))
        gone = {row.pk for row, _end in merged}
        for pk, row in rows.items():
            if pk not in gone:
                self._add(row)
        self._add_merged(merged)

    def _add(self, row: Customer) -> None:
        if row.external_id:
            self.by_number[row.external_id] = row
        if row.state in (CustomerState.ACTIVE, CustomerState.RESTRICTED):
            if row.phone_hash:
                self.by_phone[row.phone_hash].append(row)
            if row.email_hash:
                self.by_email[row.email_hash].append(row)

    def _add_merged(self, merged: list[tuple[Customer, Customer]]) -> None:
        # A number that was merged away now means whoever it was merged into. So does a phone or an address, unless
        # somebody else has it now.
        had: list[tuple[dict[str, list[Customer]], str, Customer]] = []
        for row, end in merged:
            if row.external_id:
                self.by_number[row.external_id] = end
            if end.state in (CustomerState.ACTIVE, CustomerState.RESTRICTED):
                had += [(self.by_phone, row.phone_hash, end), (self.by_email, row.email_hash, end)]
        had = [(known, key, end) for known, key, end in had if key and not known.get(key)]
        for known, key, end in sorted(had, key=lambda entry: entry[2].pk):
            if end not in known[key]:
                known[key].append(end)

    def find(self, person: Mapping[str, Any]) -> Customer | None:
        """The known customer, or None. With a number: by it, else somebody unnumbered with this phone or
        e-mail.

        Without a number: by phone, then by e-mail, the newest.
        """
        number = person.get("external_id")
        if number and number in self.by_number:
            return self.by_number[number]
        for rows in (
            self.by_phone.get(usable_phone(person), []),
            self.by_email.get(usable_email(person), []),
        ):
            fitting = [row for row in rows if not row.external_id] if number else rows
            # Two unnumbered people behind one phone: taking either over would be a guess.
            if len(fitting) == 1 or (fitting and not number):
                return fitting[-1]
        return None

    def make(self, person: Mapping[str, Any]) -> Customer:
        """A new customer, known to later `find`s; written by `save`."""
        values = {name: person[name] for name in PROFILE if name in person}
        row = Customer(external_id=person.get("external_id") or None, **_without_masked(values)).with_hashes()
        self.fresh.append(row)
        self._add(row)
        return row

    def number(self, row: Customer, number: str) -> None:
        """Give an unnumbered customer their number."""
        row.external_id = number
        self.by_number[number] = row

    def save(self) -> None:
        """Write the new ones with their first history rows."""
        # In the order of numbers: two lists with the same new numbers wait for each other instead of
        # dead-locking.
        self.fresh.sort(key=lambda row: (row.external_id or "", row.phone_hash, row.email_hash))
        bulk_create_with_history(self.fresh, Customer, batch_size=500, default_change_reason="api")


def usable_phone(person: Mapping[str, Any]) -> str:
    """The look-up key of a whole phone; platforms send masked ones, whose digits many people share."""
    phone = person.get("phone") or ""
    return "" if "*" in phone else phone_key(phone)


def usable_email(person: Mapping[str, Any]) -> str:
    """The look-up key of a whole e-mail address."""
    email = person.get("email") or ""
    return "" if "*" in email else email_key(email)


def _without_masked(values: Mapping[str, Any]) -> dict[str, Any]:
    # A masked value would overwrite a whole one and be found by nobody.
    return {
        name: value for name, value in values.items() if name not in ("phone", "email") or "*" not in value
    }


def _customers(profiles: Sequence[Mapping[str, Any]], now: datetime) -> list[Upserted]:
    people = People(profiles)
    changed: dict[int, Customer] = {}
    fields: set[str] = set()
    out: list[Upserted] = []
    waiting: list[tuple[Upserted, Customer]] = []
    for profile in profiles:
        row = people.find(profile)
        if row is None:
            answer = Upserted("created")
            waiting.append((answer, people.make(profile)))
            out.append(answer)
            continue
        if row.state in (CustomerState.ERASED, CustomerState.RESTRICTED):
            out.append(_closed(row))
            continue
        differing = {
            name: value
            for name, value in _without_masked({n: profile[n] for n in PROFILE if n in profile}).items()
            if getattr(row, name) != value
        }
        answer = Upserted("changed" if differing else "unchanged", row.pk)
        for name, value in differing.items():
            setattr(row, name, value)
        # A number that came here by a merge stays with the merged record.
        if not row.external_id and profile["external_id"] not in people.by_number:
            people.number(row, profile["external_id"])
            differing["external_id"], answer.state = row.external_id, "changed"
        row.with_hashes()
        if row.pk is None:
            waiting.append((answer, row))
        elif differing:
            row.updated_at = now
            changed[row.pk] = row
            fields |= set(differing)
        out.append(answer)
    people.save()
    if changed:
        bulk_update_with_history(
            [changed[pk] for pk in sorted(changed)],
            Customer,
            [*sorted(fields), "phone_hash", "email_hash", "updated_at"],
            batch_size=500,
            default_change_reason="api",
        )
    for answer, row in waiting:
        answer.id = row.pk
    return out


def _closed(row: Customer) -> Upserted:
    if row.state == CustomerState.ERASED:
        return Upserted(
            "rejected", None, "customer_erased", "external_id", _("This customer was erased on request.")
        )
    return Upserted(
        "rejected", None, "customer_restricted", "external_id", _("This customer's data may only be stored.")
    )


def _orders(orders: Sequence[Mapping[str, Any]], now: datetime, only: list[str]) -> list[Upserted]:
    stores = {
        row.code: row
        for row in Store.objects.filter(code__in={o["store"] for o in orders if o.get("store")} | {*only})
    }
    codes = {row.pk: row.code for row in stores.values()}
    skus = {line["sku"] for order in orders for line in order.get("items") or ()}
    products = dict(Product.objects.filter(sku__in=skus).values_list("sku", "pk")) if skus else {}
    present = {
        row.order_no: row
        for row in Order.objects.select_for_update()
        .filter(order_no__in={o["order_no"] for o in orders})
        .order_by("pk")
    }
    lines = _lines([row.pk for row in present.values()]) if skus or any("items" in o for o in orders) else {}
    people = People(o["customer"] for o in orders if o.get("customer"))
    fresh: dict[str, Order] = {}
    changed: dict[int, Order] = {}
    replaced: dict[str, list[Any]] = {}
    bought: list[tuple[Order, Customer]] = []
    numbered: dict[int, Customer] = {}
    out: list[Upserted] = []
    waiting: list[tuple[Upserted, Order]] = []
    for order in orders:
        row = present.get(order["order_no"]) or fresh.get(order["order_no"])
        code = order.get("store") or (only[0] if len(only) == 1 and row is None else "")
        refused = _refused(order, row, code, stores, codes, only)
        if refused is not None:
            out.append(refused)
            continue
        is_new = row is None
        if row is None:
            row = fresh[order["order_no"]] = Order(order_no=order["order_no"])
        answer = Upserted("created" if is_new else "unchanged", row.pk)
        differing = {
            name: order[name] for name in ORDER if name in order and getattr(row, name) != order[name]
        }
        if code and row.store_id != stores[code].pk:
            differing["store_id"] = stores[code].pk
        for name, value in differing.items():
            setattr(row, name, value)
        touched = bool(differing)
        customer = _buyer(people, order.get("customer"), numbered)
        if customer is not None and (customer.pk is None or row.customer_id != customer.pk):
            bought.append((row, customer))
            touched = True
        if "items" in order:
            wanted = [_line(line) for line in order["items"]]
            known = replaced.get(row.order_no)
            if known is None:
                known = lines.get(row.pk, []) if row.pk else []
            if wanted != known:
                replaced[row.order_no] = wanted
                touched = True
        if touched and not is_new:
            answer.state = "changed"
            if row.pk is not None:
                row.updated_at = now
                changed[row.pk] = row
        if row.pk is None:
            waiting.append((answer, row))
        out.append(answer)
    people.save()
    if numbered:
        bulk_update_with_history(
            [numbered[pk] for pk in sorted(numbered)],
            Customer,
            ["external_id"],
            batch_size=500,
            default_change_reason="api",
        )
    for row, customer in bought:
        row.customer_id = customer.pk
    Order.objects.bulk_create([fresh[number] for number in sorted(fresh)], batch_size=500)
    Order.objects.bulk_update(
        [changed[pk] for pk in sorted(changed)], [*ORDER, "store", "customer", "updated_at"], batch_size=500
    )
    by_number = present | fresh
    if replaced:
        OrderItem.objects.filter(
            order__in=[row.pk for n in replaced if (row := present.get(n)) is not None]
        ).delete()
        OrderItem.objects.bulk_create(
            [
                OrderItem(
                    order_id=by_number[n].pk,
                    product_id=products.get(sku),
                    sku=sku,
                    quantity=quantity,
                    price=price,
                    batch=batch,
                )
                for n, wanted in replaced.items()
                for sku, quantity, price, batch in wanted
            ],
            batch_size=500,
        )
    for answer, row in waiting:
        answer.id = row.pk
    written = list(dict.fromkeys(answer.id for answer in out if answer.id is not None))
    if written:
        # A listener that fails must not make a failure of what is written.
        transaction.on_commit(
            lambda: signals.orders_written.send(Order, order_ids=written, now=now), robust=True
        )
    return out


def _lines(order_ids: list[int]) -> dict[int, list[tuple[str, int, Decimal | None, str]]]:
    found: dict[int, list[tuple[str, int, Decimal | None, str]]] = defaultdict(list)
    for order_id, *line in (
        OrderItem.objects.filter(order__in=order_ids)
        .order_by("id")
        .values_list("order_id", "sku", "quantity", "price", "batch")
    ):
        found[order_id].append(tuple(line))
    return found


def _line(line: Mapping[str, Any]) -> tuple[str, int, Decimal | None, str]:
    return line["sku"], line.get("quantity", 1), line.get("price"), line.get("batch", "")


def _buyer(
    people: People, person: Mapping[str, Any] | None, numbered: dict[int, Customer]
) -> Customer | None:
    """Who bought it; a person without number, phone and e-mail is nobody, an erased one stays out."""
    if not person or not (person.get("external_id") or usable_phone(person) or usable_email(person)):
        return None
    row = people.find(person)
    if row is None:
        return people.make(person)
    if row.state == CustomerState.ERASED:
        return None
    number = person.get("external_id")
    if number and not row.external_id and number not in people.by_number:
        people.number(row, number)
        if row.pk is not None:
            numbered[row.pk] = row
    return row


def _refused(
    order: Mapping[str, Any],
    row: Order | None,
    code: str,
    stores: dict[str, Store],
    codes: dict[int, str],
    only: list[str],
) -> Upserted | None:
    if order.get("store") and order["store"] not in stores:
        return Upserted(
            "rejected",
            None,
            "unknown_store",
            "store",
            _("There is no store “%(name)s”.") % {"name": order["store"]},
        )
    if not only:
        return None
    if row is None and not code:
        return Upserted(
            "rejected", None, "store_missing", "store", _("This token serves several stores: name one.")
        )
    if (code and code not in only) or (row is not None and codes.get(row.store_id or 0) not in only):
        return Upserted(
            "rejected", None, "not_permitted", "store", _("This token does not serve that store.")
        )
    return None
