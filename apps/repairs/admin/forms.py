"""Forms of the moves of a repair."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.admin.forms import DateTimeLocalField, PageForm
from apps.core.admin.moves import MoveForm
from apps.feedback.choices import ContactMethod
from apps.feedback.selectors.composer import values_of, ways
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.repairs.choices import Ground, RemedyKind
from apps.repairs.models import RemedyType
from apps.repairs.services.offers import MONEY_BACK
from apps.rewards.models import CouponType, Gift

SPOKEN = (
    ContactMethod.PHONE,
    ContactMethod.IN_PERSON,
    ContactMethod.CHAT,
    ContactMethod.WECHAT,
    ContactMethod.EMAIL,
)
SEND = "send:"
CENT = Decimal("0.01")


def spoken() -> list[tuple[str, Any]]:
    """Ways in which a person talks to a customer."""
    return [(str(method), method.label) for method in SPOKEN]


def template_text(feedback: Any, user: Any, *codes: str) -> str:
    """The first of these templates with what is known filled in; what is missing stands in 〔 〕."""
    found = {row.code: row for row in MessageTemplate.objects.filter(code__in=codes, is_active=True)}
    for code in codes:
        if code in found:
            return preview(found[code], values_of(feedback, user))
    return ""


class ContactForm(MoveForm):
    """The talk: an apology, and what the customer wants."""

    how = forms.ChoiceField(label=_("How"), choices=spoken)
    said = forms.CharField(
        label=_("What was said"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Not a word about the review: first help, nothing else."),
    )
    wishes = forms.CharField(label=_("What the customer wants"), widget=forms.Textarea(attrs={"rows": 3}))
    apologised = forms.BooleanField(label=_("I apologised"), required=False)
    refuses_review_contact = forms.BooleanField(
        label=_("The customer does not want to be asked about the review"), required=False
    )


class TryForm(MoveForm):
    """A try in vain."""

    how = forms.ChoiceField(label=_("How"), choices=spoken)
    note = forms.CharField(label=_("Note"), max_length=500, help_text=_("E.g. rang three times, no answer."))


def way_choices(feedback: Any, without: frozenset[str]) -> list[tuple[str, Any]]:
    """Ways in which a text reaches this customer alone."""
    send = [
        (f"{SEND}{way.channel}", _("send: %(way)s") % {"way": way.label})
        for way in ways(feedback)
        if way.open and way.channel not in without
    ]
    return send + [(str(m), _("said by me: %(way)s") % {"way": m.label}) for m in SPOKEN[:2]]


def split_way(data: dict[str, Any]) -> dict[str, Any]:
    """`way` becomes what services take."""
    way = data.pop("way", "")
    data["how"], data["send_by"] = ("", way.removeprefix(SEND)) if way.startswith(SEND) else (way, "")
    return data


class WayForm(MoveForm):
    """How a text reaches the customer: said by a person, or sent through the outbox."""

    way = forms.ChoiceField(label=_("How it reaches the customer"))
    without: frozenset[str] = frozenset({MessageChannel.PUBLIC_REPLY})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["way"].choices = way_choices(self.records[0].feedback, self.without)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """`way` becomes what services take."""
        return split_way(super().clean() or self.cleaned_data)


class CouponForm(PageForm):
    """The customer is told the code."""

    way = forms.ChoiceField(label=_("How it reaches the customer"))
    text = forms.CharField(label=_("Words to the customer"), widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, feedback: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["way"].choices = way_choices(feedback, WayForm.without)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """`way` becomes what services take."""
        return split_way(super().clean() or self.cleaned_data)


class ProposeForm(WayForm):
    """The offer goes to the customer as it was written and approved."""


class InviteForm(WayForm):
    """One neutral text."""

    without = frozenset({MessageChannel.PUBLIC_REPLY, MessageChannel.SMS})
    text = forms.CharField(
        label=_("Words of the invitation"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Honest words are asked for, nothing is promised, and leaving the review as it is is fine too."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        feedback = self.records[0].feedback  # type: ignore[attr-defined]
        self.fields["text"].initial = template_text(feedback, self.user, "RV_INVITE")


class NoteForm(MoveForm):
    """A word on it, if there is one."""

    note = forms.CharField(label=_("Note"), required=False, max_length=500)


class ConfirmForm(MoveForm):
    """Nothing to type, but a page that asks."""


class ResultForm(MoveForm):
    """What the customer said after the remedy."""

    scores: tuple[int, ...] = (5, 4)
    satisfaction = forms.TypedChoiceField(label=_("Satisfaction"), coerce=int)
    how = forms.ChoiceField(label=_("How"), choices=spoken)
    said = forms.CharField(label=_("What the customer said"), widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["satisfaction"].choices = [(score, "★" * score) for score in self.scores]  # type: ignore[attr-defined]


class BadResultForm(ResultForm):
    """1 to 3."""

    scores = (3, 2, 1)


class EvidenceForm(MoveForm):
    """One piece of evidence."""

    ground = forms.ChoiceField(label=_("What it shows"), choices=Ground.choices)
    what = forms.CharField(
        label=_("In words"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What can be seen, where it is from, who wrote it."),
    )
    captured_at = DateTimeLocalField(label=_("Captured at"))
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("Screenshot, PDF or recording. Its hash is kept, so that nobody can say it was changed."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["captured_at"].initial = timezone.localtime().replace(second=0, microsecond=0)


class AppealForm(MoveForm):
    """Filed at the platform."""

    case_number = forms.CharField(label=_("Number at the platform"), max_length=80)
    statement = forms.CharField(
        label=_("What we wrote"), widget=forms.Textarea(attrs={"rows": 4}), required=False
    )


class DecisionForm(MoveForm):
    """The platform's answer with its proof."""

    answer = forms.CharField(label=_("The platform's answer"), widget=forms.Textarea(attrs={"rows": 3}))
    proof = forms.FileField(label=_("Proof"), help_text=_("Screenshot or PDF."))


class GoneForm(MoveForm):
    """A person looked at the platform."""

    proof = forms.FileField(label=_("Proof"), help_text=_("Screenshot of the platform, e.g. of the notice."))


class FinishRemedyForm(PageForm):
    """A remedy is done; asks for what its kind must show."""

    carrier = forms.CharField(label=_("Carrier"), max_length=40, required=False)
    tracking_no = forms.CharField(label=_("Tracking number"), max_length=64, required=False)
    actual_cost = forms.DecimalField(
        label=_("Paid (CNY)"), min_value=0, max_digits=10, decimal_places=2, required=False
    )
    proof = forms.FileField(
        label=_("Proof"), required=False, help_text=_("Picture or PDF, e.g. of the refund.")
    )
    proof_note = forms.CharField(label=_("In words"), max_length=300, required=False)

    def __init__(self, *args: Any, remedy: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not remedy.type.needs_tracking:
            del self.fields["carrier"], self.fields["tracking_no"]
        if not remedy.amount:
            del self.fields["actual_cost"]
        else:
            self.fields["actual_cost"].initial = remedy.amount
        if remedy.type.needs_tracking:
            self.fields["tracking_no"].required = True
        if remedy.type.needs_proof and not remedy.type.needs_tracking:
            self.fields["proof"].required = True


class ReasonForm(PageForm):
    """Why."""

    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}), max_length=1000)


class ReplyForm(PageForm):
    """The public reply."""

    text = forms.CharField(
        label=_("The reply as everybody will read it"),
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("What was done, what was improved, how to reach us. No personal data, no bargaining."),
    )


class OfferForm(PageForm):
    """The words of an offer and what makes it special."""

    text = forms.CharField(
        label=_("What the customer hears"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The offer holds whatever becomes of the review: do not mention it."),
    )
    liability = forms.MultipleChoiceField(
        label=_("Special liability"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from apps.repairs.choices import Liability

        super().__init__(*args, **kwargs)
        self.fields["liability"].choices = Liability.choices  # type: ignore[attr-defined]


class LineForm(forms.Form):
    """One remedy of an offer: chosen or not, with what its kind asks for."""

    use = forms.BooleanField(required=False)
    amount = forms.DecimalField(min_value=0, max_digits=8, decimal_places=2, required=False)
    statutory = forms.DecimalField(min_value=0, max_digits=8, decimal_places=2, required=False)
    coupon_type = forms.ModelChoiceField(CouponType.objects.none(), required=False)
    gift = forms.ModelChoiceField(Gift.objects.none(), required=False)
    points = forms.IntegerField(min_value=0, max_value=1_000_000, required=False)
    note = forms.CharField(max_length=300, required=False)

    def __init__(
        self, *args: Any, type: RemedyType, coupons: Any, gifts: Any, suggested: bool, **kwargs: Any
    ) -> None:
        self.type, self.suggested = type, suggested
        # Money back has a limit of its own: see `offers.sums`.
        self.is_goodwill = type.is_goodwill and type.kind not in MONEY_BACK
        super().__init__(*args, prefix=f"r{type.pk}", **kwargs)
        kind = RemedyKind(type.kind)
        wanted = {"use", "note"}
        if kind in MONEY_BACK:
            wanted |= {"amount", "statutory"}
        elif kind == RemedyKind.COUPON:
            wanted |= {"coupon_type"}
            self.fields["coupon_type"].queryset = coupons  # type: ignore[attr-defined]
        elif kind == RemedyKind.GIFT:
            wanted |= {"gift"}
            self.fields["gift"].queryset = gifts  # type: ignore[attr-defined]
        elif kind == RemedyKind.POINTS:
            wanted |= {"points"}
        elif type.costs_money or kind in (RemedyKind.EXCHANGE, RemedyKind.RESHIP, RemedyKind.REPAIR):
            wanted |= {"amount"}
        labels = {
            "amount": _("cost (CNY)"),
            "statutory": _("of it due by law (CNY)"),
            "coupon_type": pgettext_lazy("remedy", "coupon"),
            "gift": pgettext_lazy("remedy", "gift"),
            "points": _("points"),
            "note": _("details"),
        }
        for name in list(self.fields):
            if name not in wanted:
                del self.fields[name]
            elif name in labels:
                self.fields[name].label = labels[name]
                self.fields[name].widget.attrs["class"] = "fc-input"
