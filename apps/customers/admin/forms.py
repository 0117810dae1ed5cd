"""Forms of the customer pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

from apps.core.admin.forms import DateTimeLocalField, LinesField, MaskedField, MaskedModelForm, PageForm
from apps.core.masking import mask_email, mask_name, mask_phone, mask_text
from apps.customers.choices import ContactChannel, Purpose
from apps.customers.models import Customer
from apps.customers.selectors import find_customers

DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_phone(value: str) -> None:
    """Between 7 and 15 digits, written as phones are."""
    digits = sum(c.isdigit() for c in value)
    if not 7 <= digits <= 15 or any(c.isalpha() for c in value):
        raise ValidationError(_("This is no telephone number."), code="phone")


def check_email(value: str) -> None:
    """An address as mail servers take it."""
    EmailValidator(_("This is no e-mail address."))(value)


class CustomerForm(MaskedModelForm):
    """A customer's profile. Names, phone and e-mail come masked and are replaced only by whole new values."""

    name = MaskedField(label=_("name"), mask=mask_name, max_length=80)
    nickname = MaskedField(
        label=_("nickname"),
        mask=mask_text,
        max_length=80,
        help_text=_("Phones and accounts in it are masked."),
    )
    phone = MaskedField(label=_("mobile"), mask=mask_phone, check=check_phone, max_length=30)
    email = MaskedField(label=_("e-mail"), mask=mask_email, check=check_email, max_length=254)
    note = forms.CharField(
        label=_("note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    tags = LinesField(label=_("tags"), max_line=30)

    class Meta:
        model = Customer
        fields = (
            "nickname",
            "name",
            "gender",
            "phone",
            "email",
            "city",
            "member_tier",
            "external_id",
            "birth_year",
            "birth_month",
            "birth_day",
            "birth_is_lunar",
            "tags",
            "note",
        )

    def clean_external_id(self) -> str | None:
        """Empty means none: two customers without a number are no conflict."""
        return (self.cleaned_data["external_id"] or "").strip() or None

    def clean_birth_year(self) -> int | None:
        """A year somebody can have been born in."""
        year = self.cleaned_data["birth_year"]
        if year is not None and not 1900 <= year <= 2100:
            raise ValidationError(_("The year lies between 1900 and 2100."))
        return year

    def clean(self) -> dict[str, Any]:
        """A birthday has a month and a day that exist together."""
        data = super().clean() or {}
        month, day = data.get("birth_month"), data.get("birth_day")
        if month is not None and not 1 <= month <= 12:
            self.add_error("birth_month", _("The month lies between 1 and 12."))
        elif (month is None) != (day is None):
            self.add_error("birth_day" if day is None else "birth_month", _("Month and day belong together."))
        elif month is not None and day is not None:
            longest = 30 if data.get("birth_is_lunar") else DAYS_IN_MONTH[month - 1]
            if not 1 <= day <= longest:
                self.add_error("birth_day", _("This month has no such day."))
        return data


class ConsentForm(PageForm):
    """One grant or withdrawal."""

    purpose = forms.ChoiceField(label=_("For what"), choices=Purpose.choices)
    channel = forms.ChoiceField(label=_("Channel"), choices=ContactChannel.choices)
    granted = forms.ChoiceField(
        label=_("The customer"),
        choices=[("no", _("withdraws")), ("yes", _("grants"))],
        widget=forms.RadioSelect,
    )
    source = forms.CharField(
        label=_("Said where"),
        max_length=60,
        help_text=_("Such as: telephone call, store counter, WeChat message."),
    )
    text_version = forms.CharField(
        label=_("Wording shown"),
        max_length=60,
        required=False,
        help_text=_("Needed for a grant: name or version of the text the customer agreed to."),
    )
    evidence = forms.CharField(
        label=_("Evidence"),
        max_length=300,
        required=False,
        help_text=_("Such as the number of the recording or form."),
    )


class HoldForm(PageForm):
    """Why nobody may contact the customer, and until when."""

    reason = forms.CharField(label=_("Reason"), max_length=200, min_length=2)
    ends_at = DateTimeLocalField(
        label=_("Until"), required=False, help_text=_("Empty: until somebody releases it.")
    )


class FindOtherForm(PageForm):
    """Names the second record of a merge."""

    other = forms.CharField(
        label=_("The other record"),
        max_length=120,
        help_text=_("Whole phone number or e-mail, customer number, nickname, or # and the record's number."),
    )

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        self.customer = customer
        self.found: list[Customer] = []
        super().__init__(*args, **kwargs)

    def clean_other(self) -> str:
        """Looks them up: at least one other customer."""
        text = self.cleaned_data["other"]
        others = find_customers(Customer.objects.exclude(pk=self.customer.pk), text)
        self.found = list(others.order_by("pk")[:10])
        if not self.found:
            raise ValidationError(_("Nobody else was found by this."))
        return text


class MergeForm(PageForm):
    """Which of two records stays, and why they are one person."""

    stays = forms.ChoiceField(label=_("Which record stays?"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("How you know that these are one person."),
    )

    def __init__(self, *args: Any, pair: tuple[Customer, Customer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stays"].choices = [  # type: ignore[attr-defined]
            (
                str(customer.pk),
                _("#%(number)d %(name)s") % {"number": customer.pk, "name": customer.masked_name},
            )
            for customer in pair
        ]
