"""Callbacks planned by hand: for a list of customers, for one case, and switching plans on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.callbacks.choices import Block, Trigger
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors.blocks import busy, screen
from apps.callbacks.services.scheduling import Wanted, schedule, schedule_many
from apps.core.exceptions import InvalidInput
from apps.core.models import User
from apps.core.numbers import whole_number
from apps.customers.models import Customer
from apps.customers.selectors import survivors, visible_to
from apps.feedback.models import Feedback
from apps.feedback.services.file_import import unneutral

AT_MOST = 500
MAX_BYTES = 1024 * 1024
HEADS = frozenset(
    {"顾客编号", "会员编号", "会员号", "编号", "customer number", "customer", "external_id", "id"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line somebody typed or uploaded."""

    row: int
    text: str


@dataclass
class Picked:
    """Who of a list may be called, who not and why, and what names nobody."""

    allowed: list[Customer] = field(default_factory=list)
    excluded: list[tuple[Customer, Block]] = field(default_factory=list)
    rejects: list[tuple[Line, str]] = field(default_factory=list)


def lines_of(text: str) -> list[Line]:
    """Customer numbers from a text box: one a line, or between commas and blanks."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        found += [Line(number, part) for part in re.split(r"[\s,;，；、]+", line) if part]
    return found


def lines_of_file(upload: object) -> list[Line]:
    """The column of customer numbers of a CSV file, the first column where none is called so. Raises InvalidInput."""
    size, read = getattr(upload, "size", 0), getattr(upload, "read")  # noqa: B009 - any kind of upload
    if size > MAX_BYTES:
        raise InvalidInput(_("The file is larger than 1 MB."), field="file")
    data: bytes = read()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise InvalidInput(_("The file is no text. Save it as CSV."), field="file")
    if "\x00" in text:
        raise InvalidInput(_("The file is no text. Save it as CSV."), field="file")
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise InvalidInput(_("The file is no text. Save it as CSV."), field="file") from error
    column, start = 0, 0
    if rows:
        heads = [cell.strip().lower() for cell in rows[0]]
        named = [index for index, head in enumerate(heads) if head in HEADS]
        if named:
            column, start = named[0], 1
    return [
        Line(number, unneutral(row[column].strip()))
        for number, row in enumerate(rows, start=1)
        if number > start and len(row) > column and row[column].strip()
    ]


def look(lines: Sequence[Line], *, plan: CallbackPlan, user: User, now: datetime) -> Picked:
    """Sort a list into who may be called, who may not and what names nobody. A fixed number of queries.

    A line is a customer number of the shop, or "#17" as the pages show it. Only customers whom the person sees.
    """
    if len(lines) > AT_MOST:
        raise InvalidInput(
            _("At most %(limit)d customers at a time.") % {"limit": AT_MOST}, field="customers"
        )
    own = {number for line in lines if (number := whole_number(line.text.lstrip("#"))) is not None}
    texts = {line.text for line in lines}
    seen = visible_to(user, Customer.objects.all()).select_related("merged_into")
    by_text = {row.external_id: row for row in seen.filter(external_id__in=texts)}
    by_key = seen.in_bulk(own)
    found: dict[int, Customer] = {}
    picked = Picked()
    for line in lines:
        row = None if line.text.startswith("#") else by_text.get(line.text)
        if row is None and line.text.startswith("#"):
            row = by_key.get(whole_number(line.text[1:]) or 0)
        if row is None:
            picked.rejects.append((line, _("Nobody has this number.")))
        elif row.pk in found:
            picked.rejects.append((line, _("Stands here twice.")))
        else:
            found[row.pk] = row
    ends = survivors(found.values())
    people = {ends.get(pk, row).pk: ends.get(pk, row) for pk, row in found.items()}
    blocks = screen(people.values(), purpose=plan.purpose, now=now)
    taken = busy(people, days=plan.quiet_days, now=now)
    for pk, row in people.items():
        block = blocks.get(pk)
        if block is None and plan.needs_phone and not row.phone:
            block = Block.NO_PHONE
        if block is None and pk in taken:
            block = Block.PLANNED
        if block is None:
            picked.allowed.append(row)
        else:
            picked.excluded.append((row, block))
    return picked


def plan_picked(
    *,
    customer_ids: Sequence[int],
    plan: CallbackPlan,
    reason: str,
    due_at: datetime,
    by: User,
    now: datetime,
) -> tuple[list[Callback], Picked]:
    """Plan callbacks for the customers of a list. Who may not be called is looked up again: (planned, how it was sorted)."""
    if plan.trigger != Trigger.HAND_PICKED or not plan.is_active:
        raise InvalidInput(_("Choose a plan for customers picked by hand that is switched on."), field="plan")
    lines = [Line(index, f"#{pk}") for index, pk in enumerate(dict.fromkeys(customer_ids), start=1)]
    picked = look(lines, plan=plan, user=by, now=now)
    if not picked.allowed:
        raise InvalidInput(_("Nobody of this list may be called."))
    day = timezone.localtime(due_at).date()
    made = schedule_many(
        [
            Wanted(
                key=f"hand:{plan.pk}:{row.pk}:{day}",
                customer=row,
                reason=reason,
                due_at=due_at,
                plan=plan,
                is_service=False,
            )
            for row in picked.allowed
        ],
        now=now,
        by=by,
    )
    return made, picked


def plan_for_case(
    *,
    feedback: Feedback,
    reason: str,
    due_at: datetime,
    by: User,
    now: datetime,
    assignee: User | None = None,
    not_by_handler: bool = True,
) -> Callback:
    """A callback about one case, which needs no consent. Pressing twice plans one.

    Raises InvalidInput without a customer, or while another is planned.
    """
    if feedback.customer is None:
        raise InvalidInput(_("Nobody knows who this customer is."))
    present = list(Callback.objects.filter(feedback=feedback).order_by("-pk"))
    if any(row.is_open for row in present):
        raise InvalidInput(_("A callback about this case is planned already."))
    if due_at <= now:
        raise InvalidInput(_("The next call lies in the past."), field="due_at")
    return schedule(
        key=f"case:{feedback.pk}:by_hand:{len(present)}",
        customer=feedback.customer,
        reason=reason,
        due_at=due_at,
        now=now,
        by=by,
        feedback=feedback,
        subject_key=f"feedback:{feedback.pk}",
        assignee=assignee,
        not_by=feedback.assignee if not_by_handler else None,
    )


def switch_on(*, plan: CallbackPlan, was_active: bool, now: datetime) -> None:
    """A plan begins with what is resolved from now on; the past is not called. Sets fields only, the caller saves."""
    if plan.is_active and not was_active:
        plan.seen_until, plan.seen_customer = now, 0
