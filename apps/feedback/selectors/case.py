"""Everything the page of one case shows (screens.md, feedback page)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import masking
from apps.core.models import ActionLog, User
from apps.core.wording import VERBS
from apps.customers.models import ConsentEvent, ContactHold
from apps.feedback.choices import ClockState, EntryKind
from apps.feedback.models import Entry, Feedback, SlaClock, TopicMember
from apps.feedback.selectors.reference import Reference
from apps.feedback.transitions import FEEDBACK
from apps.messaging.choices import ASSISTED, MessageState
from apps.shop.models import StockLevel

STOPPED_BY = {
    "first_response": gettext_lazy("A reply that went out, or a contact a person records, stops it."),
    "plan_given": gettext_lazy("Telling the customer the plan stops it."),
    "progress_given": gettext_lazy("Telling the customer how far we are stops it."),
    "resolved": gettext_lazy("Resolving the case stops it."),
}
# Who spoke where no person did.
SPEAKERS = {"auto-answer": gettext_lazy("knowledge base")}
# Roles of spans that are marked in the text, and how.
MARKS = {
    "s_trigger": "s",
    "s_review": "doubt",
    "category": "topic",
    "emotion": "emotion",
    "doubt": "doubt",
    "negated": "negated",
    "competitor": "competitor",
    "kind": "topic",
}


def parts(text: str, spans: list[list[Any]]) -> list[tuple[str, str, str]]:
    """The text cut into (piece, mark, code), masked piece by piece; overlapping spans: the first and longest wins."""
    pieces: list[tuple[str, str, str]] = []
    at = 0
    for start, end, role, code in sorted(spans, key=lambda s: (s[0], -s[1])):
        if start < at or end > len(text) or role not in MARKS:
            continue
        pieces.append((text[at:start], "", ""))
        pieces.append((text[start:end], MARKS[role], code))
        at = end
    pieces.append((text[at:], "", ""))
    if masking.mask_text(text) != text:
        # A number may run across a mark: mask the whole and give up the marks around it.
        whole = masking.mask_text("".join(piece for piece, _m, _c in pieces))
        return marked_snippet(whole, [text[s:e] for s, e, role, _c in spans if role in MARKS])
    return [piece for piece in pieces if piece[0]]


def marked_snippet(snippet: str, words: list[str]) -> list[tuple[str, str, str]]:
    """A masked text cut at the words that decided, wherever they stand in it."""
    for word in sorted({w for w in words if w}, key=len, reverse=True)[:6]:
        index = snippet.find(word)
        if index >= 0:
            return [
                *([(snippet[:index], "", "")] if index else []),
                (word, "topic", ""),
                *([(snippet[index + len(word) :], "", "")] if index + len(word) < len(snippet) else []),
            ]
    return [(snippet, "", "")]


@dataclass
class ThreadLine:
    """One line of the thread: something said or something done."""

    at: datetime
    side: str
    title: Any
    text: str
    who: str
    automatic: bool = False
    message: Any = None
    carry: bool = False
    files: tuple[Any, ...] = ()


def thread(feedback: Feedback) -> list[ThreadLine]:
    """Contacts, notes and transcript lines, oldest first; texts masked. Three queries at most."""
    lines = []
    entries = Entry.objects.filter(feedback=feedback).select_related("by", "message")
    for entry in entries.prefetch_related("files__file"):
        side = {
            EntryKind.NOTE: "note",
            EntryKind.INBOUND: "customer",
            EntryKind.TRANSCRIPT: "customer" if entry.speaker in ("顾客", "customer") else "shop",
        }.get(EntryKind(entry.kind), "shop")
        title = entry.get_kind_display()
        if entry.method:
            title = f"{title} · {entry.get_method_display()}"
        lines.append(
            ThreadLine(
                at=entry.at,
                side=side,
                title=title,
                text=masking.mask_text(entry.text),
                who=str(entry.by) if entry.by else str(SPEAKERS.get(entry.speaker, entry.speaker)),
                automatic=entry.is_automatic,
                message=entry.message,
                carry=entry.message is not None
                and entry.message.state == MessageState.TO_DO
                and entry.message.channel in ASSISTED,
                files=tuple(entry.files.all()),
            )
        )
    return lines


def history(feedback: Feedback) -> list[dict[str, Any]]:
    """Every move, newest first."""
    rows = ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk).select_related("by")
    states = dict(Feedback._meta.get_field("status").flatchoices)
    labels = VERBS | {move.verb: move.label for move in FEEDBACK.moves}
    labels["changed"] = _("The customer changed the review")
    people = {
        user.pk: str(user)
        for user in User.objects.filter(
            pk__in={row.data.get("assignee") for row in rows if row.data.get("assignee")}
        )
    }
    return [
        {
            "at": row.at,
            "label": labels.get(row.verb, row.verb),
            "from": states.get(row.from_state, ""),
            "to": states.get(row.to_state, "") if row.to_state != row.from_state else "",
            "verb": row.verb,
            "reason": masking.mask_text(row.reason),
            "whole_reason": row.reason,
            "by": str(row.by) if row.by else _("system"),
            "extra": people.get(row.data.get("assignee"), "") if isinstance(row.data, dict) else "",
        }
        for row in rows[:100]
    ]


def clocks_of(feedback: Feedback, now: datetime) -> list[dict[str, Any]]:
    """The clocks of the latest round first, with what stops them."""
    out = []
    for clock in SlaClock.objects.filter(feedback=feedback).order_by("-cycle", "id"):
        running = clock.state == ClockState.RUNNING
        out.append(
            {
                "label": clock.get_kind_display(),
                "state": clock.state,
                "state_label": clock.get_state_display(),
                "due_at": clock.due_at,
                "started_at": clock.started_at,
                "late": clock.breached_at is not None
                or (running and clock.due_at is not None and clock.due_at <= now),
                "running": running,
                "stopped_at": clock.stopped_at,
                "stops": STOPPED_BY.get(clock.kind, ""),
                "cycle": clock.cycle,
            }
        )
    return out


def reasons(feedback: Feedback, ref: Reference) -> list[str]:
    """Why this tier and category, in words."""
    names = {code: str(category) for code, category in ref.categories.items()}
    words = {
        "s_trigger": _("Trigger word for urgent: %(what)s"),
        "s_review": _("May be urgent, a person should look: %(what)s"),
        "category": _("Words of the category %(what)s"),
        "topic_model": _("Reads like %(what)s"),
        "authority": _("Passed on by an authority: %(what)s"),
        "rating": _("Stars: %(what)s"),
        "regulator": _("Mentions an authority or a court: %(what)s"),
        "doubt": _("The customer is in doubt: %(what)s"),
        "negated": _("Denied in the text: %(what)s"),
        "literal_seed": _("Literal reading is on: %(what)s"),
    }
    names |= {
        "REGULATOR": _("an authority or a court is named"),
        "REVIEW": _("words that may mean danger"),
        "QUESTION": _("a danger is asked about"),
        "WORRY": _("a danger is feared"),
        "SUSPICION": _("a danger is suspected"),
        "ELSEWHERE": _("it happened elsewhere"),
        "FAULT": _("a fault that may be dangerous"),
        "AUTO": _("words of danger"),
    }
    out = []
    if feedback.corrections.exists():
        out.append(_("A colleague has put the reading right; what follows is what the machine saw."))
    for reason in feedback.reading.get("reasons", []):
        kind, _sep, code = reason.partition(":")
        channel = ref.channels.get(code)
        out.append(
            words.get(kind, "%(what)s") % {"what": names.get(code) or (str(channel) if channel else code)}
        )
    return out


def side(feedback: Feedback, user: User) -> dict[str, Any]:
    """The right-hand side: customer, order, stock, holds. A fixed number of queries."""
    data: dict[str, Any] = {
        "topic": TopicMember.objects.select_related("topic").filter(feedback=feedback).first()
    }
    customer = feedback.customer
    if customer is not None and user.has_perm("customers.view_customer"):
        data["customer"] = customer
        data["orders"] = list(customer.orders.select_related("store").order_by("-placed_at")[:3])
        data["others"] = list(
            Feedback.objects.visible_to(user)
            .filter(customer=customer)
            .exclude(pk=feedback.pk)
            .select_related("channel", "category")
            .order_by("-received_at")[:5]
        )
        data["other_open"] = [other for other in data["others"] if other.is_open]
        data["consents"] = list(
            ConsentEvent.objects.filter(customer=customer).order_by("purpose", "channel", "-at")[:30]
        )
        data["holds"] = list(ContactHold.objects.filter(customer=customer, released_at__isnull=True)[:3])
    if feedback.order is not None:
        data["order_items"] = list(feedback.order.items.select_related("product")[:10])
    if feedback.product_id:
        levels = StockLevel.objects.filter(product_id=feedback.product_id).select_related("store")
        data["stock"] = sorted(levels, key=lambda row: (row.store_id != feedback.store_id, row.level))[:6]
    return data
