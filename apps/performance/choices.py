"""Values with label and colour: badges have one source."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

#: Labels of `apps.performance.figures.FIGURES`.
FIGURE_LABELS: dict[str, Any] = {
    "handled": pgettext_lazy("figure", "handled"),
    "on_time": pgettext_lazy("figure", "on time"),
    "response_median": pgettext_lazy("figure", "first response (median)"),
    "response_p90": pgettext_lazy("figure", "first response (90 %)"),
    "repair_success": pgettext_lazy("figure", "repairs that satisfied"),
    "csat": pgettext_lazy("figure", "satisfied customers"),
    "reopened": pgettext_lazy("figure", "opened again"),
    "cost": pgettext_lazy("figure", "cost per repair"),
    "quality": pgettext_lazy("figure", "quality sample"),
    "callbacks": pgettext_lazy("figure", "callbacks made"),
    "withdrawn": pgettext_lazy("figure", "withdrawn or revised reviews"),
    "compliance": pgettext_lazy("figure", "texts the law check blocked"),
}
FIGURE_HELP: dict[str, Any] = {
    "handled": _("Cases of this person resolved in the month."),
    "on_time": _("Promises kept in time, of all that were due in the month."),
    "response_median": _("From arrival to the first answer of a person; half were faster."),
    "response_p90": _("Nine of ten customers had an answer within this time."),
    "repair_success": _(
        "Repairs whose customer was satisfied at the callback, of those that ended in the month."
    ),
    "csat": _("Customers who gave 4 or 5 stars, of all who gave stars about this person's cases."),
    "reopened": _("Cases that had been opened again, of those resolved in the month."),
    "cost": _("What a repair that ended in the month cost on average."),
    "quality": _("Points in the quality sample, of all points possible."),
    "callbacks": _("Callbacks this person finished."),
    "withdrawn": _("Never a measure by itself: whoever is paid for it presses customers."),
    "compliance": _("Texts that a rule of law stopped before they went out."),
}
OBJECTIONS: dict[str, Any] = {
    "empty": _("At least one figure has to count."),
    "unknown": _("There is a figure that nobody knows."),
    "twice": _("A figure stands twice."),
    "negative": _("A weight cannot be negative."),
    "flat": _("Full points and no points cannot lie at the same value."),
    "direction": _("Full points lie on the worse side: for shares higher is better, for time, cost and cases opened again lower is."),
    "tempting": _(
        "Withdrawn or revised reviews may carry a third of the weight at most. Staff who are paid for them press "
        "customers: that is harassment, and it makes reviews untrue (Anti-Unfair Competition Law)."
    ),
}  # fmt: skip


class RollState(models.TextChoices):
    OPEN = "open", pgettext_lazy("month", "is counted every night")
    LOCKED = "locked", pgettext_lazy("month", "locked")


class ScoreState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("score", "draft")
    PUBLISHED = "published", pgettext_lazy("score", "published")


class ReviewState(models.TextChoices):
    OPEN = "open", pgettext_lazy("quality review", "to review")
    DONE = "done", pgettext_lazy("quality review", "reviewed")
    SKIPPED = "skipped", pgettext_lazy("quality review", "left out")


class NoteKind(models.TextChoices):
    PRAISE = "praise", pgettext_lazy("coaching note", "praise")
    ADVICE = "advice", pgettext_lazy("coaching note", "advice")
    AGREED = "agreed", pgettext_lazy("coaching note", "agreed")


class NoteState(models.TextChoices):
    GIVEN = "given", pgettext_lazy("coaching note", "not read yet")
    SEEN = "seen", pgettext_lazy("coaching note", "read")
    CLOSED = "closed", pgettext_lazy("coaching note", "closed")


class SessionState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("training", "planned")
    HELD = "held", pgettext_lazy("training", "held")
    CLOSED = "closed", pgettext_lazy("training", "closed")
    CANCELLED = "cancelled", pgettext_lazy("training", "called off")


class Attendance(models.TextChoices):
    INVITED = "invited", pgettext_lazy("training", "invited")
    ATTENDED = "attended", pgettext_lazy("training", "was there")
    ABSENT = "absent", pgettext_lazy("training", "absent")
    EXCUSED = "excused", pgettext_lazy("training", "excused")


class QuestionKind(models.TextChoices):
    SINGLE = "single", _("one answer is right")
    MULTI = "multi", _("several answers are right")


class ProposalReason(models.TextChoices):
    COMPLAINTS = "complaints", pgettext_lazy("training proposal", "service complaints")
    QUALITY = "quality", pgettext_lazy("training proposal", "quality sample not passed")


class ProposalState(models.TextChoices):
    OPEN = "open", pgettext_lazy("training proposal", "to decide")
    ACCEPTED = "accepted", pgettext_lazy("training proposal", "accepted")
    REJECTED = "rejected", pgettext_lazy("training proposal", "rejected")


COLOURS: dict[str, str] = {
    "open": "amber", "locked": "grey", "draft": "amber", "published": "green", "done": "green", "skipped": "grey",
    "praise": "green", "advice": "blue", "agreed": "amber", "given": "amber", "seen": "blue", "closed": "grey",
    "planned": "blue", "held": "amber", "cancelled": "grey", "invited": "blue", "attended": "green", "absent": "red",
    "excused": "grey", "accepted": "green", "rejected": "grey",
}  # fmt: skip
