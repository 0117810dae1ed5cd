"""E-mail through Django's mail: SMTP, or a mail service through django-anymail (the settings choose)."""

from __future__ import annotations

import contextlib
import smtplib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

from apps.messaging.choices import MessageChannel
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, sent


def _text(error: BaseException) -> str:
    # Answers of mail servers may name the address; that is masked where they are shown.
    return f"{type(error).__name__}: {error}"[:200]


def _by_code(code: int, text: str) -> Answer:
    """4xx: later; 5xx: never (RFC 5321)."""
    return Answer("later" if 400 <= code < 500 else "failed", code=f"smtp_{code}", text=text)


class Mail(Adapter):
    """`from` and `reply_to` may be set for each gateway; else DEFAULT_FROM_EMAIL."""

    channels = frozenset({MessageChannel.EMAIL})
    optional = ("from", "reply_to")

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Connect first: what fails there was surely not sent. What fails after the text left is unknown."""
        connection = get_connection(fail_silently=False)
        if isinstance(connection, EmailBackend) and connection.timeout is None:
            connection.timeout = 15
        try:
            connection.open()
        except smtplib.SMTPAuthenticationError as error:
            return Answer("later", code="smtp_login", text=_text(error))
        except (OSError, smtplib.SMTPException) as error:
            return Answer("later", code="unreachable", text=_text(error))
        message = self.message(gateway, outgoing, connection)
        try:
            count = connection.send_messages([message])
        except Exception as error:
            return self.failed(error)
        finally:
            # The message is out, or not: how the line goes down changes nothing.
            with contextlib.suppress(Exception):
                connection.close()
        status = getattr(message, "anymail_status", None)
        if status is not None and status.status:
            return self.by_service(status)
        return (
            sent(message.extra_headers["Message-ID"].strip("<>"))
            if count
            else Answer("unknown", code="not_taken")
        )

    @staticmethod
    def message(gateway: Any, outgoing: Outgoing, connection: Any) -> EmailMessage:
        """Line breaks in a subject would be headers of somebody else's."""
        body = f"{outgoing.body}\n\n{outgoing.link}" if outgoing.link else outgoing.body
        reply_to = gateway.config.get("reply_to")
        sender = str(gateway.config.get("from") or settings.DEFAULT_FROM_EMAIL)
        domain = sender.rpartition("@")[2].strip("> ") or "localhost"
        return EmailMessage(
            subject=" ".join(outgoing.title.split()) or " ".join(outgoing.body.split())[:40],
            body=body,
            from_email=sender,
            to=[outgoing.address],
            reply_to=[str(reply_to)] if reply_to else None,
            # The same over all attempts, so that mail programs show a second copy as the same letter.
            headers={"Message-ID": f"<{outgoing.idempotency_key}@{domain}>", **outgoing.headers},
            connection=connection,
        )

    @staticmethod
    def failed(error: Exception) -> Answer:
        """What an error while handing over means."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [code for code, _text_ in error.recipients.values()]
            return _by_code(max(codes, default=550), _text(error))
        if isinstance(error, smtplib.SMTPResponseException):
            return _by_code(error.smtp_code, _text(error))
        if isinstance(error, ValueError | UnicodeError):
            # Refused by Django before anything was sent: an address or header that cannot be one.
            return Answer("failed", code="invalid_address", text=_text(error))
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            # django-anymail: the service answered, and did not take it.
            if status in (401, 403, 429, 503):
                return Answer("later", code=f"http_{status}", text=_text(error))
            return Answer(
                "failed" if 400 <= status < 500 else "unknown", code=f"http_{status}", text=_text(error)
            )
        return Answer("unknown", code="unknown_outcome", text=_text(error))

    @staticmethod
    def by_service(status: Any) -> Answer:
        """django-anymail's own word on the one recipient."""
        states = set(status.status)
        if states & {"sent", "queued"}:
            return sent(str(status.message_id or ""))
        if states & {"rejected"}:
            return Answer("refused", code="rejected", text="")
        if states & {"invalid", "failed"}:
            return Answer("failed", code=sorted(states)[0], text="")
        return Answer("unknown", code="unknown_outcome", text=", ".join(sorted(map(str, states))))
