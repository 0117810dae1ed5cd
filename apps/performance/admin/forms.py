"""What moves and pages of performance ask for."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin.forms import DateTimeLocalField, LinesField, PageForm
from apps.core.admin.moves import MoveForm
from apps.core.models import User
from apps.core.numbers import whole_numbers
from apps.core.services.files import IMAGES
from apps.performance.choices import FIGURE_HELP, FIGURE_LABELS, NoteKind
from apps.performance.figures import FIGURES
from apps.performance.models import QuizQuestion, ScoreWeights, TrainingSession
from apps.performance.selectors.people import people_of

MATERIAL = IMAGES | {"application/pdf"}


def learners() -> Any:
    """Colleagues who can be invited: those with the permission to see trainings, by name."""
    return User.objects.with_perm(
        "performance.view_trainingsession",
        is_active=True,
        include_superusers=False,
        backend="django.contrib.auth.backends.ModelBackend",
    ).order_by("name", "username")


class MonthField(forms.CharField):
    """A month in the browser's own control; answers its first day."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"type": "month"}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        """2026-11 → 1 November 2026."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return date.fromisoformat(f"{text}-01")
        except ValueError as error:
            raise ValidationError(_("This is no month.")) from error


class WeightsForm(PageForm):
    """Weight, full points and no points of every figure. Shares are typed in percent."""

    valid_from = MonthField(label=gettext_lazy("Valid from"))
    least_n = forms.IntegerField(
        label=gettext_lazy("Least number of cases"), min_value=5, max_value=200,
        help_text=gettext_lazy("A figure that rests on fewer does not count."),
    )  # fmt: skip
    note = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, current: ScoreWeights | None = None, **kwargs: Any) -> None:
        known = {row["figure"]: row for row in current.rules} if current else {}
        super().__init__(*args, **kwargs)
        if current:
            self.fields["least_n"].initial = current.least_n
        self.codes = list(FIGURES)
        for code, figure in FIGURES.items():
            row = known.get(code, {})
            scale = 100 if figure.unit == "share" else 1
            for name, label in (
                ("weight", _("weight")),
                ("best", _("full points at")),
                ("worst", _("no points at")),
            ):
                if figure.penalty and name != "weight":
                    continue
                value = row.get(name)
                if value is not None and name != "weight":
                    value = round(value * scale, 2)
                self.fields[f"{name}_{code}"] = forms.FloatField(
                    label=f"{FIGURE_LABELS[code]}: {label}", required=False, min_value=0, max_value=100_000,
                    initial=f"{value:g}" if value is not None else None,
                    widget=forms.NumberInput(attrs={"step": "any", "class": "fc-input"}),
                )  # fmt: skip

    def head(self) -> list[Any]:
        """The fields above the table."""
        return [self[name] for name in ("valid_from", "least_n", "note")]

    def table(self) -> list[dict[str, Any]]:
        """A line per figure."""
        units = {"share": "%", "minutes": _("minutes"), "cny": "¥", "count": ""}
        return [
            {
                "label": FIGURE_LABELS[code],
                "help": FIGURE_HELP[code],
                "figure": FIGURES[code],
                "unit": _("points of the score for each")
                if FIGURES[code].penalty
                else units[FIGURES[code].unit],
                "cells": [
                    self[f"{name}_{code}"] if f"{name}_{code}" in self.fields else None
                    for name in ("weight", "best", "worst")
                ],
            }
            for code in self.codes
        ]

    def rules(self) -> list[dict[str, Any]]:
        """The figures that have a weight, as stored."""
        found = []
        for code in self.codes:
            weight = self.cleaned_data.get(f"weight_{code}") or 0
            if not weight:
                continue
            scale = 100 if FIGURES[code].unit == "share" else 1
            row: dict[str, Any] = {"figure": code, "weight": weight}
            if not FIGURES[code].penalty:
                row |= {
                    name: (self.cleaned_data.get(f"{name}_{code}") or 0) / scale for name in ("best", "worst")
                }
            found.append(row)
        return found


class CommentForm(PageForm):
    """A comment on a score."""

    text = forms.CharField(
        label=gettext_lazy("Comment"), max_length=2000, min_length=2, widget=forms.Textarea(attrs={"rows": 3})
    )


class NoteForm(PageForm):
    """A coaching note to somebody one leads."""

    person = forms.ModelChoiceField(label=gettext_lazy("For"), queryset=User.objects.none())
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=NoteKind.choices, initial=NoteKind.ADVICE)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=2000, min_length=2, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("Say what you saw, what it did to the customer, and what to try next time."),
    )  # fmt: skip
    case = forms.CharField(
        label=gettext_lazy("About the case"), max_length=20, required=False,
        help_text=gettext_lazy("Its number, such as F0000017."),
    )  # fmt: skip
    follow_up_on = forms.DateField(
        label=gettext_lazy("Follow up on"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("You are reminded on that day."),
    )  # fmt: skip

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = people_of(user).exclude(pk=user.pk)  # type: ignore[attr-defined]


class AnswerForm(MoveForm):
    """The person's answer to a note."""

    answer = forms.CharField(
        label=gettext_lazy("Answer"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class AcceptForm(MoveForm):
    """The training that is planned."""

    topic = forms.CharField(label=gettext_lazy("Topic"), max_length=120, min_length=2)
    starts_at = DateTimeLocalField(label=gettext_lazy("Begins"))
    place = forms.CharField(label=gettext_lazy("Place"), max_length=120, required=False)
    trainer = forms.ModelChoiceField(
        label=gettext_lazy("Trainer"), queryset=User.objects.none(), required=False,
        help_text=gettext_lazy("Empty: you."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["trainer"].queryset = learners()  # type: ignore[attr-defined]


class InviteForm(PageForm):
    """Who takes part."""

    people = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Colleagues"), queryset=User.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, session: TrainingSession, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = session.participants.values("person_id")
        self.fields["people"].queryset = learners().exclude(pk__in=present)  # type: ignore[attr-defined]


class ReplayForm(PageForm):
    """A closed case for a training."""

    number = forms.CharField(
        label=gettext_lazy("Number of the case"), max_length=20, help_text=gettext_lazy("A closed one, such as F0000017.")
    )  # fmt: skip
    lesson = forms.CharField(
        label=gettext_lazy("What to take away"), max_length=300, required=False,
        help_text=gettext_lazy("Shown at the end."),
    )  # fmt: skip


class SessionForm(forms.ModelForm):
    """A training, with material to upload."""

    upload = forms.FileField(
        label=gettext_lazy("Material"), required=False, help_text=gettext_lazy("A PDF or a picture, 10 MB at most."),
        widget=forms.ClearableFileInput(attrs={"class": "fc-input", "accept": ".pdf,image/*"}),
    )  # fmt: skip

    link = forms.URLField(
        label=gettext_lazy("meeting address"), max_length=300, required=False, assume_scheme="https"
    )

    class Meta:
        model = TrainingSession
        fields = (
            "topic", "category", "goal", "trainer", "starts_at", "minutes", "place", "link", "pass_percent",
        )  # fmt: skip


class NumbersField(forms.CharField):
    """Numbers of right options as people write them: 1, 3. Stored from 0."""

    def prepare_value(self, value: Any) -> Any:
        """List → text."""
        return ", ".join(str(number + 1) for number in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Text → list."""
        text = str(value or "").replace("，", ",").replace("、", ",")
        parts = [part.strip() for part in text.split(",") if part.strip()]
        numbers = whole_numbers(parts)
        if len(numbers) != len(parts) or 0 in numbers:
            raise ValidationError(_("Name the right options by their numbers, such as 1 or 1, 3."))
        return sorted({number - 1 for number in numbers})

    def validate(self, value: Any) -> None:
        """At least one."""
        if not value:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Validators of a text do not apply to a list."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the list differs, not its spelling."""
        try:
            return self.to_python(data) != list(initial or [])
        except ValidationError:
            return True


class QuestionForm(forms.ModelForm):
    """A question with its options one per line."""

    options = LinesField(label=gettext_lazy("options"), max_line=200, required=True)
    right = NumbersField(
        label=gettext_lazy("right options"), max_length=40, help_text=gettext_lazy("Their numbers, such as 1 or 1, 3.")
    )  # fmt: skip

    class Meta:
        model = QuizQuestion
        fields = ("position", "text", "kind", "options", "right", "explanation")
