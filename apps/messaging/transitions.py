"""The legal moves of a message."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

SEND = "messaging.send_message"
RESOLVE = "messaging.resolve_message"

OUTBOUND = TransitionTable(
    name="message",
    states=(
        "queued",
        "deferred",
        "to_do",
        "claimed",
        "sent",
        "delivered",
        "failed",
        "to_check",
        "refused",
        "cancelled",
    ),
    moves=(
        # -- people ----------
        Move(
            "mark_sent",
            _("Mark as sent"),
            states("to_do"),
            "sent",
            SEND,
            needs_reason=True,
            main=True,
            help=_("After you have sent it on the platform. Say how that can be seen."),
        ),
        Move(
            "resolve_sent",
            _("It was sent"),
            states("to_check"),
            "sent",
            RESOLVE,
            needs_reason=True,
            main=True,
            help=_("The provider's list or the customer shows that it went out."),
        ),
        Move(
            "resolve_not_sent",
            _("It was not sent: send again"),
            states("to_check"),
            "queued",
            RESOLVE,
            needs_reason=True,
            help=_(
                "Only when the provider's list shows that it did not go out; otherwise the customer gets it twice."
            ),
        ),
        Move(
            "retry",
            pgettext_lazy("message", "Try again"),
            states("failed", "refused"),
            "queued",
            RESOLVE,
            bulk=True,
            main=True,
            help=_("It passes the checks again: consent, quiet hours and the rest."),
        ),
        Move(
            "do_again",
            _("Put back on the list"),
            states("failed", "refused"),
            "to_do",
            SEND,
            help=_("It stands among the messages to send by hand again."),
        ),
        Move(
            "cancel",
            pgettext_lazy("message", "Cancel"),
            states("queued", "deferred", "to_do"),
            "cancelled",
            SEND,
            bulk=True,
            danger=True,
            help=_("It will not be sent."),
        ),
        # -- the machine ----------
        Move("claim", _("taken by a worker"), states("queued", "deferred"), "claimed", RESOLVE),
        Move("confirm", pgettext_lazy("move", "sent"), states("claimed", "to_check"), "sent", RESOLVE),
        Move("put_back", _("to be tried again later"), states("claimed"), "queued", RESOLVE),
        Move("defer", pgettext_lazy("move", "put off"), states("claimed", "queued"), "deferred", RESOLVE),
        Move(
            "fail",
            pgettext_lazy("move", "failed"),
            states("claimed", "queued", "to_check"),
            "failed",
            RESOLVE,
        ),
        Move("doubt", _("outcome unknown"), states("claimed"), "to_check", RESOLVE),
        Move(
            "refuse",
            pgettext_lazy("move", "not allowed"),
            states("queued", "deferred", "to_do", "claimed"),
            "refused",
            RESOLVE,
        ),
        Move(
            "deliver",
            pgettext_lazy("move", "delivered"),
            states("claimed", "sent", "to_check"),
            "delivered",
            RESOLVE,
        ),
        Move("bounce", _("came back"), states("sent", "to_check"), "failed", RESOLVE),
    ),
)

INBOUND = TransitionTable(
    name="inbound message",
    states=("received", "handled", "opted_out", "open", "done"),
    moves=(
        Move(
            "look_at",
            _("Looked at"),
            states("open"),
            "done",
            "messaging.change_inboundmessage",
            bulk=True,
            main=True,
            help=_("Somebody has read it, and nothing is to be done."),
        ),
    ),
)
