"""What every adapter shares: what goes out, what came of it, secrets from the environment, HTTP with time limits."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from apps.messaging.models import Gateway

# Connecting is quick or does not come about; an answer may take a while. Together far less than a worker's lease.
TIMEOUT = httpx.Timeout(connect=5.0, write=10.0, read=15.0, pool=5.0)
LARGEST_ANSWER = 1_000_000
# Whatever a server asks for: seconds.
LONGEST_WAIT = 86_400


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as an adapter gets it. `idempotency_key` stays the same over all attempts."""

    idempotency_key: str
    channel: str
    address: str
    body: str
    title: str = ""
    link: str = ""
    message_class: str = "service"
    template_code: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    sent: the provider took it. later: it surely was not sent, and may be tried again. failed: it surely was not sent
    and never will be. refused: the recipient or the provider's rules do not want it. unknown: it may have been sent.
    """

    outcome: str
    provider_id: str = ""
    code: str = ""
    text: str = ""
    retry_after: int = 0


def sent(provider_id: str = "") -> Answer:
    """Taken by the provider."""
    return Answer("sent", provider_id=str(provider_id)[:100])


def secret_name(code: str, name: str) -> str:
    """The environment variable of a gateway's secret."""
    return f"GATEWAY_{re.sub(r'[^A-Z0-9]', '_', code.upper())}_{name}"


class Adapter:
    """One protocol. `secrets` are read from the environment, `needed` are settings that must be there."""

    channels: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[tuple[str, ...]] = ()
    needed: ClassVar[tuple[str, ...]] = ()
    # Settings a gateway may have beside those; shown on its page.
    optional: ClassVar[tuple[str, ...]] = ()
    base_url: ClassVar[str] = ""

    def secret(self, gateway: Gateway, name: str) -> str:
        """The secret's value, "" when it is not set."""
        return os.environ.get(secret_name(gateway.code, name), "").strip()

    def missing_secret(self, gateway: Gateway) -> Answer | None:
        """“later” while a secret is not set: once it is, what waited goes out."""
        missing = [name for name in self.secrets if not self.secret(gateway, name)]
        if missing:
            return Answer(
                "later", code="no_secret", text=", ".join(secret_name(gateway.code, n) for n in missing)
            )
        return None

    def problems(self, gateway: Gateway) -> dict[str, Any]:
        """What is wrong with the settings, by field."""
        found: dict[str, Any] = {}
        if gateway.channel not in self.channels:
            found["channel"] = _("This kind of gateway does not carry that channel.")
        missing = [name for name in self.needed if not gateway.config.get(name)]
        if missing:
            found["config"] = _("Settings missing: %(names)s.") % {"names": ", ".join(missing)}
        url = gateway.config.get("base_url", self.base_url)
        if url and (not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https")):
            found["config"] = _("base_url must begin with http:// or https://.")
        looks_secret = [
            n for n in gateway.config if re.search(r"secret|password|access_?key$|token", n, re.I)
        ]
        if looks_secret:
            found["config"] = _("Secrets do not belong here but into the environment: %(names)s.") % {
                "names": ", ".join(looks_secret)
            }
        return found

    def url(self, gateway: Gateway) -> str:
        """Where the provider listens; settings may name another place."""
        return str(gateway.config.get("base_url") or self.base_url).rstrip("/")

    def send(self, gateway: Gateway, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Send it. Never raises for what a provider or a network does."""
        raise NotImplementedError


_local = threading.local()


def client() -> httpx.Client:
    """This thread's connections; a process that was forked makes its own."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.pid = os.getpid()
        _local.client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)
    return _local.client  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, and its body as JSON ({} where it is none)."""

    status: int
    data: dict[str, Any]
    headers: Mapping[str, str]


def call(method: str, url: str, **options: Any) -> Reply | Answer:
    """One HTTP call. A Reply, or the Answer that a failed call amounts to.

    What fails before the request has left – name, connection, TLS – surely was not sent: later. Everything after that –
    a time-out while waiting, a connection that broke – may have been: unknown. So are 5xx answers, except 503 and 429,
    by which a server says that it did not take the request (RFC 9110).
    """
    try:
        response = client().request(method, url, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        return Answer("later", code="unreachable", text=type(error).__name__)
    except httpx.HTTPError as error:
        return Answer("unknown", code="unknown_outcome", text=type(error).__name__)
    except httpx.InvalidURL as error:
        return Answer("failed", code="invalid_url", text=str(error)[:200])
    status = response.status_code
    if status in (429, 503):
        wait = response.headers.get("retry-after", "")
        return Answer(
            "later",
            code=f"http_{status}",
            text=_said(response),
            retry_after=min(int(wait[:9]), LONGEST_WAIT) if wait.isascii() and wait.isdigit() else 0,
        )
    if status >= 500:
        return Answer("unknown", code=f"http_{status}", text=_said(response))
    return Reply(status, _json(response), response.headers)


def _said(response: httpx.Response) -> str:
    return response.text[:200]


def _json(response: httpx.Response) -> dict[str, Any]:
    if len(response.content) > LARGEST_ANSWER:
        return {}
    try:
        data = json.loads(response.content)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def unreadable(reply: Reply) -> Answer:
    """A 200 that says nothing we know: it may have been sent."""
    return Answer(
        "unknown", code=f"http_{reply.status}", text=json.dumps(reply.data, ensure_ascii=False)[:200]
    )
