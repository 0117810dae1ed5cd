"""Rules as legal staff edit them: action, dates, texts; patterns only where their own examples still hold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.compliance.checker import BadRule, compile_rule, evaluate
from apps.compliance.choices import ACTION_COLOURS
from apps.compliance.models import ComplianceRule, RuleTerm
from apps.compliance.selectors import STAMP, rule_data, terms_now
from apps.compliance.types import SUBJECTS, Facts
from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.forms import LinesField

EXAMPLE_FACTS = Facts(subject="message", channel="sms", message_class="marketing")


def wrong_examples(rule: ComplianceRule, terms: dict[str, str]) -> list[str]:
    """The rule's own examples that it does not treat as they say. Raises BadRule."""
    data = rule_data(rule, terms, english=False)
    compiled = compile_rule(data)
    market = rule.scope if rule.scope != "ALL" else "CN"
    # Rules that hang on a channel are tried as a marketing SMS; the day is one on which the rule holds.
    facts = EXAMPLE_FACTS if rule.when or rule.absent else None
    day = rule.valid_from or timezone.localdate()
    out = [text for text in rule.hit if not evaluate(text, facts, market, day, [compiled])]
    return out + [text for text in rule.miss if evaluate(text, facts, market, day, [compiled])]


class RuleForm(forms.ModelForm):
    """Examples one per line; a rule that fails its own examples is not saved."""

    hit = LinesField(label=gettext_lazy("examples it must find"), max_line=300)
    miss = LinesField(label=gettext_lazy("examples it must pass"), max_line=300)
    exceptions = LinesField(label=gettext_lazy("exceptions"), max_line=500)

    class Meta:
        model = ComplianceRule
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        """Compile it and try its examples."""
        values = super().clean() or {}
        if self.errors:
            return values
        subjects = values.get("subjects", self.instance.subjects)
        if not isinstance(subjects, list) or set(subjects) - set(SUBJECTS):
            raise ValidationError({"subjects": _("Known are: %(names)s.") % {"names": ", ".join(SUBJECTS)}})
        rule = ComplianceRule(
            **{
                field.name: values.get(field.name, getattr(self.instance, field.name))
                for field in ComplianceRule._meta.concrete_fields
            }
        )
        try:
            wrong = wrong_examples(rule, terms_now())
        except BadRule as error:
            raise ValidationError(_("The rule cannot be read: %(error)s") % {"error": error}) from error
        if wrong:
            raise ValidationError(
                _("The rule no longer treats its own examples as they say: %(examples)s")
                % {"examples": " / ".join(wrong[:5])}
            )
        return values


@admin.register(ComplianceRule)
class ComplianceRuleAdmin(HistoryModelAdmin):
    """Heaviest and oldest first, as the law book has them."""

    form = RuleForm
    reference_stamps = (STAMP,)
    list_display = ("code", "show_title", "show_action", "scope", "confidence", "valid_from", "is_active")
    list_display_links = ("code", "show_title")
    list_filter = ("action", "scope", "confidence", "is_active")
    search_fields = (
        "code__istartswith",
        "title_zh__icontains",
        "title_en__icontains",
        "message_zh__icontains",
    )
    readonly_fields = ("show_version", "show_law")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "code",
                    "show_version",
                    "title_zh",
                    "title_en",
                    "action",
                    "scope",
                    "confidence",
                    "is_active",
                )
            },
        ),
        (
            gettext_lazy("What people are told"),
            {"fields": ("message_zh", "message_en", "alternative_zh", "alternative_en", "show_law", "law")},
        ),
        (gettext_lazy("In force"), {"fields": ("valid_from", "valid_until", "position")}),
        (
            gettext_lazy("How it is found"),
            {
                "fields": (
                    "subjects",
                    "patterns",
                    "exceptions",
                    "absent",
                    "when",
                    "condition",
                    "negatable",
                    "hit",
                    "miss",
                ),
                "classes": ("collapse",),
                "description": gettext_lazy(
                    "For people who know regular expressions. The examples are tried on every save."
                ),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ComplianceRule | None = None) -> tuple[str, ...]:
        """Verdicts name a rule by its code: it stays."""
        return (*self.readonly_fields, "code") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: ComplianceRule, form: Any, change: bool) -> None:
        """A new version, so that old verdicts say by which they were made."""
        if change and form.changed_data:
            obj.version += 1
        super().save_model(request, obj, form, change)

    @display(description=gettext_lazy("title"))
    def show_title(self, obj: ComplianceRule) -> str:
        """In the reader's language."""
        return obj.title

    @display(description=gettext_lazy("what it does"), ordering="action", label=LABELS)
    def show_action(self, obj: ComplianceRule) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(ACTION_COLOURS[obj.action], obj.get_action_display())

    @display(description=gettext_lazy("version"))
    def show_version(self, obj: ComplianceRule) -> int:
        """Rises with every save."""
        return obj.version or 1

    @display(description=gettext_lazy("sources"))
    def show_law(self, obj: ComplianceRule) -> Any:
        """Line breaks stay."""
        return format_html('<div style="white-space:pre-wrap">{}</div>', obj.law or "–")


@admin.register(RuleTerm)
class RuleTermAdmin(HistoryModelAdmin):
    """Lists of words that several rules share."""

    reference_stamps = (STAMP,)
    list_display = ("code", "show_pattern")
    fields = ("code", "pattern")

    @display(description=gettext_lazy("pattern"))
    def show_pattern(self, obj: RuleTerm) -> str:
        """Its beginning."""
        return obj.pattern[:120] + ("…" if len(obj.pattern) > 120 else "")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        """A broken expression is refused when it is saved, not when somebody replies to a customer."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "pattern" and field is not None:
            field.validators.append(_compiles)
        return field


def _compiles(pattern: str) -> None:
    import re

    try:
        re.compile(pattern)
    except re.error as error:
        raise ValidationError(_("The pattern cannot be read: %(error)s") % {"error": error}) from error
