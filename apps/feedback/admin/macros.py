"""Macros as leads build them: up to eight steps, each checked when it is saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.forms import dress
from apps.core.exceptions import InvalidInput
from apps.feedback.choices import Tier
from apps.feedback.models import Category, Macro
from apps.feedback.services import macros
from apps.messaging.models import MessageTemplate
from apps.shop.models import Department

VERBS = (
    ("", "—"),
    ("claim", pgettext_lazy("macro", "take the case")),
    ("reply", pgettext_lazy("macro", "reply by template")),
    ("note", pgettext_lazy("macro", "add a note")),
    ("correct", pgettext_lazy("macro", "correct tier or category")),
    ("promise", pgettext_lazy("macro", "note a promise")),
    ("task", pgettext_lazy("macro", "task for a department")),
    ("wait", pgettext_lazy("macro", "wait for the customer")),
    ("resolve", pgettext_lazy("macro", "resolve")),
)
PARTS = ("verb", "template", "text", "hours", "department", "tier", "category")


class MacroForm(forms.ModelForm):
    """A macro with its steps as fields, so that nobody writes JSON."""

    class Meta:
        model = Macro
        fields = ("name", "description", "position", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = list(self.instance.steps or []) if self.instance is not None else []
        templates = [("", "—"), *MessageTemplate.objects.filter(is_active=True).values_list("code", "title")]
        departments = [("", "—"), *((row.code, str(row)) for row in Department.objects.order_by("code"))]
        categories = [("", "—"), *((row.code, str(row)) for row in Category.objects.filter(is_active=True))]
        for number in range(macros.MOST_STEPS):
            step = given[number] if number < len(given) else {}
            made: dict[str, forms.Field] = {
                "verb": forms.ChoiceField(
                    label=_("Step %(n)d") % {"n": number + 1}, choices=VERBS, required=False
                ),
                "template": forms.ChoiceField(label=_("template"), choices=templates, required=False),
                "text": forms.CharField(label=_("text"), max_length=500, required=False),
                "hours": forms.IntegerField(
                    label=pgettext("macro", "hours"), min_value=1, max_value=720, required=False
                ),
                "department": forms.ChoiceField(label=_("department"), choices=departments, required=False),
                "tier": forms.ChoiceField(
                    label=_("tier"), choices=[("", "—"), *Tier.choices], required=False
                ),
                "category": forms.ChoiceField(label=_("category"), choices=categories, required=False),
            }
            dress(made)
            for part, field in made.items():
                field.initial = step.get(part, "")
                self.fields[f"s{number}_{part}"] = field

    def clean(self) -> dict[str, Any]:
        """The steps as the service takes them, refused with the number of the step."""
        data = super().clean() or {}
        steps = []
        for number in range(macros.MOST_STEPS):
            values = {part: data.get(f"s{number}_{part}") for part in PARTS}
            if values["verb"]:
                steps.append({part: value for part, value in values.items() if value not in ("", None)})
        try:
            macros.check_steps(steps)
        except InvalidInput as error:
            raise ValidationError(str(error.message)) from error
        self.instance.steps = steps
        return data


@admin.register(Macro)
class MacroAdmin(HistoryModelAdmin):
    """In the order of the composer's menu."""

    form = MacroForm
    list_display = ("name", "description", "position", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name__icontains",)
    empty_text = gettext_lazy("No macro yet. A macro does in one click what is always done together.")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Adds the steps as sentences; their names are looked up once for all rows."""
        names = macros.Names()

        def steps(obj: Macro) -> Any:
            return _sentences(obj, names)

        steps.short_description = _("steps")  # type: ignore[attr-defined]
        columns = list(super().get_list_display(request))
        return [*columns[:2], steps, *columns[2:]]

    def get_fieldsets(self, request: HttpRequest, obj: Macro | None = None) -> Any:
        """One row of fields for each step."""
        head = (None, {"fields": ("name", "description", ("position", "is_active"))})
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": ("name", "description", "position", "is_active", "show_steps")}),)
        steps = [
            (
                "",
                {
                    "fields": (
                        (f"s{number}_verb", f"s{number}_template"),
                        f"s{number}_text",
                        (f"s{number}_hours", f"s{number}_department"),
                        (f"s{number}_tier", f"s{number}_category"),
                    ),
                    "classes": ("collapse",) if number > 3 else (),
                },
            )
            for number in range(macros.MOST_STEPS)
        ]
        return (head, *steps)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The steps' fields are made by the form itself."""
        kwargs["fields"] = ("name", "description", "position", "is_active")
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Macro | None = None) -> tuple[str, ...]:
        """Whoever only looks reads the steps as sentences."""
        return () if self.has_change_permission(request, obj) else ("show_steps",)

    @display(description=gettext_lazy("steps"))
    def show_steps(self, obj: Macro) -> Any:
        """As sentences."""
        return _sentences(obj, macros.Names())


def _sentences(obj: Macro, names: macros.Names) -> Any:
    return format_html_join(
        "", "<div>{}. {}</div>", ((n, macros.describe(step, names)) for n, step in enumerate(obj.steps, 1))
    )
