"""Templates, gateways and rules as shipped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core.reference import touch
from apps.core.services.reference_data import upsert
from apps.messaging.carrier import REFUSED_WORDS
from apps.messaging.choices import ASSISTED, AUTOMATIC, GatewayKind, MessageChannel
from apps.messaging.models import Gateway, MessageTemplate, MessagingPolicy
from apps.messaging.selectors import STAMP

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def _shipped(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def load_messaging_reference() -> dict[str, Counter[str]]:
    """Load everything this app ships; answers what was done, by kind. Running it again changes nothing."""
    done = {"message templates": _templates(), "gateways": _gateways(), "message rules": _policy()}
    touch(STAMP)
    return done


def _templates() -> Counter[str]:
    done: Counter[str] = Counter()
    for entry in _shipped("templates.json"):
        values = {name: value for name, value in entry.items() if name != "code"}
        _row, what = upsert(MessageTemplate, key={"code": entry["code"]}, values=values)
        done[what] += 1
    return done


def _gateways() -> Counter[str]:
    """A gateway for every channel from the first day: by hand for platforms, the test gateway for the others."""
    done: Counter[str] = Counter()
    with translation.override(settings.LANGUAGE_CODE):
        for channel in sorted(ASSISTED | AUTOMATIC - {MessageChannel.STAFF_GROUP}):
            if Gateway.objects.filter(channel=channel).exists():
                done["kept"] += 1
                continue
            kind = GatewayKind.ASSISTED if channel in ASSISTED else GatewayKind.CONSOLE
            label = MessageChannel(channel).label
            name = label if channel in ASSISTED else _("Test gateway: %(channel)s") % {"channel": label}
            Gateway.objects.create(
                code=f"{kind.value}_{channel}", name=name, kind=kind, channel=channel, is_active=True
            )
            done["created"] += 1
    return done


def _policy() -> Counter[str]:
    if MessagingPolicy.objects.exists():
        return Counter(kept=1)
    MessagingPolicy.objects.create(refused_words=list(REFUSED_WORDS))
    return Counter(created=1)
