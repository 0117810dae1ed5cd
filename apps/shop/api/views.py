"""Stock in and out."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.batches import BatchAnswerSerializer, ResultSerializer, upsert_answer
from apps.core.api.errors import NotVisible
from apps.core.api.idempotency import idempotent
from apps.core.api.pagination import HighestIdFirst
from apps.core.api.schema import IDEMPOTENCY_KEY, one_or_many
from apps.core.api.views import ApiView, page_of, rows_for
from apps.shop.api.serializers import StockIn, StockOut
from apps.shop.models import StockLevel
from apps.shop.services.stock import Count, set_levels


class StockFilter(django_filters.FilterSet):
    """By store and article."""

    store = django_filters.CharFilter(field_name="store__code", help_text="Code")
    sku = django_filters.CharFilter(field_name="product__sku")

    class Meta:
        model = StockLevel
        fields: list[str] = []


class StockView(ApiView):
    """What is shared."""

    serializer_class = StockOut
    queryset = StockLevel.objects.none()

    def rows(self) -> QuerySet[StockLevel]:
        """The stock this token may see."""
        return rows_for(self.token, StockLevel.objects.select_related("store", "product"))


class StockList(StockView):
    """`stock/`"""

    scopes = {"GET": "stock:read", "POST": "stock:write"}
    filterset_class = StockFilter
    pagination_class = HighestIdFirst
    ordering = HighestIdFirst.ordering

    @extend_schema(operation_id="stock_list", summary="List stock levels", responses=StockOut(many=True))
    def get(self, request: Request) -> Response:
        """Newest rows first."""
        return self.get_paginated_response([shown(row) for row in page_of(self, self.rows())])

    @extend_schema(
        operation_id="stock_upsert",
        summary="Report stock, one count or up to 1,000",
        request=one_or_many("StockBody", StockIn),
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: one_or_many("StockAnswer", ResultSerializer, BatchAnswerSerializer),
            201: ResultSerializer,
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """A count older than the kept one is answered `unchanged`."""

        def write(counts: list[dict[str, Any]]) -> list[Any]:
            return set_levels(
                counts=[Count(**count) for count in counts], now=timezone.now(), only_stores=self.token.stores
            )

        return upsert_answer(request.data, StockIn(), write)


class StockOne(StockView):
    """`stock/{id}/`"""

    scopes = {"GET": "stock:read"}
    filter_backends = ()
    pagination_class = None

    @extend_schema(operation_id="stock_read", summary="One stock level", responses=StockOut)
    def get(self, request: Request, pk: int) -> Response:
        """404 also when the token does not serve the store."""
        row = self.rows().filter(pk=pk).first()
        if row is None:
            raise NotVisible()
        return Response(shown(row))


def shown(row: StockLevel) -> dict[str, Any]:
    """One stock level."""
    return {
        "id": row.pk,
        "store": row.store.code,
        "sku": row.product.sku,
        "product": row.product.name,
        "level": row.level,
        "reorder_point": row.reorder_point,
        "counted_at": timezone.localtime(row.counted_at).isoformat(),
    }
