"""The shop's rules for messages: one row, opened at once."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.forms import LinesField
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessagingPolicy
from apps.messaging.selectors import STAMP

TOLD = (MessageChannel.WECHAT, MessageChannel.APP, MessageChannel.EMAIL, MessageChannel.SMS)


class PolicyForm(forms.ModelForm):
    """Lists as ticks and lines."""

    auto_received = forms.MultipleChoiceField(
        label=gettext_lazy("“received” notices by"),
        choices=[(channel.value, channel.label) for channel in TOLD],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("Channels by which a customer is told at once that feedback has arrived."),
    )
    refused_words = LinesField(label=gettext_lazy("words carriers refuse"), max_line=20)

    class Meta:
        model = MessagingPolicy
        fields = (
            "soft_from", "soft_until", "hard_from", "hard_until", "cap_day", "cap_month", "attempts",
            "first_pause_seconds", "auto_received", "optout_reply", "carry_urgent", "refused_words",
        )  # fmt: skip


@admin.register(MessagingPolicy)
class MessagingPolicyAdmin(HistoryModelAdmin):
    """When, how often, how many times."""

    form = PolicyForm
    reference_stamps = (STAMP,)
    deletable = False
    list_display = ("__str__", "show_hours", "cap_day", "cap_month", "attempts")
    fieldsets = (
        (
            pgettext_lazy("messages", "Hours"),
            {
                "fields": (("soft_from", "soft_until"), ("hard_from", "hard_until")),
                "description": gettext_lazy(
                    "Marketing and marked service texts keep to the first hours, on the recipient's clock; the second are for what cannot wait."
                ),
            },
        ),
        (gettext_lazy("How often"), {"fields": ("cap_day", "cap_month")}),
        (gettext_lazy("Trying again"), {"fields": ("attempts", "first_pause_seconds")}),
        (gettext_lazy("By itself"), {"fields": ("auto_received", "optout_reply", "carry_urgent")}),
        (gettext_lazy("SMS"), {"fields": ("refused_words",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False

    @display(description=gettext_lazy("hours"))
    def show_hours(self, obj: MessagingPolicy) -> str:
        """08:00–21:00 (08:00–22:00)"""
        return f"{obj.soft_from:%H:%M}–{obj.soft_until:%H:%M} ({obj.hard_from:%H:%M}–{obj.hard_until:%H:%M})"
