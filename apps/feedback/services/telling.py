"""Whom to tell about a case, by role."""

from __future__ import annotations

from collections.abc import Iterable

from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import Reference


def people(ref: Reference, feedback: Feedback, roles: Iterable[str]) -> list[int]:
    """User ids behind role words: owner, lead, manager, department, store."""
    found: list[int] = []
    team = next((team for team in ref.teams if team.id == feedback.team_id), None)
    for role in roles:
        if role == "owner" and feedback.assignee_id:
            found.append(feedback.assignee_id)
        elif role == "lead" or (role == "owner" and not feedback.assignee_id):
            found += team.leads if team and team.leads else ref.ops_leads
        elif role in ("manager", "director"):
            found += ref.managers
        elif role in ("department", "dept"):
            head = ref.department_heads.get(feedback.department_id) if feedback.department_id else None
            found += [head] if head else []
        elif role == "store":
            store = ref.stores.get(feedback.store_id) if feedback.store_id else None
            found += [store.manager_id] if store and store.manager_id else []
    return list(dict.fromkeys(found))


def address(feedback_id: int) -> str:
    """The case's page. Spelled out, since it is a fixed address and workers need not load every page for it."""
    return f"/admin/feedback/feedback/{feedback_id}/change/"
