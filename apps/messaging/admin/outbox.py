"""The outbox: what waits for people, what went out, what was refused and why."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, safe_next, tell_error
from apps.core.admin.display import LABELS, badge, link
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import Button, MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog
from apps.core.wording import move_tables, verb_label
from apps.messaging.choices import STATE_COLOURS, GatewayKind, MessageClass, MessageState
from apps.messaging.models import Gateway, OutboundMessage
from apps.messaging.selectors import work_by_hand
from apps.messaging.services import outbox
from apps.messaging.transitions import OUTBOUND, SEND

CLASS_COLOURS = {MessageClass.SERVICE: "grey", MessageClass.MARKETING: "amber", MessageClass.SAFETY: "red"}
LIMIT = 100

move_tables.register("messaging.outboundmessage", OUTBOUND)


class WhatFilter(admin.SimpleListFilter):
    """The tabs above the list; all messages unless one is chosen."""

    title = gettext_lazy("what")
    parameter_name = "what"
    states = {
        "to_do": (MessageState.TO_DO,),
        "to_check": (MessageState.TO_CHECK,),
        "failed": (MessageState.FAILED,),
        "waiting": (MessageState.QUEUED, MessageState.DEFERRED, MessageState.CLAIMED),
        "refused": (MessageState.REFUSED,),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """As on the tabs."""
        return [
            ("to_do", _("to send by hand")),
            ("to_check", _("to check")),
            ("failed", _("failed")),
            ("waiting", _("waiting")),
            ("refused", _("not allowed")),
        ]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        states = self.states.get(self.value() or "")
        return queryset.filter(state__in=states) if states else queryset


class ProofForm(PageForm):
    """What shows that it was sent."""

    proof = forms.CharField(
        label=gettext_lazy("How can that be seen?"),
        max_length=500,
        min_length=2,
        widget=forms.TextInput(
            attrs={"placeholder": gettext_lazy("e.g. sent in the platform's chat at 10:05")}
        ),
    )
    file = forms.FileField(label=gettext_lazy("Screenshot"), required=False)


def _resolve_sent(*, message: OutboundMessage, by: Any, now: Any, reason: str) -> Any:
    return outbox.resolve_check(message=message, sent=True, by=by, now=now, reason=reason)


def _resolve_not_sent(*, message: OutboundMessage, by: Any, now: Any, reason: str) -> Any:
    return outbox.resolve_check(message=message, sent=False, by=by, now=now, reason=reason)


def _is_assisted(request: HttpRequest, obj: OutboundMessage) -> bool:
    return obj.is_assisted


def _is_automatic(request: HttpRequest, obj: OutboundMessage) -> bool:
    return not obj.is_assisted


@admin.register(OutboundMessage)
class OutboundMessageAdmin(MovesMixin, ReadOnlyAdmin):
    """Nothing is edited here: the state moves by buttons, people carry what no machine can."""

    moves_table = OUTBOUND
    moves_field = "state"
    moves = {
        # The button leads to the page with the text and a place for the proof (`hand_view`).
        "mark_sent": Verb(outbox.mark_sent, "message", reason="proof", icon="send"),
        "resolve_sent": Verb(
            _resolve_sent, "message", reason_label=gettext_lazy("What shows it?"), icon="check"
        ),
        "resolve_not_sent": Verb(
            _resolve_not_sent, "message", reason_label=gettext_lazy("What shows it?"), icon="replay"
        ),
        "retry": Verb(outbox.retry, "message", show=_is_automatic, icon="replay"),
        "do_again": Verb(outbox.retry, "message", show=_is_assisted, icon="undo"),
        "cancel": Verb(outbox.cancel, "message", icon="close"),
    }
    list_display = (
        "show_state", "show_text", "show_recipient", "channel", "show_class", "show_when", "show_reason"
    )  # fmt: skip
    list_display_links = ("show_text",)
    list_filter = (WhatFilter, "channel", "message_class")
    list_select_related = ("customer", "gateway")
    list_before_template = "admin/messaging/outbox_before.html"
    change_form_outer_before_template = "admin/messaging/message_before.html"
    search_fields = ("=subject_key", "=idempotency_key", "=provider_id")
    empty_text = gettext_lazy(
        "Messages to customers stand here from the moment somebody writes one: what waits, what went out, and what was not allowed, with its reason."
    )
    fieldsets = (
        (None, {"fields": ("show_state", "show_reason", "show_recipient", "show_body", "show_link")}),
        (
            pgettext_lazy("message", "Way"),
            {"fields": ("channel", "show_class", "gateway", "template", "template_version", "purpose",
                        "subject_key", "is_automatic", "by")},
        ),
        (
            gettext_lazy("Times"),
            {"fields": ("created_at", "not_before", "last_useful_at", "next_attempt_at", "attempts", "sent_at",
                        "delivered_at")},
        ),
        (gettext_lazy("Proof"), {"fields": ("provider_id", "idempotency_key", "proof", "show_proof_file")}),
        (gettext_lazy("History"), {"fields": ("show_log",)}),
    )  # fmt: skip
    readonly_fields = (
        "show_state", "show_reason", "show_recipient", "show_body", "show_link", "show_class", "show_proof_file",
        "show_log",
    )  # fmt: skip

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see messages to their customers."""
        return queryset.visible_to(request.user)

    def get_urls(self) -> list[Any]:
        """The page for sending by hand."""
        view = self.admin_site.admin_view(self.hand_view)
        return [
            path("<int:object_id>/hand/", view, name="messaging_outboundmessage_hand"),
            *super().get_urls(),
        ]

    def moves_for(self, request: HttpRequest, obj: Any, *, back: str = "") -> list[Button]:
        """Marking as sent needs the text in front of one's eyes."""
        from dataclasses import replace

        hand = reverse("admin:messaging_outboundmessage_hand", args=[obj.pk])
        return [
            replace(button, url=hand, one_click=False) if button.verb == "mark_sent" else button
            for button in super().moves_for(request, obj, back=back)
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the tabs, their counts, and a warning while nothing leaves the house."""
        counts = work_by_hand(request.user, limit=LIMIT)
        chosen = request.GET.get("what", "")
        address = reverse("admin:messaging_outboundmessage_changelist")
        labels = (
            ("", _("All")),
            ("to_do", _("To send by hand")),
            ("to_check", _("To check")),
            ("failed", _("Failed")),
            ("waiting", _("Waiting")),
            ("refused", _("Not allowed")),
        )
        tabs = [
            {
                "label": label,
                "url": f"{address}?what={code}" if code else address,
                "count": _bounded(counts[code]) if counts.get(code) else "",
                "chosen": chosen == code,
            }
            for code, label in labels
        ]
        testing = [
            str(row.get_channel_display())
            for row in Gateway.objects.filter(is_active=True, kind=GatewayKind.CONSOLE).order_by("channel")
        ]
        return super().changelist_view(
            request, {"tabs": tabs, "testing": "、".join(testing)} | (extra_context or {})
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Titled by its number."""
        return super().change_view(
            request, object_id, form_url, {"title": _("Message")} | (extra_context or {})
        )

    def hand_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: the text to copy, the way to the platform. POST: it was sent, and this shows it."""
        message = (
            self.get_queryset(request).select_related("customer", "gateway").filter(pk=object_id).first()
        )
        if message is None:
            raise Http404
        if not request.user.has_perm(SEND) or not self.has_view_permission(request, message):
            raise PermissionDenied
        done = safe_next(request, reverse("admin:messaging_outboundmessage_changelist") + "?what=to_do")
        form = ProofForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                outbox.mark_sent(
                    message=message,
                    proof=form.cleaned_data["proof"],
                    file=form.cleaned_data["file"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(request, _("Marked as sent."))
                return HttpResponseRedirect(done)
        waits = message.state == MessageState.TO_DO
        return self.page(
            request,
            "admin/messaging/hand.html",
            _("Send by hand"),
            obj=message,
            message=message,
            form=form,
            waits=waits,
            objection=outbox.objection_now(message, now=timezone.now()) if waits else "",
            back=done,
        )

    # -- columns ----------
    @display(description=gettext_lazy("state"), ordering="state", label=LABELS)
    def show_state(self, obj: OutboundMessage) -> Any:
        """As a coloured word."""
        return badge(STATE_COLOURS[MessageState(obj.state)], obj.get_state_display())

    @display(description=gettext_lazy("text"))
    def show_text(self, obj: OutboundMessage) -> str:
        """Its beginning, masked."""
        text = obj.masked_body
        return text if len(text) <= 40 else f"{text[:40]}…"

    @display(description=gettext_lazy("text"))
    def show_body(self, obj: OutboundMessage) -> Any:
        """Whole, masked, with its subject line."""
        return format_html(
            '<div style="white-space:pre-line">{}{}</div>',
            f"{obj.title}\n\n" if obj.title else "",
            obj.masked_body,
        )

    @display(description=gettext_lazy("recipient"))
    def show_recipient(self, obj: OutboundMessage) -> str:
        """Masked."""
        return obj.recipient or "–"

    @display(description=gettext_lazy("class"), ordering="message_class", label=LABELS)
    def show_class(self, obj: OutboundMessage) -> Any:
        """As a coloured word."""
        return badge(CLASS_COLOURS[MessageClass(obj.message_class)], obj.get_message_class_display())

    @display(description=gettext_lazy("when"), ordering="-id")
    def show_when(self, obj: OutboundMessage) -> str:
        """When it went out, or is to, or was written."""
        moment = obj.sent_at or obj.next_attempt_at or obj.created_at
        return timezone.localtime(moment).strftime("%m-%d %H:%M")

    @display(description=gettext_lazy("reason"))
    def show_reason(self, obj: OutboundMessage) -> str:
        """Why it was not sent, or not yet."""
        return obj.error or obj.error_code or "–"

    @display(description=gettext_lazy("link"))
    def show_link(self, obj: OutboundMessage) -> Any:
        """Where the message leads."""
        return obj.link or "–"

    @display(description=gettext_lazy("picture as proof"))
    def show_proof_file(self, obj: OutboundMessage) -> Any:
        """Opens for those who see the message."""
        if obj.proof_file_id is None:
            return "–"
        return link(reverse("admin:core_storedfile_open", args=[obj.proof_file_id]), _("open"))

    @display(description=gettext_lazy("moves"))
    def show_log(self, obj: OutboundMessage) -> Any:
        """Who did what when. One query."""
        rows = ActionLog.objects.filter(model=obj._meta.label_lower, object_id=obj.pk).select_related("by")
        lines = [
            (
                timezone.localtime(row.at).strftime("%Y-%m-%d %H:%M"),
                verb_label(row.model, row.verb),
                row.by or _("the system"),
                row.reason,
            )
            for row in rows[:30]
        ]
        return format_html_join("", "<p>{} · {} · {} {}</p>", lines) or "–"


def _bounded(count: int) -> str:
    return f"{LIMIT}+" if count > LIMIT else str(count)
