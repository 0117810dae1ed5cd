"""Trying a gateway out."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.messaging.choices import MessageChannel
from apps.messaging.gateways import Answer, Outgoing, adapter_of
from apps.messaging.models import Gateway, MessageTemplate
from apps.messaging.templates import examples, preview, variables_of


def send_test(
    *,
    gateway: Gateway,
    address: str,
    text: str,
    by: User,
    now: datetime,
    template: MessageTemplate | None = None,
) -> Answer:
    """One message past the outbox to the person's own address; answers what the provider said. Keeps a log line."""
    if not by.has_perm("messaging.change_gateway"):
        raise NotPermitted(_("You may not test gateways."))
    if gateway.channel != MessageChannel.STAFF_GROUP and not address.strip():
        raise InvalidInput(_("Say where the test goes."), field="address")
    values = examples()
    body = preview(template, values) if template is not None else text.strip() or _("This is a test.")
    answer = adapter_of(gateway).send(
        gateway,
        Outgoing(
            idempotency_key=secrets.token_hex(16),
            channel=gateway.channel,
            address=address.strip(),
            title=_("Test"),
            body=body,
            template_code=template.code if template is not None else "",
            values={name: values.get(name, "") for name in variables_of(template)}
            if template is not None
            else {},
        ),
        now=now,
    )
    ActionLog.objects.create(
        model=gateway._meta.label_lower,
        object_id=gateway.pk,
        verb="test",
        by=by,
        via="admin",
        at=now,
        data={"outcome": answer.outcome, "code": answer.code},
    )
    return answer
