"""The knowledge base: articles, their use beside a case, automatic answers and their review, proposals (R21)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, PartInline, ReadOnlyAdmin, safe_next, tell_error
from apps.core.admin.display import badge, link
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.wording import VERBS, move_tables
from apps.feedback.choices import ArticleState, AutoAnswerState, Verdict
from apps.feedback.models import (
    Article,
    ArticleProposal,
    ArticleVariant,
    AutoAnswer,
    Channel,
    Feedback,
)
from apps.feedback.selectors import knowledge as selector
from apps.feedback.services import auto_answer as answers
from apps.feedback.services import knowledge as service
from apps.feedback.transitions import ARTICLE, AUTO_ANSWER, PROPOSAL

move_tables.register("feedback.article", ARTICLE)
move_tables.register("feedback.autoanswer", AUTO_ANSWER)
move_tables.register("feedback.articleproposal", PROPOSAL)
VERBS["judge"] = gettext_lazy("Judged")

STATES = {
    ArticleState.DRAFT: "default",
    ArticleState.IN_REVIEW: "warning",
    ArticleState.PUBLISHED: "success",
    ArticleState.RETIRED: "default",
}


class VariantInline(PartInline):
    """How customers ask, a line each."""

    model = ArticleVariant
    fields = ("text",)
    with_new = True


@admin.register(Article)
class ArticleAdmin(MovesMixin, HistoryModelAdmin):
    """Drafts are written here, a second person publishes them under Approvals."""

    moves_table = ARTICLE
    moves_field = "state"
    moves = {
        "submit": Verb(service.submit, "article", reason=None, icon="send"),
        "withdraw": Verb(service.withdraw, "article", reason=None, icon="undo"),
        "revise": Verb(service.revise, "article", reason=None, icon="edit"),
        "retire": Verb(service.retire, "article", icon="archive"),
    }
    moves_in_rows = False
    inlines = (VariantInline,)
    list_display = (
        "title",
        "show_state",
        "category",
        "language",
        "show_validity",
        "show_automatic",
        "show_used",
    )
    list_filter = (
        "state",
        ("category", RelatedDropdownFilter),
        "language",
        "may_auto_answer",
        "is_sensitive",
    )
    list_select_related = ("category__parent",)
    search_fields = ("title",)
    search_help_text = gettext_lazy("By meaning: type a question as customers do.")
    list_before_template = "admin/feedback/article/before.html"
    change_form_outer_before_template = "admin/feedback/article/form_before.html"
    autocomplete_fields = ("category", "products", "stores")
    empty_text = gettext_lazy(
        "No article yet. Write down one question that comes up every day and how customers ask it; it is then suggested beside each case."
    )
    fieldsets = (
        (None, {"fields": ("title", "body", "code", "language", "category")}),
        (
            gettext_lazy("Where and when it holds"),
            {"fields": ("products", "stores", "valid_from", "valid_until")},
        ),
        (gettext_lazy("Automatic answers"), {"fields": ("may_auto_answer", "is_sensitive")}),
        (gettext_lazy("State"), {"fields": ("state", "version", "published_at", "written_by", "show_used")}),
    )
    readonly_fields = ("version", "published_at", "written_by", "show_used")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see theirs and those of every store; with how often each was used."""
        return queryset.visible_to(request.user).annotate(
            used=models.Count("uses", filter=models.Q(uses__kind__in=("used", "auto")), distinct=True)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """Published articles by meaning, all others by their words."""
        term = search_term.strip()
        if not term:
            return queryset, False
        near = selector.base().search(term, day=timezone.localdate(), limit=20, least=0.05)
        words = (
            models.Q(title__icontains=term)
            | models.Q(code__istartswith=term)
            | models.Q(body__icontains=term)
            | models.Q(pk__in=ArticleVariant.objects.filter(text__icontains=term).values("article_id"))
        )
        return queryset.filter(words | models.Q(pk__in=[found.article.pk for found in near])), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts are open: what was approved stays as it was approved."""
        if obj is not None and obj.state != ArticleState.DRAFT:
            return False
        return super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        """Remember the author of a new one."""
        if not change:
            obj.written_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[Any]:
        """Rules, samples, proposals and the buttons beside a case."""
        wrap = self.admin_site.admin_view
        return [
            path("automatic/", wrap(self.rules_view), name="feedback_article_rules"),
            path("samples/", wrap(require_POST(self.samples_view)), name="feedback_article_samples"),
            path("propose/", wrap(require_POST(self.propose_view)), name="feedback_article_propose"),
            path(
                "<int:pk>/use/<int:feedback_pk>/",
                wrap(require_POST(self.use_view)),
                name="feedback_article_use",
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With the ways to rules, answers and proposals."""
        user = request.user
        extra: dict[str, Any] = {
            "can_rule": user.has_perm("feedback.view_knowledgepolicy"),
            "can_review": user.has_perm("feedback.view_autoanswer"),
            "can_propose": user.has_perm("feedback.view_articleproposal"),
            "can_load": user.has_perm("feedback.add_article"),
        }
        if extra["can_rule"]:
            extra["rules"] = selector.policy()
        if extra["can_review"]:
            extra["to_review"] = AutoAnswer.objects.visible_to(user).to_review()[:100].count()
        if extra["can_propose"]:
            extra["proposals"] = service.open_proposals()
        return super().changelist_view(request, (extra_context or {}) | extra)

    def samples_view(self, request: HttpRequest) -> HttpResponse:
        """Load the sample articles as drafts."""
        if not request.user.has_perm("feedback.add_article"):
            raise PermissionDenied
        done = service.load_samples(by=request.user, now=timezone.now(), published=False)  # type: ignore[arg-type]
        messages.success(
            request,
            ngettext(
                "%(count)d sample article loaded as a draft. Make it yours, then submit it for approval.",
                "%(count)d sample articles loaded as drafts. Make them yours, then submit them for approval.",
                done["created"],
            )
            % {"count": done["created"]},
        )
        return redirect("admin:feedback_article_changelist")

    def propose_view(self, request: HttpRequest) -> HttpResponse:
        """Look for answers that worked, now."""
        if not request.user.has_perm("feedback.change_article"):
            raise PermissionDenied
        made = service.propose(now=timezone.now())
        messages.success(
            request,
            ngettext("%(count)d new proposal.", "%(count)d new proposals.", made) % {"count": made},
        )
        return redirect("admin:feedback_articleproposal_changelist")

    def use_view(self, request: HttpRequest, pk: int, feedback_pk: int) -> HttpResponse:
        """Used in an answer, or not fitting this case."""
        feedback = get_object_or_404(Feedback.objects.visible_to(request.user), pk=feedback_pk)
        article = get_object_or_404(Article.objects.visible_to(request.user), pk=pk)
        fits = request.POST.get("fits") == "1"
        try:
            service.use(article=article, feedback=feedback, fits=fits, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            tell_error(request, error)
        else:
            messages.success(
                request,
                _("Noted that this article was used.") if fits else _("Noted: it does not fit this case."),
            )
        return HttpResponseRedirect(
            safe_next(request, reverse("admin:feedback_feedback_change", args=[feedback.pk]))
        )

    def rules_view(self, request: HttpRequest) -> HttpResponse:
        """Switch, threshold with what it would have meant, figures."""
        if not request.user.has_perm("feedback.view_knowledgepolicy"):
            raise PermissionDenied
        rules, now = selector.policy(), timezone.now()
        may = request.user.has_perm("feedback.change_knowledgepolicy")
        form = RulesForm(
            request.POST if request.method == "POST" else None,
            initial={
                "auto_answer": rules.auto_answer,
                "threshold": round(rules.threshold * 100),
                "sample_percent": rules.sample_percent,
                "daily_cap": rules.daily_cap,
                "channels": list(rules.channels.all()),
            },
        )
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid():
                values = dict(form.cleaned_data)
                channels = list(values.pop("channels"))
                values["threshold"] = values["threshold"] / 100
                try:
                    answers.set_policy(values=values, channels=channels, by=request.user, now=now)  # type: ignore[arg-type]
                except DomainError as error:
                    form.add_error(error.params.get("field"), str(error.message))
                else:
                    messages.success(request, _("Saved."))
                    return redirect("admin:feedback_article_rules")
        steps = selector.curve()
        return self.page(
            request,
            "admin/feedback/article/rules.html",
            _("Automatic answers"),
            form=form,
            may=may,
            rules=rules,
            figures=selector.figures(now),
            steps=steps,
            judged=steps[0].kept.n if steps else 0,
        )

    @display(description=gettext_lazy("state"), label=STATES)
    def show_state(self, obj: Article) -> Any:
        """As a badge."""
        return badge(obj.state, obj.get_state_display())

    @display(description=pgettext_lazy("article", "valid"))
    def show_validity(self, obj: Article) -> Any:
        """Its dates; in words when they are over."""
        if obj.valid_until is not None and obj.valid_until < timezone.localdate():
            return _("expired on %(day)s") % {"day": obj.valid_until.isoformat()}
        if obj.valid_until is not None:
            return _("until %(day)s") % {"day": obj.valid_until.isoformat()}
        return (
            _("always") if obj.valid_from is None else _("from %(day)s") % {"day": obj.valid_from.isoformat()}
        )

    @display(description=gettext_lazy("automatic"), boolean=True)
    def show_automatic(self, obj: Article) -> bool:
        """Whether a machine may say it."""
        return obj.may_auto_answer and not obj.is_sensitive

    @display(description=gettext_lazy("times used"))
    def show_used(self, obj: Any) -> Any:
        """By colleagues and by machine."""
        return getattr(obj, "used", 0)


class RulesForm(PageForm):
    """The lead's rules for automatic answers."""

    auto_answer = forms.BooleanField(
        label=gettext_lazy("Answer plain questions automatically"),
        required=False,
        help_text=gettext_lazy(
            "Price, refunds, compensation, health, personal data and anything upset always go to a person."
        ),
    )
    threshold = forms.IntegerField(
        label=gettext_lazy("Least confidence (%)"),
        min_value=20,
        max_value=99,
        widget=forms.NumberInput(attrs={"type": "range", "step": 1, "data-threshold": "1"}),
    )
    channels = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Channels"),
        required=False,
        queryset=Channel.objects.filter(is_active=True, is_review_platform=False, is_authority=False),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Only there; never under public reviews."),
    )
    sample_percent = forms.IntegerField(
        label=gettext_lazy("Share drawn for review (%)"),
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("The first thirty answers are all drawn."),
    )
    daily_cap = forms.IntegerField(label=gettext_lazy("At most a day"), min_value=1, max_value=100000)


class ToReviewFilter(admin.SimpleListFilter):
    """What waits for a verdict."""

    title = pgettext_lazy("automatic answer", "review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Waiting, right, wrong."""
        return [
            ("open", gettext_lazy("waiting for review")),
            (Verdict.RIGHT, Verdict.RIGHT.label),
            (Verdict.WRONG, Verdict.WRONG.label),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Narrow."""
        if self.value() == "open":
            return queryset.to_review()
        return queryset.filter(verdict=self.value()) if self.value() else queryset


@admin.register(AutoAnswer)
class AutoAnswerAdmin(MovesMixin, ReadOnlyAdmin):
    """What the machine answered and what it left to people; drawn ones are judged here with one click."""

    moves_table = AUTO_ANSWER
    moves_field = "state"
    moves = {"take_back": Verb(answers.take_back, "answer", icon="undo")}
    moves_in_rows = False
    list_display = ("show_case", "show_question", "show_answer", "show_sure", "show_state", "at")
    list_display_links = ("show_case",)
    list_filter = (ToReviewFilter, "state")
    list_select_related = ("feedback", "article", "reviewed_by")
    list_before_template = "admin/feedback/article/answers_before.html"
    change_form_outer_before_template = "admin/feedback/article/answer_before.html"
    empty_text = gettext_lazy(
        "The machine has not looked at a question yet. A lead switches automatic answers on under Knowledge base → Automatic answers."
    )
    fields = (
        "show_feedback",
        "show_question",
        "show_text",
        "show_article",
        "show_sure",
        "show_state",
        "show_reasons",
        "at",
        "sampled_for_review",
        "show_verdict",
        "reviewed_by",
        "reviewed_at",
    )
    readonly_fields = fields

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Those on cases a person may see."""
        return queryset.visible_to(request.user)

    def get_urls(self) -> list[Any]:
        """Judging changes figures: a POST."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/judge/", wrap(require_POST(self.judge_view)), name="feedback_autoanswer_judge"),
            *super().get_urls(),
        ]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Adds right and wrong for those who may."""
        columns = list(super().get_list_display(request))
        may = request.user.has_perm("feedback.review_autoanswer")
        back = request.get_full_path()

        def verdict(obj: AutoAnswer) -> str:
            return render_to_string(
                "admin/feedback/article/verdict.html", {"answer": obj, "may": may, "back": back}, request
            )

        verdict.short_description = gettext_lazy("verdict")  # type: ignore[attr-defined]
        return [*columns, verdict]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With its buttons."""
        extra = {"may_judge": request.user.has_perm("feedback.review_autoanswer")}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | extra)

    def judge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Right or wrong."""
        if not request.user.has_perm("feedback.review_autoanswer"):
            raise PermissionDenied
        answer = self.get_queryset(request).select_related("feedback").filter(pk=pk).first()
        if answer is None:
            raise Http404
        try:
            answers.judge(
                answer=answer,
                verdict=request.POST.get("verdict", ""),
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except DomainError as error:
            tell_error(request, error)
        return HttpResponseRedirect(safe_next(request, reverse("admin:feedback_autoanswer_changelist")))

    @display(description=gettext_lazy("feedback"))
    def show_case(self, obj: AutoAnswer) -> Any:
        """Its number."""
        return f"F{obj.feedback_id:07d}"

    @display(description=gettext_lazy("feedback"))
    def show_feedback(self, obj: AutoAnswer) -> Any:
        """To the case."""
        return link(
            reverse("admin:feedback_feedback_change", args=[obj.feedback_id]), f"F{obj.feedback_id:07d}"
        )

    @display(description=pgettext_lazy("knowledge", "question"))
    def show_question(self, obj: AutoAnswer) -> str:
        """Masked."""
        return Truncator(obj.feedback.snippet or mask_text(obj.feedback.text)).chars(80)

    @display(description=pgettext_lazy("knowledge", "answer"))
    def show_answer(self, obj: AutoAnswer) -> Any:
        """The article, or why a person."""
        if obj.state == AutoAnswerState.HELD:
            return ", ".join(str(word) for word in obj.reason_words()[:3])
        return obj.article or Truncator(obj.text).chars(60)

    @display(description=gettext_lazy("text"))
    def show_text(self, obj: AutoAnswer) -> str:
        """As the customer got it."""
        return obj.text or "–"

    @display(description=pgettext_lazy("knowledge", "article"))
    def show_article(self, obj: AutoAnswer) -> Any:
        """With the version that was said."""
        if obj.article is None:
            return "–"
        return link(
            reverse("admin:feedback_article_change", args=[obj.article_id]),
            _("%(article)s, version %(version)d") % {"article": obj.article, "version": obj.version},
        )

    @display(description=gettext_lazy("confidence"))
    def show_sure(self, obj: AutoAnswer) -> str:
        """In per cent."""
        return f"{obj.confidence:.0%}" if obj.confidence else "–"

    @display(
        description=gettext_lazy("state"),
        label={"sent": "success", "held": "default", "withdrawn": "danger"},
    )
    def show_state(self, obj: AutoAnswer) -> Any:
        """As a badge."""
        return badge(obj.state, obj.get_state_display())

    @display(description=gettext_lazy("why a person"))
    def show_reasons(self, obj: AutoAnswer) -> str:
        """In words."""
        return ", ".join(str(word) for word in obj.reason_words()) or "–"

    @display(description=gettext_lazy("verdict"))
    def show_verdict(self, obj: AutoAnswer) -> Any:
        """Right, wrong or not judged."""
        return obj.get_verdict_display() or "–"


@admin.register(ArticleProposal)
class ArticleProposalAdmin(MovesMixin, ReadOnlyAdmin):
    """Answers that worked several times and are not in the knowledge base."""

    moves_table = PROPOSAL
    moves_field = "state"
    moves = {
        "accept": Verb(service.accept, "proposal", reason=None, icon="note_add"),
        "reject": Verb(service.reject, "proposal", reason=None, icon="close"),
    }
    list_display = ("title", "count", "category", "show_state", "created_at")
    list_filter = ("state",)
    list_select_related = ("category__parent",)
    change_form_outer_before_template = "admin/core/moves.html"
    empty_text = gettext_lazy(
        "Nothing proposed. Each week, answers that colleagues gave at least three times and no article covers are proposed here."
    )
    fields = ("title", "show_questions", "body", "category", "count", "show_state", "show_article")
    readonly_fields = fields

    @display(description=gettext_lazy("ways of asking"))
    def show_questions(self, obj: ArticleProposal) -> str:
        """Masked when they were kept."""
        return " / ".join(obj.questions)

    @display(
        description=gettext_lazy("state"),
        label={"open": "warning", "accepted": "success", "rejected": "default"},
    )
    def show_state(self, obj: ArticleProposal) -> Any:
        """As a badge."""
        return badge(obj.state, obj.get_state_display())

    @display(description=pgettext_lazy("article proposal", "became"))
    def show_article(self, obj: ArticleProposal) -> Any:
        """The draft it became."""
        if obj.article_id is None:
            return "–"
        return link(reverse("admin:feedback_article_change", args=[obj.article_id]), obj.article)
