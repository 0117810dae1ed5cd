"""Forms of the moves and of new feedback."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.models import User
from apps.core.numbers import whole_number
from apps.feedback.choices import ContactMethod, Emotion, Kind, Sentiment, Tier, WaitReason
from apps.feedback.models import Category, Channel, Feedback
from apps.feedback.selectors.home import able, standing
from apps.feedback.services.notices_out import result_channels, result_notice
from apps.shop.models import Product, Store


def undivided(category: Category) -> str:
    """A top category among its own sub-categories, one of which may bear the same name."""
    return gettext("%(category)s (in general)") % {"category": category}


def colleagues(people: Iterable[User], now: datetime) -> list[tuple[int, str, str]]:
    """(id, user name, “name · on duty · 12 of 30”): those who are here first, the least laden before the others."""
    found = []
    known = standing(now)
    for person in people:
        count, capacity, here = known.get(person.pk, (0, 0, False))
        carries = (
            gettext("%(count)d of %(capacity)d") % {"count": count, "capacity": capacity}
            if capacity
            else gettext("%(count)d open") % {"count": count}
        )
        word = pgettext("person", "on duty") if here else pgettext("person", "off duty")
        found.append((not here, count, person.pk, person.username, f"{person} · {word} · {carries}"))
    return [(pk, name, label) for _off, _count, pk, name, label in sorted(found)]


class LocalDateTime(forms.DateTimeInput):
    """The browser's own picker; values are local to the shop."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"class": "fc-input", **(attrs or {})}, format="%Y-%m-%dT%H:%M")


def box(rows: int = 3, **attrs: Any) -> UnfoldAdminTextareaWidget:
    """A text box of the admin's look."""
    return UnfoldAdminTextareaWidget(attrs={"rows": rows, **attrs})


class MoveForm(forms.Form):
    """What every move may ask: why."""

    reason = forms.CharField(label=_("Reason"), widget=box(), required=False, max_length=2000)

    def __init__(self, *args: Any, feedback: Feedback, needs_reason: bool, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.feedback = feedback
        self.user = user
        if "reason" in self.fields:
            self.fields["reason"].required = needs_reason


class PlainMove(MoveForm):
    """Nothing to ask."""

    reason = None  # type: ignore[assignment]


class AssignForm(MoveForm):
    """To whom."""

    assignee = forms.ModelChoiceField(
        label=_("New owner"), queryset=User.objects.none(), widget=UnfoldAdminSelectWidget
    )
    field_order = ("assignee", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = able().exclude(pk=self.feedback.assignee_id)
        field: Any = self.fields["assignee"]
        field.queryset = people
        field.choices = [("", "—"), *((pk, label) for pk, _name, label in colleagues(people, timezone.now()))]


class ContactForm(MoveForm):
    """How, when and what was said."""

    reason = None  # type: ignore[assignment]
    how = forms.ChoiceField(label=_("How"), choices=ContactMethod.choices, widget=UnfoldAdminSelectWidget)
    said = forms.CharField(
        label=_("What was said"),
        widget=box(4),
        max_length=4000,
        help_text=_("Short and complete: a colleague must be able to go on from here."),
    )
    at = forms.DateTimeField(
        label=_("When"), widget=LocalDateTime, required=False, help_text=_("Empty: just now.")
    )


class SaidForm(MoveForm):
    """What the customer was told."""

    reason = None  # type: ignore[assignment]
    said = forms.CharField(label=_("What the customer was told"), widget=box(4), max_length=4000)


class WaitForm(MoveForm):
    """For what and until when."""

    why = forms.ChoiceField(
        label=_("Waiting for"), choices=WaitReason.choices, widget=UnfoldAdminSelectWidget
    )
    until = forms.DateTimeField(
        label=_("Until"),
        widget=LocalDateTime,
        required=False,
        help_text=_("At most 72 hours; empty: 72 hours."),
    )
    field_order = ("why", "until", "reason")


# Ways by which a result notice costs nothing and needs no hand.
FREE = ("wechat", "app", "email")


class ResolveForm(MoveForm):
    """What solved it."""

    reason = forms.CharField(label=_("What solved it"), widget=box(4), max_length=4000)
    tell = forms.ChoiceField(
        label=_("Tell the customer"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Once for each time the case is settled."),
    )
    notice = forms.CharField(
        label=_("Result notice"),
        required=False,
        widget=box(5),
        max_length=2000,
        help_text=_("Read it before it goes out. Empty: made from the template and what you wrote above."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["tell"]
        offered = result_channels(self.feedback) if self.user.has_perm("messaging.send_message") else []
        field.choices = [("", _("Do not tell now")), *offered]
        # What costs nothing is proposed; an SMS or a chat is the person's choice.
        field.initial = next((channel for channel, _label in offered if channel in FREE), "")
        if not offered:
            del self.fields["tell"], self.fields["notice"]

    def clean(self) -> dict[str, Any]:
        """The notice as it will be sent; what cannot be filled in is asked for."""
        data = super().clean() or {}
        channel, solution = data.get("tell"), data.get("reason", "")
        if channel and solution:
            text = (
                data.get("notice")
                or result_notice(self.feedback, self.user, solution=solution, channel=channel).text
            )
            if "〔" in text:
                self.data = self.data.copy()
                self.data["notice"] = text
                self.add_error("notice", _("Fill in what stands between 〔 and 〕."))
            data["notice"] = text
        return data


class MergeForm(MoveForm):
    """Into which case."""

    into = forms.CharField(
        label=_("Into case"),
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "F0000012"}),
        max_length=20,
    )
    field_order = ("into", "reason")

    def clean_into(self) -> Feedback:
        """The case by its number, if it may be seen."""
        number = whole_number(self.cleaned_data["into"].strip().lstrip("Ff"))
        found = (
            Feedback.objects.visible_to(self.user).filter(pk=number).first() if number is not None else None
        )
        if found is None:
            raise forms.ValidationError(_("There is no such case, or it is not yours to see."))
        return found


class NoteForm(MoveForm):
    """An internal note."""

    reason = None  # type: ignore[assignment]
    text = forms.CharField(
        label=_("Note"),
        widget=box(4),
        max_length=4000,
        help_text=_("Only colleagues see this; no clock stops."),
    )


class CorrectForm(MoveForm):
    """The right reading."""

    reason = None  # type: ignore[assignment]
    tier = forms.ChoiceField(label=_("Tier"), choices=Tier.choices, widget=UnfoldAdminSelectWidget)
    kind = forms.ChoiceField(label=_("Kind"), choices=Kind.choices, widget=UnfoldAdminSelectWidget)
    node = forms.ChoiceField(label=_("Category"), widget=UnfoldAdminSelectWidget)
    sentiment = forms.ChoiceField(
        label=_("Sentiment"), choices=Sentiment.choices, widget=UnfoldAdminSelectWidget
    )
    emotion = forms.ChoiceField(label=_("Emotion"), choices=Emotion.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nodes = list(Category.objects.filter(is_active=True).select_related("parent"))
        self.nodes = {str(node.pk): node for node in nodes}
        grouped: list[Any] = [("", "—")]
        for parent in (node for node in nodes if node.parent_id is None):
            children = [(str(n.pk), str(n)) for n in nodes if n.parent_id == parent.pk]
            grouped.append((str(parent), [(str(parent.pk), undivided(parent)), *children]))
        self.fields["node"].choices = grouped  # type: ignore[attr-defined]
        self.fields["node"].required = False
        if not self.is_bound:
            self.initial |= {
                "tier": self.feedback.tier,
                "kind": self.feedback.kind,
                "node": str(self.feedback.subcategory_id or self.feedback.category_id or ""),
                "sentiment": self.feedback.sentiment,
                "emotion": self.feedback.emotion,
            }

    def values(self) -> dict[str, Any]:
        """What `moves.correct` takes."""
        data = {name: self.cleaned_data[name] for name in ("tier", "kind", "sentiment", "emotion")}
        node = self.nodes.get(self.cleaned_data["node"])
        if node is not None:
            data |= (
                {"category": node.parent, "subcategory": node}
                if node.parent_id
                else {"category": node, "subcategory": None}
            )
        return data


class ManyFiles(forms.ClearableFileInput):
    """Several files at once."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """A list of uploads."""

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Each file by itself."""
        items = data if isinstance(data, (list, tuple)) else [data]
        return [super(FilesField, self).clean(item, initial) for item in items if item]


class NewFeedbackForm(forms.Form):
    """Feedback written down by hand: a call, a letter, a word at the counter (R3)."""

    channel = forms.ModelChoiceField(
        label=_("Channel"), queryset=Channel.objects.filter(is_active=True), widget=UnfoldAdminSelectWidget
    )
    text = forms.CharField(label=_("What the customer said"), widget=box(6), max_length=100_000)
    rating = forms.ChoiceField(
        label=_("Stars"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        choices=[("", "—"), *((str(n), "★" * n) for n in range(5, 0, -1))],
    )
    store = forms.ModelChoiceField(
        label=_("Store"),
        queryset=Store.objects.filter(is_active=True),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    product = forms.ModelChoiceField(
        label=_("Product"),
        queryset=Product.objects.filter(is_active=True),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    order_no = forms.CharField(
        label=_("Order number"), required=False, max_length=64, widget=UnfoldAdminTextInputWidget
    )
    external_id = forms.CharField(
        label=_("Number at the platform"), required=False, max_length=120, widget=UnfoldAdminTextInputWidget
    )
    nickname = forms.CharField(
        label=_("Customer's name"), required=False, max_length=80, widget=UnfoldAdminTextInputWidget
    )
    phone = forms.CharField(
        label=_("Customer's mobile"), required=False, max_length=30, widget=UnfoldAdminTextInputWidget
    )
    posted_at = forms.DateTimeField(
        label=_("When the customer said it"),
        required=False,
        widget=LocalDateTime,
        help_text=_("Empty: just now."),
    )
    image_links = forms.CharField(
        label=_("Picture links"), required=False, widget=box(2), help_text=_("One address per line.")
    )
    files = FilesField(
        label=_("Pictures"),
        required=False,
        widget=ManyFiles(attrs={"class": "fc-input", "accept": "image/*"}),
    )
    recording = forms.FileField(
        label=_("Call recording"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"class": "fc-input", "accept": "audio/*"}),
        help_text=_("Only with the customer's recorded consent."),
    )
    recording_consent = forms.BooleanField(
        label=_("The customer agreed to the recording at the start of the call"), required=False
    )
    transcript = forms.CharField(
        label=_("Transcript"),
        required=False,
        widget=box(5),
        help_text=_("One line per sentence: “customer: …” or “shop: …”."),
    )

    def clean(self) -> dict[str, Any]:
        """A recording without consent is refused (R6)."""
        data = super().clean() or {}
        if data.get("recording") and not data.get("recording_consent"):
            self.add_error(
                "recording",
                _(
                    "A recording can be kept only with the customer's consent. Tick the box below, or leave the file out."
                ),
            )
        posted = data.get("posted_at")
        if posted and posted > timezone.now():
            self.add_error("posted_at", _("The date lies in the future."))
        return data

    def lines(self) -> list[dict[str, Any]]:
        """The transcript as intake takes it."""
        out = []
        for line in (self.cleaned_data.get("transcript") or "").splitlines():
            if not line.strip():
                continue
            who, sep, said = line.replace("：", ":", 1).partition(":")
            out.append(
                {"who": who.strip(), "text": said.strip()}
                if sep and len(who) <= 20
                else {"who": "", "text": line}
            )
        return out
