"""`/u/`: which messages somebody wants. GET shows and changes nothing: scanners of mail open every link."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.core.public import address_key, new_nonce, read_nonce
from apps.core.services.public import Limit, TooMany, take
from apps.core.web.pages import HEADERS, client_address, public_page
from apps.messaging.models import ConsentLink
from apps.messaging.services import unsubscribe
from apps.shop.models import Company

NONCE = "consent_choices"
# Guessing at links is counted; a household that presses the button again is not held up.
WRONG = 30
PRESSES = 60


@csrf_exempt
def choices(request: HttpRequest, token: str) -> HttpResponse:
    """One click of a mail program (RFC 8058) comes without cookie and nonce; everything else is the page."""
    if request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click":
        return _one_click(request, token)
    return page(request, token)


def _one_click(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    link = unsubscribe.find(token)
    if link is None:
        return _gone(request, now)
    unsubscribe.stop_all(link=link, now=now)
    response = HttpResponse("OK", content_type="text/plain; charset=utf-8")
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


@public_page
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what is chosen, POST keeps what is ticked."""
    now = timezone.now()
    link = unsubscribe.find(token)
    if link is None:
        return _gone(request, now)
    if request.method == "GET":
        return _show(request, link, now)
    nonce = read_nonce(request.POST.get("nonce", ""), f"{NONCE}:{link.pk}", now)
    if nonce is None or nonce.expired:
        return _show(
            request,
            link,
            now,
            note=_("This page was open for a long time: please press once more."),
            status=422,
        )
    try:
        take([Limit(f"consent:{link.pk}", PRESSES, 600)], now=now)
    except TooMany as error:
        response = _show(request, link, now, note=str(error.message), status=429)
        response.headers["Retry-After"] = str(error.params["seconds"])
        return response
    wanted = set() if "none" in request.POST else set(request.POST.getlist("purpose"))
    unsubscribe.save_choices(link=link, wanted=wanted, now=now)
    return _show(request, link, now, saved=True)


def _gone(request: HttpRequest, now: datetime) -> HttpResponse:
    status = 404
    try:
        take([Limit(f"consent-wrong:{address_key(client_address(request))}", WRONG, 600)], now=now)
    except TooMany:
        status = 429
    response = render(request, "messaging/public/gone.html", {"brand": _brand()}, status=status)
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


def _brand() -> str:
    return Company.objects.values_list("name", flat=True).first() or ""


def _show(
    request: HttpRequest,
    link: ConsentLink,
    now: datetime,
    *,
    note: str = "",
    saved: bool = False,
    status: int = 200,
) -> HttpResponse:
    found = unsubscribe.choices_of(link)
    context = {
        "link": link,
        "choices": found,
        "any": any(choice.granted for choice in found),
        "nonce": new_nonce(f"{NONCE}:{link.pk}", now),
        "note": note,
        "saved": saved,
        "brand": _brand(),
    }
    return render(request, "messaging/public/choices.html", context, status=status)
