"""Forms of the import pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.feedback.models import Channel, ImportRun
from apps.shop.models import Store

# What a column may hold, in the order of the drop-down.
FIELD_LABELS: dict[str, Any] = {
    "text": _("text of the feedback"),
    "rating": _("stars"),
    "posted_at": _("posted at"),
    "external_id": _("number at the platform"),
    "order_no": _("order number"),
    "store": _("store"),
    "product_sku": _("SKU"),
    "customer_nickname": _("customer's nickname"),
    "customer_phone": _("customer's mobile"),
    "customer_email": _("customer's e-mail"),
    "customer_external_id": _("customer's number at the platform"),
    "images": _("picture links"),
    "follow_up_text": _("follow-up text in the same row"),
    "follow_up_to": _("number of the review this follows"),
    "reply": _("the shop's reply"),
    "kind": _("kind"),
    "channel": _("channel"),
}
ENCODINGS = [
    ("utf-8", "UTF-8"),
    ("gb18030", "GB18030 (GBK)"),
    ("utf-16", "UTF-16"),
    ("big5", "Big5"),
]


class DayInput(forms.DateInput):
    """The browser's own picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "fc-input"}, format="%Y-%m-%d")


class OptionsForm(forms.Form):
    """What the file is: channel, store, new or historical, complete or not."""

    channel = forms.ModelChoiceField(
        label=_("Channel"),
        queryset=Channel.objects.filter(is_active=True),
        widget=UnfoldAdminSelectWidget,
        help_text=_("The platform this file was exported from."),
    )
    store = forms.ModelChoiceField(
        label=_("Store of rows that name none"),
        queryset=Store.objects.filter(is_active=True),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Only when the whole file belongs to one store."),
    )
    mode = forms.ChoiceField(
        label=_("New or historical"),
        choices=ImportRun.Mode.choices,
        initial=ImportRun.Mode.AUTO,
        widget=UnfoldAdminSelectWidget,
        help_text=_(
            "Historical feedback is read, searchable and counted, but nobody is given work and no clock runs."
        ),
    )
    complete = forms.BooleanField(
        label=_("The file is complete for one store and period"),
        required=False,
        help_text=_("Only if the export was not filtered: reviews missing from it may then be looked into."),
    )
    snapshot_store = forms.ModelChoiceField(
        label=_("Complete for store"),
        queryset=Store.objects.filter(is_active=True),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    snapshot_from = forms.DateField(label=_("First day"), required=False, widget=DayInput)
    snapshot_to = forms.DateField(label=_("Last day"), required=False, widget=DayInput)

    main_names = ("file", "channel", "store", "mode")
    snapshot_names = ("snapshot_store", "snapshot_from", "snapshot_to")

    @property
    def main_fields(self) -> list[Any]:
        """The fields of the upper part, in order."""
        return [self[name] for name in self.main_names if name in self.fields]

    @property
    def snapshot_fields(self) -> list[Any]:
        """The fields of the declaration."""
        return [self[name] for name in self.snapshot_names]

    def options(self) -> dict[str, Any]:
        """What the services take."""
        data = self.cleaned_data
        snapshot = None
        if data["complete"]:
            snapshot = {
                "store": data["snapshot_store"],
                "from": data["snapshot_from"],
                "to": data["snapshot_to"],
            }
        return {
            "channel": data["channel"],
            "store": data["store"],
            "mode": data["mode"],
            "snapshot": snapshot,
        }


class FileForm(OptionsForm):
    """The first step."""

    file = forms.FileField(
        label=_("File"),
        widget=forms.ClearableFileInput(
            attrs={
                "class": "fc-input",
                "accept": ".csv,.txt,.tsv,.xlsx,.gz,text/csv,application/gzip,"
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            }
        ),
    )


class UndoForm(forms.Form):
    """Why an import is taken back."""

    reason = forms.CharField(
        label=_("Reason"), max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


def initial_of(run: ImportRun) -> dict[str, Any]:
    """The options of a draft as its form shows them."""
    ref_store = Store.objects.filter(code=run.snapshot.get("store", "")).first() if run.snapshot else None
    return {
        "channel": run.channel_id,
        "store": run.store_id,
        "mode": run.mode,
        "complete": bool(run.snapshot),
        "snapshot_store": ref_store.pk if ref_store else None,
        "snapshot_from": run.snapshot.get("from"),
        "snapshot_to": run.snapshot.get("to"),
    }
