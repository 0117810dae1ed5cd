"""The consent ledger and contact holds. Append-only: what was said stays said (PIPL art. 13–16)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import User
from apps.customers.choices import ContactChannel, CustomerState, Purpose
from apps.customers.models import ConsentEvent, ContactHold, Customer

CHANNELS_ALONE = {
    # These have no channel of their own: one yes or no for all.
    Purpose.RECORDING: ContactChannel.PHONE,
    Purpose.PROFILING: ContactChannel.ANY,
    Purpose.SHOWCASE: ContactChannel.ANY,
}


@transaction.atomic
def record_consent(
    *,
    customer: Customer,
    purpose: str,
    channel: str,
    granted: bool,
    source: str,
    now: datetime,
    by: User | None,
    text_version: str = "",
    evidence: str = "",
) -> ConsentEvent:
    """Add one grant or withdrawal to the ledger; returns its row.

    A grant needs the wording the customer was shown; a withdrawal needs nothing but its source, since taking
    back must be as easy as giving. Raises InvalidInput, IllegalMove (merged or erased customer) or StaleState
    (that is what holds already).
    """
    if by is not None and not by.has_perm("customers.add_consentevent"):
        raise NotPermitted(_("You may not change consents."))
    if purpose not in Purpose.values:
        raise InvalidInput(_("Choose what the consent is for."), field="purpose")
    if channel not in ContactChannel.values:
        raise InvalidInput(_("Choose the channel."), field="channel")
    alone = CHANNELS_ALONE.get(Purpose(purpose))
    if alone is not None and channel != alone:
        raise InvalidInput(
            _("“%(purpose)s” is given for “%(channel)s” only.")
            % {"purpose": Purpose(purpose).label, "channel": alone.label},
            field="channel",
        )
    if len(source.strip()) < 2:
        raise InvalidInput(_("Say where the customer said so."), field="source")
    if granted and not text_version.strip():
        raise InvalidInput(_("Name the wording the customer agreed to."), field="text_version")
    row = Customer.objects.select_for_update().get(pk=customer.pk)
    if row.state in (CustomerState.MERGED, CustomerState.ERASED):
        raise IllegalMove(_("This customer is “%(state)s”.") % {"state": row.get_state_display()})
    if granted and row.state == CustomerState.RESTRICTED:
        raise IllegalMove(_("This customer is “%(state)s”.") % {"state": row.get_state_display()})
    newest = (
        ConsentEvent.objects.filter(customer=row, purpose=purpose, channel=channel)
        .order_by("-at", "-id")
        .first()
    )
    if newest is not None and newest.granted == granted:
        raise StaleState(
            _("The customer has granted this already.") if granted else _("This is withdrawn already.")
        )
    return ConsentEvent.objects.create(
        customer=row,
        purpose=purpose,
        channel=channel,
        granted=granted,
        text_version=text_version.strip()[:60],
        source=source.strip()[:60],
        evidence=evidence.strip()[:300],
        at=now,
        by=by,
    )


def set_hold(
    *, customer: Customer, reason: str, by: User, now: datetime, ends_at: datetime | None = None
) -> ContactHold:
    """Nobody contacts the customer from now on, until `ends_at` or a release."""
    if not by.has_perm("customers.add_contacthold"):
        raise NotPermitted(_("You may not stop contacts."))
    if len(reason.strip()) < 2:
        raise InvalidInput(_("Say why nobody may contact this customer."), field="reason")
    if ends_at is not None and ends_at <= now:
        raise InvalidInput(_("The end lies in the past."), field="ends_at")
    return ContactHold.objects.create(
        customer=customer, reason=reason.strip()[:200], starts_at=now, ends_at=ends_at, by=by
    )


def release_hold(*, hold: ContactHold, by: User, now: datetime) -> None:
    """Contacts are possible again. Raises StaleState when somebody released it before."""
    if not by.has_perm("customers.change_contacthold"):
        raise NotPermitted(_("You may not release this."))
    if not ContactHold.objects.filter(pk=hold.pk, released_at__isnull=True).update(released_at=now):
        raise StaleState(_("This was released already."))
    hold.released_at = now
