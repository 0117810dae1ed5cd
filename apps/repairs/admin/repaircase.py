"""Repairs: the queue, the page of one, its moves (screens.md, repair case)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.compliance.services.verdicts import Unlawful
from apps.core.admin.base import ReadOnlyAdmin, safe_next, tell_error
from apps.core.admin.moves import Button, MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.transitions import Move
from apps.feedback.models import Feedback
from apps.repairs.admin import forms
from apps.repairs.admin.funnel import FunnelMixin
from apps.repairs.choices import MALICE, Ground, RepairStatus
from apps.repairs.guards import GUARDS
from apps.repairs.models import Offer, PublicReply, Remedy, RepairCase
from apps.repairs.selectors import page as pages
from apps.repairs.selectors.coupons import coupon_of
from apps.repairs.selectors.facts import facts_of, live_offer, sent_replies
from apps.repairs.selectors.queue import queue
from apps.repairs.selectors.reference import appeal_rule, remedies
from apps.repairs.services import appeals, callbacks, cases, invites, offers, outcomes, replies, telling
from apps.repairs.transitions import REPAIR
from apps.rewards.models import CouponType
from apps.rewards.selectors import gifts_to_give, held_by, levels

WORK = "repairs.work_repaircase"
ZERO = Decimal(0)


def reply_is_out(case: RepairCase) -> bool:
    """Whether a public reply stands under the review already; the queue knows it beforehand."""
    known: bool | None = getattr(case, "reply_out", None)
    return sent_replies(case).exists() if known is None else known


def unlawful_text(error: Unlawful) -> str:
    """What the rules say, with the lawful way beside it."""
    findings = error.params.get("findings") or []
    parts = [str(error.message)]
    parts += [f"{finding.message} {finding.alternative}".strip() for finding in findings[:2]]
    return " ".join(parts)


def attempt(form: Any, act: Callable[[], Any]) -> Any:
    """What `act` answers; None where the form's text has gaps or a rule refuses, which the form says then."""
    if "〔" in form.cleaned_data["text"]:
        form.add_error("text", _("Fill in what stands between 〔 and 〕."))
        return None
    try:
        return act()
    except Unlawful as error:
        form.add_error("text", unlawful_text(error))
    except DomainError as error:
        field = error.params.get("field")
        form.add_error(field if field in form.fields else None, str(error.message))
    return None


def _withdrawn(**values: Any) -> Any:
    return outcomes.confirm_gone(by_platform=False, **values)


def _removed(**values: Any) -> Any:
    return outcomes.confirm_gone(by_platform=True, **values)


def _not_missing(request: HttpRequest, case: RepairCase) -> bool:
    return case.unseen_since is not None


@admin.register(RepairCase)
class RepairCaseAdmin(FunnelMixin, MovesMixin, ReadOnlyAdmin):
    """Every change is a move of the table; the page shows what stands in the way of the next one."""

    moves_table = REPAIR
    moves = {
        "triage": Verb(cases.triage, "case", reason=None),
        "contact": Verb(cases.contact, "case", reason=None, form=forms.ContactForm),
        "try_contact": Verb(cases.try_contact, "case", reason=None, form=forms.TryForm),
        "give_up_contact": Verb(cases.give_up_contact, "case", reason=None, form=forms.ConfirmForm),
        "propose": Verb(offers.propose, "case", reason=None, form=forms.ProposeForm),
        "accept": Verb(offers.accept, "case", reason=None, form=forms.NoteForm),
        "refuse": Verb(offers.refuse, "case"),
        "end_talks": Verb(cases.end_talks, "case"),
        "call_off": Verb(offers.call_off, "case"),
        "execute": Verb(offers.execute, "case", reason=None, form=forms.ConfirmForm),
        "complete": Verb(offers.complete, "case", reason=None, form=forms.ConfirmForm),
        "satisfied": Verb(callbacks.record_result, "case", reason=None, form=forms.ResultForm),
        "unsatisfied": Verb(callbacks.record_result, "case", reason=None, form=forms.BadResultForm),
        "callback_missed": Verb(callbacks.missed, "case", reason=None, form=forms.ConfirmForm),
        "renegotiate": Verb(offers.renegotiate, "case"),
        "invite": Verb(invites.invite, "case", reason=None, form=forms.InviteForm),
        "keep": Verb(cases.keep, "case", form=forms.ConfirmForm),
        "reply": Verb(
            replies.finish,
            "case",
            reason=None,
            form=forms.ConfirmForm,
            show=lambda request, case: not case.channel.accepts_public_reply or reply_is_out(case),
        ),
        "suspect": Verb(appeals.suspect, "case"),
        "add_evidence": Verb(appeals.add_evidence, "case", reason=None, form=forms.EvidenceForm),
        "clear": Verb(appeals.clear, "case"),
        "appeal": Verb(appeals.file_appeal, "case", reason=None, form=forms.AppealForm),
        "uphold": Verb(appeals.uphold, "case", reason=None, form=forms.DecisionForm),
        "reject_appeal": Verb(appeals.reject, "case"),
        "end_appeal": Verb(appeals.end_appeal, "case"),
        "confirm_withdrawn": Verb(_withdrawn, "case", form=forms.GoneForm, show=_not_missing),
        "confirm_removed": Verb(_removed, "case", form=forms.GoneForm, show=_not_missing),
        "reopen": Verb(cases.reopen, "case"),
        "dismiss": Verb(cases.dismiss, "case"),
    }

    def visible_to(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of the feedback the person sees."""
        return queryset.visible_to(request.user).select_related(
            "feedback", "feedback__channel", "feedback__assignee", "feedback__customer", "feedback__order",
            "feedback__store", "feedback__product", "feedback__category", "feedback__subcategory", "channel", "store",
            "category", "customer", "handler", "outcome_change", "outcome_follow_up", "outcome_proof", "outcome_by",
            "invited_by", "unseen_run",
        )  # fmt: skip

    def get_urls(self) -> list[Any]:
        """Own pages before the admin's."""
        wrap = self.admin_site.admin_view
        return [
            *self.funnel_urls(),
            path("open/<int:feedback_id>/", wrap(self.open_view), name="repairs_repaircase_open"),
            path("<int:object_id>/offer/", wrap(self.offer_view), name="repairs_repaircase_offer"),
            path(
                "<int:object_id>/offer/<int:offer_id>/back/",
                wrap(self.take_back_view),
                name="repairs_repaircase_take_back",
            ),
            path(
                "<int:object_id>/remedy/<int:remedy_id>/<slug:verb>/",
                wrap(self.remedy_view),
                name="repairs_repaircase_remedy",
            ),
            path("<int:object_id>/public-reply/", wrap(self.reply_view), name="repairs_repaircase_reply"),
            path(
                "<int:object_id>/public-reply/<int:reply_id>/back/",
                wrap(require_POST(self.withdraw_reply_view)),
                name="repairs_repaircase_withdraw_reply",
            ),
            path(
                "<int:object_id>/still-there/",
                wrap(require_POST(self.still_there_view)),
                name="repairs_repaircase_still_there",
            ),
            *super().get_urls(),
        ]

    # -- list and page ----------
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The queue."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        found = queue(request.user, request.GET, now)
        for row in found.rows:
            row.next_move = self._next(request, row)
        return self.page(
            request, "admin/repairs/queue.html", _("Review repairs"), queue=found, now=now, is_fullwidth=True
        )

    def _next(self, request: HttpRequest, case: Any) -> Button | None:
        """The one thing to do with a row, where it can be said without opening it."""
        buttons = self.moves_for(request, case, back=request.get_full_path())
        found = next((button for button in buttons if button.main), None)
        if case.status in (RepairStatus.EXECUTED, RepairStatus.CALLBACK):
            # Satisfied or not: the call will tell, no button in a row.
            return None
        if found is not None and found.verb == "complete" and case.remedies_open:
            url = reverse("admin:repairs_repaircase_change", args=[case.pk])
            return replace(found, label=_("Finish the remedies"), url=url, one_click=False)
        if found is not None and found.verb == "propose" and case.offer_status != "ready":
            if case.offer_status is not None:
                return None
            url = reverse("admin:repairs_repaircase_offer", args=[case.pk])
            return replace(found, label=_("Prepare an offer"), url=url, one_click=False)
        return found

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of one repair."""
        case = self._case(request, object_id)
        if request.method != "GET":
            return redirect("admin:repairs_repaircase_change", case.pk)
        now = timezone.now()
        context = pages.page(case, request.user, now)
        # What is not possible yet is offered, but not as the obvious thing: pressing it explains why.
        blocked = context.pop("blocked")
        buttons = [
            replace(button, main=button.main and button.verb not in blocked)
            for button in self.moves_for(request, case)
            if not (context["may_prepare"] and button.verb == "propose")
        ]
        return self.page(
            request,
            "admin/repairs/case.html",
            f"{_('Review repair')} {case.number}",
            obj=case,
            moves=buttons,
            hints=appeals.hints(case.feedback) if context["branch"] else [],
            ground_labels=dict(Ground.choices),
            malice=[Ground(code).label for code in Ground.values if code in MALICE],
            rule=appeal_rule(case.channel_id) if context["branch"] else None,
            **context,
        )

    def _case(self, request: HttpRequest, object_id: Any, *, permission: str = "") -> RepairCase:
        if not self.has_view_permission(request) or (permission and not request.user.has_perm(permission)):
            raise PermissionDenied
        case = self.get_object(request, str(object_id))
        if case is None:
            raise Http404
        return case

    # -- moves ----------
    def can_move(self, request: HttpRequest, obj: Any, move: Move) -> bool:
        """What only imports may do has no button."""
        return move.verb in self.moves and super().can_move(request, obj, move)

    def move_checks(self, request: HttpRequest, obj: RepairCase, move: Move) -> list[Any]:
        """The guards, so that nobody fills in a form for nothing."""
        if move.verb not in GUARDS:
            return []
        facts = facts_of(obj, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        return pages.checks(move.verb, facts, form=move.verb in ("satisfied", "unsatisfied"))

    def move_note(self, request: HttpRequest, obj: RepairCase, move: Move) -> str:
        """What will be said or booked."""
        if move.verb in ("propose", "execute", "accept"):
            offer = live_offer(obj)
            if offer is None:
                return ""
            lines = "; ".join(
                f"{remedy.type} {remedy.amount} {_('CNY')}" if remedy.amount else str(remedy.type)
                for remedy in offer.remedies.all()
            )
            if move.verb == "propose":
                return f"{mask_text(offer.text)} ({lines})"
            return lines
        return ""

    def move_view(self, request: HttpRequest, object_id: int, verb: str) -> HttpResponse:
        """A refusal by the law says which rule and what instead."""
        try:
            return super().move_view(request, object_id, verb)
        except Unlawful as error:
            messages.error(request, unlawful_text(error))
            return redirect("admin:repairs_repaircase_change", object_id)

    # -- own pages ----------
    def open_view(self, request: HttpRequest, feedback_id: int) -> HttpResponse:
        """Open a repair by hand."""
        if not request.user.has_perm(WORK):
            raise PermissionDenied
        feedback = get_object_or_404(Feedback.objects.visible_to(request.user), pk=feedback_id)
        form = forms.ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                case = cases.open_by_hand(
                    feedback=feedback,
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                    reason=form.cleaned_data["reason"],
                )
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(request, _("%(number)s: the repair is open.") % {"number": case.number})
                return redirect("admin:repairs_repaircase_change", case.pk)
        return self._ask(
            request,
            _("Open a repair for %(number)s") % {"number": feedback.number},
            form,
            button=_("Open the repair"),
            text=feedback.snippet,
            back=reverse("admin:feedback_feedback_change", args=[feedback.pk]),
        )

    def _ask(
        self,
        request: HttpRequest,
        title: str,
        form: Any,
        *,
        button: str,
        back: str,
        text: str = "",
        danger: bool = False,
    ) -> TemplateResponse:
        return self.page(
            request,
            "admin/repairs/ask.html",
            title,
            form=form,
            button=button,
            back=back,
            text=text,
            danger=danger,
        )

    def offer_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Write an offer: words, remedies, cost; says at once who has to approve it."""
        case = self._case(request, object_id, permission=WORK)
        user: Any = request.user
        now = timezone.now()
        data = request.POST if request.method == "POST" else None
        form = forms.OfferForm(data, initial={"text": forms.template_text(case.feedback, user, "SO_IM")})
        top = case.category_id
        kinds = remedies()
        coupons = CouponType.objects.filter(is_active=True, face_value__isnull=False)
        gifts = gifts_to_give()
        lines = [
            forms.LineForm(
                data,
                type=kind,
                coupons=coupons,
                gifts=gifts,
                suggested=top is not None and top in {category.pk for category in kind.categories.all()},
            )
            for kind in kinds
        ]
        lines.sort(key=lambda line: not line.suggested)
        if request.method == "POST":
            valid = form.is_valid() & all(list(map(forms.LineForm.is_valid, lines)))
            if valid and "〔" in form.cleaned_data["text"]:
                form.add_error("text", _("Fill in what stands between 〔 and 〕."))
                valid = False
            if valid:
                try:
                    offer = offers.prepare(
                        case=case,
                        text=form.cleaned_data["text"],
                        lines=[self._line(line) for line in lines if line.cleaned_data.get("use")],
                        liability=form.cleaned_data["liability"],
                        by=user,
                        now=now,
                    )
                except Unlawful as error:
                    form.add_error("text", unlawful_text(error))
                except DomainError as error:
                    field = error.params.get("field")
                    form.add_error(field if field in form.fields else None, str(error.message))
                else:
                    if offer.needs:
                        messages.warning(
                            request,
                            _("The offer waits for a second person: %(why)s")
                            % {"why": " ".join(offer.reasons)},
                        )
                    else:
                        messages.success(request, _("The offer may be made: tell the customer."))
                    return redirect("admin:repairs_repaircase_change", case.pk)
        return self.page(
            request,
            "admin/repairs/offer.html",
            _("Offer for %(number)s") % {"number": case.number},
            obj=case,
            case=case,
            form=form,
            lines=lines,
            limit=limit_of(user),
            back=reverse("admin:repairs_repaircase_change", args=[case.pk]),
        )

    @staticmethod
    def _line(form: forms.LineForm) -> offers.Line:
        values = form.cleaned_data
        return offers.Line(
            type=form.type,
            amount=values.get("amount") or ZERO,
            statutory=values.get("statutory") or ZERO,
            note=values.get("note") or "",
            coupon_type=values.get("coupon_type"),
            gift=values.get("gift"),
            points=values.get("points") or 0,
        )

    def take_back_view(self, request: HttpRequest, object_id: int, offer_id: int) -> HttpResponse:
        """Take back an offer the customer has not heard."""
        case = self._case(request, object_id, permission=WORK)
        offer = get_object_or_404(Offer, pk=offer_id, case=case)
        back = reverse("admin:repairs_repaircase_change", args=[case.pk])
        form = forms.ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                offers.take_back(
                    offer=offer,
                    reason=form.cleaned_data["reason"],
                    by=request.user,
                    now=timezone.now(),  # type: ignore[arg-type]
                )
            except DomainError as error:
                tell_error(request, error)
            return HttpResponseRedirect(back)
        return self._ask(
            request, _("Take back offer %(offer)s") % {"offer": offer}, form, button=_("Take back"), back=back,
            text=mask_text(offer.text), danger=True,
        )  # fmt: skip

    def remedy_view(self, request: HttpRequest, object_id: int, remedy_id: int, verb: str) -> HttpResponse:
        """Finish a remedy with its proof, cancel it, or tell the customer the coupon."""
        if verb == "tell":
            return self._tell(request, object_id, remedy_id)
        if verb not in ("finish", "cancel"):
            raise Http404
        case = self._case(request, object_id, permission=WORK)
        remedy = get_object_or_404(
            Remedy.objects.select_related("type", "offer"), pk=remedy_id, offer__case=case
        )
        back = reverse("admin:repairs_repaircase_change", args=[case.pk])
        posted = request.method == "POST"
        now = timezone.now()
        form: Any
        if verb == "finish":
            form = forms.FinishRemedyForm(
                request.POST if posted else None, request.FILES if posted else None, remedy=remedy
            )
        else:
            form = forms.ReasonForm(request.POST if posted else None)
        if posted and form.is_valid():
            service: Any = offers.finish_remedy if verb == "finish" else offers.cancel_remedy
            try:
                service(remedy=remedy, by=request.user, now=now, **form.cleaned_data)
            except DomainError as error:
                field = error.params.get("field")
                form.add_error(field if field in form.fields else None, str(error.message))
            else:
                messages.success(request, _("%(remedy)s: noted.") % {"remedy": remedy.type})
                return HttpResponseRedirect(back)
        title = _("%(remedy)s is done") if verb == "finish" else _("Cancel %(remedy)s")
        return self._ask(
            request,
            title % {"remedy": remedy.type},
            form,
            button=_("Done") if verb == "finish" else _("Cancel the remedy"),
            back=back,
            text=mask_text(remedy.note),
            danger=verb == "cancel",
        )

    def _tell(self, request: HttpRequest, object_id: int, remedy_id: int) -> HttpResponse:
        """The words with the code; sent, or said by the person."""
        case = self._case(request, object_id, permission=WORK)
        remedy = get_object_or_404(
            Remedy.objects.select_related("type", "offer__case__feedback"), pk=remedy_id, offer__case=case
        )
        back = reverse("admin:repairs_repaircase_change", args=[case.pk])
        user: Any = request.user
        coupon = coupon_of(remedy, now=timezone.now())
        if coupon is None:
            messages.error(request, _("There is no coupon here that can still be used."))
            return HttpResponseRedirect(back)
        form = forms.CouponForm(
            request.POST if request.method == "POST" else None,
            feedback=case.feedback,
            initial={"text": telling.draft(remedy, coupon, user)},
        )
        if request.method == "POST" and form.is_valid():
            said = partial(telling.tell, remedy=remedy, by=user, now=timezone.now(), **form.cleaned_data)
            if attempt(form, said) is not None:
                messages.success(request, _("The customer has been told the code."))
                return HttpResponseRedirect(back)
        return self._ask(
            request,
            _("Tell the customer: %(coupon)s") % {"coupon": coupon.type},
            form,
            button=_("Tell the customer"),
            back=back,
            text=_(
                "%(place)s becomes the code when it is sent. To say it yourself, look it up on the coupon's page, with a reason."
            )
            % {"place": telling.PLACE},
        )

    def reply_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Write the public reply."""
        case = self._case(request, object_id, permission=WORK)
        user: Any = request.user
        back = reverse("admin:repairs_repaircase_change", args=[case.pk])
        initial = {"text": forms.template_text(case.feedback, user, *reply_templates(case))}
        form = forms.ReplyForm(request.POST if request.method == "POST" else None, initial=initial)
        if request.method == "POST" and form.is_valid():
            text = form.cleaned_data["text"]
            reply = attempt(form, partial(replies.write, case=case, text=text, by=user, now=timezone.now()))
            if reply is not None:
                if reply.state == reply.State.WAITING:
                    messages.warning(request, _("A second person must approve this text; you will be told."))
                else:
                    messages.success(request, _("Copy the text to the platform, then say that it is sent."))
                return HttpResponseRedirect(back)
        return self._ask(
            request,
            _("Public reply on %(number)s") % {"number": case.number},
            form,
            button=_("Write the reply"),
            back=back,
            text=case.feedback.snippet,
        )

    def withdraw_reply_view(self, request: HttpRequest, object_id: int, reply_id: int) -> HttpResponse:
        """A reply that nobody has put on the platform yet stays away from it."""
        case = self._case(request, object_id, permission=WORK)
        found = PublicReply.objects.select_related("entry__message")
        reply = get_object_or_404(found, pk=reply_id, case=case)
        try:
            replies.withdraw(reply=reply, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            tell_error(request, error)
        else:
            messages.success(request, _("Taken back: it will not be put on the platform."))
        return HttpResponseRedirect(reverse("admin:repairs_repaircase_change", args=[case.pk]))

    def still_there_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A person looked and found the review."""
        case = self._case(request, object_id, permission="repairs.lead_repaircase")
        outcomes.still_there(case=case, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        messages.success(request, _("Noted: the review is still there."))
        return HttpResponseRedirect(
            safe_next(request, reverse("admin:repairs_repaircase_change", args=[case.pk]))
        )


def limit_of(user: Any) -> Any:
    """The highest spending level a person holds, None where they hold none."""
    ladder = levels()
    held = held_by(user, [level.permission for level in ladder])
    return next((level for level in reversed(ladder) if level.permission in held), None)


def reply_templates(case: RepairCase) -> list[str]:
    """Which public replies fit: by how the case went, then by its subject."""
    if case.status == RepairStatus.REPLY_DUE and case.appeals.exists():
        return ["PR_MALICIOUS"]
    if case.executed_at is not None or case.proposed_at is not None:
        return ["PR_KEPT"]
    code = case.category.code if case.category else ""
    by_subject = {
        "QUALITY": "PR_QUALITY",
        "SAFETY": "PR_FOOD",
        "COUNTERFEIT": "PR_FAKE",
        "MISMATCH": "PR_MISMATCH",
        "LOGISTICS": "PR_DELAY",
        "PACKAGING": "PR_DAMAGE",
        "SERVICE": "PR_SERVICE",
        "STORE": "PR_SERVICE",
        "GIFT": "PR_GIFT",
        "PRICE": "PR_PRICE",
    }
    return [by_subject.get(code, "PR_KEPT"), "PR_KEPT"]
