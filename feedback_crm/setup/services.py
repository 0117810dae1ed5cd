"""Every change the setting-up makes. Each may be repeated; nothing doubles."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.core.reference import touch
from apps.core.wording import ROLES
from apps.feedback.models import Channel
from apps.feedback.selectors.reference import STAMP
from apps.feedback.services.demo import demo_usernames
from apps.shop.choices import TeamRole
from apps.shop.models import (
    Company,
    Department,
    StaffProfile,
    Store,
    Team,
    TeamMember,
    WorkCalendar,
)
from feedback_crm.setup.state import may_set_up, points

# Given by superusers only: it holds every permission there is.
HIGHEST = "admin"


def _must_be_allowed(by: User) -> None:
    if not may_set_up(by):
        raise NotPermitted(_("Only administrators and managers set up the shop."))


@transaction.atomic
def save_company(*, name: str, by: User, now: datetime) -> Company:
    """What the shop is called."""
    _must_be_allowed(by)
    name = name.strip()
    if len(name) < 2:
        raise InvalidInput(_("Enter the name of the shop."), field="name")
    row, _created = Company.objects.get_or_create(pk=1)
    row.name = name[:60]
    row.save(update_fields=["name", "updated_at"])
    return row


@transaction.atomic
def save_store(*, values: Mapping[str, Any], by: User, now: datetime) -> tuple[Store, bool]:
    """Make a store, or bring the one with this code up to date when it has the same name; (store, created).

    Raises InvalidInput when the code belongs to another store: two stores must not become one by a slip.
    """
    _must_be_allowed(by)
    code, name = str(values["code"]).strip(), str(values["name"]).strip()
    other = Store.objects.filter(code__iexact=code).first()
    if other is not None and other.name != name:
        raise InvalidInput(
            _("The code “%(code)s” belongs to “%(store)s”; choose another.") % {"code": code, "store": other},
            field="code",
        )
    store = other or Store(code=code)
    store.name = name
    store.is_active = True
    for field in ("kind", "platform", "city", "manager"):
        setattr(store, field, values.get(field) or getattr(store, field))
    store._history_user = by  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            store.save()
    except IntegrityError:
        # The same form sent twice at one moment.
        return Store.objects.get(code=code), False
    touch(STAMP)
    return store, other is None


@transaction.atomic
def save_hours(
    *,
    calendar: WorkCalendar,
    weekly: list[Any],
    observe_holidays: bool,
    observe_makeup: bool,
    by: User,
    now: datetime,
) -> WorkCalendar:
    """When somebody answers customers, or when the office works."""
    _must_be_allowed(by)
    calendar.weekly = weekly
    calendar.observe_holidays = observe_holidays
    calendar.observe_makeup = observe_makeup
    calendar._history_user = by  # type: ignore[attr-defined]
    calendar.save()
    touch(STAMP)
    return calendar


@transaction.atomic
def save_team(*, name: str, code: str, department: Department, by: User, now: datetime) -> tuple[Team, bool]:
    """Make a team; the one with this code and name is answered as it is."""
    _must_be_allowed(by)
    other = Team.objects.filter(code__iexact=code.strip()).first()
    if other is not None:
        if other.name != name.strip():
            raise InvalidInput(
                _("The code “%(code)s” belongs to “%(store)s”; choose another.")
                % {"code": code, "store": other},
                field="code",
            )
        return other, False
    team = Team(name=name.strip(), code=code.strip(), department=department)
    team._history_user = by  # type: ignore[attr-defined]
    team.save()
    touch(STAMP)
    return team, True


def roles_for(by: User) -> list[str]:
    """The roles a person may give: administrators by superusers only, outside programs are no people."""
    return [name for name in ROLES if name != "integration" and (name != HIGHEST or by.is_superuser)]


@transaction.atomic
def invite(
    *,
    username: str,
    name: str,
    role: str,
    by: User,
    now: datetime,
    team: Team | None = None,
    shift: list[dict[str, Any]] | None = None,
    capacity: int = 30,
) -> tuple[User, str]:
    """A new account with a role, a place in a team and a shift; (account, one-time password).

    The password is kept nowhere: who lost it gets a new one (`renew`). A lead gets no work by turns.
    """
    _must_be_allowed(by)
    if role not in roles_for(by):
        raise InvalidInput(_("You may not give this role."), field="role")
    username = username.strip()
    if User.objects.filter(username__iexact=username).exists():
        raise InvalidInput(
            _("The log-in name “%(name)s” is taken already; look whether the person is in the list.")
            % {"name": username},
            field="username",
        )
    password = secrets.token_urlsafe(9)
    user = User(username=username, name=name.strip(), is_staff=True)
    user.set_password(password)
    user.must_change_password = True
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise InvalidInput(
            _("The log-in name “%(name)s” is taken already; look whether the person is in the list.")
            % {"name": username},
            field="username",
        ) from error
    wanted = [role, "ops"] if role == "ops-lead" else [role]
    user.groups.set(Group.objects.filter(name__in=wanted))
    profile = StaffProfile(
        user=user, shift=shift or [], capacity=capacity, department=team.department if team else None
    )
    profile._history_user = by  # type: ignore[attr-defined]
    profile.save()
    if team is not None:
        leads = role.endswith("-lead")
        TeamMember.objects.create(
            team=team, user=user, role=TeamRole.LEAD if leads else TeamRole.MEMBER, takes_work=not leads
        )
    touch(STAMP)
    return user, password


@transaction.atomic
def renew(*, user: User, by: User, now: datetime) -> str:
    """A new one-time password for somebody who has not used theirs yet."""
    _must_be_allowed(by)
    user = User.objects.select_for_update().get(pk=user.pk)
    roles = set(user.groups.values_list("name", flat=True))
    if user.is_superuser or not user.must_change_password or not roles <= set(roles_for(by)):
        raise NotPermitted(
            _("This person has a password of their own; it is changed on the page of the account.")
        )
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.must_change_password = True
    user.save(update_fields=["password", "must_change_password"])
    return password


@transaction.atomic
def save_channels(
    *, on: set[str], stores: Mapping[str, int | None], by: User, now: datetime
) -> tuple[int, int]:
    """Switch exactly these channels on and note the usual store of each; (on, changed).

    Raises InvalidInput for none at all, an unknown channel or an unknown store.
    """
    _must_be_allowed(by)
    rows = {row.code: row for row in Channel.objects.select_for_update().order_by("pk")}
    if not on:
        raise InvalidInput(_("Switch on at least one channel: otherwise nothing can come in."), field="on")
    unknown = sorted((on | set(stores)) - set(rows))
    if unknown:
        raise InvalidInput(_("There is no channel “%(code)s”.") % {"code": unknown[0]}, field="on")
    known = set(Store.objects.filter(is_active=True).values_list("pk", flat=True))
    changed = 0
    for code, row in rows.items():
        store_id = stores.get(code, row.default_store_id)
        if store_id is not None and store_id not in known and store_id != row.default_store_id:
            raise InvalidInput(
                _("%(channel)s: this store is not there any more; choose another.") % {"channel": row},
                field="on",
            )
        if row.is_active == (code in on) and row.default_store_id == store_id:
            continue
        row.is_active = code in on
        row.default_store_id = store_id
        row._history_user = by  # type: ignore[attr-defined]
        row.save()
        changed += 1
    if changed:
        touch(STAMP)
    return len(on), changed


def check_demo_may_go(*, by: User, word: str) -> None:
    """Raises when the word was not typed, or when clearing would take the account of whoever asks."""
    _must_be_allowed(by)
    if word.strip().casefold() != _("CLEAR").casefold():
        raise InvalidInput(_("Type “%(word)s” to confirm.") % {"word": _("CLEAR")}, field="word")
    if by.username in demo_usernames():
        raise DomainError(
            _(
                "You are logged in with an account of the demo, which goes too. Log in with one of your own first."
            )
        )


@transaction.atomic
def go_live(*, by: User, now: datetime) -> bool:
    """Record the moment; False when the shop was live before. Raises InvalidInput naming what is missing."""
    _must_be_allowed(by)
    missing = [point.text for point in points(now) if point.must and not point.ok]
    if missing:
        raise InvalidInput(_("Not yet: %(missing)s") % {"missing": "; ".join(missing)})
    Company.objects.get_or_create(pk=1)
    if not Company.objects.filter(pk=1, live_at__isnull=True).update(live_at=now, live_by=by, updated_at=now):
        return False
    ActionLog.objects.create(
        model="shop.company", object_id=1, verb="go_live", to_state="live", by=by, via="admin", at=now
    )
    return True
