"""The pages of the setting-up: each step saves at once and can be left, resumed and repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from kombu.exceptions import OperationalError

from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.core.wording import role_label
from apps.feedback.models import Channel
from apps.feedback.services.demo import demo_figures, is_loaded
from apps.feedback.tasks import clear_demo_task
from apps.shop.models import Department, Store, Team, WorkCalendar
from apps.shop.selectors import missing_holiday_years
from apps.shop.services.reference_data import load_public_holidays
from feedback_crm.setup import forms, services, state

CODES = [code for code, _name in state.STEPS]
# A page shows so many stores or people; the lists behind it show all.
SHOWN = 50


def index(request: HttpRequest) -> HttpResponse:
    """The first step that is not done; its forms post to the step's own address."""
    _allowed(request)
    done = state.done_steps()
    return PAGES[next((code for code in CODES if not done[code]), "live")](request)


def step(request: HttpRequest, code: str) -> HttpResponse:
    """One step. Answers 403 to everybody else, 404 for a step there is not."""
    _allowed(request)
    if code not in PAGES:
        raise Http404
    return PAGES[code](request)


def _allowed(request: HttpRequest) -> User:
    if not state.may_set_up(request.user):
        raise PermissionDenied
    return request.user  # type: ignore[return-value]


def _page(request: HttpRequest, code: str, **context: Any) -> TemplateResponse:
    done = state.done_steps()
    position = CODES.index(code)
    names = dict(state.STEPS)
    response = TemplateResponse(
        request,
        f"admin/setup/{code}.html",
        {
            **admin.site.each_context(request),
            "title": _("Set up the shop"),
            "step": code,
            "step_name": names[code],
            "number": position + 1,
            "of": len(CODES),
            "rail": [
                {"code": each, "name": name, "done": done[each], "here": each == code}
                for each, name in state.STEPS
            ],
            "before": CODES[position - 1] if position else "",
            "after": CODES[position + 1] if position + 1 < len(CODES) else "",
            "company": state.company(),
        }
        | context,
    )
    # One-time passwords pass through here.
    response.headers["Cache-Control"] = "no-store, private"
    return response


def _try(form: Form, act: Callable[[], Any]) -> Any:
    """What the service answers; a refusal stands beside its field and None comes back."""
    try:
        return act()
    except DomainError as error:
        name = str(error.params.get("field", ""))
        form.add_error(name if name in form.fields else None, str(error.message))
        return None


def _posted(request: HttpRequest, name: str) -> Any:
    """The posted data if this form of the page was sent, else None."""
    return request.POST if request.method == "POST" and request.POST.get("do") == name else None


def shop(request: HttpRequest) -> HttpResponse:
    """1: what the shop is called."""
    user, now = _allowed(request), timezone.now()
    form = forms.ShopForm(_posted(request, "name"), initial={"name": state.company().name})
    if form.is_bound and form.is_valid():
        saved = _try(form, lambda: services.save_company(name=form.cleaned_data["name"], by=user, now=now))
        if saved is not None:
            messages.success(request, _("Saved."))
            return redirect("setup_step", "stores")
    return _page(request, "shop", form=form, zone=settings.TIME_ZONE, site_url=settings.SITE_URL)


def stores(request: HttpRequest) -> HttpResponse:
    """2: where the shop sells."""
    user, now = _allowed(request), timezone.now()
    form = forms.StoreForm(_posted(request, "store"))
    if form.is_bound and form.is_valid():
        answer = _try(form, lambda: services.save_store(values=form.cleaned_data, by=user, now=now))
        if answer is not None:
            store, created = answer
            messages.success(
                request,
                (
                    _("%(store)s was added.")
                    if created
                    else _("%(store)s was there already; it is up to date.")
                )
                % {"store": store},
            )
            return redirect("setup_step", "stores")
    rows = list(
        Store.objects.filter(is_active=True).select_related("manager").order_by("kind", "code")[: SHOWN + 1]
    )
    return _page(request, "stores", form=form, stores=rows[:SHOWN], more=len(rows) > SHOWN)


def hours(request: HttpRequest) -> HttpResponse:
    """3: when somebody answers, when the office works, and the public holidays."""
    user, now = _allowed(request), timezone.now()
    rows = {row.code: row for row in WorkCalendar.objects.filter(code__in=(state.SERVICE, state.WORKDAY))}
    years = missing_holiday_years(timezone.localdate(now))
    if _posted(request, "holidays"):
        added, unknown = load_public_holidays([timezone.localdate(now).year, *years])
        services.touch(services.STAMP)
        if unknown:
            messages.warning(
                request,
                _("The notice for %(year)s is not out yet, or not in this release: enter its days by hand.")
                % {"year": ", ".join(map(str, unknown))},
            )
        messages.success(request, _("%(count)d days added.") % {"count": added})
        return redirect("setup_step", "hours")
    entries = []
    for code in (state.SERVICE, state.WORKDAY):
        row = rows.get(code)
        if row is None:
            continue
        form = forms.HoursForm(
            _posted(request, code),
            prefix=code,
            initial={
                "weekly": row.weekly,
                "observe_holidays": row.observe_holidays,
                "observe_makeup": row.observe_makeup,
            },
        )
        if form.is_bound and form.is_valid():
            saved = _try(
                form,
                lambda row=row, form=form: services.save_hours(  # type: ignore[misc]
                    calendar=row, by=user, now=now, **form.cleaned_data
                ),
            )
            if saved is not None:
                messages.success(request, _("The hours of “%(name)s” are saved.") % {"name": row.name})
                return redirect("setup_step", "hours")
        entries.append({"calendar": row, "form": form})
    return _page(request, "hours", entries=entries, years=years)


def team(request: HttpRequest) -> HttpResponse:
    """4: who works here. A one-time password stands in the one answer that made it and nowhere else."""
    user, now = _allowed(request), timezone.now()
    made: dict[str, Any] = {}
    team_form = forms.TeamForm(_posted(request, "team"), prefix="team")
    if team_form.is_bound and team_form.is_valid():
        answer = _try(team_form, lambda: services.save_team(by=user, now=now, **team_form.cleaned_data))
        if answer is not None:
            messages.success(
                request,
                (
                    _("The team “%(team)s” was added.")
                    if answer[1]
                    else _("The team “%(team)s” was there already.")
                )
                % {"team": answer[0]},
            )
            return redirect("setup_step", "team")
    form = forms.InviteForm(_posted(request, "invite"), by=user)
    if form.is_bound and form.is_valid():
        answer = _try(form, lambda: services.invite(by=user, now=now, **form.cleaned_data))
        if answer is not None:
            made = {"person": answer[0], "password": answer[1]}
            form = forms.InviteForm(by=user)
    renewed = _posted(request, "renew")
    if renewed is not None:
        pk = renewed.get("person", "")
        person = get_object_or_404(User, pk=pk if pk.isdigit() and len(pk) < 12 else 0)
        try:
            made = {"person": person, "password": services.renew(user=person, by=user, now=now)}
        except DomainError as error:
            messages.error(request, str(error.message))
            return redirect("setup_step", "team")
    people = list(
        User.objects.filter(is_active=True, is_staff=True)
        .prefetch_related("groups", "teams__team")
        .order_by("-date_joined", "-pk")[: SHOWN + 1]
    )
    offered = set(services.roles_for(user))
    for person in people:
        names = [group.name for group in person.groups.all()]
        person.roles = ", ".join(role_label(name) for name in names)
        person.in_teams = ", ".join(str(member.team) for member in person.teams.all())
        person.may_renew = person.must_change_password and not person.is_superuser and set(names) <= offered
    return _page(
        request,
        "team",
        form=form,
        team_form=team_form,
        made=made,
        people=people[:SHOWN],
        more=len(people) > SHOWN,
        teams=list(
            Team.objects.filter(is_active=True)
            .select_related("department")
            .annotate(n=Count("members"))[:SHOWN]
        ),
        departments=list(Department.objects.filter(is_active=True)),
        has_ops=state.has_role("ops"),
        has_lead=state.has_role("ops-lead"),
    )


def channels(request: HttpRequest) -> HttpResponse:
    """5: by which ways customers speak."""
    user, now = _allowed(request), timezone.now()
    data = _posted(request, "channels")
    error = ""
    if data is not None:
        try:
            on, _changed = services.save_channels(
                on=set(data.getlist("on")),
                stores={
                    name.removeprefix("store_"): forms.store_choice(value)
                    for name, value in data.items()
                    if name.startswith("store_")
                },
                by=user,
                now=now,
            )
        except DomainError as refused:
            error = str(refused.message)
        except ValidationError as refused:
            error = str(refused.messages[0])
        else:
            messages.success(
                request,
                ngettext("%(count)d channel is on.", "%(count)d channels are on.", on) % {"count": on},
            )
            return redirect("setup_step", "channels")
    groups: dict[str, list[Channel]] = defaultdict(list)
    for row in Channel.objects.order_by("group", "code"):
        # After an error everything stands as it was ticked and chosen.
        row.on = row.code in data.getlist("on") if data is not None else row.is_active
        row.store_value = (
            data.get(f"store_{row.code}", "") if data is not None else str(row.default_store_id or "")
        )
        groups[str(row.get_group_display())].append(row)
    return _page(
        request,
        "channels",
        groups=list(groups.items()),
        stores=[
            (str(row.pk), str(row)) for row in Store.objects.filter(is_active=True).order_by("kind", "code")
        ],
        error=error,
    )


def demo(request: HttpRequest) -> HttpResponse:
    """6: the demo shop goes, in the background."""
    user, now = _allowed(request), timezone.now()
    form = forms.ClearForm(_posted(request, "clear"))
    if form.is_bound and form.is_valid():

        def clear() -> bool:
            services.check_demo_may_go(by=user, word=form.cleaned_data["word"])
            clear_demo_task.delay(user.pk)
            return True

        try:
            begun = _try(form, clear)
        except OperationalError:
            messages.error(request, _("The background worker cannot be reached; try again later."))
            return redirect("setup_step", "demo")
        if begun:
            messages.success(request, _("Clearing has begun; the bell will tell when it is done."))
            return redirect("setup_step", "demo")
    loaded = is_loaded()
    labels = {
        "feedback": _("feedback"), "orders": _("orders"), "customers": _("customers"), "people": pgettext("demo data", "people"),
        "teams": _("teams"), "stores": _("stores"), "products": _("products"),
    }  # fmt: skip
    figures = [(labels[name], count) for name, count in demo_figures().items()]
    return _page(
        request,
        "demo",
        form=form,
        loaded=loaded,
        figures=figures,
        left=any(count for _label, count in figures),
        word=_("CLEAR"),
        now=now,
    )


def live(request: HttpRequest) -> HttpResponse:
    """7: what is missing, and the button."""
    user, now = _allowed(request), timezone.now()
    if _posted(request, "live"):
        try:
            first = services.go_live(by=user, now=now)
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            if first:
                messages.success(request, _("The shop is live. Good luck!"))
            else:
                messages.info(request, _("The shop was live already."))
        return redirect("setup_step", "live")
    points = state.points(now)
    return _page(
        request,
        "live",
        points=points,
        ready=all(point.ok for point in points if point.must),
    )


PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "shop": shop,
    "stores": stores,
    "hours": hours,
    "team": team,
    "channels": channels,
    "demo": demo,
    "live": live,
}
