"""Answering on a case: composer, what the law says while one writes, macros, who else is here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.compliance.admin.try_text import shown
from apps.compliance.services.verdicts import Unlawful
from apps.core.admin.base import safe_next
from apps.core.exceptions import DomainError
from apps.core.hashing import new_token
from apps.core.models import User
from apps.core.numbers import whole_number
from apps.feedback.admin.forms import FilesField, ManyFiles
from apps.feedback.models import Feedback, Macro
from apps.feedback.selectors.composer import composer
from apps.feedback.services import macros, presence, replies
from apps.feedback.transitions import FEEDBACK
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessageTemplate, OutboundMessage

WORK = "feedback.work_feedback"
SEND = "messaging.send_message"


class ReplyForm(forms.Form):
    """A reply as the composer sends it."""

    channel = forms.ChoiceField(choices=MessageChannel.choices)
    text = forms.CharField(max_length=4000, strip=True)
    token = forms.SlugField(max_length=60)
    template = forms.IntegerField(required=False)
    seen = forms.IntegerField(required=False)
    anyway = forms.BooleanField(required=False)
    also = forms.CharField(max_length=20, required=False)
    files = FilesField(required=False, widget=ManyFiles())


class ConversationViews:
    """Mixed into the feedback admin; every view names its permission and starts from `visible_to`."""

    admin_site: Any
    opts: Any
    has_view_permission: Any
    _case: Any
    case_page: Any

    def conversation_urls(self) -> list[Any]:
        """Their addresses."""
        view, post = self.admin_site.admin_view, require_POST
        return [
            path("<int:pk>/reply/", view(post(self.reply_view)), name="feedback_feedback_reply"),
            path("<int:pk>/reply/check/", view(post(self.check_view)), name="feedback_feedback_reply_check"),
            path(
                "<int:pk>/reply/<int:message>/sent/",
                view(post(self.carried_view)),
                name="feedback_feedback_reply_sent",
            ),
            path("<int:pk>/presence/", view(post(self.presence_view)), name="feedback_feedback_presence"),
            path("<int:pk>/macro/<int:macro>/", view(self.macro_view), name="feedback_feedback_macro"),
        ]

    def composer_context(self, request: HttpRequest, feedback: Feedback, **state: Any) -> dict[str, Any]:
        """What the composer draws; nothing for whoever may not answer here."""
        user: User = request.user  # type: ignore[assignment]
        move = FEEDBACK.get("record_contact")
        if (
            move is None
            or feedback.status not in move.sources
            or not (user.has_perm(WORK) and user.has_perm(SEND))
        ):
            return {}
        offered = composer(feedback, user, timezone.now())
        return {
            "composer": offered
            | {
                "token": new_token()[:32],
                "text": "",
                "channel": offered["first_way"],
                "findings": [],
                "macros": list(Macro.objects.filter(is_active=True)),
                "also": {"S": "give_plan", "B": "give_progress"}.get(feedback.tier, ""),
            }
            | state
        }

    # -- replying ----------
    def reply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send. What is refused comes back with its reasons and every word that was written."""
        user: User = request.user  # type: ignore[assignment]
        if not (user.has_perm(WORK) and user.has_perm(SEND)):
            raise PermissionDenied
        feedback = self._case(request, pk)
        form = ReplyForm(request.POST, request.FILES)
        if not form.is_valid():
            messages.error(request, _("Write a reply and choose how to send it."))
            return self._again(request, feedback)
        values = form.cleaned_data
        reply = replies.Reply(
            channel=values["channel"],
            text=values["text"],
            token=values["token"],
            template=MessageTemplate.objects.filter(pk=values["template"]).first()
            if values["template"]
            else None,
            also=values["also"],
            seen=None if values["anyway"] else values["seen"],
            files=values["files"],
        )
        if "〔" in reply.text:
            messages.error(request, _("Fill in what stands between 〔 and 〕."))
            return self._again(request, feedback)
        try:
            entry = replies.send_reply(feedback=feedback, reply=reply, by=user, now=timezone.now())
        except replies.Held as held:
            messages.warning(request, str(held.message))
            return redirect("admin:feedback_feedback_change", feedback.pk)
        except Unlawful as error:
            messages.error(request, str(error.message))
            return self._again(request, feedback, findings=shown(error.params["findings"]))
        except replies.NewerWords as error:
            messages.warning(request, str(error.message))
            return self._again(request, feedback, anyway=True)
        except DomainError as error:
            messages.error(request, str(error.message))
            # The refused message stays in the outbox under the old key: what is mended is another one.
            return self._again(request, feedback, token=new_token()[:32])
        presence.leave(feedback=feedback, user=user)
        if entry.message is not None and replies.carries(entry.message):
            messages.success(
                request, _("Copy the text to the platform, then say that it is sent: that stops the clock.")
            )
        else:
            messages.success(request, _("The reply is on its way."))
        return redirect("admin:feedback_feedback_change", feedback.pk)

    def _again(self, request: HttpRequest, feedback: Feedback, **state: Any) -> HttpResponse:
        written = {
            "text": request.POST.get("text", "")[:4000],
            "channel": request.POST.get("channel", "")[:20],
            "template": whole_number(request.POST.get("template", "")) or "",
            # The same page: sent twice it is still one reply.
            "token": request.POST.get("token", "")[:60] or new_token()[:32],
        }
        return self.case_page(request, feedback, status=422, composer_state=written | state)

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the rules say of the text so far, as a piece of page. Keeps nothing."""
        if not request.user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        text, channel = request.POST.get("text", "")[:4000], request.POST.get("channel", "")[:20]
        if channel not in MessageChannel.values:
            channel = MessageChannel.PLATFORM_IM
        found, _facts = replies.findings_of(feedback, text, channel, now=timezone.now())
        html = render_to_string("admin/compliance/findings.html", {"findings": shown(found)}) if found else ""
        return HttpResponse(html, headers={"Cache-Control": "no-store"})

    def carried_view(self, request: HttpRequest, pk: int, message: int) -> HttpResponse:
        """The person has put the text on the platform."""
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(SEND):
            raise PermissionDenied
        feedback = self._case(request, pk)
        row = get_object_or_404(OutboundMessage, pk=message, subject_key=replies.subject_key(feedback.pk))
        try:
            replies.carried(
                message=row,
                proof=request.POST.get("proof", "")[:500],
                by=user,
                now=timezone.now(),
                file=request.FILES.get("file"),
            )
        except DomainError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("Noted as sent; the clock counts it."))
        back = reverse("admin:feedback_feedback_change", args=[feedback.pk])
        return redirect(safe_next(request, back))

    # -- who is here ----------
    def presence_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Asked every few seconds by an open case."""
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        if request.POST.get("leave"):
            presence.leave(feedback=feedback, user=user)
            return JsonResponse({})
        answer = presence.beat(
            feedback=feedback, user=user, typing=bool(request.POST.get("typing")), now=timezone.now()
        )
        lines = [
            (
                _("%(person)s is writing a reply here.")
                if other["writes"]
                else _("%(person)s has this case open too.")
            )
            % {"person": other["name"]}
            for other in answer["others"]
        ]
        seen = whole_number(request.POST.get("seen", "")) or 0
        if answer["newest"] > seen:
            lines.insert(0, _("Something new was said. Load the page again to read it."))
        response = JsonResponse(
            {"lines": lines, "writes": any(other["writes"] for other in answer["others"])}
        )
        response["Cache-Control"] = "no-store"
        return response

    # -- macros ----------
    def macro_view(self, request: HttpRequest, pk: int, macro: int) -> HttpResponse:
        """GET: what it would do, replies to read and mend. POST: all of it, or nothing."""
        user: User = request.user  # type: ignore[assignment]
        if not user.has_perm(WORK):
            raise PermissionDenied
        feedback = self._case(request, pk)
        row = get_object_or_404(Macro, pk=macro, is_active=True)
        steps = macros.plan(macro=row, feedback=feedback, by=user)
        token = request.POST.get("token", "")[:40] or new_token()[:24]
        problems: dict[str, str] = {}
        if request.method == "POST":
            texts = {
                step.index: request.POST.get(f"reply_{step.index}", "")[:4000]
                for step in steps
                if step.verb == "reply"
            }
            for step in steps:
                step.reply = texts.get(step.index, step.reply)
            try:
                done = macros.run(
                    macro=row, feedback=feedback, texts=texts, token=token, by=user, now=timezone.now()
                )
            except DomainError as error:
                messages.error(request, str(error.message))
                problems[str(error.params.get("field", ""))] = str(error.message)
            else:
                messages.success(
                    request,
                    ngettext("%(macro)s: %(count)d step done.", "%(macro)s: %(count)d steps done.", len(done))
                    % {"macro": row.name, "count": len(done)},
                )
                return redirect("admin:feedback_feedback_change", feedback.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{row.name} · {feedback.number}",
            "opts": self.opts,
            "original": feedback,
            "case": feedback,
            "macro": row,
            "steps": steps,
            "token": token,
            "problems": problems,
            "possible": not any(step.why_not for step in steps),
        }
        status = 422 if request.method == "POST" else 200
        return TemplateResponse(request, "admin/feedback/feedback/macro.html", context, status=status)
