"""What comes in and what goes out."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api.fields import MomentField


class ShopperIn(serializers.Serializer):
    """Who stands at the till. Used to check, never to make or change a customer."""

    external_id = serializers.CharField(max_length=80, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=30, required=False, allow_blank=True, help_text="Whole")


class RedeemIn(serializers.Serializer):
    """One redemption. Everything is optional unless the coupon asks for it."""

    order_no = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    customer = ShopperIn(required=False, allow_null=True)
    amount = serializers.DecimalField(
        max_digits=10,
        decimal_places=2,
        min_value=0,
        required=False,
        allow_null=True,
        help_text="Of the order, CNY",
    )
    request_id = serializers.RegexField(
        r"^[\x21-\x7e]+$",
        max_length=100,
        required=False,
        help_text="Yours; the same one gets the same answer. `Idempotency-Key` does as well.",
    )


class CouponOut(serializers.Serializer):
    """One coupon; its owner masked."""

    code = serializers.CharField(help_text="Last four signs")
    type = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField(help_text="issued, redeemed, void, expired, unused")
    worth = serializers.CharField()
    face_value = serializers.CharField(allow_null=True)
    percent_off = serializers.IntegerField(allow_null=True)
    minimum_spend = serializers.CharField()
    terms = serializers.ListField(child=serializers.CharField())
    valid_from = MomentField(allow_null=True)
    valid_until = MomentField(allow_null=True)
    customer = serializers.CharField(help_text="Masked")


class RedemptionOut(serializers.Serializer):
    """The answer to a redemption: the same to the same request."""

    code = serializers.CharField(help_text="Last four signs")
    state = serializers.CharField()
    redeemed_at = MomentField()
    order_no = serializers.CharField(help_text="Masked")
    amount = serializers.CharField(allow_null=True)
    benefit = serializers.CharField(allow_null=True, help_text="What the customer saves, CNY")
    replayed = serializers.BooleanField()
