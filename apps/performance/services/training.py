"""Trainings: people, attendance, quiz, replays of real cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.compliance.selectors import check as check_text
from apps.compliance.types import Facts, Finding
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.feedback.choices import Status
from apps.feedback.models import Feedback
from apps.performance.choices import Attendance, SessionState
from apps.performance.figures import mark
from apps.performance.models import (
    QuizAttempt,
    ReplayAnswer,
    ReplayCase,
    TrainingParticipant,
    TrainingSession,
)
from apps.performance.transitions import SESSION, TRAIN

PEOPLE_AT_MOST = 200
TRIES_AT_MOST = 10


def _tell(session: TrainingSession, people: Iterable[int], title: str, key: str, now: datetime) -> None:
    notify(
        recipients=people,
        level="info",
        title=title,
        key=f"training:{session.pk}:{key}",
        now=now,
        url=reverse("admin:performance_trainingsession_change", args=[session.pk]),
    )


@transaction.atomic
def invite(*, session: TrainingSession, people: Iterable[User], by: User, now: datetime) -> int:
    """Put people on the list and tell them; who is there already stays. Answers how many are new."""
    if not by.has_perm(TRAIN):
        raise NotPermitted(_("You may not plan trainings."))
    locked = TrainingSession.objects.select_for_update(of=("self",)).get(pk=session.pk)
    if locked.status not in (SessionState.PLANNED, SessionState.HELD):
        raise IllegalMove(_("This training is over."))
    present = set(locked.participants.values_list("person_id", flat=True))
    fresh = [person for person in people if person.pk not in present]
    if len(present) + len(fresh) > PEOPLE_AT_MOST:
        raise InvalidInput(
            _("At most %(limit)d people take part.") % {"limit": PEOPLE_AT_MOST}, field="people"
        )
    TrainingParticipant.objects.bulk_create(
        [TrainingParticipant(session=locked, person=person) for person in fresh], ignore_conflicts=True
    )
    _tell(
        locked, [person.pk for person in fresh if person.pk != by.pk],
        _("You are invited to the training “%(topic)s”") % {"topic": locked.topic}, "invited", now,
    )  # fmt: skip
    return len(fresh)


@transaction.atomic
def note_attendance(*, session: TrainingSession, states: Mapping[int, str], by: User, now: datetime) -> int:
    """Who was there: participant id → state. Possible from the day it was held until it is closed; answers changes."""
    if not by.has_perm(TRAIN):
        raise NotPermitted(_("You may not plan trainings."))
    locked = TrainingSession.objects.select_for_update(of=("self",)).get(pk=session.pk)
    if locked.status not in (SessionState.PLANNED, SessionState.HELD):
        raise IllegalMove(_("This training is over."))
    allowed = (
        set(Attendance.values)
        if locked.status == SessionState.HELD
        else {Attendance.INVITED, Attendance.EXCUSED}
    )
    changed: dict[str, str] = {}
    for row in locked.participants.filter(pk__in=states):
        state = states[row.pk]
        if state not in allowed:
            raise IllegalMove(_("Who was there is noted once the training took place."))
        if row.state != state:
            TrainingParticipant.objects.filter(pk=row.pk).update(state=state)
            changed[str(row.person_id)] = state
    if changed:
        ActionLog.objects.create(
            model="performance.trainingsession", object_id=locked.pk, verb="attendance", by=by, via="admin", at=now,
            data={"states": changed},
        )  # fmt: skip
    return len(changed)


@transaction.atomic
def hold(*, session: TrainingSession, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """It took place. Raises InvalidInput while it lies ahead."""
    if session.starts_at > now:
        raise InvalidInput(_("It lies in the future. Change the time first if it was held earlier."))
    return perform(SESSION, session, "hold", by=by, now=now, via=via)


def close(*, session: TrainingSession, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Attendance and quiz are final."""
    return perform(SESSION, session, "close", by=by, now=now, via=via)


@transaction.atomic
def cancel(
    *, session: TrainingSession, by: User, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """It will not take place; those invited are told."""
    log = perform(SESSION, session, "cancel", by=by, now=now, reason=reason, via=via)
    people = session.participants.exclude(state=Attendance.EXCUSED).values_list("person_id", flat=True)
    _tell(
        session, [pk for pk in people if pk != by.pk],
        _("The training “%(topic)s” is called off") % {"topic": session.topic}, f"cancelled:{now:%Y%m%d%H%M}", now,
    )  # fmt: skip
    return log


def plan_again(*, session: TrainingSession, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Back to planning."""
    return perform(SESSION, session, "plan_again", by=by, now=now, via=via)


# -- quiz ----------
@transaction.atomic
def take_quiz(
    *, session: TrainingSession, answers: Mapping[int, Iterable[int]], by: User, now: datetime
) -> QuizAttempt:
    """One try of `by`: question id → numbers of the chosen options. The best try counts.

    Raises NotPermitted for who does not take part, IllegalMove before it was held, after it was closed and after
    TRIES_AT_MOST, InvalidInput where a question is left out or an option does not exist.
    """
    part = (
        TrainingParticipant.objects.select_for_update(of=("self",)).filter(session=session, person=by).first()
    )
    if part is None or part.state == Attendance.EXCUSED:
        raise NotPermitted(_("You do not take part in this training."))
    status = TrainingSession.objects.values_list("status", flat=True).get(pk=session.pk)
    if status != SessionState.HELD:
        raise IllegalMove(_("The quiz is open once the training was held, until it is closed."))
    questions = list(session.questions.all())
    if not questions:
        raise IllegalMove(_("This training has no quiz."))
    number = part.attempts.count() + 1
    if number > TRIES_AT_MOST:
        raise IllegalMove(_("After %(n)d tries talk with your trainer.") % {"n": TRIES_AT_MOST})
    given: list[frozenset[int]] = []
    for question in questions:
        picked = frozenset(answers.get(question.pk, ()))
        if not picked:
            raise InvalidInput(_("Answer every question."), field=f"q{question.pk}")
        if not picked <= set(range(len(question.options))) or (question.kind == "single" and len(picked) > 1):
            raise InvalidInput(_("This answer is not among the options."), field=f"q{question.pk}")
        given.append(picked)
    points, most = mark([frozenset(question.right) for question in questions], given), len(questions)
    passed = points * 100 >= session.pass_percent * most
    attempt = QuizAttempt.objects.create(
        participant=part,
        number=number,
        answers={str(q.pk): sorted(picked) for q, picked in zip(questions, given, strict=True)},
        points=points,
        most=most,
        passed=passed,
        at=now,
    )
    best = (part.best_points or 0) * most < points * (part.best_most or 1) or part.best_points is None
    TrainingParticipant.objects.filter(pk=part.pk).update(
        best_points=points if best else part.best_points,
        best_most=most if best else part.best_most,
        passed_at=part.passed_at or (now if passed else None),
    )
    return attempt


# -- replay ----------
@transaction.atomic
def add_replay(*, session: TrainingSession, number: str, lesson: str, by: User, now: datetime) -> ReplayCase:
    """Put a closed case into a training, by its number. Raises InvalidInput for a case that is open or unknown."""
    if not by.has_perm(TRAIN):
        raise NotPermitted(_("You may not plan trainings."))
    digits = number.strip().upper().removeprefix("F").lstrip("0")
    found = (
        Feedback.objects.visible_to(by).filter(pk=int(digits)).first()
        if digits.isascii() and digits.isdecimal() and len(digits) < 16
        else None
    )
    if found is None or found.status not in (Status.RESOLVED, Status.CLOSED):
        raise InvalidInput(_("There is no closed case with this number."), field="number")
    try:
        with transaction.atomic():
            return ReplayCase.objects.create(session=session, feedback=found, lesson=lesson.strip()[:300])
    except IntegrityError as error:
        raise InvalidInput(_("This case is in the training already."), field="number") from error


@dataclass(frozen=True)
class Judged:
    """What the law check says of a trainee's answer."""

    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing would stop it."""
        return not any(finding.action in ("block", "require_approval") for finding in self.findings)


def judge(text: str, *, now: datetime) -> Judged:
    """As a real reply is checked; nothing is kept."""
    facts = Facts(subject="reply", reward="none", invites_review=False, review_script_required=False)
    return Judged(check_text(text, facts=facts, at=now))


@transaction.atomic
def answer_step(
    *, replay: ReplayCase, step: int, steps: int, text: str, by: User, now: datetime
) -> tuple[ReplayAnswer, Judged]:
    """What a trainee would write at a step, in the order of the steps. Kept masked. Raises NotPermitted, InvalidInput."""
    if not takes_part(replay.session, by):
        raise NotPermitted(_("You do not take part in this training."))
    if len(text.strip()) < 2:
        raise InvalidInput(_("Write what you would answer."), field="text")
    done = ReplayAnswer.objects.filter(replay=replay, person=by).count()
    if step != done or step >= steps:
        raise IllegalMove(_("This step was answered already."))
    judged = judge(text, now=now)
    try:
        with transaction.atomic():
            row = ReplayAnswer.objects.create(
                replay=replay, person=by, step=step, text=mask_text(text.strip())[:2000], at=now,
                rules=[{"rule": f.rule, "action": f.action, "title": f.title} for f in judged.findings],
            )  # fmt: skip
    except IntegrityError as error:
        raise IllegalMove(_("This step was answered already.")) from error
    return row, judged


def start_over(*, replay: ReplayCase, by: User) -> int:
    """Forget one's own answers to a replay."""
    return ReplayAnswer.objects.filter(replay=replay, person=by).delete()[0]


def takes_part(session: TrainingSession, user: Any) -> bool:
    """Participant, trainer, or whoever plans trainings. One query at most."""
    if session.trainer_id == user.pk or user.has_perm(TRAIN):
        return True
    return session.participants.filter(person=user).exclude(state=Attendance.EXCUSED).exists()
