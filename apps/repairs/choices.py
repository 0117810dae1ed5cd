"""Values with label and colour: badges have one source."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# -- showcase, review requests, reputation ----------


class ShowState(models.TextChoices):
    """Where a review proposed for the showcase stands."""

    PROPOSED = "proposed", pgettext_lazy("showcase", "proposed")
    ASKED = "asked", pgettext_lazy("showcase", "author asked")
    PERMITTED = "permitted", pgettext_lazy("showcase", "permitted")
    RELEASED = "released", pgettext_lazy("showcase", "shown")
    WITHDRAWN = "withdrawn", pgettext_lazy("showcase", "taken back")
    REFUSED = "refused", pgettext_lazy("showcase", "not shown")


SHOW_COLOURS = {
    "proposed": "blue",
    "asked": "amber",
    "permitted": "amber",
    "released": "green",
    "withdrawn": "grey",
    "refused": "grey",
}
# May still come to be shown, or is.
SHOW_LIVE = ("proposed", "asked", "permitted", "released")


class Part(models.TextChoices):
    """What an author permits, each by itself (R71; PIPL 14: specific consent)."""

    TEXT = "text", pgettext_lazy("permission", "text")
    PHOTO = "photo", pgettext_lazy("permission", "photos")
    NICKNAME = "nickname", pgettext_lazy("permission", "nickname")


class DisplayState(models.TextChoices):
    OFF = "off", pgettext_lazy("showcase page", "off")
    ON = "on", pgettext_lazy("showcase page", "on")


class PlanState(models.TextChoices):
    OFF = "off", pgettext_lazy("review requests", "off")
    ON = "on", pgettext_lazy("review requests", "on")


class RequestChannel(models.TextChoices):
    """By what a review may be asked for. SMS is not among them: carriers refuse such texts (MSG-04)."""

    WECHAT = "wechat", _("WeChat")
    EMAIL = "email", _("e-mail")
    APP = "app", _("app push")


class ActionKind(models.TextChoices):
    CONTENT = "content", pgettext_lazy("reputation action", "content: stories, videos, reviews")
    PAGE = "page", pgettext_lazy("reputation action", "product page")
    PACKAGING = "packaging", pgettext_lazy("reputation action", "packaging")
    LOGISTICS = "logistics", pgettext_lazy("reputation action", "logistics")
    OTHER = "other", pgettext_lazy("reputation action", "other")


class ActionState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("reputation action", "planned")
    DOING = "doing", pgettext_lazy("reputation action", "under way")
    DONE = "done", pgettext_lazy("reputation action", "done")
    CHECKED = "checked", pgettext_lazy("reputation action", "effect checked")
    DROPPED = "dropped", pgettext_lazy("reputation action", "dropped")


ACTION_COLOURS = {
    "planned": "blue",
    "doing": "amber",
    "done": "green",
    "checked": "green",
    "dropped": "grey",
}
ACTION_OPEN = ("planned", "doing")


class Direction(models.TextChoices):
    UP = "up", pgettext_lazy("indicator", "up")
    DOWN = "down", pgettext_lazy("indicator", "down")


class IndicatorUnit(models.TextChoices):
    """What a figure from outside is measured in."""

    SCORE = "score", pgettext_lazy("unit", "score")
    PERCENT = "percent", pgettext_lazy("unit", "percent")
    COUNT = "count", pgettext_lazy("unit", "number")
    RANK = "rank", pgettext_lazy("unit", "rank")
    CNY = "cny", pgettext_lazy("unit", "CNY")


class ValueSource(models.TextChoices):
    FORM = "form", _("by hand")
    FILE = "file", _("file import")
    DEMO = "demo", _("demo data")
