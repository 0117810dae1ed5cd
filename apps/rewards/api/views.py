"""Coupons at the till."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import masking
from apps.core.api.errors import NotVisible
from apps.core.api.idempotency import HEADER, KEY, REPLAYED
from apps.core.api.schema import IDEMPOTENCY_KEY
from apps.core.api.views import ApiView
from apps.core.exceptions import NotPermitted
from apps.customers.models import Order
from apps.rewards.api.serializers import CouponOut, RedeemIn, RedemptionOut
from apps.rewards.choices import CouponState
from apps.rewards.models import Coupon
from apps.rewards.services import coupons

CODE = re.compile(r"[\x21-\x7e]{4,60}")


class CouponView(ApiView):
    """What is shared."""

    queryset: QuerySet[Coupon] = Coupon.objects.none()
    filter_backends = ()
    pagination_class = None

    def coupon(self, code: str) -> Coupon:
        """The coupon of this code; 404 for anything else."""
        found = coupons.find(code) if CODE.fullmatch(code) else None
        if found is None:
            raise NotVisible()
        return found


class CouponOne(CouponView):
    """`coupons/{code}/`"""

    scopes = {"GET": "coupons:redeem"}
    serializer_class = CouponOut

    @extend_schema(operation_id="coupons_read", summary="One coupon", responses=CouponOut)
    def get(self, request: Request, code: str) -> Response:
        """State and terms; the owner masked."""
        row = self.coupon(code)
        return Response(coupon_out(row, timezone.now()))


class CouponRedeem(CouponView):
    """`coupons/{code}/redeem/`"""

    scopes = {"POST": "coupons:redeem"}
    serializer_class = RedeemIn

    @extend_schema(
        operation_id="coupons_redeem",
        summary="Redeem a coupon, exactly once",
        request=RedeemIn,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: RedemptionOut},
    )
    def post(self, request: Request, code: str) -> Response:
        """The same `request_id` or `Idempotency-Key` is answered alike; any other gets 409 `already_redeemed`.

        Refusals change nothing; their `code` says why: wrong_customer, customer_needed, not_yet_valid, expired, void,
        not_issued, order_too_small, amount_needed, order_cancelled, request_reused.
        """
        key = request.headers.get(HEADER)
        if key is not None and not KEY.fullmatch(key):
            raise ValidationError({HEADER: [_("1 to 120 visible ASCII characters.")]}, code="idempotency_key")
        body = RedeemIn(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        shopper = data.get("customer") or {}
        order_no = data["order_no"]
        self.check_store(order_no)
        # Two programs may count alike: each has its own numbers.
        own = data.get("request_id") or key or uuid.uuid4().hex
        done = coupons.redeem(
            coupon=self.coupon(code),
            request_id=f"{self.token.integration_id}:{own}",
            by=None,
            now=timezone.now(),
            customers=coupons.people(
                external_id=shopper.get("external_id", ""), phone=shopper.get("phone", "")
            ),
            order_no=order_no,
            amount=data.get("amount"),
            via=self.via,
        )
        headers = {REPLAYED: "true"} if done.replayed else None
        return Response(redemption_out(done), headers=headers)

    def check_store(self, order_no: str) -> None:
        """A token bound to stores redeems for their orders only; an order nobody has sent yet is believed."""
        if not self.token.stores or not order_no:
            return
        order = Order.objects.filter(order_no=order_no).select_related("store").first()
        if order is not None and (order.store is None or order.store.code not in self.token.stores):
            raise NotPermitted(_("This token does not serve that store."), field="order_no")


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _moment(value: Any) -> str | None:
    return timezone.localtime(value).isoformat() if value is not None else None


def coupon_out(row: Coupon, now: datetime) -> dict[str, Any]:
    """One coupon; never its whole code, never its owner's name."""
    kind = row.type
    # The sweep that writes it down may come later; a till is told what redeeming would say.
    over = (
        row.status in (CouponState.ISSUED, CouponState.UNUSED)
        and row.valid_until is not None
        and row.valid_until <= now
    )
    return {
        "code": row.masked_code,
        "type": kind.code,
        "name": str(kind),
        "state": CouponState.EXPIRED.value if over else row.status,
        "worth": kind.worth,
        "face_value": _money(kind.face_value),
        "percent_off": kind.percent_off,
        "minimum_spend": _money(kind.minimum_spend),
        "terms": kind.terms,
        "valid_from": _moment(row.valid_from),
        "valid_until": _moment(row.valid_until),
        "customer": row.customer.masked_name if row.customer else "",
    }


def redemption_out(done: coupons.Redemption) -> dict[str, Any]:
    """What a till needs to know."""
    use = done.use
    return {
        "code": done.coupon.masked_code,
        "state": "redeemed",
        "redeemed_at": _moment(use.at),
        "order_no": masking.mask_order_no(use.order_no),
        "amount": _money(use.amount),
        "benefit": _money(use.benefit),
        "replayed": done.replayed,
    }
