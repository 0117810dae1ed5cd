"""Which language a page speaks, that a one-time password opens one page only, and what no database keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import translation


class ShopLanguageMiddleware:
    """The shop's language unless a person chose another.

    A browser's Accept-Language is not a choice: an English Windows in a Chinese shop must not turn the back office
    English. The cookie set by the language switch decides; for the API, whose callers set the header on purpose,
    Accept-Language does.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.offered = {code for code, _ in settings.LANGUAGES}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = self.language(request)
        translation.activate(language)
        request.LANGUAGE_CODE = language
        response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response

    def language(self, request: HttpRequest) -> str:
        """The language code for this request."""
        if request.path_info.startswith("/api/") and request.headers.get("Accept-Language"):
            return translation.get_language_from_request(request)
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        return chosen if chosen in self.offered else settings.LANGUAGE_CODE


class OneTimePasswordMiddleware:
    """Whoever logged in with a one-time password changes it before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/admin/"):
            change = reverse("admin:password_change")
            free = (change, reverse("admin:logout"), reverse("admin:login"), reverse("admin:jsi18n"))
            if request.path_info not in free and getattr(request.user, "must_change_password", False):
                return HttpResponseRedirect(change)
        return self.get_response(request)


class NoNulMiddleware:
    """Takes NUL out of what a page is asked and given: PostgreSQL keeps none, and no person types one.

    For pages in the browser only. What programs send (views without CSRF protection) is refused by name in the API,
    and the body of a signed message must reach its view unread.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> None:
        """After the CSRF check, which has read the form by then."""
        if getattr(view, "csrf_exempt", False):
            return
        if "%00" in request.META.get("QUERY_STRING", ""):
            request.GET = _without_nul(request.GET)
        if request.method == "POST" and any(
            "\0" in key or any("\0" in value for value in values) for key, values in request.POST.lists()
        ):
            request.POST = _without_nul(request.POST)


def _without_nul(values: QueryDict) -> QueryDict:
    cleaned = QueryDict(mutable=True, encoding=values.encoding)
    for key, items in values.lists():
        cleaned.setlist(key.replace("\0", ""), [item.replace("\0", "") for item in items])
    cleaned._mutable = False
    return cleaned
