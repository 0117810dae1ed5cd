"""What comes in and what goes out."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api.fields import MomentField, WordField
from apps.customers.choices import Gender, MemberTier, OrderStatus


class ProfileIn(serializers.Serializer):
    """One customer by the shop's own number. Only the fields given are changed."""

    external_id = serializers.CharField(max_length=80, help_text="The number in the shop's own system")
    nickname = serializers.CharField(max_length=80, required=False, allow_blank=True)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)
    gender = serializers.ChoiceField(choices=Gender.choices, required=False, allow_blank=True)
    phone = serializers.CharField(
        max_length=30, required=False, allow_blank=True, help_text="Masked numbers (138****5678) are left out"
    )
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    city = serializers.CharField(max_length=40, required=False, allow_blank=True)
    member_tier = serializers.ChoiceField(choices=MemberTier.choices, required=False, allow_blank=True)
    birth_year = serializers.IntegerField(min_value=1900, max_value=2100, required=False, allow_null=True)
    birth_month = serializers.IntegerField(min_value=1, max_value=12, required=False, allow_null=True)
    birth_day = serializers.IntegerField(min_value=1, max_value=31, required=False, allow_null=True)
    birth_is_lunar = serializers.BooleanField(required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=50)
    note = serializers.CharField(max_length=5000, required=False, allow_blank=True)


class BuyerIn(serializers.Serializer):
    """Who bought it; used to find or make the customer, never to change one."""

    external_id = serializers.CharField(max_length=80, required=False, allow_blank=True)
    nickname = serializers.CharField(max_length=80, required=False, allow_blank=True)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)
    phone = serializers.CharField(max_length=30, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class OrderLineIn(serializers.Serializer):
    """One line of an order."""

    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, default=1)
    price = serializers.DecimalField(
        max_digits=10, decimal_places=2, min_value=0, required=False, allow_null=True, help_text="CNY"
    )
    batch = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class OrderIn(serializers.Serializer):
    """One order by its number. Only the fields given are changed; `items` replaces the lines as a whole."""

    order_no = serializers.CharField(max_length=64, help_text="As text: 18 digits do not survive as a number")
    channel = serializers.CharField(max_length=40, required=False, allow_blank=True, help_text="Channel code")
    store = serializers.CharField(max_length=40, required=False, allow_blank=True, help_text="Store code")
    customer = BuyerIn(required=False, allow_null=True)
    status = WordField(OrderStatus.choices, required=False)
    placed_at = MomentField(required=False, allow_null=True)
    delivered_at = MomentField(required=False, allow_null=True)
    total = serializers.DecimalField(
        max_digits=10, decimal_places=2, min_value=0, required=False, allow_null=True, help_text="CNY"
    )
    carrier = serializers.CharField(max_length=40, required=False, allow_blank=True)
    tracking_no = serializers.CharField(max_length=64, required=False, allow_blank=True)
    items = OrderLineIn(many=True, required=False, max_length=500)


class CustomerOut(serializers.Serializer):
    """One customer. Name, phone, e-mail, birthday and note are masked unless the token has
    customers:unmask.
    """

    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    nickname = serializers.CharField()
    name = serializers.CharField()
    gender = serializers.ChoiceField(choices=Gender.choices, allow_blank=True)
    phone = serializers.CharField()
    email = serializers.CharField()
    city = serializers.CharField()
    member_tier = serializers.ChoiceField(choices=MemberTier.choices, allow_blank=True)
    birth_year = serializers.IntegerField(allow_null=True)
    birth_month = serializers.IntegerField(allow_null=True)
    birth_day = serializers.IntegerField(allow_null=True)
    birth_is_lunar = serializers.BooleanField()
    tags = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()
    state = serializers.CharField()
    merged_into = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OrderLineOut(serializers.Serializer):
    """One line."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    price = serializers.CharField(allow_null=True, help_text="CNY")
    batch = serializers.CharField()


class OrderOut(serializers.Serializer):
    """One order. Its number, tracking number and customer are masked unless the token has
    customers:unmask.
    """

    id = serializers.IntegerField()
    order_no = serializers.CharField()
    channel = serializers.CharField()
    store = serializers.CharField(allow_null=True, help_text="Code")
    customer = serializers.IntegerField(allow_null=True, help_text="Id of the customer")
    customer_name = serializers.CharField(allow_null=True)
    status = WordField(OrderStatus.choices)
    placed_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    total = serializers.CharField(allow_null=True, help_text="CNY")
    carrier = serializers.CharField()
    tracking_no = serializers.CharField()
    items = OrderLineOut(many=True)
    updated_at = serializers.DateTimeField()
