"""The quality queue, the sample, coaching notes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import LABELS, badge
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.numbers import whole_number
from apps.core.wording import move_tables
from apps.feedback.models import Feedback
from apps.performance.admin.forms import AnswerForm, NoteForm
from apps.performance.admin.scores import others
from apps.performance.choices import COLOURS, ReviewState
from apps.performance.figures import step
from apps.performance.models import CoachingNote, QualityReview, QualitySample
from apps.performance.models.quality import POINTS
from apps.performance.selectors import replay
from apps.performance.services import quality
from apps.performance.services.months import this_month
from apps.performance.transitions import COACHING, QUALITY, REVIEW

move_tables.register("performance.qualityreview", QUALITY)
move_tables.register("performance.coachingnote", COACHING)


@admin.register(QualitySample)
class QualitySampleAdmin(ReadOnlyAdmin):
    """Which months were sampled, from how many cases, with which seed."""

    list_display = ("__str__", "population", "show_reviews", "count", "percent", "drawn_by", "drawn_at")
    list_select_related = ("drawn_by",)
    list_before_template = "admin/performance/samples_before.html"
    empty_text = gettext_lazy(
        "In the first night of a month the sample of the last one is drawn: some closed cases of each person."
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """With how many were reviewed."""
        return (
            super()
            .get_queryset(request)
            .annotate(
                cases=Count("reviews"), ready=Count("reviews", filter=~Q(reviews__status=ReviewState.OPEN))
            )
        )

    @display(description=gettext_lazy("reviewed"))
    def show_reviews(self, obj: Any) -> str:
        """Of how many."""
        return f"{obj.ready} / {obj.cases}"

    def get_urls(self) -> list[Any]:
        """Drawing."""
        return [
            path("draw/", self.admin_site.admin_view(self.draw_view), name="performance_qualitysample_draw"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With a button where last month's sample is missing."""
        month = step(this_month(timezone.now()), -1)
        missing = (
            request.user.has_perm(quality.DRAW) and not QualitySample.objects.filter(month=month).exists()
        )
        return super().changelist_view(
            request, {"draw_month": month if missing else None} | (extra_context or {})
        )

    def draw_view(self, request: HttpRequest) -> HttpResponse:
        """POST only: draw last month's sample."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(quality.DRAW):
            raise PermissionDenied
        now = timezone.now()
        try:
            sample = quality.draw_sample(month=step(this_month(now), -1), by=request.user, now=now)  # type: ignore[arg-type]
        except DomainError as error:
            tell_error(request, error)
            return HttpResponseRedirect(reverse("admin:performance_qualitysample_changelist"))
        n = sample.reviews.count()
        messages.success(request, ngettext("%(n)d case is drawn.", "%(n)d cases are drawn.", n) % {"n": n})
        return HttpResponseRedirect(
            reverse("admin:performance_qualityreview_changelist") + "?status__exact=open"
        )


@admin.register(QualityReview)
class QualityReviewAdmin(MovesMixin, ReadOnlyAdmin):
    """The queue of cases to review, and the page where that is done."""

    moves_table = QUALITY
    moves = {
        "skip": Verb(quality.skip, "review", show=others, icon="block"),
        "reopen": Verb(quality.reopen, "review", show=others, icon="undo"),
    }
    moves_in_rows = False
    list_display = (
        "__str__",
        "person",
        "show_category",
        "show_state",
        "show_result",
        "reviewer",
        "reviewed_at",
    )
    list_filter = ("status", "passed", "sample", ("person", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("person", "sample", "reviewer", "feedback__category")
    list_before_template = "admin/performance/reviews_before.html"
    ordering = ("-sample_id", "person_id", "id")
    empty_text = gettext_lazy(
        "In the first night of a month the sample of the last one is drawn: some closed cases of each person."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Of one's own only those with a result."""
        return queryset.visible_to(request.user)

    @display(description=gettext_lazy("category"))
    def show_category(self, obj: QualityReview) -> str:
        """Of the case."""
        return str(obj.feedback.category or "–")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: QualityReview) -> Any:
        """As a coloured word."""
        return badge(COLOURS[obj.status], obj.get_status_display())

    @display(description=gettext_lazy("result"), label=LABELS)
    def show_result(self, obj: QualityReview) -> Any:
        """Points, and whether that is enough."""
        if obj.points is None:
            return None
        return badge("green" if obj.passed else "red", f"{obj.points} / {obj.most}")

    def _may_review(self, request: HttpRequest, review: QualityReview) -> bool:
        return (
            review.status == ReviewState.OPEN
            and request.user.has_perm(REVIEW)
            and request.user.pk not in (review.person_id, review.feedback.assignee_id)
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """GET: the case masked beside the checklist. POST: the points."""
        number = whole_number(object_id)
        review = (
            self.get_queryset(request)
            .select_related("person", "reviewer", "sample", "feedback__category", "feedback__customer")
            .filter(pk=number or 0)
            .first()
        )
        if review is None or not self.has_view_permission(request, review):
            raise Http404
        if request.method == "POST":
            return self._submit(request, review)
        return self._page(request, review)

    def _submit(self, request: HttpRequest, review: QualityReview) -> HttpResponse:
        if not request.user.has_perm(REVIEW):
            raise PermissionDenied
        points: dict[int, quality.Judgement] = {}
        for row in quality.criteria():
            given = whole_number(request.POST.get(f"p{row.pk}", ""))
            if given is not None:
                points[row.pk] = quality.Judgement(given, request.POST.get(f"c{row.pk}", ""))
        try:
            quality.submit(
                review=review, points=points, comment=request.POST.get("comment", ""), by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            tell_error(request, error)
            return self._page(request, review, typed=points, comment=request.POST.get("comment", ""))
        messages.success(
            request,
            _("%(points)d of %(most)d points. %(person)s is told.")
            % {"points": review.points, "most": review.most, "person": review.person},
        )
        return HttpResponseRedirect(reverse("admin:performance_qualityreview_change", args=[review.pk]))

    def _page(
        self,
        request: HttpRequest,
        review: QualityReview,
        typed: dict[int, quality.Judgement] | None = None,
        comment: str = "",
    ) -> HttpResponse:
        case, typed = review.feedback, typed or {}
        may_review = self._may_review(request, review)
        criteria = [
            {"row": row, "points": typed[row.pk].points if row.pk in typed else None,
             "comment": typed[row.pk].comment if row.pk in typed else ""}
            for row in (quality.criteria() if may_review else ())
        ]  # fmt: skip
        following = (
            self.get_queryset(request).waiting().exclude(person=request.user).exclude(pk=review.pk).first()
            if request.user.has_perm(REVIEW)
            else None
        )
        sees_case = (
            request.user.has_perm("feedback.view_feedback")
            and Feedback.objects.visible_to(request.user).filter(pk=case.pk).exists()
        )
        return self.page(
            request,
            "admin/performance/review.html",
            _("Quality review of %(number)s") % {"number": case.number},
            obj=review,
            review=review,
            case=case,
            steps=replay.steps(case),
            ending=replay.ending(case),
            criteria=criteria,
            scale=range(POINTS + 1),
            comment=comment,
            lines=review.lines.select_related("criterion"),
            may_review=may_review,
            colour=COLOURS[review.status],
            moves=self.moves_for(request, review),
            seen=review.status,
            case_url=reverse("admin:feedback_feedback_change", args=[case.pk]) if sees_case else "",
            note_url=reverse("admin:performance_coachingnote_add") + f"?review={review.pk}"
            if review.status == ReviewState.DONE
            and request.user.has_perm("performance.add_coachingnote")
            and review.person_id != request.user.pk
            else "",
            next_url=reverse("admin:performance_qualityreview_change", args=[following.pk])
            if following
            else "",
        )


@admin.register(CoachingNote)
class CoachingNoteAdmin(MovesMixin, ReadOnlyAdmin):
    """Notes to people one leads; the person reads and may answer."""

    moves_table = COACHING
    moves = {
        "acknowledge": Verb(
            quality.acknowledge, "note", reason=None, form=AnswerForm, icon="done_all",
            show=lambda request, obj: obj.person_id == request.user.pk,
        ),
        "close": Verb(quality.close_note, "note", reason=None, show=others, icon="check"),
    }  # fmt: skip
    moves_in_rows = False
    list_display = ("show_text", "kind", "person", "author", "show_state", "follow_up_on", "created_at")
    list_filter = ("status", "kind", ("person", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("person", "author")
    empty_text = gettext_lazy(
        "Coaching notes are words from a lead to one person: praise, advice, what was agreed. Only both of them and the leads of the team read them."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """The person's, the author's, the leads'."""
        return queryset.visible_to(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By permission."""
        return request.user.has_perm("performance.add_coachingnote")

    @display(description=gettext_lazy("text"))
    def show_text(self, obj: CoachingNote) -> str:
        """Its beginning, masked."""
        return mask_text(obj.text)[:60]

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: CoachingNote) -> Any:
        """As a coloured word."""
        return badge(COLOURS[obj.status], obj.get_status_display())

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A new note; from a review or a person's page with both filled in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        review = (
            QualityReview.objects.visible_to(request.user)
            .select_related("feedback")
            .filter(pk=whole_number(request.GET.get("review", "")) or 0)
            .first()
        )
        first: dict[str, Any] = {"person": whole_number(request.GET.get("person", ""))}
        if review is not None:
            first = {"person": review.person_id, "case": review.feedback.number}
        form = NoteForm(request.POST or None, user=request.user, initial=first)
        if request.method == "POST" and form.is_valid():
            case = self._case(request, form)
            if not form.errors:
                try:
                    note = quality.write_note(
                        person=form.cleaned_data["person"],
                        kind=form.cleaned_data["kind"],
                        text=form.cleaned_data["text"],
                        feedback=case,
                        review=review,
                        follow_up_on=form.cleaned_data["follow_up_on"],
                        by=request.user,  # type: ignore[arg-type]
                        now=timezone.now(),
                    )
                except DomainError as error:
                    field = error.params.get("field", "")
                    form.add_error(field if field in form.fields else None, str(error.message))
                else:
                    messages.success(request, _("%(person)s is told.") % {"person": note.person})
                    return HttpResponseRedirect(
                        reverse("admin:performance_coachingnote_change", args=[note.pk])
                    )
        return self.page(
            request,
            "admin/performance/ask.html",
            _("New coaching note"),
            form=form,
            button=_("Write"),
            back=reverse("admin:performance_coachingnote_changelist"),
        )

    @staticmethod
    def _case(request: HttpRequest, form: NoteForm) -> Feedback | None:
        typed = form.cleaned_data["case"].strip().upper().removeprefix("F")
        if not typed:
            return None
        case = Feedback.objects.visible_to(request.user).filter(pk=whole_number(typed) or 0).first()
        if case is None:
            form.add_error("case", _("There is no case with this number."))
        return case

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The note. It only shows."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        note = self.get_object(request, object_id)
        if note is None or not self.has_view_permission(request, note):
            raise Http404
        case = note.feedback
        sees_case = case is not None and (
            request.user.has_perm("feedback.view_feedback")
            and Feedback.objects.visible_to(request.user).filter(pk=case.pk).exists()
        )
        return self.page(
            request,
            "admin/performance/note.html",
            _("Coaching note"),
            obj=note,
            note=note,
            text=mask_text(note.text),
            answer=mask_text(note.answer),
            colour=COLOURS[note.status],
            kind_colour=COLOURS[note.kind],
            moves=self.moves_for(request, note),
            seen=note.status,
            case=case,
            case_url=reverse("admin:feedback_feedback_change", args=[case.pk]) if case and sees_case else "",
        )
