"""The public feedback entry: choose a store, say something, look after it."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from apps.core.exceptions import DomainError, StaleState
from apps.core.public import Nonce, address_key, new_nonce, new_ticket, read_nonce, read_ticket
from apps.core.services.public import TooMany, is_worked_on, result_of
from apps.core.web.pages import client_address, public_page
from apps.feedback.choices import ClockKind
from apps.feedback.models import PublicEntry
from apps.feedback.selectors import public_entry as selectors
from apps.feedback.services import public_entry as service
from apps.feedback.web.forms import TEXT_LIMIT, AddForm, SayForm, StatusForm

SAY, ADD, TICKET = "entry", "entry_add", "entry_case"
# A box no person sees or fills. Its name is nothing a browser fills in by itself.
TRAP = "fc_leave_empty"
# How long a second post waits for the first to finish.
PATIENCE = 8.0
LOOK_AGAIN = 0.25


def _sender(request: HttpRequest) -> str:
    return address_key(client_address(request))


def _wait_words(seconds: int, now: datetime) -> str:
    """When to try again, in words."""
    minutes = math.ceil(seconds / 60)
    at = timezone.localtime(now + timedelta(seconds=seconds)).strftime("%H:%M")
    return ngettext(
        "Please try again in %(count)d minute (%(at)s).",
        "Please try again in %(count)d minutes (%(at)s).",
        minutes,
    ) % {"count": minutes, "at": at}


@public_page
@require_GET
def choose(request: HttpRequest) -> HttpResponse:
    """Which store?"""
    return render(request, "feedback/public/choose.html", {"pages": selectors.listed_pages()})


@public_page
@require_http_methods(["GET", "POST"])
def say(request: HttpRequest, code: str) -> HttpResponse:
    """A store's page."""
    entry = selectors.page_of(code)
    if entry is None:
        return render(request, "feedback/public/closed.html", status=404)
    now = timezone.now()
    if request.method == "GET":
        return _say_page(request, entry, SayForm(), new_nonce(SAY, now))
    text = request.POST.get("nonce", "")
    nonce = read_nonce(text, SAY, now)
    form = SayForm(request.POST, request.FILES)
    if nonce is not None and (nonce.expired or not form.is_valid()):
        # A form that was taken in before is answered as it was then, whatever is sent with it now.
        known = result_of(nonce)
        if known is not None:
            return _sent(request, entry, service.receipt_of(nonce, known, now=now))
    if nonce is None or nonce.expired:
        note = _(
            "This page was open for a long time. Everything you wrote is still here: please send it again."
        )
        return _say_page(request, entry, form, new_nonce(SAY, now), note=note, status=422)
    if not form.is_valid():
        return _say_page(request, entry, form, text, status=422)
    early = (now - nonce.made_at).total_seconds() < settings.PUBLIC_ENTRY["least_seconds"]
    if early or request.POST.get(TRAP):
        # Perhaps a program, perhaps somebody quick with a browser that fills forms: one more press, no refusal.
        note = _("Almost done: please press “Send” once more.")
        return _say_page(request, entry, form, text, note=note, status=422)
    data = {name: form.cleaned_data[name] for name in form.fields}
    try:
        receipt = _submit(entry, service.Said(**data), nonce, _sender(request), now)
    except TooMany as error:
        seconds = error.params["seconds"]
        note = _("A lot has been sent from here just now.") + " " + _wait_words(seconds, now)
        response = _say_page(request, entry, form, text, note=note, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    except DomainError as error:
        name = str(error.params.get("field", ""))
        form.add_error(name if name in form.fields else None, str(error.message))
        return _say_page(request, entry, form, text, status=422)
    return _sent(request, entry, receipt)


def _submit(
    entry: PublicEntry, said: service.Said, nonce: Nonce, sender: str, now: datetime
) -> service.Receipt:
    """Submit; while another post of the same form is worked on, wait for what becomes of it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return service.submit(entry=entry, said=said, nonce=nonce, sender=sender, now=now)
        except StaleState:
            # Looked at, not claimed again and again: a claim that fails is an INSERT that fails.
            while True:
                if time.monotonic() > until:
                    raise
                time.sleep(LOOK_AGAIN)
                if not is_worked_on(nonce, now=now):
                    break


def _say_page(
    request: HttpRequest, entry: PublicEntry, form: SayForm, nonce: str, *, note: str = "", status: int = 200
) -> HttpResponse:
    # Files cannot be put back into a form; whoever chose some must be told.
    lost = request.method == "POST" and bool(request.FILES)
    context = {
        "entry": entry,
        "store": entry.store,
        "form": form,
        "nonce": nonce,
        "trap": TRAP,
        "note": note,
        "photos_lost": lost,
        "limit": TEXT_LIMIT,
        "photos": settings.PUBLIC_ENTRY["photos"],
        "keep_months": round(settings.PUBLIC_ENTRY["keep_contact_days"] / 30.4),
    }
    return render(request, "feedback/public/say.html", context, status=status)


def _sent(request: HttpRequest, entry: PublicEntry, receipt: service.Receipt) -> HttpResponse:
    feedback = receipt.feedback
    # The first answer is due before anything else, where anything is due.
    first = feedback.due_kind == ClockKind.FIRST_RESPONSE
    context = {
        "entry": entry,
        "store": entry.store,
        "number": feedback.number,
        "secret": receipt.secret,
        "again": receipt.again,
        "answer_by": feedback.due_at if first else None,
    }
    return render(request, "feedback/public/sent.html", context)


# -- looking after a case ----------
@public_page
@require_http_methods(["GET", "POST"])
def status(request: HttpRequest) -> HttpResponse:
    """Number and secret come by POST and stand in no address, no history of the browser, no log."""
    if request.method == "GET":
        return _ask(request, StatusForm())
    form, now = StatusForm(request.POST), timezone.now()
    if not form.is_valid():
        return _ask(request, form, status=422)
    try:
        receipt = service.open_case(
            number=form.cleaned_data["number"],
            secret=form.cleaned_data["secret"],
            sender=_sender(request),
            now=now,
        )
    except TooMany as error:
        seconds = error.params["seconds"]
        note = _("Too many tries.") + " " + _wait_words(seconds, now)
        response = _ask(request, form, note=note, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    except DomainError as error:
        return _ask(request, form, note=str(error.message), status=403)
    return _case(request, receipt.feedback_id, AddForm(), new_nonce(ADD, now))


def _ask(request: HttpRequest, form: StatusForm, *, note: str = "", status: int = 200) -> HttpResponse:
    return render(request, "feedback/public/status.html", {"form": form, "note": note}, status=status)


def _case(
    request: HttpRequest,
    feedback_id: int,
    form: AddForm,
    nonce: str,
    *,
    note: str = "",
    added: bool = False,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "progress": selectors.progress(feedback_id),
        "form": form,
        "nonce": nonce,
        # In place of number and secret, for half an hour: the page need not carry the secret about.
        "ticket": new_ticket(TICKET, feedback_id),
        "note": note,
        "added": added,
        "limit": TEXT_LIMIT,
    }
    return render(request, "feedback/public/case.html", context, status=status)


@public_page
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Add something to a case that was opened within the last half hour."""
    if request.method == "GET":
        return redirect("entry:status")
    now = timezone.now()
    feedback_id = read_ticket(request.POST.get("ticket", ""), TICKET)
    if feedback_id is None:
        note = _("For your safety the page closed after half an hour. Please type number and code again.")
        return _ask(request, StatusForm(), note=note, status=403)
    form, text = AddForm(request.POST), request.POST.get("nonce", "")
    nonce = read_nonce(text, ADD, now)
    if nonce is None or nonce.expired:
        note = _(
            "This page was open for a long time. Everything you wrote is still here: please send it again."
        )
        return _case(request, feedback_id, form, new_nonce(ADD, now), note=note, status=422)
    if not form.is_valid():
        return _case(request, feedback_id, form, text, status=422)
    try:
        service.add(
            feedback_id=feedback_id,
            text=form.cleaned_data["text"],
            nonce=nonce,
            sender=_sender(request),
            now=now,
        )
    except TooMany as error:
        seconds = error.params["seconds"]
        note = _("A lot has been sent from here just now.") + " " + _wait_words(seconds, now)
        response = _case(request, feedback_id, form, text, note=note, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    except DomainError as error:
        return _case(request, feedback_id, form, text, note=str(error.message), status=409)
    return _case(request, feedback_id, AddForm(), new_nonce(ADD, now), added=True)
