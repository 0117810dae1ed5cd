"""What every page for people without an account shares: language, CSRF, headers, who is asking."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.utils.decorators import decorator_from_middleware
from django.views.csrf import csrf_failure as plain_csrf_failure
from django.views.decorators.csrf import csrf_exempt

# Nothing of a page may be kept by others, found by search engines, framed, or passed on to where a link leads.
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "private, no-store",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
LANGUAGE_FOR = 60 * 60 * 24 * 365


class PublicCsrf(CsrfViewMiddleware):
    """Cookie and form must agree, as everywhere. Only the look at where a form came from is left out:

    with Referrer-Policy "no-referrer" browsers send `Origin: null` and no Referer even from our own page.
    """

    def _origin_verified(self, request: HttpRequest) -> bool:
        return request.META.get("HTTP_ORIGIN") == "null" or super()._origin_verified(request)

    def _check_referer(self, request: HttpRequest) -> None:
        if request.META.get("HTTP_REFERER"):
            super()._check_referer(request)


def public_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view for everybody: `?lang=` chooses the language once, forms are protected, HEADERS are set."""
    protected = decorator_from_middleware(PublicCsrf)(view)

    @csrf_exempt  # by the middleware for all pages; `protected` checks in its place
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.is_public_page = True  # type: ignore[attr-defined]
        chosen = request.GET.get("lang", "")
        response: HttpResponse
        if request.method == "GET" and chosen in dict(settings.LANGUAGES):
            response = HttpResponseRedirect(request.path)
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                chosen,
                max_age=LANGUAGE_FOR,
                samesite="Lax",
                secure=bool(settings.SESSION_COOKIE_SECURE),
            )
        else:
            response = protected(request, *args, **kwargs)
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    return page


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A page people understand where a public form came without its cookie; Django's own for staff."""
    if getattr(request, "is_public_page", False):
        return render(request, "public/cookies.html", {"back": request.path}, status=403)
    return plain_csrf_failure(request, reason=reason)


def client_address(request: HttpRequest) -> str:
    """The sender's network address: the socket's, or what the nearest trusted proxy says (TRUSTED_PROXIES).

    What a client itself writes into X-Forwarded-For stands left of that and is never believed.
    """
    address = request.META.get("REMOTE_ADDR", "")
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        named = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(named) >= proxies and named[-proxies]:
            address = named[-proxies]
    return address
