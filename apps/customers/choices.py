"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Gender(models.TextChoices):
    UNKNOWN = "", _("not known")
    FEMALE = "f", _("female")
    MALE = "m", _("male")


class MemberTier(models.TextChoices):
    NONE = "", _("no member")
    REGULAR = "regular", _("regular member")
    SILVER = "silver", _("silver member")
    GOLD = "gold", _("gold member")
    DIAMOND = "diamond", _("diamond member")


class CustomerState(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("customer", "active")
    RESTRICTED = "restricted", _("storage only")
    MERGED = "merged", _("merged into another")
    ERASED = "erased", _("erased")


class Purpose(models.TextChoices):
    """What a consent is for; one row per purpose and channel, never bundled (实施条例 art. 23)."""

    MARKETING = "marketing", _("marketing messages")
    BIRTHDAY = "birthday", _("birthday greetings")
    SURVEY = "survey", _("surveys")
    RECORDING = "recording", _("call recording")
    PROFILING = "profiling", _("personalised offers")
    SHOWCASE = "showcase", _("reuse of reviews")


class ContactChannel(models.TextChoices):
    ANY = "any", _("every channel")
    SMS = "sms", _("SMS")
    PHONE = "phone", _("telephone")
    EMAIL = "email", _("e-mail")
    WECHAT = "wechat", _("WeChat")
    APP = "app", _("app push")


class OrderStatus(models.TextChoices):
    PLACED = "placed", pgettext_lazy("order", "placed")
    SHIPPED = "shipped", pgettext_lazy("order", "shipped")
    DELIVERED = "delivered", pgettext_lazy("order", "delivered")
    COMPLETED = "completed", pgettext_lazy("order", "completed")
    CANCELLED = "cancelled", pgettext_lazy("order", "cancelled")
    RETURNED = "returned", pgettext_lazy("order", "returned")
