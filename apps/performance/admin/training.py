"""Trainings with quiz and replay, and what was proposed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Count, Q
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from unfold.decorators import display

from apps.compliance.admin.try_text import marked, shown
from apps.core.admin.base import PartInline, ReadOnlyAdmin, ShopModelAdmin, tell_error
from apps.core.admin.display import LABELS, badge, link
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.numbers import whole_number, whole_numbers
from apps.core.services.files import store_file
from apps.core.wording import move_tables
from apps.feedback.models import Feedback
from apps.performance.admin.forms import (
    MATERIAL,
    AcceptForm,
    InviteForm,
    QuestionForm,
    ReplayForm,
    SessionForm,
)
from apps.performance.admin.scores import others
from apps.performance.choices import COLOURS, Attendance, SessionState
from apps.performance.models import (
    QuizAttempt,
    QuizQuestion,
    ReplayAnswer,
    ReplayCase,
    TrainingParticipant,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.selectors import replay as story
from apps.performance.selectors.people import people_of
from apps.performance.services import proposals, training
from apps.performance.transitions import PROPOSAL, SESSION, TRAIN

move_tables.register("performance.trainingsession", SESSION)
move_tables.register("performance.trainingproposal", PROPOSAL)
OPEN = (SessionState.PLANNED, SessionState.HELD)


class QuestionInline(PartInline):
    """The quiz."""

    model = QuizQuestion
    form = QuestionForm
    with_new = True
    fields = ("position", "text", "kind", "options", "right", "explanation")


@admin.register(TrainingSession)
class TrainingSessionAdmin(MovesMixin, ShopModelAdmin):
    """The page of a training is for everybody who takes part; it is changed on a page of its own."""

    form = SessionForm
    inlines = (QuestionInline,)
    deletable = False
    moves_table = SESSION
    moves = {
        "hold": Verb(training.hold, "session", reason=None, icon="how_to_reg"),
        "close": Verb(training.close, "session", reason=None, icon="done_all"),
        "cancel": Verb(training.cancel, "session", icon="event_busy"),
        "plan_again": Verb(training.plan_again, "session", reason=None, icon="replay"),
    }
    moves_in_rows = False
    list_display = ("topic", "show_category", "trainer", "starts_at", "show_state", "show_people")
    list_filter = ("status", ("trainer", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("trainer", "category")
    search_fields = ("topic__icontains",)
    ordering = ("-starts_at", "-id")
    fieldsets = (
        (None, {"fields": ("topic", "category", "goal", "trainer")}),
        (gettext_lazy("When and where"), {"fields": ("starts_at", "minutes", "place", "link")}),
        (gettext_lazy("Material and quiz"), {"fields": ("upload", "pass_percent")}),
    )
    empty_text = gettext_lazy(
        "Plan a training here: topic, date, who takes part, a short quiz, and closed cases to play again."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """All for those who plan; else those one takes part in."""
        return queryset.visible_to(request.user)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """With how many take part."""
        return (
            super()
            .get_queryset(request)
            .annotate(
                people=Count("participants"),
                came=Count("participants", filter=Q(participants__state=Attendance.ATTENDED)),
            )
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is closed or called off stays as it is."""
        if obj is not None and obj.status not in OPEN:
            return False
        return super().has_change_permission(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Top categories; colleagues who can see trainings."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "category" and field is not None:
            field.queryset = field.queryset.filter(parent__isnull=True, is_active=True)
        if db_field.name == "trainer" and field is not None:
            field.queryset = field.queryset.filter(is_active=True, is_staff=True).order_by("name", "username")
        return field

    @display(description=gettext_lazy("category"))
    def show_category(self, obj: TrainingSession) -> str:
        """Or a dash."""
        return str(obj.category or "–")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: TrainingSession) -> Any:
        """As a coloured word."""
        return badge(COLOURS[obj.status], obj.get_status_display())

    @display(description=gettext_lazy("was there"))
    def show_people(self, obj: Any) -> str:
        """Of how many."""
        return f"{obj.came} / {obj.people}" if obj.status in ("held", "closed") else str(obj.people)

    # -- addresses ----------
    def get_urls(self) -> list[Any]:
        """What is done on a training's page."""
        wrap, prefix = self.admin_site.admin_view, "performance_trainingsession"
        return [
            path("<int:object_id>/edit/", wrap(self.edit_view), name=f"{prefix}_edit"),
            path("<int:object_id>/invite/", wrap(self.invite_view), name=f"{prefix}_invite"),
            path("<int:object_id>/attendance/", wrap(self.attendance_view), name=f"{prefix}_attendance"),
            path("<int:object_id>/add-case/", wrap(self.add_case_view), name=f"{prefix}_add_case"),
            path("<int:object_id>/quiz/", wrap(self.quiz_view), name=f"{prefix}_quiz"),
            path("<int:object_id>/quiz/<int:number>/", wrap(self.result_view), name=f"{prefix}_result"),
            path("<int:object_id>/replay/<int:replay_id>/", wrap(self.replay_view), name=f"{prefix}_replay"),
            path(
                "<int:object_id>/replay/<int:replay_id>/check/", wrap(self.check_view), name=f"{prefix}_check"
            ),
            path(
                "<int:object_id>/replay/<int:replay_id>/again/", wrap(self.again_view), name=f"{prefix}_again"
            ),
            *super().get_urls(),
        ]

    def _session(self, request: HttpRequest, object_id: int | str) -> TrainingSession:
        number = whole_number(object_id)
        if number is None or not self.has_view_permission(request):
            raise Http404
        rows = self.get_queryset(request).select_related("trainer", "category", "material")
        return get_object_or_404(rows, pk=number)

    def _to(self, session: TrainingSession) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:performance_trainingsession_change", args=[session.pk]))

    # -- the page ----------
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The training as those who take part see it; planners see attendance and results as well."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        session = self._session(request, object_id)
        user = request.user
        people = list(session.participants.select_related("person"))
        mine = next((row for row in people if row.person_id == user.pk), None)
        plans = user.has_perm(TRAIN)
        # Results of a quiz are personal: the trainer and the person's leads see them.
        seen = set(people_of(user).values_list("pk", flat=True)) if plans else set()
        for row in people:
            row.shows_result = session.trainer_id == user.pk or row.person_id in seen  # type: ignore[attr-defined]
            row.colour = COLOURS[row.state]  # type: ignore[attr-defined]
        questions = session.questions.count()
        material = session.material
        return self.page(
            request,
            "admin/performance/session.html",
            session.topic,
            obj=session,
            session=session,
            colour=COLOURS[session.status],
            people=people,
            mine=mine,
            mine_colour=COLOURS[mine.state] if mine else "",
            plans=plans,
            open=session.status in OPEN,
            states=[s for s in Attendance if session.status == SessionState.HELD or s in ("invited", "excused")],
            questions=questions,
            quiz_open=session.status == SessionState.HELD and bool(questions) and mine is not None and mine.state != "excused",
            attempts=list(mine.attempts.all()) if mine else [],
            replays=session.replays.all(),
            may_replay=training.takes_part(session, user),
            replay_form=ReplayForm() if plans and session.status in OPEN else None,
            material_url=reverse("admin:core_storedfile_open", args=[material.pk]) if material else "",
            moves=self.moves_for(request, session),
            seen=session.status,
            edit_url=reverse("admin:performance_trainingsession_edit", args=[session.pk])
            if self.has_change_permission(request, session)
            else "",
        )  # fmt: skip

    def edit_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The form."""
        session = self._session(request, object_id)
        if not self.has_change_permission(request, session):
            raise PermissionDenied
        return super().change_view(request, str(object_id))

    def save_model(self, request: HttpRequest, obj: TrainingSession, form: Any, change: bool) -> None:
        """With the material that came."""
        upload = form.cleaned_data.get("upload")
        if upload:
            try:
                obj.material = store_file(
                    upload=upload, by=request.user, now=timezone.now(), allowed=MATERIAL  # type: ignore[arg-type]
                )  # fmt: skip
            except InvalidInput as error:
                tell_error(request, error)
        if change:
            # A form that was open while somebody moved the training does not move it back.
            names = [name for name in form.fields if name != "upload"] + (["material"] if upload else [])
            obj.save(update_fields=[*names, "updated_at"])
        else:
            obj.save()

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Back to the page of the training."""
        messages.success(request, _("Saved."))
        return self._to(obj)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to its page, where people are invited."""
        return self._to(obj)

    def invite_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Colleagues to tick."""
        session = self._session(request, object_id)
        if not request.user.has_perm(TRAIN):
            raise PermissionDenied
        form = InviteForm(request.POST or None, session=session)
        if request.method == "POST" and form.is_valid():
            try:
                n = training.invite(
                    session=session, people=form.cleaned_data["people"], by=request.user, now=timezone.now()  # type: ignore[arg-type]
                )  # fmt: skip
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(
                    request,
                    ngettext("%(n)d colleague is invited.", "%(n)d colleagues are invited.", n) % {"n": n},
                )
            return self._to(session)
        return self.page(
            request,
            "admin/performance/ask.html",
            _("Invite to “%(topic)s”") % {"topic": session.topic},
            obj=session,
            form=form,
            button=pgettext("training", "Invite"),
            back=reverse("admin:performance_trainingsession_change", args=[session.pk]),
        )

    def attendance_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: who was there."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        session = self._session(request, object_id)
        if not request.user.has_perm(TRAIN):
            raise PermissionDenied
        ids = whole_numbers(name[1:] for name in request.POST if name.startswith("a"))
        try:
            training.note_attendance(
                session=session, states={pk: request.POST[f"a{pk}"] for pk in ids if f"a{pk}" in request.POST},
                by=request.user, now=timezone.now(),  # type: ignore[arg-type]
            )  # fmt: skip
        except DomainError as error:
            tell_error(request, error)
        else:
            messages.success(request, _("Saved."))
        return self._to(session)

    def add_case_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: a closed case to play again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        session = self._session(request, object_id)
        if not request.user.has_perm(TRAIN):
            raise PermissionDenied
        form = ReplayForm(request.POST)
        if form.is_valid():
            try:
                training.add_replay(session=session, by=request.user, now=timezone.now(), **form.cleaned_data)  # type: ignore[arg-type]
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(request, _("The case is in the training, masked."))
        else:
            messages.error(request, _("There is no closed case with this number."))
        return self._to(session)

    # -- quiz ----------
    def quiz_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: the questions. POST: one try."""
        session = self._session(request, object_id)
        part = get_object_or_404(TrainingParticipant, session=session, person=request.user)
        questions = list(session.questions.all())
        typed: dict[int, list[int]] = {
            q.pk: whole_numbers(request.POST.getlist(f"q{q.pk}")) for q in questions
        }
        wrong, status = "", 200
        if request.method == "POST":
            try:
                attempt = training.take_quiz(
                    session=session, answers=typed, by=request.user, now=timezone.now()  # type: ignore[arg-type]
                )  # fmt: skip
            except DomainError as error:
                tell_error(request, error)
                wrong, status = str(error.params.get("field", "")), 422
            else:
                return HttpResponseRedirect(
                    reverse("admin:performance_trainingsession_result", args=[session.pk, attempt.number])
                )
        response = self.page(
            request,
            "admin/performance/quiz.html",
            _("Quiz: %(topic)s") % {"topic": session.topic},
            obj=session,
            session=session,
            part=part,
            is_open=session.status == SessionState.HELD,
            questions=[
                {"row": q, "wrong": wrong == f"q{q.pk}",
                 "options": [(n, text, n in typed[q.pk]) for n, text in enumerate(q.options)]}
                for q in questions
            ],
        )  # fmt: skip
        response.status_code = status
        return response

    def result_view(self, request: HttpRequest, object_id: int, number: int) -> HttpResponse:
        """One's own try with what would have been right."""
        session = self._session(request, object_id)
        attempt = get_object_or_404(
            QuizAttempt, participant__session=session, participant__person=request.user, number=number
        )
        lines = []
        for question in session.questions.all():
            given = set(attempt.answers.get(str(question.pk), ()))
            right = set(question.right)
            lines.append(
                {
                    "row": question,
                    "ok": given == right,
                    "options": [(text, n in given, n in right) for n, text in enumerate(question.options)],
                }
            )
        return self.page(
            request,
            "admin/performance/quiz_result.html",
            _("Quiz: %(topic)s") % {"topic": session.topic},
            obj=session,
            session=session,
            attempt=attempt,
            lines=lines,
            again=session.status == SessionState.HELD and number < training.TRIES_AT_MOST,
        )

    # -- replay ----------
    def _replay(self, request: HttpRequest, object_id: int, replay_id: int) -> ReplayCase:
        session = self._session(request, object_id)
        if not training.takes_part(session, request.user):
            raise PermissionDenied
        return get_object_or_404(
            ReplayCase.objects.select_related("session", "feedback__customer", "feedback__category"),
            pk=replay_id,
            session=session,
        )

    def replay_view(self, request: HttpRequest, object_id: int, replay_id: int) -> HttpResponse:
        """GET: the story up to one's next answer. POST: that answer."""
        row = self._replay(request, object_id, replay_id)
        steps = story.steps(row.feedback)
        typed = ""
        if request.method == "POST":
            typed = request.POST.get("text", "")
            try:
                training.answer_step(
                    replay=row, step=whole_number(request.POST.get("step", "")) or 0, steps=len(steps), text=typed,
                    by=request.user, now=timezone.now(),  # type: ignore[arg-type]
                )  # fmt: skip
            except DomainError as error:
                tell_error(request, error)
            else:
                return HttpResponseRedirect(request.path + "#here")
        answers = list(ReplayAnswer.objects.filter(replay=row, person=request.user))
        done = [
            {"step": part, "answer": answer, "worst": any(r["action"] in ("block", "require_approval") for r in answer.rules)}
            for part, answer in zip(steps, answers, strict=False)
        ]  # fmt: skip
        over = len(answers) >= len(steps)
        return self.page(
            request,
            "admin/performance/replay.html",
            _("Replay: %(topic)s") % {"topic": row.session.topic},
            obj=row.session,
            session=row.session,
            row=row,
            done=done,
            present=None if over else steps[len(answers)],
            number=len(answers),
            total=len(steps),
            ending=story.ending(row.feedback) if over else None,
            typed=typed,
        )

    def check_view(self, request: HttpRequest, object_id: int, replay_id: int) -> HttpResponse:
        """POST only: what the law check says of a text while it is written. Nothing is kept."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._replay(request, object_id, replay_id)
        text = request.POST.get("text", "")[:2000]
        judged = training.judge(text, now=timezone.now())
        return JsonResponse(
            {
                "ok": judged.ok,
                "findings": [
                    {"title": f["title"], "label": str(f["label"]), "colour": f["colour"], "message": f["message"],
                     "alternative": f["alternative"]}
                    for f in shown(judged.findings)
                ],
                "pieces": marked(text, judged.findings),
            }
        )  # fmt: skip

    def again_view(self, request: HttpRequest, object_id: int, replay_id: int) -> HttpResponse:
        """POST only: forget one's own answers."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self._replay(request, object_id, replay_id)
        training.start_over(replay=row, by=request.user)  # type: ignore[arg-type]
        return HttpResponseRedirect(
            reverse("admin:performance_trainingsession_replay", args=[row.session_id, row.pk])
        )


@admin.register(TrainingProposal)
class TrainingProposalAdmin(MovesMixin, ReadOnlyAdmin):
    """What the system proposes; a lead decides."""

    moves_table = PROPOSAL
    moves = {
        "accept": Verb(proposals.accept, "proposal", reason=None, form=AcceptForm, show=others, icon="event"),
        "reject": Verb(proposals.reject, "proposal", show=others, icon="close"),
    }
    list_display = ("show_subject", "reason", "count", "show_state", "session", "decided_by", "created_at")
    list_filter = ("status", "reason")
    list_select_related = ("person", "team", "session", "decided_by")
    fields = (
        "show_subject",
        "reason",
        "count",
        "show_cases",
        "counted_until",
        "status",
        "session",
        "decided_by",
    )
    readonly_fields = ("show_subject", "show_cases")
    change_form_outer_before_template = "admin/core/moves.html"
    empty_text = gettext_lazy(
        "After several complaints about service, or cases of the quality sample that were not passed, a training is proposed here."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """About people and teams one leads."""
        return queryset.visible_to(request.user)

    @display(description=gettext_lazy("for whom"))
    def show_subject(self, obj: TrainingProposal) -> str:
        """Person or team."""
        return str(obj.person or obj.team)

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: TrainingProposal) -> Any:
        """As a coloured word."""
        return badge(COLOURS[obj.status], obj.get_status_display())

    @display(description=gettext_lazy("cases"))
    def show_cases(self, obj: TrainingProposal) -> Any:
        """Links to what caused it."""
        found = Feedback.objects.filter(pk__in=obj.cases).order_by("pk")
        return format_html_join(
            " ",
            "{}",
            (
                (link(reverse("admin:feedback_feedback_change", args=[case.pk]), case.number),)
                for case in found
            ),
        )
