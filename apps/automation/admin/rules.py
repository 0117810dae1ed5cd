"""Rules: the builder, dry runs, switching on and off, the log."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.automation.book import problems_of_rule
from apps.automation.choices import RULE_COLOURS
from apps.automation.models import Rule, RuleRun
from apps.automation.registries import events
from apps.automation.services import dry_run as trial
from apps.automation.services import rules
from apps.automation.transitions import RULE
from apps.automation.wording import outcome_words, sentence, vocabulary
from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.transitions import Move
from apps.core.wording import move_tables
from apps.feedback.services.telling import address

move_tables.register("automation.rule", RULE)


class ConfirmForm(MoveForm):
    """Nothing to type, but a page that asks."""


class Builder(forms.Widget):
    """Event, conditions and actions as rows to choose; JSON in one hidden field, checked by the server."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The frame; static/automation/rule.js fills it."""
        try:
            given = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            given = None
        given = given if isinstance(given, dict) else {}
        return render_to_string(
            "admin/automation/builder.html",
            {
                "name": name,
                "given": given,
                "raw": json.dumps(given, ensure_ascii=False),
                "words": vocabulary(),
            },
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """As posted."""
        return data.get(name)


class RuleForm(forms.ModelForm):
    """A rule; what the builder posts is checked as a whole."""

    definition = forms.CharField(label=gettext_lazy("the rule"), widget=Builder, required=True)

    class Meta:
        model = Rule
        fields = (
            "name",
            "code",
            "description",
            "position",
            "stop",
            "active_from",
            "active_until",
            "working_time_only",
            "with_historical",
            "max_per_hour",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        start = {"event": "taken_in", "event_params": {}, "conditions": {"all": []}, "actions": []}
        if rule.pk:
            start = {name: getattr(rule, name) for name in start}
        self.fields["definition"].initial = json.dumps(start, ensure_ascii=False)

    def clean_definition(self) -> dict[str, Any]:
        """Readable, and made of what the registries know. Every problem names its condition or action."""
        try:
            given = json.loads(self.cleaned_data["definition"])
        except ValueError as error:
            raise ValidationError(_("The rule is not readable.")) from error
        if not isinstance(given, dict) or len(self.cleaned_data["definition"]) > 100_000:
            raise ValidationError(_("The rule is not readable."))
        parts = {
            "event": given.get("event", ""),
            "event_params": given.get("event_params") or {},
            "conditions": given.get("conditions") or {},
            "actions": given.get("actions") or [],
        }
        if not isinstance(parts["event"], str):
            raise ValidationError(_("The rule is not readable."))
        found = problems_of_rule(Rule(**parts))
        if found:
            raise ValidationError([ValidationError(problem) for problem in found])
        return parts


@admin.register(Rule)
class RuleAdmin(MovesMixin, HistoryModelAdmin):
    """In the order in which they are asked. Acts only after a dry run and a confirmed switch."""

    form = RuleForm
    moves_table = RULE
    moves = {
        "enable": Verb(rules.enable, "rule", reason=None, form=ConfirmForm, icon="play_arrow"),
        "disable": Verb(rules.disable, "rule", reason=None, form=ConfirmForm, icon="pause"),
    }
    list_display = ("position", "name", "show_event", "show_status", "version", "show_day")
    list_display_links = ("name",)
    list_filter = ("status",)
    search_fields = ("name__icontains", "code__istartswith")
    empty_text = gettext_lazy(
        "A rule does by itself what you would do every time: when something comes in and conditions hold, it acts."
    )
    fieldsets = (
        (None, {"fields": ("name", "code", "description")}),
        (gettext_lazy("The rule"), {"fields": ("definition",)}),
        (
            gettext_lazy("When and how often"),
            {
                "fields": (
                    ("position", "stop"),
                    "active_from",
                    "active_until",
                    ("working_time_only", "with_historical"),
                    "max_per_hour",
                )
            },
        ),
    )
    change_form_outer_before_template = "admin/automation/rule_before.html"

    class Media:
        js = ("automation/rule.js",)
        css = {"all": ("automation/rule.css",)}

    def get_urls(self) -> list[Any]:
        """The dry run."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/dry-run/", wrap(self.dry_run_view), name="automation_rule_dry_run"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """With what each did within a day, by one query for the whole list."""
        return super().get_queryset(request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Counts for the rows of the page."""
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        counts = trial.last_day_counts([row.pk for row in rows], timezone.now())
        for row in rows:
            row.day_count = counts.get(row.pk, 0)
        found.result_list = rows
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> tuple[str, ...]:
        """A rule keeps its code."""
        names = tuple(super().get_readonly_fields(request, obj))
        return names if obj is None else (*names, "code")

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        """Who may not change it reads the sentence above; the builder is for those who may."""
        if obj is not None and not self.has_change_permission(request, obj):
            return tuple(part for part in self.fieldsets if part[1]["fields"] != ("definition",))
        return self.fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Readers get no builder."""
        if obj is not None and not self.has_change_permission(request, obj):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        """A new version by the service."""
        for name, value in form.cleaned_data["definition"].items():
            setattr(obj, name, value)
        rules.save(rule=obj, by=request.user, now=timezone.now())  # type: ignore[arg-type]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Says the rule in words above the form, what is wrong with it, and how its last dry run went."""
        context = dict(extra_context or {})
        rule = self.get_object(request, object_id) if object_id and request.method == "GET" else None
        if rule is not None:
            context |= {
                "sentence": sentence(rule),
                "problems": problems_of_rule(rule),
                "tried": trial.latest(rule),
                "state": badge(rule.status, rule.get_status_display()),
                "may_try": self.has_change_permission(request, rule),
                "versions": list(rule.versions.select_related("by")[:5]),
                "runs_url": reverse("admin:automation_rulerun_changelist") + f"?rule__id__exact={rule.pk}",
            }
        return super().changeform_view(request, object_id, form_url, context)

    def move_note(self, request: HttpRequest, obj: Rule, move: Move) -> str:
        """The rule in words, on the page that asks."""
        return sentence(obj)

    def dry_run_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET shows the last one, POST makes a new one."""
        rule = self.get_object(request, str(object_id))
        if rule is None:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        tried = trial.latest(rule)
        form = DryRunForm(
            request.POST if request.method == "POST" else None,
            initial={"days": tried.days} if tried else None,
        )
        if request.method == "POST" and form.is_valid():
            try:
                trial.dry_run(rule=rule, days=form.cleaned_data["days"], by=request.user, now=timezone.now())  # type: ignore[arg-type]
            except DomainError as error:
                messages.error(request, str(error.message))
            return redirect("admin:automation_rule_dry_run", rule.pk)
        hits, misses = trial.rows_of(tried, request.user) if tried is not None else ([], [])
        return self.page(
            request,
            "admin/automation/dry_run.html",
            _("Dry run"),
            obj=rule,
            form=form,
            tried=tried,
            hits=hits,
            misses=misses,
            sentence=sentence(rule),
            moves=self.moves_for(request, rule),
            most=trial.MAX_ROWS,
        )

    @display(description=gettext_lazy("event"), ordering="event")
    def show_event(self, obj: Rule) -> str:
        """In words."""
        event = events.get(obj.event)
        return str(event.label) if event is not None else obj.event

    @display(description=gettext_lazy("state"), ordering="status", label=RULE_COLOURS)
    def show_status(self, obj: Rule) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=gettext_lazy("acted within 24 hours"))
    def show_day(self, obj: Rule) -> int:
        """How often."""
        return getattr(obj, "day_count", 0)


class DryRunForm(PageForm):
    """Over how many days."""

    days = forms.IntegerField(
        label=gettext_lazy("days back"), min_value=1, max_value=trial.MAX_DAYS, initial=7
    )


@admin.register(RuleRun)
class RuleRunAdmin(ReadOnlyAdmin):
    """What rules did, newest first."""

    list_display = ("at", "rule", "show_case", "version", "depth", "show_outcomes")
    list_filter = (("rule", RelatedDropdownFilter), "event")
    list_select_related = ("rule",)
    search_fields = ("feedback__id__exact",)
    search_help_text = gettext_lazy("number of the feedback")
    fields = (
        "rule",
        "version",
        "show_event",
        "show_case",
        "instance",
        "depth",
        "at",
        "milliseconds",
        "show_outcomes",
    )
    readonly_fields = ("show_event", "show_case", "show_outcomes")
    empty_text = gettext_lazy("Nothing yet. As soon as a rule acts on a feedback, a line stands here.")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Those about feedback the person sees."""
        from apps.feedback.models import Feedback

        seen = Feedback.objects.visible_to(request.user)
        return queryset if not seen.query.where else queryset.filter(feedback__in=seen)

    @display(description=gettext_lazy("event"))
    def show_event(self, obj: RuleRun) -> str:
        """In words."""
        event = events.get(obj.event)
        return str(event.label) if event is not None else obj.event

    @display(description=gettext_lazy("feedback"))
    def show_case(self, obj: RuleRun) -> Any:
        """Its number, to its page."""
        return link(address(obj.feedback_id), f"F{obj.feedback_id:07d}")

    @display(description=gettext_lazy("what was done"))
    def show_outcomes(self, obj: RuleRun) -> Any:
        """Action by action."""
        return format_html_join(", ", "{}: {}", (outcome_words(outcome) for outcome in obj.outcomes))
