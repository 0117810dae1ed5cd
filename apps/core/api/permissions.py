"""What a token may do: its scopes."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core.models import IntegrationToken


class HasScope(BasePermission):
    """The view names the scope each method needs in `scopes`; a method without one is refused to everybody.

    Refusals carry the code `scope_missing` and name the scope.
    """

    code = "scope_missing"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the token holds the scope of this method."""
        token = request.user
        if not isinstance(token, IntegrationToken):
            return False
        if request.method == "OPTIONS" or not hasattr(view, (request.method or "").lower()):
            # A method the address does not know is answered 405, not 403.
            return True
        method = "GET" if request.method == "HEAD" else request.method
        needed = getattr(view, "scopes", {}).get(method)
        self.message = _("This token lacks the scope “%(scope)s”.") % {"scope": needed or "-"}
        return needed is not None and needed in token.scopes
