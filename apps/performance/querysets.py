"""Whose figures, scores, notes and trainings a person may see. Performance data is personal (PIPL art. 6, 13)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from apps.performance.choices import Attendance, NoteState, ProposalState, ReviewState, SessionState

SEE_ALL = "performance.see_all_performance"
LEAD_TEAM = "performance.lead_team"


def led_people(user: Any) -> Any:
    """Ids of those in the teams `user` leads, as a subquery; nobody without the permission to lead."""
    from apps.shop.choices import TeamRole
    from apps.shop.models import TeamMember

    if not user.has_perm(LEAD_TEAM):
        return TeamMember.objects.none().values("user_id")
    led = TeamMember.objects.filter(user_id=user.pk, role=TeamRole.LEAD).values("team_id")
    return TeamMember.objects.filter(team_id__in=led).values("user_id")


class PersonalQuerySet(models.QuerySet[Any, Any]):
    """Rows about one person."""

    def visible_to(self, user: Any) -> PersonalQuerySet:
        """One's own, those of the teams one leads, or all for managers and auditors."""
        if user.has_perm(SEE_ALL):
            return self
        return self.filter(Q(person_id=user.pk) | Q(person_id__in=led_people(user)))


class ScoreQuerySet(PersonalQuerySet):
    """Monthly scores."""

    def visible_to(self, user: Any) -> ScoreQuerySet:
        """As all personal rows, but of one's own only what is published."""
        return super().visible_to(user).exclude(Q(person_id=user.pk) & ~Q(status="published"))  # type: ignore[return-value]


class ReviewQuerySet(PersonalQuerySet):
    """Quality reviews."""

    def visible_to(self, user: Any) -> ReviewQuerySet:
        """As all personal rows, but of one's own only those with a result."""
        return super().visible_to(user).exclude(Q(person_id=user.pk) & ~Q(status=ReviewState.DONE))  # type: ignore[return-value]

    def waiting(self) -> ReviewQuerySet:
        """Still to review."""
        return self.filter(status=ReviewState.OPEN)


class NoteQuerySet(PersonalQuerySet):
    """Coaching notes."""

    def visible_to(self, user: Any) -> NoteQuerySet:
        """The person's own, those of people one leads, those one wrote."""
        if user.has_perm(SEE_ALL):
            return self
        return self.filter(Q(person_id=user.pk) | Q(author_id=user.pk) | Q(person_id__in=led_people(user)))

    def unread(self) -> NoteQuerySet:
        """Not acknowledged by the person."""
        return self.filter(status=NoteState.GIVEN)


class SessionQuerySet(models.QuerySet[Any, Any]):
    """Trainings."""

    def visible_to(self, user: Any) -> SessionQuerySet:
        """All for those who plan trainings and for auditors; else those one takes part in or gives."""
        if user.has_perm("performance.change_trainingsession") or user.has_perm(SEE_ALL):
            return self
        through = self.model._meta.get_field("participants").related_model
        mine = through.objects.filter(person_id=user.pk).values("session_id")
        return self.filter(Q(trainer_id=user.pk) | Q(pk__in=mine))

    def due_for(self, user: Any) -> SessionQuerySet:
        """Trainings that still ask something of a person: to come, or a quiz not passed yet."""
        through = self.model._meta.get_field("participants").related_model
        part = through.objects.filter(person_id=user.pk)
        coming = part.filter(state=Attendance.INVITED).values("session_id")
        quiz = part.exclude(state=Attendance.EXCUSED).filter(passed_at__isnull=True).values("session_id")
        return self.filter(
            Q(status=SessionState.PLANNED, pk__in=coming)
            | Q(status=SessionState.HELD, pk__in=quiz, questions__isnull=False)
        ).distinct()


class ProposalQuerySet(models.QuerySet[Any, Any]):
    """Training proposals."""

    def visible_to(self, user: Any) -> ProposalQuerySet:
        """Those about people and teams one leads; all for managers and auditors. Nobody sees the one about themselves."""
        from apps.shop.choices import TeamRole
        from apps.shop.models import TeamMember

        rows = self.exclude(person_id=user.pk)
        if user.has_perm(SEE_ALL):
            return rows
        if not user.has_perm(LEAD_TEAM):
            return rows.none()
        led = TeamMember.objects.filter(user_id=user.pk, role=TeamRole.LEAD).values("team_id")
        return rows.filter(Q(person_id__in=led_people(user)) | Q(team_id__in=led))

    def open(self) -> ProposalQuerySet:
        """Still to decide."""
        return self.filter(status=ProposalState.OPEN)
