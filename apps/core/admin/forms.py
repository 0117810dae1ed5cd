"""Form pieces of the back office: pages in the theme's look, lists one per line, masked values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    SELECT_CLASSES,
    TEXTAREA_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from apps.core.wording import is_internal, permission_label, role_label


def dress(fields: Mapping[str, forms.Field]) -> None:
    """Give plain widgets the theme's look and labels a capital; widgets of theme and admin are left alone."""
    for field in fields.values():
        field.label = capfirst(field.label) if field.label else field.label
        widget = field.widget
        if type(widget).__module__.startswith(("unfold", "django.contrib.admin")):
            continue
        if isinstance(widget, forms.CheckboxInput):
            field.widget = UnfoldBooleanWidget(attrs=widget.attrs)
        elif isinstance(widget, forms.CheckboxSelectMultiple):
            field.widget = UnfoldAdminCheckboxSelectMultipleWidget(attrs=widget.attrs, choices=widget.choices)
        elif isinstance(widget, forms.RadioSelect):
            field.widget = UnfoldAdminRadioSelectWidget(attrs=widget.attrs, choices=widget.choices)
        elif isinstance(widget, forms.Select):
            widget.attrs.setdefault("class", " ".join(SELECT_CLASSES))
        elif isinstance(widget, forms.Textarea):
            widget.attrs.setdefault("class", " ".join(TEXTAREA_CLASSES))
        elif type(widget) is forms.ClearableFileInput:
            # The theme writes the file's name into the nearest text box: its own widget brings one along.
            field.widget = UnfoldAdminFileFieldWidget(attrs=widget.attrs)
        elif isinstance(widget, forms.widgets.Input) and not widget.is_hidden:
            widget.attrs.setdefault("class", " ".join(INPUT_CLASSES))
        field.widget.is_required = field.required


class PageForm(forms.Form):
    """A form on a page of its own: confirmations, reveals, merges."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self.fields)


class DateTimeLocalField(forms.DateTimeField):
    """A moment typed into the browser's own date and time control, in the shop's zone."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        )
        super().__init__(**kwargs)


class LinesWidget(UnfoldAdminTextareaWidget):
    """A box that shows a list one entry per line."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"rows": 6} | (attrs or {}))


class LinesField(forms.CharField):
    """A JSON list of texts, typed one per line. Blank lines and repetitions fall away; order stays.

    Refuses a line longer than `max_line` and says which one.
    """

    widget = LinesWidget

    def __init__(self, *, max_line: int = 60, **kwargs: Any) -> None:
        self.max_line = max_line
        kwargs.setdefault("required", False)
        kwargs.setdefault("help_text", _("One per line."))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """List → lines; what a person has just typed stays as typed."""
        return "\n".join(str(entry) for entry in value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        """Lines → list."""
        lines = [line.strip() for line in str(value or "").splitlines()]
        for number, line in enumerate(lines, start=1):
            if len(line) > self.max_line:
                raise ValidationError(
                    _("Line %(number)d is longer than %(limit)d characters."),
                    code="long_line",
                    params={"number": number, "limit": self.max_line},
                )
        return list(dict.fromkeys(line for line in lines if line))

    def validate(self, value: Any) -> None:
        """A required list has at least one entry."""
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Length validators of a text do not apply to a list."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the list differs, not its spelling."""
        try:
            return self.to_python(data) != list(initial or [])
        except ValidationError:
            return True


class PhrasesField(LinesField):
    """A JSON object word → phrases, typed as lines such as "假的: 度假的, 放假的"."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", _("One word per line with its phrases: word: phrase, phrase"))
        kwargs.setdefault("max_line", 2000)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Object → lines."""
        if isinstance(value, dict):
            return "\n".join(f"{word}: {', '.join(phrases)}" for word, phrases in value.items())
        return value

    def to_python(self, value: Any) -> dict[str, list[str]]:  # type: ignore[override]
        """Lines → object. Full-width punctuation counts as well. A line without a word or without phrases is
        refused.
        """
        table: dict[str, list[str]] = {}
        for number, line in enumerate(str(value or "").splitlines(), start=1):
            if not line.strip():
                continue
            word, colon, rest = line.replace("：", ":").partition(":")
            for comma in ("，", "、"):
                rest = rest.replace(comma, ",")
            phrases = [phrase.strip() for phrase in rest.split(",") if phrase.strip()]
            if not colon or not word.strip() or not phrases:
                raise ValidationError(
                    _("Line %(number)d is not of the form “word: phrase, phrase”."),
                    code="bad_line",
                    params={"number": number},
                )
            table.setdefault(word.strip(), []).extend(
                p for p in phrases if p not in table.get(word.strip(), [])
            )
        return table

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the table differs, not its spelling."""
        try:
            return self.to_python(data) != dict(initial or {})
        except ValidationError:
            return True


def offered(permissions: QuerySet) -> QuerySet:
    """Those of `permissions` that do something: no page asks for the others."""
    internal = [model for model in apps.get_models() if is_internal(model)]
    types = ContentType.objects.get_for_models(*internal, for_concrete_models=False).values()
    return permissions.exclude(content_type__in=types).select_related("content_type")


class PermissionsField(forms.ModelMultipleChoiceField):
    """Permissions, named in the reader's language; those of tables that no page shows are left out."""

    def __init__(self, queryset: QuerySet, **kwargs: Any) -> None:
        super().__init__(offered(queryset), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        """Not the English name in the table."""
        return permission_label(obj)


class RolesField(forms.ModelMultipleChoiceField):
    """Roles, named in the reader's language."""

    def label_from_instance(self, obj: Any) -> str:
        """With the code behind it, which commands and documents use."""
        label = role_label(obj.name)
        return label if label == obj.name else f"{label} ({obj.name})"


class MaskedField(forms.CharField):
    """Personal data in a form: shown masked, replaced only when somebody types a whole new value.

    `mask` masks the stored value; `check` (optional) raises ValidationError for a new value that cannot be
    right. The stored value never reaches the page. `clean` answers the value to store.
    """

    def __init__(
        self, *, mask: Callable[[str], str], check: Callable[[str], None] | None = None, **kwargs: Any
    ) -> None:
        self.mask = mask
        self.check = check
        self.stored = ""
        kwargs.setdefault("required", False)
        kwargs.setdefault(
            "widget", UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"})
        )
        kwargs.setdefault(
            "help_text", _("Shown masked. Leave it to keep the value; type a whole new one to replace it.")
        )
        super().__init__(**kwargs)

    def clean(self, value: Any) -> str:
        """The stored value if the mask came back untouched, else the checked new value."""
        typed = super().clean(value)
        if self.stored and typed == self.mask(self.stored):
            return self.stored
        if "**" in typed:
            raise ValidationError(_("Type the whole new value, without stars."), code="masked")
        if typed and self.check is not None:
            self.check(typed)
        return typed

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared with the mask, since that is what the page showed."""
        return str(data or "").strip() != self.mask(self.stored)


class MaskedModelForm(forms.ModelForm):
    """A model form whose `MaskedField`s show masks instead of the record's values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, MaskedField):
                field.stored = str(getattr(self.instance, name, "") or "")
                self.initial[name] = field.mask(field.stored) if field.stored else ""
