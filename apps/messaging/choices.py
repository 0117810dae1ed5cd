"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class MessageChannel(models.TextChoices):
    """By what way a message travels. The last is read out by staff: templates only, never sent."""

    SMS = "sms", _("SMS")
    WECHAT = "wechat", _("WeChat")
    EMAIL = "email", _("e-mail")
    APP = "app", _("app push")
    PLATFORM_IM = "platform_im", _("platform chat")
    PUBLIC_REPLY = "public_reply", _("public reply")
    STAFF_GROUP = "staff_group", _("staff group chat")
    PHONE_SCRIPT = "phone_script", _("words on the telephone")


# A person copies the text to the platform and says so; nothing goes out by itself (decision 19).
ASSISTED = frozenset({MessageChannel.PLATFORM_IM, MessageChannel.PUBLIC_REPLY})
AUTOMATIC = frozenset(
    {
        MessageChannel.SMS,
        MessageChannel.WECHAT,
        MessageChannel.EMAIL,
        MessageChannel.APP,
        MessageChannel.STAFF_GROUP,
    }
)
SENDABLE = ASSISTED | AUTOMATIC


class MessageClass(models.TextChoices):
    """What law and carriers distinguish (domain.md 2.3). A mixed message is marketing."""

    SERVICE = "service", pgettext_lazy("message class", "service")
    MARKETING = "marketing", pgettext_lazy("message class", "marketing")
    SAFETY = "safety", pgettext_lazy("message class", "safety and recall")


class MessageState(models.TextChoices):
    """Where a message stands. Its moves: `apps.messaging.transitions`."""

    QUEUED = "queued", pgettext_lazy("message", "queued")
    DEFERRED = "deferred", pgettext_lazy("message", "waits for its time")
    TO_DO = "to_do", pgettext_lazy("message", "to send by hand")
    CLAIMED = "claimed", pgettext_lazy("message", "being sent")
    SENT = "sent", pgettext_lazy("message", "sent")
    DELIVERED = "delivered", pgettext_lazy("message", "delivered")
    FAILED = "failed", pgettext_lazy("message", "failed")
    TO_CHECK = "to_check", pgettext_lazy("message", "to check")
    REFUSED = "refused", pgettext_lazy("message", "not allowed")
    CANCELLED = "cancelled", pgettext_lazy("message", "cancelled")


STATE_COLOURS = {
    MessageState.QUEUED: "blue",
    MessageState.DEFERRED: "grey",
    MessageState.TO_DO: "amber",
    MessageState.CLAIMED: "blue",
    MessageState.SENT: "green",
    MessageState.DELIVERED: "green",
    MessageState.FAILED: "red",
    MessageState.TO_CHECK: "amber",
    MessageState.REFUSED: "grey",
    MessageState.CANCELLED: "grey",
}
# Left to a worker.
WAITING = frozenset({MessageState.QUEUED, MessageState.DEFERRED})
# Nothing has left the house yet, and may still be stopped.
STOPPABLE = WAITING | {MessageState.TO_DO}
# May have reached the customer: these count for the frequency cap.
REACHED = frozenset({MessageState.SENT, MessageState.DELIVERED, MessageState.TO_CHECK})
# Higher apps are told when a message comes to one of these.
SETTLED = frozenset(
    {
        MessageState.SENT,
        MessageState.DELIVERED,
        MessageState.FAILED,
        MessageState.TO_CHECK,
        MessageState.REFUSED,
    }
)


class Scene(models.TextChoices):
    """The occasion of a template."""

    FIRST_CONTACT = "first_contact", _("first contact")
    APOLOGY = "apology", _("apology")
    SOLUTION = "solution", _("solution")
    CALLBACK_INVITE = "callback_invite", _("callback")
    RESULT_NOTICE = "result_notice", _("result notice")
    REVIEW_UPDATE_INVITE = "review_update_invite", _("invitation to look at a review again")
    SURVEY = "survey", _("survey")
    BIRTHDAY = "birthday", _("birthday")
    COUPON_ISSUE = "coupon_issue", _("coupon issued")
    OPTOUT_CONFIRM = "optout_confirm", _("opt-out confirmed")
    PRIVACY = "privacy", _("personal data request")
    RECALL = "recall", _("recall")
    PUBLIC_REPLY = "public_reply", _("public reply")
    RECEIVED = "received", _("received notice")
    OTHER = "other", pgettext_lazy("scene", "other")


class GatewayKind(models.TextChoices):
    """How a gateway speaks: one adapter each (`apps.messaging.gateways`)."""

    CONSOLE = "console", _("test: into a file, to nobody")
    ASSISTED = "assisted", _("by hand on the platform")
    EMAIL = "email", _("mail server")
    ALIYUN_SMS = "aliyun_sms", _("Aliyun SMS")
    TENCENT_SMS = "tencent_sms", _("Tencent Cloud SMS")
    WECHAT_TEMPLATE = "wechat_template", _("WeChat official account: template message")
    WECHAT_SERVICE = "wechat_service", _("WeChat official account: customer service message")
    SIGNED_HTTP = "signed_http", _("signed HTTP to a system of your own")
    WECOM_ROBOT = "wecom_robot", _("WeCom group robot")
    DINGTALK_ROBOT = "dingtalk_robot", _("DingTalk group robot")
    FEISHU_ROBOT = "feishu_robot", _("Feishu group robot")


class InboundState(models.TextChoices):
    RECEIVED = "received", pgettext_lazy("inbound message", "just received")
    HANDLED = "handled", pgettext_lazy("inbound message", "on a case")
    OPTED_OUT = "opted_out", pgettext_lazy("inbound message", "opt-out")
    OPEN = "open", pgettext_lazy("inbound message", "nobody's yet")
    DONE = "done", pgettext_lazy("inbound message", "looked at")


class BlockScope(models.TextChoices):
    MARKETING = "marketing", _("marketing messages")
    EVERYTHING = "everything", _("every message: the address was erased")


#: In these states a message will not leave any more.
GONE = frozenset({MessageState.FAILED, MessageState.REFUSED, MessageState.CANCELLED})
