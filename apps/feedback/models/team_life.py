"""Hand-overs of somebody's open work, and the notes one shift leaves for the next."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.feedback.choices import HandoverKind, HandoverRowState, HandoverWay, ShiftPart
from apps.shop.models import Team


class Handover(models.Model):
    """All open work of one person given to others at once, with the exact plan of who gets what.

    The plan is kept first and carried out row by row afterwards, so that what was confirmed is what happens, a second
    press or a run that was cut short does nothing twice, and the whole can be taken back.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("whose work"), on_delete=models.PROTECT, related_name="+"
    )
    way = models.CharField(pgettext_lazy("hand-over", "how"), max_length=10, choices=HandoverWay.choices)
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("colleague"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    planned_at = models.DateTimeField(_("planned at"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    returned_at = models.DateTimeField(_("given back at"), null=True, blank=True)

    class Meta:
        verbose_name = _("hand-over")
        verbose_name_plural = _("hand-overs")
        ordering = ("-planned_at", "-id")
        indexes = (
            # Read by the page of a person: what of theirs was handed over before.
            models.Index(fields=["person", "-planned_at"], name="feedback_handover_of"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(way__in=HandoverWay.values), name="feedback_handover_way"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person} {self.planned_at:%Y-%m-%d}"


class HandoverRow(models.Model):
    """One piece of work in a hand-over: to whom it goes by the plan, and what became of it."""

    handover = models.ForeignKey(Handover, on_delete=models.CASCADE, related_name="rows")
    kind = models.CharField(max_length=10, choices=HandoverKind.choices)
    object_id = models.BigIntegerField()
    label = models.CharField(max_length=300)
    tier = models.CharField(max_length=1, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: nobody had room.",
    )
    state = models.CharField(
        max_length=10, choices=HandoverRowState.choices, default=HandoverRowState.PLANNED
    )
    why = models.CharField(max_length=300, blank=True)
    log_id = models.BigIntegerField(null=True, blank=True, help_text="The ActionLog row of the move.")

    class Meta:
        verbose_name = _("row of a hand-over")
        verbose_name_plural = _("rows of a hand-over")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["handover", "kind", "object_id"], name="feedback_handover_row_once"
            ),
        )

    def __str__(self) -> str:
        return self.label


class ShiftNote(models.Model):
    """What the next shift must know. Append-only: nothing edits or deletes it. The text is kept masked."""

    team = models.ForeignKey(Team, verbose_name=_("team"), on_delete=models.CASCADE, related_name="+")
    day = models.DateField(_("date"))
    shift = models.CharField(_("shift"), max_length=10, choices=ShiftPart.choices)
    text = models.TextField(_("text"), max_length=2000)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("written by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("written at"))

    class Meta:
        verbose_name = _("shift note")
        verbose_name_plural = _("shift notes")
        ordering = ("-at", "-id")
        indexes = (
            # Read by the home page: the last notes of one's teams.
            models.Index(fields=["team", "-at"], name="feedback_note_of_team"),
        )

    def __str__(self) -> str:
        return f"{self.team} {self.day} {self.get_shift_display()}"


class ShiftNoteRead(models.Model):
    """Who has read a note and when; the author sees it."""

    note = models.ForeignKey(ShiftNote, on_delete=models.CASCADE, related_name="reads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("reading of a shift note")
        verbose_name_plural = _("readings of shift notes")
        constraints = (models.UniqueConstraint(fields=["note", "user"], name="feedback_note_read_once"),)

    def __str__(self) -> str:
        return str(self.user)
