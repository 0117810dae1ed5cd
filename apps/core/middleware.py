"""Which language a page speaks; and that a one-time password opens one page only."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
