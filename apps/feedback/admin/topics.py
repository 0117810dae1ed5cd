"""Common problems: the list, the page with trend, places and voices, one answer for many."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.numbers import whole_number
from apps.core.wording import move_tables
from apps.feedback.choices import OPEN_TOPICS, TOPIC_COLOURS
from apps.feedback.models import Feedback, Topic
from apps.feedback.selectors import topics as topic_selector
from apps.feedback.services import topics
from apps.feedback.transitions import TOPIC, TOPIC_WORK

move_tables.register("feedback.topic", TOPIC)


class StateFilter(admin.SimpleListFilter):
    """Open ones unless something else is chosen."""

    title = gettext_lazy("state")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice the list shows what is open."""
        return [("closed", gettext_lazy("closed or merged")), ("all", gettext_lazy("all"))]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": gettext_lazy("open problems")} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        if self.value() == "all":
            return queryset
        if self.value() == "closed":
            return queryset.exclude(state__in=OPEN_TOPICS)
        return queryset.filter(state__in=OPEN_TOPICS)


class MergeForm(MoveForm):
    """Into which."""

    into = forms.ModelChoiceField(label=gettext_lazy("Into"), queryset=Topic.objects.none())
    field_order = ("into", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["into"]
        field.queryset = (
            Topic.objects.visible_to(self.user)  # type: ignore[attr-defined]
            .filter(state__in=OPEN_TOPICS)
            .exclude(pk__in=[row.pk for row in self.records])
            .order_by("-size", "-id")[:200]
        )
        # A sliced list cannot be filtered again: the value is looked for in it.
        rows = list(field.queryset)
        field.queryset = Topic.objects.filter(pk__in=[row.pk for row in rows]).order_by("-size", "-id")


class AnswerForm(PageForm):
    """One text for many."""

    text = forms.CharField(
        label=gettext_lazy("Answer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "{{customer_name}}, {{case_no}}, {{product}} and {{store}} are filled in for each."
        ),
    )
    resolution = forms.CharField(
        label=gettext_lazy("And resolve their cases with"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Empty: the cases stay open."),
    )


class LinkForm(PageForm):
    """Which feedback belong here too."""

    numbers = forms.CharField(
        label=gettext_lazy("Numbers of the feedback"),
        max_length=1000,
        help_text=gettext_lazy("e.g. F0000012, F0000034"),
    )


@admin.register(Topic)
class TopicAdmin(MovesMixin, HistoryModelAdmin):
    """The latest first. Members are linked and taken out on the page; states move by buttons."""

    moves_table = TOPIC
    moves_field = "state"
    moves = {
        "close": Verb(topics.close, "topic", icon="check"),
        "reopen": Verb(topics.reopen, "topic", icon="undo"),
        "merge": Verb(topics.merge, "topic", form=MergeForm, icon="merge"),
        "unmerge": Verb(topics.unmerge, "topic", icon="call_split"),
    }
    moves_in_rows = False
    deletable = False
    list_display = ("name", "show_size", "category", "product", "show_state", "last_at")
    list_filter = (StateFilter, ("category", RelatedDropdownFilter), ("product", RelatedDropdownFilter))
    search_fields = ("name__icontains",)
    list_select_related = ("category", "product")
    ordering = ("-last_at", "-id")
    change_form_outer_before_template = "admin/core/moves.html"
    change_form_outer_after_template = "admin/feedback/topic/page.html"
    empty_text = gettext_lazy(
        "No common problem yet. When three customers say nearly the same, it appears here by itself; you can also make one."
    )
    fieldsets = ((None, {"fields": ("name", "note", ("category", "product"), "show_state")}),)
    readonly_fields = ("show_state",)
    autocomplete_fields = ("product",)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see problems their customers have."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def get_urls(self) -> list[Any]:
        """Linking, taking out, answering."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/link/", wrap(require_POST(self.link_view)), name="feedback_topic_link"),
            path(
                "<int:pk>/unlink/<int:feedback>/",
                wrap(require_POST(self.unlink_view)),
                name="feedback_topic_unlink",
            ),
            path("<int:pk>/answer/", wrap(self.answer_view), name="feedback_topic_answer"),
            *super().get_urls(),
        ]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Adds the trend: one query for all rows of a page."""
        now, known = timezone.now(), {}

        def trend(obj: Topic) -> str:
            if not known:
                recent = Topic.objects.order_by("-last_at", "-id").values_list("pk", flat=True)[:200]
                known.update(topics.topic_trend([*recent, obj.pk], now))
            weeks = known.get(obj.pk) or topics.topic_trend([obj.pk], now)[obj.pk]
            return render_to_string("feedback/sparkline.html", topic_selector.sparkline(weeks))

        trend.short_description = _("last 8 weeks")  # type: ignore[attr-defined]
        columns = list(super().get_list_display(request))
        return [*columns[:2], trend, *columns[2:]]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With everything that is known of the problem below its fields."""
        extra = extra_context or {}
        topic = self.get_object(request, object_id) if whole_number(object_id) is not None else None
        if topic is not None and request.method == "GET":
            extra |= {
                "topic": topic_selector.page(topic, request.user, timezone.now()),
                "link_form": LinkForm(),
                "can_link": request.user.has_perm(TOPIC_WORK),
                "can_answer": request.user.has_perm(topics.ANSWER) and topic.state in OPEN_TOPICS,
            }
        return super().change_view(request, object_id, form_url, extra)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        """The note is short; what customers said is what the page is for."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "note" and field is not None:
            field.widget.attrs["rows"] = 2
        return field

    def save_model(self, request: HttpRequest, obj: Topic, form: Any, change: bool) -> None:
        """A new one names its maker."""
        if not change:
            obj.made_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def _topic(self, request: HttpRequest, pk: int) -> Topic:
        return get_object_or_404(self.get_queryset(request), pk=pk)

    def link_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put feedback into the problem by their numbers."""
        if not request.user.has_perm(TOPIC_WORK):
            raise PermissionDenied
        topic = self._topic(request, pk)
        words = (
            request.POST.get("numbers", "")[:1000]
            .replace("、", ",")
            .replace("\uff0c", ",")
            .replace(" ", ",")
            .split(",")
        )
        numbers = [whole_number(word.strip().lstrip("Ff#")) for word in words if word.strip()]
        rows = list(
            Feedback.objects.visible_to(request.user).filter(
                pk__in=[n for n in numbers if n is not None][:200]
            )
        )
        missing = len({n for n in numbers if n is not None}) - len(rows) + sum(n is None for n in numbers)
        try:
            count = topics.link(topic=topic, feedback=rows, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            if count:
                messages.success(
                    request,
                    ngettext("%(n)d feedback linked.", "%(n)d feedback linked.", count) % {"n": count},
                )
            if missing or not count:
                messages.warning(
                    request, _("Not found, or not yours to see: %(n)d.") % {"n": max(missing, 0)}
                )
        return redirect("admin:feedback_topic_change", pk)

    def unlink_view(self, request: HttpRequest, pk: int, feedback: int) -> HttpResponse:
        """It is something else."""
        if not request.user.has_perm(TOPIC_WORK):
            raise PermissionDenied
        row = get_object_or_404(Feedback.objects.visible_to(request.user), pk=feedback)
        try:
            topics.unlink(topic=self._topic(request, pk), feedback=row, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(
                request,
                _("%(number)s was taken out; the machine will not put it back.") % {"number": row.number},
            )
        return redirect("admin:feedback_topic_change", pk)

    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET: whom it would reach. POST: ask a second person to read it."""
        if not request.user.has_perm(topics.ANSWER):
            raise PermissionDenied
        topic = self._topic(request, pk)
        user: Any = request.user
        people = topics.answerable(topic, user)
        form = AnswerForm(request.POST or None)
        chosen = {n for n in map(whole_number, request.POST.getlist("ids")) if n is not None}
        findings: list[Any] = []
        if request.method == "POST" and form.is_valid():
            try:
                topics.ask_answer(
                    topic=topic,
                    text=form.cleaned_data["text"],
                    feedback_ids=sorted(chosen),
                    resolution=form.cleaned_data["resolution"],
                    by=user,
                    now=timezone.now(),
                )
            except DomainError as error:
                from apps.compliance.admin.try_text import shown

                findings = shown(error.params.get("findings", []))
                form.add_error("text" if error.params.get("field") == "text" else None, str(error.message))
            else:
                messages.success(
                    request, _("A colleague reads it now; with their yes it goes out to everybody chosen.")
                )
                return redirect("admin:feedback_topic_change", pk)
        return self.page(
            request,
            "admin/feedback/topic/answer.html",
            _("Answer all"),
            obj=topic,
            form=form,
            people=[
                (row, next((way for way in topic_selector.ways(row) if way.open), None)) for row in people
            ],
            chosen=chosen if request.method == "POST" else {row.pk for row in people},
            findings=findings,
            back=reverse("admin:feedback_topic_change", args=[pk]),
        )

    @display(description=gettext_lazy("feedback"), ordering="size")
    def show_size(self, obj: Topic) -> int:
        """How many said it."""
        return obj.size

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: Topic) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(TOPIC_COLOURS.get(obj.state or "open", "grey"), obj.get_state_display())
