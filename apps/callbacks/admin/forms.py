"""What moves and pages of callbacks ask for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.callbacks.choices import CallPurpose, Method, Outcome, Trigger
from apps.callbacks.models import CallbackPlan
from apps.core.admin.forms import DateTimeLocalField, LinesField, PageForm
from apps.core.admin.moves import MoveForm
from apps.core.models import User
from apps.customers.choices import MemberTier
from apps.feedback.choices import Kind, Tier


def callers() -> Any:
    """Colleagues who may call: those with the permission, by name."""
    return User.objects.with_perm(
        "callbacks.work_callback",
        is_active=True,
        include_superusers=False,
        backend="django.contrib.auth.backends.ModelBackend",
    ).order_by("name", "username")


class AssignForm(MoveForm):
    """To whom. Whoever handled the case is not offered."""

    to = forms.ModelChoiceField(label=gettext_lazy("Colleague"), queryset=User.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        barred = {getattr(record, "not_by_id", None) for record in self.records} - {None}
        self.fields["to"].queryset = callers().exclude(pk__in=barred)  # type: ignore[attr-defined]
        self.order_fields(["to", "reason"])


class WhenForm(MoveForm):
    """When instead."""

    due_at = DateTimeLocalField(label=gettext_lazy("New time"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["due_at", "reason"])


class ResultForm(forms.Form):
    """The call sheet. Fields are drawn by the page; the services judge what fits together."""

    outcome = forms.ChoiceField(choices=Outcome.choices, label=gettext_lazy("Outcome"))
    satisfaction = forms.TypedChoiceField(
        choices=[(n, str(n)) for n in range(1, 6)],
        coerce=int,
        empty_value=None,
        required=False,
        label=gettext_lazy("Satisfaction"),
    )
    method = forms.ChoiceField(choices=Method.choices, initial=Method.PHONE, label=gettext_lazy("By"))
    note = forms.CharField(max_length=2000, required=False, label=gettext_lazy("Note"))
    next_at = DateTimeLocalField(required=False, label=gettext_lazy("Next call"))
    announced = forms.BooleanField(required=False)
    consented = forms.NullBooleanField(required=False)
    recording = forms.FileField(required=False)

    def __init__(self, *args: Any, questions: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.questions = questions
        for index, question in enumerate(questions):
            self.fields[f"answer_{index}"] = forms.CharField(max_length=500, required=False, label=question)

    @property
    def answers(self) -> list[str]:
        """In the order of the questions."""
        return [self.cleaned_data.get(f"answer_{index}", "") for index in range(len(self.questions))]


class RaiseForm(PageForm):
    """What the customer said about something else."""

    text = forms.CharField(
        label=gettext_lazy("What the customer said"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=5000,
    )


class CaseForm(PageForm):
    """A callback about one case."""

    reason = forms.CharField(label=gettext_lazy("What about"), max_length=300, min_length=2)
    due_at = DateTimeLocalField(label=gettext_lazy("When"))
    assignee = forms.ModelChoiceField(
        label=gettext_lazy("Who calls"),
        queryset=User.objects.none(),
        required=False,
        help_text=gettext_lazy("Empty: whoever takes it."),
    )
    not_by_handler = forms.BooleanField(
        label=gettext_lazy("Not by whoever handled the case"), required=False, initial=True
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = callers()  # type: ignore[attr-defined]


class PickForm(PageForm):
    """Which customers, about what, when."""

    plan = forms.ModelChoiceField(
        label=gettext_lazy("Plan"), queryset=CallbackPlan.objects.none(), empty_label=None
    )
    reason = forms.CharField(label=gettext_lazy("What about"), max_length=300, min_length=2)
    due_at = DateTimeLocalField(label=gettext_lazy("When"))
    customers = forms.CharField(
        label=gettext_lazy("Customer numbers"),
        widget=forms.Textarea(attrs={"rows": 5}),
        required=False,
        max_length=20_000,
        help_text=gettext_lazy(
            "One per line: the shop's customer number, or #17 as the customer page shows it."
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a CSV file"),
        required=False,
        help_text=gettext_lazy("With a column “customer number”; else the first column counts."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = CallbackPlan.objects.filter(  # type: ignore[attr-defined]
            trigger=Trigger.HAND_PICKED, is_active=True
        )

    def clean(self) -> dict[str, Any]:
        """Somebody must be named."""
        data = super().clean() or {}
        if not data.get("customers", "").strip() and not data.get("file"):
            self.add_error("customers", _("Name at least one customer."))
        return data


def several(choices: Any, label: Any, help_text: Any = gettext_lazy("None ticked: all.")) -> Any:
    """Ticks over a JSON list."""
    return forms.MultipleChoiceField(
        choices=[pair for pair in choices if pair[0]],
        label=label,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=help_text,
    )


class PlanForm(forms.ModelForm):
    """A plan. What its trigger does not use is left empty by the page's sections."""

    tiers = several(Tier.choices, gettext_lazy("Tiers"))
    kinds = several(Kind.choices, gettext_lazy("Kinds"))
    member_tiers = several(MemberTier.choices, gettext_lazy("Member tiers"))
    questions = LinesField(
        label=pgettext_lazy("callback plan", "Questions"),
        max_line=120,
        help_text=gettext_lazy("One per line, three at most; they stand on the call sheet."),
    )

    class Meta:
        model = CallbackPlan
        fields = "__all__"

    def clean_questions(self) -> list[str]:
        """Nobody answers more than three."""
        lines: list[str] = self.cleaned_data["questions"]
        if len(lines) > 3:
            raise forms.ValidationError(_("Three questions are enough for one call."))
        return lines

    def clean(self) -> dict[str, Any]:
        """What the database would refuse, said in words."""
        data = super().clean() or {}
        first, last = data.get("opens"), data.get("closes")
        if first and last and first >= last:
            self.add_error("closes", _("The end lies before the beginning."))
        if data.get("trigger") != Trigger.AFTER_CASE and data.get("purpose") == CallPurpose.SERVICE:
            self.add_error(
                "purpose",
                _("Only callbacks after a case need no consent: choose survey or care with offers."),
            )
        if data.get("team") and data.get("person"):
            self.add_error("person", _("Choose a team or a person, not both."))
        return data
