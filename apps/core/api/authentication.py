"""Who is calling: an integration's token (decisions, item 10)."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.core.models import IntegrationToken
from apps.core.services.tokens import find_token


class IntegrationTokenAuthentication(BaseAuthentication):
    """`Authorization: Token fc_…`. The request's user is the token, which carries scopes."""

    keyword = "Token"

    def authenticate(self, request: Request) -> tuple[IntegrationToken, IntegrationToken] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"token":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed(_("The Authorization header must read: Token KEY"))
        try:
            key = parts[1].decode("ascii")
        except UnicodeDecodeError as error:
            raise AuthenticationFailed(_("This token is not valid.")) from error
        token = find_token(key=key, now=timezone.now())
        if token is None:
            raise AuthenticationFailed(_("This token is not valid."))
        return token, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
