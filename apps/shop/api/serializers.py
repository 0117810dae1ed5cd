"""What comes in and what goes out."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api.fields import MomentField

MOST_PIECES = 1_000_000_000


class StockIn(serializers.Serializer):
    """One count."""

    store = serializers.CharField(max_length=40, help_text="Code")
    sku = serializers.CharField(max_length=64)
    level = serializers.IntegerField(
        min_value=-MOST_PIECES,
        max_value=MOST_PIECES,
        help_text="Pieces; negative where more was sold than there is",
    )
    reorder_point = serializers.IntegerField(
        min_value=0,
        max_value=MOST_PIECES,
        required=False,
        allow_null=True,
        help_text="Absent: stays as it is",
    )
    counted_at = MomentField(required=False, allow_null=True, help_text="Absent: now")


class StockOut(serializers.Serializer):
    """One stock level."""

    id = serializers.IntegerField()
    store = serializers.CharField(help_text="Code")
    sku = serializers.CharField()
    product = serializers.CharField()
    level = serializers.IntegerField()
    reorder_point = serializers.IntegerField()
    counted_at = serializers.DateTimeField()
