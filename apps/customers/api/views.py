"""Customers and orders in and out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import masking
from apps.core.api.batches import BatchAnswerSerializer, ResultSerializer, upsert_answer
from apps.core.api.errors import NotVisible
from apps.core.api.idempotency import idempotent
from apps.core.api.pagination import HighestIdFirst
from apps.core.api.schema import IDEMPOTENCY_KEY, one_or_many
from apps.core.api.views import ApiView, page_of, rows_for
from apps.core.hashing import email_key, phone_key
from apps.core.services.tokens import note_whole_read
from apps.customers.api.serializers import CustomerOut, OrderIn, OrderOut, ProfileIn
from apps.customers.choices import MemberTier, OrderStatus
from apps.customers.models import Customer, Order, OrderItem
from apps.customers.selectors import living
from apps.customers.services.upsert import upsert_customers, upsert_orders


class CustomerFilter(django_filters.FilterSet):
    """A phone or e-mail is looked up whole, through its keyed hash (decision 13). A number, phone or e-mail that
    a merged customer has leads to the record they live on in.
    """

    external_id = django_filters.CharFilter(method="by_number")
    phone = django_filters.CharFilter(method="by_phone", max_length=30, help_text="Whole")
    email = django_filters.CharFilter(method="by_email", max_length=254, help_text="Whole")
    member_tier = django_filters.MultipleChoiceFilter(choices=MemberTier.choices)
    updated_after = django_filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")
    updated_before = django_filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="lte")

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_number(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        """Whoever the shop's own system calls so."""
        return rows.filter(pk__in=living(Customer.objects.filter(external_id=value)))

    def by_phone(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        """Whoever has this number."""
        key = phone_key(value)
        return rows.filter(pk__in=living(Customer.objects.filter(phone_hash=key))) if key else rows.none()

    def by_email(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        """Whoever has this address."""
        key = email_key(value)
        return rows.filter(pk__in=living(Customer.objects.filter(email_hash=key))) if key else rows.none()


class OrderFilter(django_filters.FilterSet):
    """By number, customer, store, state, time."""

    order_no = django_filters.CharFilter()
    customer = django_filters.CharFilter(method="by_customer", help_text="The shop's customer number")
    store = django_filters.CharFilter(field_name="store__code", help_text="Code")
    status = django_filters.MultipleChoiceFilter(choices=OrderStatus.choices)
    placed_after = django_filters.IsoDateTimeFilter(field_name="placed_at", lookup_expr="gte")
    placed_before = django_filters.IsoDateTimeFilter(field_name="placed_at", lookup_expr="lte")

    class Meta:
        model = Order
        fields: list[str] = []

    def by_customer(self, rows: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        """What the person of this number bought, also when they were merged since."""
        return rows.filter(customer__in=living(Customer.objects.filter(external_id=value)))


class CustomerView(ApiView):
    """What is shared."""

    serializer_class = CustomerOut
    queryset = Customer.objects.none()

    def rows(self) -> QuerySet[Customer]:
        """All customers; for a token bound to stores those who ordered there."""
        rows = Customer.objects.all()
        if self.token.stores:
            rows = rows.filter(
                Exists(Order.objects.filter(customer=OuterRef("pk"), store__code__in=self.token.stores))
            )
        return rows

    def shown(self, rows: list[Customer]) -> list[dict[str, Any]]:
        """The rows as dictionaries. Showing personal data whole leaves a log row."""
        whole = self.sees_whole
        if whole:
            note_whole_read(
                token=self.token,
                model="customers.customer",
                ids=[row.pk for row in rows],
                via=self.via,
                now=timezone.now(),
            )
        return [customer_out(row, whole=whole) for row in rows]


class CustomerList(CustomerView):
    """`customers/`"""

    scopes = {"GET": "customers:read", "POST": "customers:write"}
    filterset_class = CustomerFilter
    pagination_class = HighestIdFirst
    ordering = HighestIdFirst.ordering

    @extend_schema(operation_id="customers_list", summary="List customers", responses=CustomerOut(many=True))
    def get(self, request: Request) -> Response:
        """Newest first; masked unless the token has customers:unmask."""
        return self.get_paginated_response(self.shown(page_of(self, self.rows())))

    @extend_schema(
        operation_id="customers_upsert",
        summary="Create or change customers, one or up to 1,000",
        request=one_or_many("CustomersBody", ProfileIn),
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: one_or_many("CustomersAnswer", ResultSerializer, BatchAnswerSerializer),
            201: ResultSerializer,
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """By `external_id`. Customers belong to the whole company: a token bound to stores writes them
        too.
        """
        return upsert_answer(
            request.data,
            ProfileIn(),
            lambda profiles: upsert_customers(profiles=profiles, now=timezone.now()),
        )


class CustomerOne(CustomerView):
    """`customers/{id}/`"""

    scopes = {"GET": "customers:read"}
    filter_backends = ()
    pagination_class = None

    @extend_schema(operation_id="customers_read", summary="One customer", responses=CustomerOut)
    def get(self, request: Request, pk: int) -> Response:
        """404 also when the token does not serve a store where they ordered."""
        row = self.rows().filter(pk=pk).first()
        if row is None:
            raise NotVisible()
        return Response(self.shown([row])[0])


class OrderView(ApiView):
    """What is shared."""

    serializer_class = OrderOut
    queryset = Order.objects.none()

    def rows(self) -> QuerySet[Order]:
        """The orders this token may see, with all they show: two queries, however many."""
        rows = Order.objects.select_related("store", "customer").prefetch_related(
            Prefetch("items", OrderItem.objects.order_by("id"))
        )
        return rows_for(self.token, rows)

    def shown(self, rows: list[Order]) -> list[dict[str, Any]]:
        """The rows as dictionaries. Showing personal data whole leaves a log row."""
        whole = self.sees_whole
        if whole:
            note_whole_read(
                token=self.token,
                model="customers.order",
                ids=[row.pk for row in rows],
                via=self.via,
                now=timezone.now(),
            )
        return [order_out(row, whole=whole) for row in rows]


class OrderList(OrderView):
    """`orders/`"""

    scopes = {"GET": "customers:read", "POST": "orders:write"}
    filterset_class = OrderFilter
    pagination_class = HighestIdFirst
    ordering = HighestIdFirst.ordering

    @extend_schema(operation_id="orders_list", summary="List orders", responses=OrderOut(many=True))
    def get(self, request: Request) -> Response:
        """Newest first; masked unless the token has customers:unmask."""
        return self.get_paginated_response(self.shown(page_of(self, self.rows())))

    @extend_schema(
        operation_id="orders_upsert",
        summary="Create or change orders, one or up to 1,000",
        request=one_or_many("OrdersBody", OrderIn),
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: one_or_many("OrdersAnswer", ResultSerializer, BatchAnswerSerializer),
            201: ResultSerializer,
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """By `order_no`."""

        def write(orders: list[dict[str, Any]]) -> list[Any]:
            return upsert_orders(orders=orders, now=timezone.now(), only_stores=self.token.stores)

        # An order has a list called "items" too: only a body without a number is a list of orders.
        data = request.data
        return upsert_answer(data, OrderIn(), write, many=isinstance(data, list) or _wraps_orders(data))


class OrderOne(OrderView):
    """`orders/{id}/`"""

    scopes = {"GET": "customers:read"}
    filter_backends = ()
    pagination_class = None

    @extend_schema(operation_id="orders_read", summary="One order", responses=OrderOut)
    def get(self, request: Request, pk: int) -> Response:
        """404 also when the token does not serve the store."""
        row = self.rows().filter(pk=pk).first()
        if row is None:
            raise NotVisible()
        return Response(self.shown([row])[0])


def _wraps_orders(data: Any) -> bool:
    return isinstance(data, dict) and "items" in data and "order_no" not in data


def _moment(value: datetime | None) -> str | None:
    return timezone.localtime(value).isoformat() if value is not None else None


def _money(value: Decimal | None) -> str | None:
    return f"{value:.2f}" if value is not None else None


def customer_out(row: Customer, *, whole: bool) -> dict[str, Any]:
    """One customer; `whole` shows personal data unmasked."""
    return {
        "id": row.pk,
        "external_id": row.external_id,
        "nickname": row.nickname if whole else masking.mask_text(row.nickname),
        "name": row.name if whole else masking.mask_name(row.name),
        "gender": row.gender,
        "phone": row.phone if whole else row.masked_phone,
        "email": row.email if whole else row.masked_email,
        "city": row.city,
        "member_tier": row.member_tier,
        "birth_year": row.birth_year if whole else None,
        "birth_month": row.birth_month,
        "birth_day": row.birth_day if whole else None,
        "birth_is_lunar": row.birth_is_lunar,
        "tags": row.tags,
        "note": row.note if whole else masking.mask_text(row.note),
        "state": row.state,
        "merged_into": row.merged_into_id,
        "created_at": _moment(row.created_at),
        "updated_at": _moment(row.updated_at),
    }


def order_out(row: Order, *, whole: bool) -> dict[str, Any]:
    """One order; `whole` shows personal data unmasked."""
    customer = row.customer
    return {
        "id": row.pk,
        "order_no": row.order_no if whole else masking.mask_order_no(row.order_no),
        "channel": row.channel,
        "store": row.store.code if row.store else None,
        "customer": customer.pk if customer else None,
        "customer_name": ((customer.name or customer.nickname) if whole else customer.masked_name)
        if customer
        else None,
        "status": row.status,
        "placed_at": _moment(row.placed_at),
        "delivered_at": _moment(row.delivered_at),
        "total": _money(row.total),
        "carrier": row.carrier,
        "tracking_no": row.tracking_no if whole else masking.mask_order_no(row.tracking_no),
        "items": [
            {"sku": line.sku, "quantity": line.quantity, "price": _money(line.price), "batch": line.batch}
            for line in row.items.all()
        ],
        "updated_at": _moment(row.updated_at),
    }
