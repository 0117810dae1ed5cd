"""Kept views of the queue: for oneself, or for a team by its lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import User
from apps.feedback.models import SavedView
from apps.feedback.selectors.queue import VIEW_PARAMS
from apps.shop.models import Team

# More tabs than this nobody finds anything in.
MOST_OWN = 12


def save_view(
    *, name: str, params: Mapping[str, str], by: User, now: datetime, team: Team | None = None
) -> SavedView:
    """Keep these filters under a name. The same name again replaces what it held.

    Only what the queue knows is kept, so that every view stands on indexed columns. Raises InvalidInput, and
    NotPermitted for a team's view by somebody who leads no work.
    """
    name = " ".join(name.split())[:40]
    if not name:
        raise InvalidInput(_("Give the view a name."), field="name")
    kept = {key: str(params[key])[:100] for key in VIEW_PARAMS if params.get(key)}
    if not kept:
        raise InvalidInput(_("Choose a filter, a search or an order first; then keep it."), field="name")
    if team is not None and not by.has_perm("feedback.assign_feedback"):
        raise NotPermitted(_("Only a lead keeps a view for a team."))
    owner = None if team is not None else by
    if owner is not None:
        own = SavedView.objects.filter(owner=owner).exclude(name=name)
        if len(own[:MOST_OWN]) >= MOST_OWN:
            raise InvalidInput(
                _("You have %(count)d views already; delete one first.") % {"count": MOST_OWN}, field="name"
            )
    values = {"params": kept, "created_at": now, "created_by": by}
    try:
        with transaction.atomic():
            view, _made = SavedView.objects.update_or_create(
                name=name, owner=owner, team=team, defaults=values
            )
    except IntegrityError:
        # Two tabs saved the same name at once; the later one wins.
        view = SavedView.objects.get(name=name, owner=owner, team=team)
        SavedView.objects.filter(pk=view.pk).update(**values)
    return view


def delete_view(*, view: SavedView, by: User) -> None:
    """Take a view away: one's own, or a team's as a lead."""
    if view.owner_id != by.pk and not (view.team_id and by.has_perm("feedback.assign_feedback")):
        raise NotPermitted(_("This view belongs to somebody else."))
    view.delete()
