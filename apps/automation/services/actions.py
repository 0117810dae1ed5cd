"""What rules can do with feedback, work items and staff. Bulk where possible, else through feedback's own services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.automation.choices import ProposalKind, WebhookEvent
from apps.automation.models import Mark, Proposal, WebhookEndpoint
from apps.automation.registries import Match, Work
from apps.automation.services import outbox, stock
from apps.core.bulk import insert_many, quick_row
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, StaffNotice, User
from apps.core.services.notices import notice_rows
from apps.feedback.choices import EntryKind
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves
from apps.feedback.services.dispatch import Dispatcher, team_of
from apps.feedback.services.telling import address, people
from apps.shop.choices import WorkKind
from apps.shop.models import WorkItem

VIA = "automation"
# Outcomes are stored as codes and shown in words (`OUTCOMES` in the admin).
DONE, SAME = "done", "unchanged"
# Above this many notices of one rule in one batch they become one: 500 bells are none.
ONE_BY_ONE = 20
PROPOSAL_DAYS = 3


def due_in(hours: float, now: datetime) -> datetime:
    """`hours` of working time from now, by the calendar “workday”; plain hours without one."""
    from apps.shop.models import WorkCalendar

    ref = reference()
    kept = getattr(ref, "_automation_workday", None)
    if kept is None:
        pk = WorkCalendar.objects.filter(code="workday").values_list("pk", flat=True).first()
        kept = ref._automation_workday = ref.calculators.get(pk or 0, False)  # type: ignore[attr-defined]
    return kept.due(now, hours * 60) if kept else now + timedelta(hours=hours)


def cases(matches: list[Match]) -> dict[int, Feedback]:
    """The rows behind the matches, locked in the order of their keys; one query."""
    ids = {match.feedback_id for match in matches}
    rows = Feedback.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in rows}


def _each(work: Work, matches: list[Match], act: Callable[[Feedback, Match], ActionLog | None]) -> list[str]:
    """One move per match through feedback's services; each by itself, refusals become outcomes."""
    rows = cases(matches)
    out = []
    for match in matches:
        feedback = rows.get(match.feedback_id)
        if feedback is None:
            out.append(_("the feedback is gone"))
            continue
        try:
            with transaction.atomic():
                log = act(feedback, match)
        except DomainError as error:
            out.append(str(error.message))
            continue
        if log is not None:
            work.origins.append((log.pk, [*match.chain, work.rule.pk]))
        out.append(DONE if log is not None else SAME)
    return out


def _because(work: Work) -> str:
    return _("Rule: %(rule)s") % {"rule": work.rule.name}


def raise_tier(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Never lowers; clocks follow."""
    return _each(
        work,
        matches,
        lambda feedback, match: moves.raise_tier(
            feedback=feedback, to=params["tier"], by=None, now=work.now, reason=_because(work), via=VIA
        ),
    )


def set_department(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Which department answers for it."""
    return _each(
        work,
        matches,
        lambda feedback, match: moves.route(
            feedback=feedback,
            department_id=int(params["department"]),
            by=None,
            now=work.now,
            reason=_because(work),
            via=VIA,
        ),
    )


def set_team(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Which team works on it."""
    return _each(
        work,
        matches,
        lambda feedback, match: moves.route(
            feedback=feedback,
            team_id=int(params["team"]),
            by=None,
            now=work.now,
            reason=_because(work),
            via=VIA,
        ),
    )


def assign(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """To one colleague, whoever has it now."""
    person = User.objects.filter(pk=int(params["person"]), is_active=True).first()
    if person is None:
        return [_("this person no longer works here")] * len(matches)

    def act(feedback: Feedback, match: Match) -> ActionLog | None:
        if feedback.assignee_id == person.pk:
            return None
        return moves.assign(
            feedback=feedback, to=person, by=None, now=work.now, reason=_because(work), via=VIA
        )

    return _each(work, matches, act)


def round_robin(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """To whoever's turn it is in the case's team; a case with an owner keeps them."""
    ref = reference()
    rows = cases(matches)
    teams = {team.id: team for team in ref.teams}
    team_for = {pk: teams.get(row.team_id or 0) or team_of(ref, row) for pk, row in rows.items()}
    dispatcher = Dispatcher(ref, work.now)
    dispatcher.lock(team for team in team_for.values() if team is not None)
    users: dict[int, User] = {}

    def act(feedback: Feedback, match: Match) -> ActionLog | None:
        team = team_for.get(feedback.pk)
        if feedback.assignee_id is not None:
            return None
        user_id = dispatcher.pick(team, feedback.tier) if team is not None else None
        if user_id is None:
            raise DomainError(_("nobody is free"))
        if user_id not in users:
            users[user_id] = User.objects.get(pk=user_id)
        return moves.assign(
            feedback=feedback, to=users[user_id], by=None, now=work.now, reason=_because(work), via=VIA
        )

    out = _each(work, matches, act)
    dispatcher.save()
    return out


def mark(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """A tag; one that is there already stays. Two statements however many matches."""
    name = str(params["name"]).strip()[:30]
    ids = {match.feedback_id for match in matches}
    present = set(Mark.objects.filter(feedback__in=ids, name=name).values_list("feedback_id", flat=True))
    fresh = ids - present
    insert_many(
        Mark,
        [
            quick_row(Mark, feedback_id=pk, name=name, rule_id=work.rule.pk, at=work.now)
            for pk in sorted(fresh)
        ],
    )
    return [DONE if match.feedback_id in fresh else SAME for match in matches]


def note(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """An internal note; the customer never sees it and no clock stops."""
    text = f"{_because(work)}\n{params['text']}"
    insert_many(
        Entry,
        [
            Entry(
                feedback_id=match.feedback_id,
                kind=EntryKind.NOTE,
                text=text,
                at=work.now,
                speaker=VIA,
                is_automatic=True,
            )
            for match in matches
        ],
    )
    return [DONE] * len(matches)


def notify_staff(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """The bell of the people meant. It changes nothing about the case (peers 4.7: notify only still lowered)."""
    ref = reference()
    text = str(params.get("text") or work.rule.name)
    level = params.get("level") or NoticeLevel.INFO
    person = int(params["person"]) if params.get("person") else None
    rows = Feedback.objects.filter(pk__in={match.feedback_id for match in matches}).only(
        "id", "snippet", "team_id", "assignee_id", "department_id", "store_id"
    )
    notices: list[StaffNotice] = []
    told: dict[int, list[Feedback]] = {}
    nobody: set[int] = set()
    for row in rows:
        recipients = (
            people(ref, row, (params["who"],)) if params["who"] != "person" else [person] if person else []
        )
        if not recipients:
            nobody.add(row.pk)
        for user_id in recipients:
            told.setdefault(user_id, []).append(row)
    first_run = matches[0].run_id
    for user_id, mine in told.items():
        if len(mine) > ONE_BY_ONE:
            notices += notice_rows(
                recipients=[user_id],
                level=level,
                title=_("%(text)s: %(count)d cases") % {"text": text[:150], "count": len(mine)},
                body="\n".join(row.number for row in mine[:20]),
                url="/admin/feedback/feedback/",
                key=f"rule:{work.rule.pk}:{first_run}",
                now=work.now,
            )
            continue
        for row in mine:
            notices += notice_rows(
                recipients=[user_id],
                level=level,
                title=f"{text[:150]} · {row.number}",
                body=row.snippet,
                url=address(row.pk),
                key=f"rule:{work.rule.pk}:{row.pk}:{first_run}",
                now=work.now,
            )
    StaffNotice.objects.bulk_create(notices, ignore_conflicts=True, batch_size=500)
    return [_("nobody to tell") if match.feedback_id in nobody else DONE for match in matches]


def open_task(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Work for the store or the department; one per rule and case."""
    ref = reference()
    due = due_in(float(params["hours"]), work.now)
    rows = Feedback.objects.filter(pk__in={match.feedback_id for match in matches}).only(
        "id", "snippet", "store_id", "department_id", "product_id", "assignee_id"
    )
    keys = {row.pk: f"rule:{work.rule.pk}:feedback:{row.pk}:task" for row in rows}
    present = set(
        WorkItem.objects.filter(origin_key__in=list(keys.values())).values_list("origin_key", flat=True)
    )
    items = []
    outcome: dict[int, str] = {}
    for row in rows:
        if keys[row.pk] in present:
            outcome[row.pk] = SAME
            continue
        store = ref.stores.get(row.store_id or 0)
        if params["to"] == "store":
            if store is None:
                outcome[row.pk] = _("no store is named")
                continue
            owner = store.manager_id
        else:
            owner = ref.department_heads.get(row.department_id or 0)
        items.append(
            WorkItem(
                kind=WorkKind.TASK,
                title=f"{params['title']} · {row.number}"[:200],
                body=row.snippet,
                store_id=row.store_id if params["to"] == "store" else None,
                department_id=row.department_id,
                product_id=row.product_id,
                owner_id=owner,
                due_at=due,
                origin_key=keys[row.pk],
                url=address(row.pk),
                created_at=work.now,
                updated_at=work.now,
            )
        )
        outcome[row.pk] = DONE
    insert_many(WorkItem, items)
    return [outcome.get(match.feedback_id, _("the feedback is gone")) for match in matches]


def self_check(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """The store checks itself; intake may have asked for it already, then nothing is doubled (same origin key)."""
    from apps.feedback.services.self_check import open_self_checks

    rows = list(Feedback.objects.filter(pk__in={match.feedback_id for match in matches}))
    keys = {f"feedback:{row.pk}:self_check": row.pk for row in rows}
    present = {
        keys[key]
        for key in WorkItem.objects.filter(origin_key__in=list(keys)).values_list("origin_key", flat=True)
    }
    open_self_checks(reference(), [row for row in rows if row.pk not in present], now=work.now)
    return [SAME if match.feedback_id in present else DONE for match in matches]


def restock(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Ask the store for the missing product; one open request per store and product."""
    return stock.ask_restock(
        feedback_ids=[match.feedback_id for match in matches],
        due=due_in(float(params["hours"]), work.now),
        now=work.now,
    )


def call_webhook(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """A message to another program goes into the outbox; nothing is sent here."""
    endpoint = WebhookEndpoint.objects.filter(pk=int(params["endpoint"]), is_active=True).first()
    if endpoint is None:
        return [_("the webhook address is gone or switched off")] * len(matches)
    outbox.queue(
        endpoints=[endpoint],
        event=WebhookEvent.ACTION,
        subjects=[(match.feedback_id, f"run:{match.run_id}", {"rule": work.rule.code}) for match in matches],
        now=work.now,
    )
    return [DONE] * len(matches)


def _propose(
    work: Work, matches: list[Match], kind: str, title: Callable[[Match], str], payload: dict[str, Any]
) -> list[str]:
    ids = {match.feedback_id for match in matches}
    waiting = set(
        Proposal.objects.filter(feedback__in=ids, kind=kind, status="proposed").values_list(
            "feedback_id", flat=True
        )
    )
    rows = [
        Proposal(
            kind=kind,
            title=title(match)[:200],
            feedback_id=match.feedback_id,
            rule_id=work.rule.pk,
            rule_version=work.rule.version,
            payload=payload,
            expires_at=work.now + timedelta(days=PROPOSAL_DAYS),
            created_at=work.now,
            updated_at=work.now,
        )
        for match in matches
        if match.feedback_id not in waiting
    ]
    Proposal.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return ["waiting" if match.feedback_id in waiting else "proposed" for match in matches]


def propose_compensation(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """A coupon within the limit and a promised date; a person confirms (decisions, items 10 and 20)."""
    days = int(params["days"] or 0)
    promise = (work.now + timedelta(days=days)).date().isoformat() if days else ""
    return _propose(
        work,
        matches,
        ProposalKind.COMPENSATION,
        lambda match: (
            _("Coupon of ¥%(amount)s for F%(number)07d")
            % {"amount": f"{params['amount']:g}", "number": match.feedback_id}
        ),
        {"amount": params["amount"], "promise": promise, "text": params.get("text", "")},
    )


def propose_public_reply(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """A public answer; a person confirms and posts it."""
    return _propose(
        work,
        matches,
        ProposalKind.PUBLIC_REPLY,
        lambda match: _("Public reply to F%(number)07d") % {"number": match.feedback_id},
        {"text": params["text"]},
    )


def propose_message(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """A free text to the customer; a person confirms it."""
    return _propose(
        work,
        matches,
        ProposalKind.MESSAGE,
        lambda match: _("Message to the customer of F%(number)07d") % {"number": match.feedback_id},
        {"text": params["text"]},
    )


def propose_crisis(work: Work, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Ask a person whether this is a crisis."""
    return _propose(
        work,
        matches,
        ProposalKind.CRISIS,
        lambda match: _("Open a crisis because of F%(number)07d?") % {"number": match.feedback_id},
        {"text": params.get("text", "")},
    )
