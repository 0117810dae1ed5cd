"""Notes from one shift to the next: written, never changed, and marked as read."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.masking import mask_text
from apps.core.models import User
from apps.feedback.choices import ShiftPart
from apps.feedback.models import ShiftNote, ShiftNoteRead
from apps.feedback.selectors.shift_notes import shift_at
from apps.shop.models import Team, TeamMember

LONGEST = 2000
# The same text by the same person within this time is the same button pressed twice.
SAME = timedelta(minutes=10)


@transaction.atomic
def write(*, team: Team, text: str, by: User, now: datetime, shift: str = "") -> ShiftNote:
    """Leave a note for the team's next shift. Phone numbers and the like are masked before it is kept.

    Only members of the team write. Raises InvalidInput, NotPermitted.
    """
    if not by.is_active or not TeamMember.objects.filter(team=team, user=by).exists():
        raise NotPermitted(_("Only members of “%(team)s” write its shift notes.") % {"team": team})
    text = text.replace("\r\n", "\n").strip()
    if len(text) < 2:
        raise InvalidInput(_("The note is empty."), field="text")
    if len(text) > LONGEST:
        raise InvalidInput(
            _("The note has %(count)d characters; at most %(most)d are possible.")
            % {"count": len(text), "most": LONGEST},
            field="text",
        )
    shift = shift or shift_at(now)
    if shift not in ShiftPart.values:
        raise InvalidInput(_("Choose the shift."), field="shift")
    # Masking may lengthen nothing: stars take the place of what they hide.
    text = mask_text(text)[:LONGEST]
    # Two presses of one button wait for each other here.
    Team.objects.select_for_update().get(pk=team.pk)
    same = ShiftNote.objects.filter(team=team, author=by, text=text, at__gt=now - SAME).first()
    if same is not None:
        return same
    return ShiftNote.objects.create(
        team=team, day=timezone.localdate(now), shift=shift, text=text, author=by, at=now
    )


def mark_read(*, note: ShiftNote, by: User, now: datetime) -> bool:
    """Tell the author that one has read it; False when that was told before. Members of the team only."""
    if not TeamMember.objects.filter(team_id=note.team_id, user=by).exists():
        raise NotPermitted(_("Only members of the team mark its shift notes as read."))
    if note.author_id == by.pk:
        return False
    _row, created = ShiftNoteRead.objects.get_or_create(note=note, user=by, defaults={"at": now})
    return created
