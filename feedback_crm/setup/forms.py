"""What each step asks."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from apps.core.admin.forms import PageForm
from apps.core.models import User
from apps.core.wording import role_label
from apps.feedback.models import Channel
from apps.shop.admin.forms import ShiftField, WeekField
from apps.shop.choices import StoreKind
from apps.shop.models import Department, Team
from feedback_crm.setup.services import roles_for

CODE = RegexValidator(
    re.compile(r"^[-a-zA-Z0-9_]+\Z"),
    _("Letters, digits, - and _ only, such as SH01: files and programs use it."),
)


def code_field(label: Any) -> forms.CharField:
    """A short code."""
    return forms.CharField(
        label=label, max_length=40, validators=[CODE], help_text=_("Short and for good, such as SH01.")
    )


class ShopForm(PageForm):
    """Step 1."""

    name = forms.CharField(label=_("name of the shop"), min_length=2, max_length=60)


class StoreForm(PageForm):
    """Step 2: one more store."""

    name = forms.CharField(label=_("name"), max_length=80)
    code = code_field(_("code"))
    kind = forms.ChoiceField(label=_("kind"), choices=StoreKind.choices, widget=UnfoldAdminSelectWidget)
    platform = forms.ChoiceField(
        label=_("platform"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("For platform shops: where it is."),
    )
    city = forms.CharField(label=_("city"), max_length=40, required=False)
    manager = forms.ModelChoiceField(
        label=_("store manager"),
        queryset=User.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Can be chosen later, when the people are invited."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["platform"].choices = [("", "–")] + [  # type: ignore[attr-defined]
            (row.code, str(row))
            for row in Channel.objects.filter(is_review_platform=True).order_by("group", "code")
        ]
        self.fields["manager"].queryset = User.objects.filter(  # type: ignore[attr-defined]
            is_active=True, is_staff=True
        ).order_by("name", "username")

    def clean(self) -> dict[str, Any]:
        """A platform shop is on a platform, a store with a door is not."""
        data = super().clean() or {}
        if data.get("kind") == StoreKind.PLATFORM and not data.get("platform"):
            self.add_error("platform", _("Choose the platform of this shop."))
        if data.get("kind") == StoreKind.PHYSICAL:
            data["platform"] = ""
        return data


class HoursForm(PageForm):
    """Step 3: one calendar."""

    weekly = WeekField(
        label=_("weekly windows"),
        required=False,
        help_text=_(
            "Such as “09:00-12:00, 13:30-18:00” with a break at noon; empty: closed; “24h”: all day."
        ),
    )
    observe_holidays = forms.BooleanField(
        label=_("closed on public holidays"), required=False, widget=UnfoldBooleanWidget
    )
    observe_makeup = forms.BooleanField(
        label=_("open on make-up workdays"), required=False, widget=UnfoldBooleanWidget
    )


class TeamForm(PageForm):
    """Step 4: one more team."""

    name = forms.CharField(label=_("name"), max_length=60)
    code = code_field(_("code"))
    department = forms.ModelChoiceField(
        label=_("department"), queryset=Department.objects.none(), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["department"].queryset = Department.objects.filter(is_active=True)  # type: ignore[attr-defined]


class InviteForm(PageForm):
    """Step 4: one more person."""

    username = forms.CharField(
        label=_("log-in name"), max_length=150, help_text=_("Letters, digits and @/./+/-/_ only.")
    )
    name = forms.CharField(label=pgettext_lazy("person", "name"), max_length=60)
    role = forms.ChoiceField(label=pgettext_lazy("account", "role"), widget=UnfoldAdminSelectWidget)
    team = forms.ModelChoiceField(
        label=_("team"),
        queryset=Team.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Only people in a team get work by turns."),
    )
    shift = ShiftField(label=_("shift"))
    capacity = forms.IntegerField(
        label=_("capacity"), min_value=1, max_value=500, initial=30, help_text=_("Open feedback at a time.")
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(name, role_label(name)) for name in roles_for(by)]  # type: ignore[attr-defined]
        self.fields["team"].queryset = Team.objects.filter(is_active=True)  # type: ignore[attr-defined]

    def clean_username(self) -> str:
        """As the account itself wants it."""
        name = self.cleaned_data["username"].strip()
        for validator in User._meta.get_field("username").validators:
            validator(name)
        return name


class ClearForm(PageForm):
    """Step 6: the word that confirms."""

    word = forms.CharField(label=_("Confirmation"), max_length=20, required=False)


def store_choice(text: str) -> int | None:
    """A store's number from the channels page; None for none. Raises ValidationError for nonsense."""
    if not text:
        return None
    if not text.isdigit() or len(text) > 12:
        raise ValidationError(_("Choose a store from the list."))
    return int(text)
