"""What the OpenAPI document says about errors and tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers

from apps.core.api.errors import PROBLEM

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "1 to 120 visible ASCII characters. The same key and body again within a day get the kept answer."
    ),
)


class ProblemErrorSerializer(serializers.Serializer):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="Stable, for programs")
    detail = serializers.CharField(help_text="For people, in the language of Accept-Language")
    attr = serializers.CharField(allow_null=True, help_text="The field, dotted where nested")


class ProblemSerializer(serializers.Serializer):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable, for programs")
    errors = ProblemErrorSerializer(many=True)


PROBLEMS = {
    "400": "The message cannot be read; `errors` names every field",
    "401": "No token, an unknown, revoked or expired one, or a wrong signature",
    "403": "The token lacks the scope or may not do this",
    "404": "Not there, or not for this token to see",
    "409": "Somebody else was first, or the move is not possible now",
    "413": "The body is too large",
    "422": "A rule says no; `code` names it",
    "429": "Too many requests; Retry-After says when to come back",
}


class ProblemSchema(AutoSchema):
    """Adds the problem documents to every operation."""

    def _get_response_bodies(self, direction: str = "response") -> Any:
        bodies = super()._get_response_bodies(direction=direction)
        if direction != "response":
            return bodies
        writes = self.method in ("POST", "PATCH")
        for status, meaning in PROBLEMS.items():
            if (status in ("413", "422", "409") and not writes) or (status == "404" and "{" not in self.path):
                continue
            if status not in bodies:
                bodies[status] = self._get_response_for_code(
                    OpenApiResponse(ProblemSerializer, description=meaning), status, media_types=[PROBLEM]
                )
        return bodies


class TokenScheme(OpenApiAuthenticationExtension):
    """`Authorization: Token fc_…`"""

    target_class = "apps.core.api.authentication.IntegrationTokenAuthentication"
    name = "integrationToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The scheme as OpenAPI writes it."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token fc_…`; made by `manage.py create_token`.",
        }


def one_or_many(
    name: str, one: type[serializers.Serializer], many: type[serializers.Serializer] | None = None
) -> PolymorphicProxySerializer:
    """A body that is one object or, with `many`, the answer to several; without `many`, one object or a
    list.
    """
    return PolymorphicProxySerializer(
        component_name=name,
        serializers=[one, many or one(many=True)],
        resource_type_field_name=None,
        many=False,
    )
