"""Suggestions of the knowledge base for outside programs. Read-only."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.errors import NotVisible
from apps.core.api.views import ApiView
from apps.core.exceptions import InvalidInput
from apps.feedback.answering import Facts, stops
from apps.feedback.models import Article
from apps.feedback.selectors.knowledge import base
from apps.shop.models import Product, Store

LIMIT = 5


class SuggestionOut(serializers.Serializer):
    """One article that may answer."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    answer = serializers.CharField()
    language = serializers.CharField()
    version = serializers.IntegerField()
    confidence = serializers.FloatField(help_text="0 to 1")
    may_auto_answer = serializers.BooleanField()


class SuggestionsOut(serializers.Serializer):
    """Best first. `person_needed` lists words of the question that a machine must leave to people."""

    results = SuggestionOut(many=True)
    person_needed = serializers.ListField(child=serializers.CharField())


class Suggest(ApiView):
    """`knowledge/`"""

    scopes = {"GET": "knowledge:read"}
    serializer_class = SuggestionsOut
    queryset = Article.objects.none()

    @extend_schema(
        operation_id="knowledge_suggest",
        summary="Articles that may answer a question",
        parameters=[
            OpenApiParameter("q", str, required=True, description="The question as the customer wrote it"),
            OpenApiParameter("store", str, description="Code of the store"),
            OpenApiParameter("sku", str, description="The product's SKU"),
        ],
        responses=SuggestionsOut,
    )
    def get(self, request: Request) -> Response:
        """At most five, only published and valid ones."""
        text = request.query_params.get("q", "").strip()
        if not text or len(text) > 2000:
            raise InvalidInput(_("Give the question as q, at most 2,000 characters."), field="q")
        store_id, allowed = self._store(request.query_params.get("store", ""))
        sku = request.query_params.get("sku", "")
        product_id = Product.objects.filter(sku=sku).values_list("pk", flat=True).first() if sku else None
        known = base()
        found = known.search(
            text, day=timezone.localdate(), store_id=store_id, product_id=product_id, limit=LIMIT
        )
        return Response(
            {
                "results": [
                    {
                        "id": hit.article.pk,
                        "title": hit.article.title,
                        "answer": hit.article.body,
                        "language": hit.article.language,
                        "version": hit.article.version,
                        "confidence": round(hit.confidence, 3),
                        "may_auto_answer": hit.article.automatic,
                    }
                    for hit in found
                    if allowed is None or not hit.article.stores or hit.article.stores & allowed
                ],
                "person_needed": stops(text, Facts(), known.gates),
            }
        )

    def _store(self, code: str) -> tuple[int | None, frozenset[int] | None]:
        """(the store asked for, the stores this token may see; None: all)."""
        allowed = None
        if self.token.stores:
            allowed = frozenset(Store.objects.filter(code__in=self.token.stores).values_list("pk", flat=True))
        if not code:
            return None, allowed
        found = Store.objects.filter(code=code).values_list("pk", flat=True).first()
        if found is None or (allowed is not None and found not in allowed):
            raise NotVisible(_("There is no such store."))
        return found, allowed
