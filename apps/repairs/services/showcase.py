"""The verbs of the showcase: proposing, asking the author, permission, release, taking down (R32, R71).

Law: 著作权法 art. 10 and 24 (the text and the photo belong to whoever made them), PIPL art. 13–15 (name and picture: specific consent, as
easily taken back), 消费者权益保护法实施条例 2024 art. 9 (no altering, no hiding of reviews).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.compliance.selectors import check
from apps.compliance.services import verdicts
from apps.compliance.types import Facts, worst
from apps.core.choices import NoticeLevel
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.services.files import store_file
from apps.core.services.notices import notify
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.customers.choices import Purpose
from apps.customers.models import ConsentEvent
from apps.feedback.models import Feedback, FeedbackFile
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services import replies
from apps.messaging.choices import MessageChannel, MessageState
from apps.messaging.models import InboundMessage, MessageTemplate
from apps.messaging.services.outbox import Draft, enqueue
from apps.messaging.templates import render
from apps.repairs.choices import SHOW_LIVE, Part, ShowState
from apps.repairs.models import Showcase, ShowcaseItem, ShowPermission
from apps.repairs.models.showcase import is_anonymous
from apps.repairs.querysets import ShowItemQuerySet
from apps.repairs.selectors.showcase import display_facts
from apps.repairs.services.praise import reward_findings
from apps.repairs.showing import is_excerpt, opening, read_answer
from apps.repairs.transitions import PROPOSE, SHOW_ITEM, SHOWCASE

ASK = "showcase_ask"
SWEEP_ROWS = 2000
LONGEST = 1000
TAKEN_BACK = gettext_lazy("%(review)s: the author took the permission back, it is no longer shown")
PART_TAKEN_BACK = gettext_lazy("%(review)s: the author took the permission for photos or nickname back")
SIGNED = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf"})


def address(item: ShowcaseItem) -> str:
    """Where staff find it."""
    return f"/admin/repairs/showcaseitem/{item.pk}/change/"


def _check_text(text: str, feedback: Feedback) -> str:
    text = text.strip()
    if not is_excerpt(text, mask_text(feedback.text)):
        raise InvalidInput(
            _(
                "Only the author's own words may be shown: leave out whole clauses and mark each gap with “…”; change nothing."
            ),
            field="text",
        )
    return text


def _positive(feedback: Feedback) -> bool:
    if feedback.sentiment == "negative" or (feedback.rating is not None and feedback.rating < 4):
        return False
    return feedback.kind == "praise" or feedback.sentiment == "positive"


@transaction.atomic
def propose(
    *,
    feedback: Feedback,
    by: User,
    now: datetime,
    text: str = "",
    photos: Sequence[FeedbackFile] = (),
    with_nickname: bool = False,
) -> ShowcaseItem:
    """Propose a positive review; `text` is an excerpt of it, empty: all of it.

    Raises NotPermitted, InvalidInput (not positive, nobody to ask, proposed before, not the author's words).
    """
    if not by.has_perm(PROPOSE):
        raise NotPermitted(_("You may not propose reviews for the showcase."))
    locked = Feedback.objects.select_for_update(of=("self",)).get(pk=feedback.pk)
    if not _positive(locked):
        raise InvalidInput(_("Only positive reviews are proposed for the showcase."))
    if is_anonymous(locked):
        raise InvalidInput(_("Nobody knows who wrote this, so nobody can permit that it is shown."))
    if ShowcaseItem.objects.filter(feedback=locked).exists():
        raise InvalidInput(_("This was proposed before; an author who said no is not asked again."))
    chosen = _photos_of(locked, photos)
    text = text or opening(mask_text(locked.text).strip(), LONGEST)
    if not text.strip():
        raise InvalidInput(_("There are no words in this review that could be shown."))
    try:
        with transaction.atomic():
            item = ShowcaseItem.objects.create(
                feedback=locked,
                text=_check_text(text, locked),
                with_nickname=with_nickname,
                product_id=locked.product_id,
                store_id=locked.store_id,
                proposed_by=by,
            )
    except IntegrityError as error:
        raise InvalidInput(
            _("This was proposed before; an author who said no is not asked again.")
        ) from error
    item.photos.set(chosen)
    _log(item, "propose", by, now)
    return item


def _photos_of(feedback: Feedback, photos: Sequence[FeedbackFile]) -> list[FeedbackFile]:
    for photo in photos:
        if (
            photo.feedback_id != feedback.pk
            or photo.is_recording
            or not photo.file.content_type.startswith("image/")
        ):
            raise InvalidInput(_("Choose pictures of this very review."), field="photos")
    return list(photos)


@transaction.atomic
def edit(
    *,
    item: ShowcaseItem,
    text: str,
    photos: Sequence[FeedbackFile],
    with_nickname: bool,
    by: User,
    now: datetime,
) -> ShowcaseItem:
    """Choose another excerpt, other photos. Only while it is not shown; what is shown was read by a second person."""
    if not by.has_perm(PROPOSE):
        raise NotPermitted(_("You may not propose reviews for the showcase."))
    locked = _locked(item)
    if locked.status not in (ShowState.PROPOSED, ShowState.ASKED, ShowState.PERMITTED):
        raise IllegalMove(_("It is shown or was taken down: stop showing it first."))
    locked.text = _check_text(text, locked.feedback)
    locked.with_nickname = with_nickname
    locked.save(update_fields=["text", "with_nickname", "updated_at"])
    locked.photos.set(_photos_of(locked.feedback, photos))
    _log(locked, "edit", by, now)
    return locked


def _locked(item: ShowcaseItem) -> ShowcaseItem:
    rows = ShowcaseItem.objects.select_for_update(of=("self",)).select_related(
        "feedback", "feedback__customer"
    )
    return rows.get(pk=item.pk)


def _log(item: ShowcaseItem, verb: str, by: User | None, now: datetime, **data: Any) -> ActionLog:
    return ActionLog.objects.create(
        model="repairs.showcaseitem",
        object_id=item.pk,
        verb=verb,
        from_state=item.status,
        to_state=item.status,
        by=by,
        via="admin",
        at=now,
        data=data,
    )


def parts_asked(item: ShowcaseItem) -> list[str]:
    """What the author is asked for: the text always, photos and nickname where they were chosen. One query."""
    parts: list[str] = [Part.TEXT]
    if item.photos.exists():
        parts.append(Part.PHOTO)
    if item.with_nickname:
        parts.append(Part.NICKNAME)
    return parts


def question(item: ShowcaseItem, template: MessageTemplate, by: User) -> str:
    """The text the author is sent: the template, and how to permit what was chosen."""
    feedback = Feedback.objects.select_related(
        "customer", "order", "store", "product", "category", "subcategory"
    ).get(pk=item.feedback_id)
    text = render(template, values_of(feedback, by))
    more = [str(Part(part).label) for part in parts_asked(item)[1:]]
    if more:
        text += _(
            "(Also about: %(parts)s. Answer “全部同意” to permit all of it, “同意” for the text alone.)"
        ) % {"parts": "、".join(more)}
    return text


def ask(
    *, item: ShowcaseItem, template: MessageTemplate, by: User, now: datetime, via: str = "admin"
) -> ActionLog:
    """Ask the author by a neutral, unrewarded message, once. What the gate refuses changes nothing and says why.

    Raises NotPermitted, IllegalMove, InvalidInput (nobody to ask, no such way, not allowed by the gate), Unlawful.
    """
    check_move(SHOW_ITEM, item, "ask", by=by, reason="")
    feedback = Feedback.objects.select_related("customer", "channel", "store").get(pk=item.feedback_id)
    if is_anonymous(feedback):
        raise InvalidInput(_("Nobody knows who wrote this, so nobody can permit that it is shown."))
    way = next((way for way in ways(feedback) if way.channel == template.channel), None)
    if way is None or not way.open or template.channel == MessageChannel.PUBLIC_REPLY:
        raise InvalidInput(
            _("This customer cannot be reached by %(way)s.") % {"way": template.get_channel_display()},
            field="template",
        )
    if refuses_reuse(feedback.customer_id):
        raise InvalidInput(
            _("This customer has taken back the consent to reuse of reviews: they are not asked again."),
        )
    parts = parts_asked(item)
    text = question(item, template, by)
    facts = Facts(
        subject="message",
        reward="none",
        trigger="none",
        review_script_required=False,
        invites_review=False,
        channel=template.channel,
        message_class="service",
        consent=True,
        opted_out=False,
        local_hour=12,
    )
    findings = [
        *reward_findings(text, now=now, trigger="review_positive"),
        *check(text, facts=facts, at=now),
    ]
    if worst(findings) in ("block", "require_approval"):
        verdicts.keep(
            findings=findings,
            text=text,
            facts=facts,
            by=by,
            now=now,
            subject_key=replies.subject_key(feedback.pk),
            url=address(item),
        )
        raise verdicts.Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title}, findings=findings
        )
    with transaction.atomic():
        locked = _locked(item)
        check_move(SHOW_ITEM, locked, "ask", by=by, reason="")
        if parts_asked(locked) != parts:
            # A colleague chose other parts while the question was written: it would ask about the wrong ones.
            raise StaleState(
                _("Somebody else has just changed this. Look at it again before you go on."), verb="ask"
            )
        (message,) = enqueue(
            Draft(
                purpose=ASK,
                subject_key=replies.subject_key(feedback.pk),
                channel=template.channel,
                body=text,
                customer=feedback.customer,
                address="" if feedback.customer_id is not None else feedback.number,
                template=template,
                title=_("About your review"),
                payload={"item": item.pk},
                # Refused today (a hold), it may be tried again tomorrow; the state lets only one go out.
                period_key=f"{now:%Y%m%d}",
            ),
            by=by,
            now=now,
        )
        if message.state == MessageState.REFUSED:
            refused, log = message, None
        else:
            refused = None
            for part in parts:
                ShowPermission.objects.update_or_create(
                    item=locked, part=part, defaults={"asked_at": now, "by": by}
                )
            log = perform(
                SHOW_ITEM, locked, "ask", by=by, now=now, via=via, changes={"message_id": message.pk}
            )
    if refused is not None or log is None:
        # Committed with its reason, as every refusal of the gate.
        assert refused is not None
        raise InvalidInput(
            _("The message was not allowed: %(why)s") % {"why": refused.error},
            code=refused.error_code,
            field="template",
        )
    item.refresh_from_db()
    return log


@transaction.atomic
def grant(
    *,
    item: ShowcaseItem,
    parts: Iterable[str],
    reason: str,
    by: User | None,
    now: datetime,
    file: File | None = None,
    inbound: InboundMessage | None = None,
    via: str = "admin",
) -> ActionLog:
    """Write down what the author permitted: which parts, and what shows it (words, a message, a file).

    Photos or nickname without the text permit nothing that could be shown. Raises InvalidInput, IllegalMove.
    """
    wanted = list(dict.fromkeys(parts))
    locked = _locked(item)
    check_move(SHOW_ITEM, locked, "grant", by=by, reason=reason)
    if not wanted or any(part not in Part.values for part in wanted):
        raise InvalidInput(_("Choose what the author permits."), field="parts")
    if is_anonymous(locked.feedback):
        raise InvalidInput(_("Nobody knows who wrote this, so nobody can permit that it is shown."))
    known = {row.part: row for row in locked.permissions.all()}
    text_holds = Part.TEXT in known and known[Part.TEXT].holds
    if Part.TEXT not in wanted and not text_holds:
        raise InvalidInput(_("Without permission for the text nothing can be shown."), field="parts")
    if any(row.withdrawn_at is not None and row.part in wanted for row in known.values()):
        raise InvalidInput(_("The author took this back; it stays so."), field="parts")
    stored = store_file(upload=file, by=by, now=now, allowed=SIGNED) if file is not None else None
    for part in wanted:
        if part in known and known[part].holds and stored is None and inbound is None:
            # What proves it already (the author's own message, a signed page) is worth more than another word about it.
            continue
        values: dict[str, Any] = {"granted_at": now, "evidence": mask_text(reason.strip())[:300], "by": by}
        # A new proof takes the place of its like; the other kind stays.
        values |= {"inbound": inbound} if inbound is not None else {}
        values |= {"file": stored} if stored is not None else {}
        ShowPermission.objects.update_or_create(item=locked, part=part, defaults=values)
    log = perform(SHOW_ITEM, locked, "grant", by=by, now=now, reason=reason, via=via, data={"parts": wanted})
    item.status = locked.status
    return log


@transaction.atomic
def release(*, item: ShowcaseItem, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Show it from now on. Raises NotPermitted for whoever proposed it, InvalidInput without the author's permission."""
    locked = _locked(item)
    check_move(SHOW_ITEM, locked, "release", by=by, reason="")
    if locked.proposed_by_id == by.pk:
        raise NotPermitted(_("You proposed this yourself: a second person releases it."))
    if is_anonymous(locked.feedback):
        raise InvalidInput(_("Nobody knows who wrote this, so nobody can permit that it is shown."))
    # Locked: a permission taken back in this moment waits, and then takes the item down.
    list(ShowPermission.objects.select_for_update().filter(item=locked).values_list("pk"))
    if Part.TEXT not in locked.granted():
        raise InvalidInput(_("The author has not permitted that the text is shown."))
    if not ShowcaseItem.objects.filter(pk=locked.pk).still_positive().exists():
        raise InvalidInput(_("The review has changed or a later one is negative: it cannot be shown."))
    if not ShowcaseItem.objects.filter(pk=locked.pk).showable().exists():
        raise InvalidInput(
            _(
                "The author's data may not be used, or they took back the consent to reuse of reviews: it cannot be shown."
            )
        )
    _check_text(locked.text, locked.feedback)
    log = perform(
        SHOW_ITEM,
        locked,
        "release",
        by=by,
        now=now,
        via=via,
        changes={"released_by_id": by.pk, "released_at": now},
    )
    item.status = locked.status
    return log


def hide(*, item: ShowcaseItem, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Stop showing it; the permission stays."""
    return perform(SHOW_ITEM, item, "hide", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def withdraw(
    *,
    item: ShowcaseItem,
    reason: str,
    by: User | None,
    now: datetime,
    parts: Iterable[str] = (),
    via: str = "admin",
) -> ActionLog:
    """The author takes the permission back: for good, at once (PIPL 15). `parts` empty or with the text: all of it.

    Photos or nickname alone vanish from what is shown, the rest stays.
    """
    wanted = set(parts) or set(Part.values)
    locked = _locked(item)
    check_move(SHOW_ITEM, locked, "withdraw", by=by, reason=reason)
    if Part.TEXT in wanted:
        wanted = set(Part.values)
    ShowPermission.objects.filter(item=locked, part__in=wanted, withdrawn_at__isnull=True).update(
        withdrawn_at=now
    )
    if Part.TEXT not in wanted:
        # Also what was never asked for: whoever said "not my photo" is not recorded as agreeing later by mistake.
        ShowPermission.objects.bulk_create(
            (ShowPermission(item=locked, part=part, withdrawn_at=now, by=by) for part in sorted(wanted)),
            ignore_conflicts=True,
        )
        # Pages that keep a copy ask by the time of the last change.
        ShowcaseItem.objects.filter(pk=locked.pk).update(updated_at=now)
        return _log(locked, "withdraw_part", by, now, parts=sorted(wanted), reason=mask_text(reason))
    return _end(locked, item, "withdraw", by=by, now=now, reason=reason, via=via)


def refuse(
    *, item: ShowcaseItem, reason: str, by: User | None, now: datetime, via: str = "admin"
) -> ActionLog:
    """The author says no, or it does not suit. For good."""
    return _end(item, item, "refuse", by=by, now=now, reason=reason, via=via)


def _end(
    locked: ShowcaseItem,
    item: ShowcaseItem,
    verb: str,
    *,
    by: User | None,
    now: datetime,
    reason: str,
    via: str,
) -> ActionLog:
    log = perform(
        SHOW_ITEM,
        locked,
        verb,
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"ended_at": now, "why_ended": mask_text(reason.strip())[:300]},
    )
    item.status = locked.status
    return log


# -- what happens by itself ----------
def refuses_reuse(customer_id: int | None) -> bool:
    """Whether the newest word of the customer in the consent ledger is that reviews may not be reused. One query."""
    if customer_id is None:
        return False
    rows = ConsentEvent.objects.filter(customer_id=customer_id, purpose=Purpose.SHOWCASE)
    return rows.order_by("-at", "-id").values_list("granted", flat=True).first() is False


def take_down_turned(*, now: datetime) -> int:
    """Take down what may not be shown any more: reviews that turned, authors who took their consent back in the ledger.
    Words that no longer stand in the review are hidden until somebody chooses others. Repeating finds nothing more.
    """
    live = ShowcaseItem.objects.filter(status__in=SHOW_LIVE)
    why = _("The review has changed, or a later one is negative.")
    done = _take_down(live.exclude(pk__in=live.still_positive().values("pk")), why, now)
    gone = _("The author has taken back the consent to reuse of reviews, or their data was erased.")
    done += _take_down(live.author_left(), gone, now)
    changed = ShowcaseItem.objects.filter(status=ShowState.RELEASED).with_later_version()
    for item in changed.select_related("feedback").order_by("pk").iterator():
        if not item.says_so_still():
            done += _hide_altered(item.pk, now)
    return done


def _hide_altered(pk: int, now: datetime) -> int:
    with transaction.atomic():
        item = _locked(ShowcaseItem(pk=pk))
        if item.status != ShowState.RELEASED or item.says_so_still():
            return 0
        why = _("The author has changed the review: choose again what is shown.")
        perform(SHOW_ITEM, item, "hide", by=None, now=now, reason=why, via="sweep")
        _tell_taken_out(item, why, f"show_altered:{item.pk}:{now:%Y%m%d}", now)
    return 1


def _tell_taken_out(item: ShowcaseItem, why: str, key: str, now: datetime) -> None:
    notify(
        recipients=[pk for pk in (item.proposed_by_id, item.released_by_id) if pk is not None],
        level=NoticeLevel.WARNING,
        title=_("Taken out of the showcase: %(review)s") % {"review": item.feedback.number},
        body=why,
        url=address(item),
        key=key,
        now=now,
    )


def _take_down(rows: ShowItemQuerySet, why: str, now: datetime) -> int:
    done = 0
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)[:SWEEP_ROWS]):
        with transaction.atomic():
            item = _locked(ShowcaseItem(pk=pk))
            if item.status not in SHOW_LIVE:
                continue
            shown = item.status == ShowState.RELEASED
            _end(item, item, "turn", by=None, now=now, reason=why, via="sweep")
            if shown:
                _tell_taken_out(item, why, f"show_turned:{item.pk}", now)
        done += 1
    return done


def on_answer(inbound: InboundMessage, now: datetime) -> bool:
    """Handler of messages: an author's yes or no to being shown. False where it is not plainly one.

    Permission must be an answer to our question; taking back is heard whenever a customer says so in plain words, and
    holds for every review of theirs: they need not know which of them we mean.
    """
    said = read_answer(inbound.text, frozenset(Part.values))
    if not said.answer:
        return False
    answered = _item_answered(inbound)
    if said.answer == "back":
        return _taken_back(inbound, answered, said.parts, now)
    if answered is None:
        return False
    with transaction.atomic():
        locked = _locked(answered)
        if said.answer == "yes" and locked.status == ShowState.ASKED:
            asked = set(locked.permissions.values_list("part", flat=True))
            parts = [part for part in Part.values if part in said.parts and part in asked]
            if Part.TEXT not in parts:
                return False
            grant(
                item=locked,
                parts=parts,
                reason=inbound.text,
                inbound=inbound,
                by=None,
                now=now,
                via="hook",
            )
            words = _("%(review)s: the author permits that it is shown")
        elif said.answer == "no" and locked.status == ShowState.ASKED:
            refuse(item=locked, reason=inbound.text, by=None, now=now, via="hook")
            words = _("%(review)s: the author does not want it shown")
        elif said.answer == "no" and locked.status in SHOW_LIVE:
            withdraw(item=locked, reason=inbound.text, by=None, now=now, via="hook")
            words = TAKEN_BACK
        else:
            return False
        _tell_proposer(locked, str(words), inbound, now)
    return True


def _taken_back(
    inbound: InboundMessage, answered: ShowcaseItem | None, parts: frozenset[str], now: datetime
) -> bool:
    theirs = ShowcaseItem.objects.none()
    # Beside our question a word of what is meant is needed: "取消" may be about an order.
    if inbound.customer_id is not None and (
        answered is not None or any(word in inbound.text for word in ("展示", "授权", "许可"))
    ):
        theirs = ShowcaseItem.objects.filter(
            feedback__customer_id=inbound.customer_id,
            status__in=(ShowState.ASKED, ShowState.PERMITTED, ShowState.RELEASED),
        )
    keys = set(theirs.values_list("pk", flat=True)) | ({answered.pk} if answered is not None else set())
    done = False
    for pk in sorted(keys):
        with transaction.atomic():
            locked = _locked(ShowcaseItem(pk=pk))
            if locked.status not in SHOW_LIVE:
                continue
            withdraw(item=locked, parts=parts, reason=inbound.text, by=None, now=now, via="hook")
            words = TAKEN_BACK if locked.status not in SHOW_LIVE else PART_TAKEN_BACK
            _tell_proposer(locked, str(words), inbound, now)
        done = True
    return done


def _tell_proposer(item: ShowcaseItem, words: str, inbound: InboundMessage, now: datetime) -> None:
    if item.proposed_by_id is None:
        return
    notify(
        recipients=[item.proposed_by_id],
        level=NoticeLevel.INFO,
        title=words % {"review": item.feedback.number},
        url=address(item),
        key=f"show_answer:{inbound.pk}:{item.pk}",
        now=now,
    )


def _item_answered(inbound: InboundMessage) -> ShowcaseItem | None:
    message = inbound.in_reply_to
    if message is None or message.purpose != ASK:
        return None
    return ShowcaseItem.objects.filter(message=message).first()


# -- showcases ----------
def switch_on(*, showcase: Showcase, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Show it. Refused without label, link and counts: a selection that hides the rest is unlawful (REV-07).

    Raises Unlawful (params `findings`; kept as a verdict), NotPermitted, IllegalMove.
    """
    check_move(SHOWCASE, showcase, "switch_on", by=by, reason="")
    text = f"{showcase.label} {showcase.link_text}".strip()
    facts = display_facts(showcase)
    findings = check(text, facts=facts, at=now)
    if worst(findings) in ("block", "require_approval"):
        verdicts.keep(
            findings=findings,
            text=text,
            facts=facts,
            by=by,
            now=now,
            subject_key=f"showcase:{showcase.pk}",
            url=f"/admin/repairs/showcase/{showcase.pk}/change/",
        )
        first = findings[0]
        words = _("%(what)s: %(why)s") % {"what": first.title, "why": first.message}
        # A rule of the shop's own may name no law.
        law = first.law.strip().partition("\n")[0][:160]
        if law:
            words = _("%(what)s: %(why)s (%(law)s)") % {
                "what": first.title,
                "why": first.message,
                "law": law,
            }
        raise verdicts.Unlawful(words, findings=findings)
    return perform(
        SHOWCASE,
        showcase,
        "switch_on",
        by=by,
        now=now,
        via=via,
        expect={
            "label": showcase.label,
            "link_text": showcase.link_text,
            "reviews_url": showcase.reviews_url,
            "claims_all": showcase.claims_all,
            "shows_counts": showcase.shows_counts,
        },
    )


def switch_off(*, showcase: Showcase, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Show nothing from now on."""
    return perform(SHOWCASE, showcase, "switch_off", by=by, now=now, via=via)
