"""What people type on public pages."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from apps.feedback.choices import Kind

TEXT_LIMIT = 2000
PHONE = re.compile(r"\+?[\d\s\-()（）]{7,20}")


class Photos(forms.ClearableFileInput):
    """Several photos at once; a telephone offers its camera."""

    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """A list of uploads."""

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Each by itself; an empty file is left out."""
        items = data if isinstance(data, list | tuple) else [data]
        return [super(PhotosField, self).clean(item, initial) for item in items if item]


def star_choices() -> list[tuple[int, str]]:
    """One to five, in the language of whoever asks: `%` on a lazy plural would settle it when this is imported."""
    return [(n, ngettext("%(n)d star", "%(n)d stars", n) % {"n": n}) for n in range(1, 6)]


class WordsField(forms.CharField):
    """Several lines. Browsers count a line break as one character and send two: it counts as one here too."""

    def to_python(self, value: Any) -> Any:
        """With plain line breaks, before the length is looked at."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else text


class SayForm(forms.Form):
    """A store's page: only the first field is needed."""

    text = WordsField(
        label=_("What happened?"),
        max_length=TEXT_LIMIT,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 5, "aria-describedby": "text-help"}),
        error_messages={
            "required": _("Please write what happened."),
            "min_length": _("Please write a little more."),
        },
    )
    kind = forms.ChoiceField(
        label=_("What is it?"),
        required=False,
        widget=forms.RadioSelect,
        choices=[
            (Kind.COMPLAINT, pgettext_lazy("public page", "Complaint")),
            (Kind.SUGGESTION, pgettext_lazy("public page", "Suggestion")),
            (Kind.PRAISE, pgettext_lazy("public page", "Praise")),
            (Kind.INQUIRY, pgettext_lazy("public page", "Question")),
        ],
    )
    rating = forms.TypedChoiceField(
        label=_("How many stars?"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=forms.RadioSelect,
        choices=star_choices,
    )
    photos = PhotosField(
        label=_("Photos"),
        required=False,
        widget=Photos(
            attrs={"accept": "image/jpeg,image/png,image/webp,image/heic,.heic,.jpg,.jpeg,.png,.webp"}
        ),
    )
    order_no = forms.CharField(
        label=_("Order number"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )
    anonymous = forms.BooleanField(label=_("Stay anonymous"), required=False)
    nickname = forms.CharField(
        label=_("What may we call you?"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    phone = forms.CharField(
        label=_("Telephone"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
    )
    agreed = forms.BooleanField(label=_("I agree"), required=False)

    def clean_photos(self) -> list[Any]:
        """At most six."""
        photos = self.cleaned_data["photos"]
        limit = settings.PUBLIC_ENTRY["photos"]
        if len(photos) > limit:
            raise forms.ValidationError(_("Please choose at most %(limit)d photos.") % {"limit": limit})
        return photos

    def clean(self) -> dict[str, Any]:
        """A telephone can be called; name and telephone are kept only with consent. Anonymous beats both."""
        data = super().clean() or {}
        if data.get("anonymous"):
            return data | {"nickname": "", "phone": "", "order_no": "", "agreed": False}
        phone = data.get("phone", "")
        if phone and not PHONE.fullmatch(phone):
            self.add_error("phone", _("This is no telephone number we could call."))
        if (phone or data.get("nickname")) and not data.get("agreed"):
            self.add_error(
                "agreed",
                _("Please agree, or leave name and telephone empty: we keep them only with consent."),
            )
        return data


class StatusForm(forms.Form):
    """Case number and secret, as they stand on the answer page."""

    number = forms.CharField(
        label=_("Number"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "F0000123"}),
    )
    secret = forms.CharField(
        label=pgettext_lazy("public page", "Code"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )

    def clean_number(self) -> int:
        """The digits behind the F. Which cases there are is not said here."""
        digits = self.cleaned_data["number"].strip().lstrip("Ff#").strip()
        if not (digits.isascii() and digits.isdigit()):
            raise forms.ValidationError(_("A number looks like F0000123."))
        return int(digits)


class AddForm(forms.Form):
    """What the customer adds."""

    text = WordsField(
        label=_("Add something"),
        max_length=TEXT_LIMIT,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={
            "required": _("Please write what you want to add."),
            "min_length": _("Please write a little more."),
        },
    )
