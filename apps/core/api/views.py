"""What every API view shares."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from apps.core.api.parsing import MAX_BODY, StrictJSONParser
from apps.core.api.schema import ProblemSchema
from apps.core.models import IntegrationToken

UNMASK = "customers:unmask"


class ApiView(GenericAPIView):
    """A view for integrations. `scopes` names the scope each method needs, `max_body` the most bytes it
    reads.
    """

    parser_classes = (StrictJSONParser,)
    schema = ProblemSchema()
    scopes: dict[str, str] = {}
    max_body = MAX_BODY

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After authentication, permission and throttle."""
        super().initial(request, *args, **kwargs)
        # DRF hands the token down to Django's request as its user; history rows written on the way would take
        # it for a member of staff. A program is nobody's person.
        request._request.user = AnonymousUser()

    @property
    def token(self) -> IntegrationToken:
        """Who is calling."""
        return cast(IntegrationToken, self.request.user)

    @property
    def via(self) -> str:
        """How the action log names the caller, e.g. "api:erp"."""
        return f"api:{self.token.integration.name}"[:20]

    @property
    def sees_whole(self) -> bool:
        """Whether personal data is shown whole to this token."""
        return UNMASK in self.token.scopes


def rows_for(token: IntegrationToken, rows: QuerySet, path: str = "store__code") -> QuerySet:
    """The rows a token may see: all, or those of the stores it names (decision 12)."""
    return rows.filter(**{f"{path}__in": token.stores}) if token.stores else rows


def page_of(view: Any, rows: QuerySet) -> list[Any]:
    """One page of a filtered queryset."""
    return view.paginate_queryset(view.filter_queryset(rows)) or []
