"""Weights of the score and monthly scores."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import LABELS, badge
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.transitions import Move
from apps.core.wording import move_tables
from apps.performance.admin.forms import CommentForm, WeightsForm
from apps.performance.choices import COLOURS, ScoreState
from apps.performance.figures import Rule, objections, score, step
from apps.performance.models import AgentMonth, MonthlyScore, ScoreWeights
from apps.performance.selectors.cells import objection_texts, part_lines
from apps.performance.services import scores
from apps.performance.services.months import this_month
from apps.performance.transitions import SCORE

move_tables.register("performance.monthlyscore", SCORE)


def others(request: HttpRequest, obj: Any) -> bool:
    """Nobody decides about themselves."""
    return obj.person_id != request.user.pk


@admin.register(MonthlyScore)
class MonthlyScoreAdmin(MovesMixin, ReadOnlyAdmin):
    """Computed by the system, published by a second person."""

    moves_table = SCORE
    moves = {
        "publish": Verb(scores.publish, "row", reason=None, show=others, icon="visibility"),
        "take_back": Verb(scores.take_back, "row", show=others, icon="undo"),
    }
    list_display = ("show_month", "person", "score", "show_state", "published_by")
    list_filter = ("status", "month", ("person", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("person", "published_by")
    list_before_template = "admin/performance/scores_before.html"
    ordering = ("-month", "person_id")
    empty_text = gettext_lazy(
        "Once a month is over, a draft is made for everybody with figures. A lead publishes it; then the person sees it."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Of one's own only what is published."""
        return queryset.visible_to(request.user)

    @display(description=gettext_lazy("month"), ordering="month")
    def show_month(self, obj: MonthlyScore) -> str:
        """Year and month."""
        return f"{obj.month:%Y-%m}"

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: MonthlyScore) -> Any:
        """As a coloured word."""
        return badge(COLOURS[obj.status], obj.get_status_display())

    def get_urls(self) -> list[Any]:
        """Where comments go."""
        return [
            path(
                "<int:object_id>/comment/",
                self.admin_site.admin_view(self.comment_view),
                name="performance_monthlyscore_comment",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """How the score came about, and what was said about it. It only shows."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        return self._page(request, row)

    def _page(self, request: HttpRequest, row: MonthlyScore, form: CommentForm | None = None) -> HttpResponse:
        return self.page(
            request,
            "admin/performance/score.html",
            _("Score of %(person)s, %(month)s") % {"person": row.person, "month": f"{row.month:%Y-%m}"},
            obj=row,
            row=row,
            mine=row.person_id == request.user.pk,
            colour=COLOURS[row.status],
            lines=part_lines(row.parts),
            comments=row.comments.select_related("by"),
            moves=self.moves_for(request, row),
            seen=row.status,
            form=(form or CommentForm())
            if row.status == ScoreState.PUBLISHED and scores.may_comment(row, request.user)  # type: ignore[arg-type]
            else None,
        )

    def comment_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: the person's word, or a lead's answer."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(object_id))
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        form = CommentForm(request.POST)
        if not form.is_valid():
            return self._page(request, row, form)
        try:
            scores.comment(row=row, text=form.cleaned_data["text"], by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            tell_error(request, error)
        else:
            messages.success(request, _("Your comment is kept, and the other side is told."))
        return HttpResponseRedirect(reverse("admin:performance_monthlyscore_change", args=[row.pk]))

    def move_note(self, request: HttpRequest, obj: Any, move: Move) -> str:
        """What is published."""
        if move.verb != "publish":
            return ""
        if obj.score is None:
            return _("Too little was seen for a score; the person sees the parts.")
        return _("Score %(score)s") % {"score": obj.score}


@admin.register(ScoreWeights)
class ScoreWeightsAdmin(ReadOnlyAdmin):
    """Versions. A change is a new version, looked at before it is saved."""

    list_display = ("__str__", "show_from", "least_n", "note", "by", "created_at")
    list_select_related = ("by",)
    list_before_template = "admin/performance/weights_before.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By permission; there is no other change."""
        return request.user.has_perm("performance.add_scoreweights")

    @display(description=gettext_lazy("valid from"), ordering="valid_from")
    def show_from(self, obj: ScoreWeights) -> str:
        """Year and month."""
        return f"{obj.valid_from:%Y-%m}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The weights of a version."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        parts = [
            {"figure": r.figure, "weight": r.weight, "best": r.best, "worst": r.worst, "value": None, "n": 0,
             "points": None, "why": ""}
            for r in row.parsed()
        ]  # fmt: skip
        return self.page(
            request, "admin/performance/weights.html", _("Weights of the score"), obj=row, row=row, lines=part_lines(parts)
        )  # fmt: skip

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """GET: the newest weights to change. POST: look at what would change, or save."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        now = timezone.now()
        current = ScoreWeights.objects.order_by("-version").first()
        first = {"valid_from": f"{step(this_month(now), 1):%Y-%m}"}
        form = WeightsForm(request.POST or None, current=current, initial=first)
        wrong: list[Any] = []
        preview: dict[str, Any] | None = None
        if request.method == "POST" and form.is_valid():
            rules = form.rules()
            wrong = objection_texts(
                objections(
                    [Rule(r["figure"], r["weight"], r.get("best", 0), r.get("worst", 0)) for r in rules]
                )
            )
            if not wrong and "save" in request.POST:
                try:
                    row = scores.save_weights(
                        rules=rules,
                        valid_from=form.cleaned_data["valid_from"],
                        least_n=form.cleaned_data["least_n"],
                        note=form.cleaned_data["note"],
                        by=request.user,  # type: ignore[arg-type]
                        now=now,
                    )
                except DomainError as error:
                    field = error.params.get("field", "")
                    form.add_error(field if field in form.fields else None, str(error.message))
                else:
                    messages.success(
                        request,
                        _("Version %(version)d holds from %(month)s on.")
                        % {"version": row.version, "month": f"{row.valid_from:%Y-%m}"},
                    )
                    return HttpResponseRedirect(reverse("admin:performance_scoreweights_changelist"))
            elif not wrong:
                preview = self._preview(request, rules, form.cleaned_data["least_n"], now)
        return self.page(
            request,
            "admin/performance/weights_form.html",
            _("Change the weights"),
            form=form,
            wrong=wrong,
            preview=preview,
            back=reverse("admin:performance_scoreweights_changelist"),
        )

    @staticmethod
    def _preview(request: HttpRequest, rules: list[dict[str, Any]], least_n: int, now: Any) -> dict[str, Any]:
        """What last month's scores would be: two queries."""
        month = step(this_month(now), -1)
        held = scores.weights_of(month)
        fresh = ScoreWeights(rules=rules, least_n=least_n).parsed()
        rows = (
            AgentMonth.objects.visible_to(request.user)
            .filter(month=month, category__isnull=True)
            .select_related("person")
        )
        lines = []
        for row in rows:
            before = scores.result_of(row, held).score if held else None
            after = score(fresh, row.seen(), least_n).score
            change = round(after - before, 1) if before is not None and after is not None else None
            lines.append({"person": row.person, "before": before, "after": after, "change": change})
        return {"month": month, "lines": sorted(lines, key=lambda line: str(line["person"]))}
