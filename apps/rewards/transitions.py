"""The legal moves of grants, coupons and deliveries; gifts and points accounts have moves that keep their state."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

SETTLE = "rewards.settle_grant"
REVERSE = "rewards.reverse_grant"
REDEEM = "rewards.redeem_coupon"
VOID = "rewards.void_coupon"
DELIVER = "rewards.deliver_gift"
ADJUST = "rewards.adjust_points"
RESTOCK = "rewards.change_gift"

GRANT = TransitionTable(
    name="grant",
    states=("granted", "settled", "reversed"),
    moves=(
        Move(
            "settle",
            pgettext_lazy("grant", "Paid"),
            states("granted"),
            "settled",
            SETTLE,
            main=True,
            help=_("The real cost leaves the budget; what was set aside beyond it is free again."),
        ),
        # The program's own: a redeemed coupon is free again because its order was cancelled.
        Move("reopen", pgettext_lazy("grant", "Open again"), states("settled"), "granted", SETTLE),
        Move(
            "reverse",
            pgettext_lazy("grant", "Take back"),
            states("granted", "settled"),
            "reversed",
            REVERSE,
            needs_reason=True,
            danger=True,
            help=_(
                "The coupon becomes void, points and stock go back, the budget gets its money back. Once only."
            ),
        ),
    ),
)

COUPON = TransitionTable(
    name="coupon",
    states=("unused", "issued", "redeemed", "void", "expired"),
    moves=(
        Move("issue", pgettext_lazy("coupon", "Issue"), states("unused"), "issued", "rewards.add_grant"),
        Move(
            "redeem",
            pgettext_lazy("coupon", "Redeem"),
            states("issued"),
            "redeemed",
            REDEEM,
            main=True,
            help=_("Counts as used from now on. Check that it belongs to the customer in front of you."),
        ),
        # The program's own: the order was cancelled in time, or too late.
        Move("free", pgettext_lazy("coupon", "Free again"), states("redeemed"), "issued", REDEEM),
        Move("lapse", pgettext_lazy("coupon", "Order cancelled"), states("redeemed"), "expired", REDEEM),
        Move(
            "void",
            pgettext_lazy("coupon", "Make void"),
            states("unused", "issued"),
            "void",
            VOID,
            needs_reason=True,
            danger=True,
            help=_(
                "It can no longer be redeemed. A promise to a customer must be kept: offer something else."
            ),
        ),
        Move("expire", pgettext_lazy("coupon", "Expire"), states("unused", "issued"), "expired", VOID),
    ),
)

DELIVERY = TransitionTable(
    name="gift delivery",
    states=("to_send", "sent", "delivered", "returned", "cancelled"),
    moves=(
        Move(
            "send",
            pgettext_lazy("delivery", "Send"),
            states("to_send"),
            "sent",
            DELIVER,
            main=True,
            help=_("Carrier and tracking number go with it; the cost leaves the budget."),
        ),
        Move(
            "deliver",
            pgettext_lazy("delivery", "Arrived"),
            states("sent"),
            "delivered",
            DELIVER,
            main=True,
            help=_("Name, phone and address are kept masked from then on."),
        ),
        Move(
            "give_back",
            pgettext_lazy("delivery", "Came back"),
            states("sent"),
            "returned",
            DELIVER,
            needs_reason=True,
        ),
        Move(
            "resend",
            pgettext_lazy("delivery", "Send again"),
            states("returned"),
            "to_send",
            DELIVER,
            main=True,
        ),
        # The program's own: the grant was taken back.
        Move(
            "cancel", pgettext_lazy("delivery", "Cancel"), states("to_send", "returned"), "cancelled", REVERSE
        ),
    ),
)

GIFT = TransitionTable(
    name="gift",
    states=("on", "off"),
    moves=(
        Move(
            "restock",
            pgettext_lazy("gift", "Change the stock"),
            states("on", "off"),
            None,
            RESTOCK,
            needs_reason=True,
            main=True,
            help=_("How many came in, or with a minus, how many are missing."),
        ),
        Move(
            "retire",
            pgettext_lazy("gift", "No longer give"),
            states("on"),
            "off",
            RESTOCK,
            help=_("What is promised already is still sent."),
        ),
        Move("revive", pgettext_lazy("gift", "Give again"), states("off"), "on", RESTOCK),
    ),
)

ACCOUNT = TransitionTable(
    name="points account",
    states=("open",),
    moves=(
        Move(
            "adjust",
            pgettext_lazy("points", "Adjust"),
            states("open"),
            None,
            ADJUST,
            needs_reason=True,
            help=_("Above the limit a second person decides first."),
        ),
    ),
)
