"""Asking for a second person and deciding (architecture, decision 10). The requester never decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.approvals import APPROVAL, deciders
from apps.core.choices import ApprovalState, NoticeLevel
from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import Approval, User
from apps.core.services.notices import notify
from apps.core.workflow import perform


def ask(
    *,
    kind: str,
    record: models.Model,
    title: str,
    permission: str,
    by: User | None,
    now: datetime,
    summary: str = "",
    payload: dict[str, Any] | None = None,
    url: str = "",
) -> Approval:
    """Ask for approval; tells everybody who may decide. Asking again while one is pending answers that one.

    `permission` is the full name of what the decider must hold. Raises InvalidInput where nobody but the requester
    holds it: a request that nobody can decide would wait for ever.
    """
    if deciders.get(kind) is None:
        raise InvalidInput(_("There is no kind of approval called “%(kind)s”.") % {"kind": kind})
    judges = [pk for pk in holders(permission) if by is None or pk != by.pk]
    if not judges:
        raise InvalidInput(
            _("Nobody else may approve this. Ask an administrator to give a colleague the right.")
        )
    label = record._meta.label_lower
    with transaction.atomic():
        try:
            with transaction.atomic():
                approval = Approval.objects.create(
                    kind=kind,
                    model=label,
                    object_id=record.pk,
                    title=title[:200],
                    summary=summary,
                    payload=payload or {},
                    url=url[:300],
                    permission=permission,
                    requested_by=by,
                    requested_at=now,
                )
        except IntegrityError:
            return Approval.objects.get(
                kind=kind, model=label, object_id=record.pk, state=ApprovalState.PENDING
            )
        notify(
            recipients=judges,
            level=NoticeLevel.WARNING,
            title=_("To approve: %(what)s") % {"what": title},
            body=summary[:500],
            url=f"/admin/core/approval/{approval.pk}/change/",
            key=f"approval:{approval.pk}",
            now=now,
        )
    return approval


def decide(*, approval: Approval, verb: str, by: User, now: datetime, reason: str = "") -> Approval:
    """Approve or reject; what follows happens in the same transaction. Of two who decide at once one is told."""
    if verb not in ("approve", "reject"):
        raise InvalidInput(_("Approve or reject."), field="verb")
    if approval.requested_by_id == by.pk:
        raise NotPermitted(_("You asked for this yourself: a second person decides."))
    if not by.has_perm(approval.permission):
        raise NotPermitted(_("You may not decide this."))
    decider = deciders.get(approval.kind)
    if decider is None:
        raise InvalidInput(_("There is no kind of approval called “%(kind)s”.") % {"kind": approval.kind})
    with transaction.atomic():
        perform(
            APPROVAL,
            approval,
            verb,
            by=by,
            now=now,
            reason=reason,
            via="admin",
            changes={"decided_by_id": by.pk, "decided_at": now, "reason": reason.strip()},
            field="state",
        )
        follow = decider.approved if verb == "approve" else decider.rejected
        if follow is not None:
            follow(approval, by, now)
        if approval.requested_by_id is not None:
            words = _("Approved: %(what)s") if verb == "approve" else _("Rejected: %(what)s")
            notify(
                recipients=[approval.requested_by_id],
                level=NoticeLevel.INFO if verb == "approve" else NoticeLevel.WARNING,
                title=words % {"what": approval.title},
                body=reason,
                url=approval.url or f"/admin/core/approval/{approval.pk}/change/",
                key=f"approval_decided:{approval.pk}",
                now=now,
            )
    return approval


def approve(*, approval: Approval, by: User, now: datetime, reason: str = "") -> Approval:
    """`decide` with its verb, for buttons."""
    return decide(approval=approval, verb="approve", by=by, now=now, reason=reason)


def reject(*, approval: Approval, by: User, now: datetime, reason: str) -> Approval:
    """`decide` with its verb, for buttons."""
    return decide(approval=approval, verb="reject", by=by, now=now, reason=reason)


def withdraw(*, approval: Approval, by: User | None, now: datetime, reason: str = "") -> Approval:
    """Take a request back: whoever asked, or the system when the record has changed since."""
    if by is not None and approval.requested_by_id != by.pk:
        raise NotPermitted(_("Only the person who asked can withdraw this."))
    perform(
        APPROVAL,
        approval,
        "withdraw",
        by=by,
        now=now,
        reason=reason,
        changes={"decided_by_id": by.pk if by else None, "decided_at": now, "reason": reason.strip()},
        field="state",
    )
    return approval


def holders(permission: str) -> list[int]:
    """Ids of active people who hold a permission, by role, by themselves or as superusers. One query."""
    app, _dot, codename = permission.partition(".")
    wanted = Permission.objects.filter(content_type__app_label=app, codename=codename)
    return list(
        User.objects.filter(is_active=True, is_staff=True)
        .filter(Q(is_superuser=True) | Q(groups__permissions__in=wanted) | Q(user_permissions__in=wanted))
        .order_by("pk")
        .values_list("pk", flat=True)
        .distinct()
    )


def waiting_for(user: User) -> models.QuerySet[Approval]:
    """What this person may decide now, oldest first."""
    pending = Approval.objects.filter(state=ApprovalState.PENDING).exclude(requested_by=user)
    if not user.is_superuser:
        pending = pending.filter(permission__in=user.get_all_permissions())
    return pending.select_related("requested_by").order_by("requested_at", "id")
