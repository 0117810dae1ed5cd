"""Showcases for the shop's own site. Read-only; answers "not modified" where nothing changed."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.errors import NotVisible
from apps.core.api.views import ApiView, rows_for
from apps.repairs.models import Showcase
from apps.repairs.selectors.showcase import export


class CountsOut(serializers.Serializer):
    """Every review of the stretch, not only those shown."""

    all = serializers.IntegerField()
    negative = serializers.IntegerField(help_text="one or two stars")
    until = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of the language."""
        return super().get_fields() | {"from": serializers.DateField()}


class ReviewOut(serializers.Serializer):
    """One review, in its author's own words; clauses left out are marked with …"""

    text = serializers.CharField()
    stars = serializers.IntegerField(allow_null=True)
    date = serializers.DateField()
    author = serializers.CharField(help_text="masked without the author's permission")
    product = serializers.CharField()
    store = serializers.CharField()
    channel = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    photos = serializers.ListField(child=serializers.CharField(), help_text="data: addresses")


class ShowcaseOut(serializers.Serializer):
    """Label, link and counts must stand beside the reviews wherever they are shown (实施条例 2024 art. 9)."""

    code = serializers.CharField()
    name = serializers.CharField()
    label = serializers.CharField()
    all_reviews_url = serializers.CharField()
    all_reviews_text = serializers.CharField()
    counts = CountsOut(allow_null=True)
    reviews = ReviewOut(many=True)
    html = serializers.CharField(help_text="ready to paste: escaped, self-contained, no script")


class ShowcaseOne(ApiView):
    """`showcases/{code}/`"""

    scopes = {"GET": "showcase:read"}
    serializer_class = ShowcaseOut
    queryset = Showcase.objects.none()
    filter_backends = ()
    pagination_class = None

    @extend_schema(operation_id="showcase_read", summary="One showcase of reviews", responses=ShowcaseOut)
    def get(self, request: Request, code: str) -> Any:
        """Carries ETag and Last-Modified; 409 while it is switched off, 404 also for stores the token does not serve."""
        rows = rows_for(self.token, Showcase.objects.select_related("store", "channel", "product"))
        showcase = rows.filter(code=code).first()
        if showcase is None:
            raise NotVisible()
        data, etag, changed_at = export(showcase, now=timezone.now())
        response = Response(data)
        response["ETag"] = etag
        response["Last-Modified"] = http_date(changed_at.timestamp())
        patch_cache_control(response, private=True, no_cache=True)
        # Only the tag decides: a review that turned negative changes nothing that has a time.
        return get_conditional_response(request._request, etag=etag, response=response)
