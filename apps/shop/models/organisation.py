"""Stores, departments, teams and their people."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.shop.choices import StoreKind, TeamRole


class Company(Stamped):
    """The one company of this installation (decisions, item 13) and when it went live. There is one row, number 1."""

    name = models.CharField(_("name of the shop"), max_length=60, blank=True)
    live_at = models.DateTimeField(_("live since"), null=True, blank=True)
    live_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("taken live by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("company")
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="shop_one_company"),)

    def __str__(self) -> str:
        return self.name


class Store(Stamped):
    """A store with a door or a shop on a platform (decisions, item 13: one company an installation)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=StoreKind.choices, default=StoreKind.PHYSICAL)
    platform = models.CharField(
        _("platform"), max_length=40, blank=True, help_text=_("Channel code, e.g. taobao.")
    )
    city = models.CharField(_("city"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    phone = models.CharField(_("telephone"), max_length=30, blank=True)
    manager = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("store manager"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="managed_stores",
    )
    aliases = models.JSONField(
        _("other names"),
        default=list,
        blank=True,
        help_text=_("Names under which exports mention this store."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ("kind", "code")

    def __str__(self) -> str:
        return self.name


class Department(Stamped):
    """Who is answerable for a kind of problem: supply chain, product, stores … (R16)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60, unique=True)
    name_en = models.CharField(_("English name"), max_length=60, blank=True)
    head = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("head"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="headed_departments",
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("department")
        verbose_name_plural = _("departments")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name


class Team(Stamped):
    """People who share a pool of feedback. `stores` and `skills` narrow what comes to it; empty means all."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60)
    department = models.ForeignKey(
        Department, verbose_name=_("department"), on_delete=models.PROTECT, related_name="teams"
    )
    stores = models.ManyToManyField(Store, verbose_name=_("stores"), blank=True, related_name="teams")
    skills = models.JSONField(
        _("skills"),
        default=list,
        blank=True,
        help_text=_("Category codes this team takes; empty: every category."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name


class StaffProfile(Stamped):
    """What work may come to a person: where, how much, when."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("staff member"),
        on_delete=models.CASCADE,
        related_name="profile",
    )
    department = models.ForeignKey(
        Department,
        verbose_name=_("department"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="staff",
    )
    stores = models.ManyToManyField(
        Store,
        verbose_name=_("stores"),
        blank=True,
        related_name="staff",
        help_text=_("The stores whose feedback this person sees; empty: by role."),
    )
    capacity = models.PositiveSmallIntegerField(
        _("capacity"), default=30, help_text=_("Open feedback at a time; round robin stops there.")
    )
    shift = models.JSONField(
        _("shift"),
        default=list,
        blank=True,
        help_text=_(
            'Windows such as {"days": [0,1,2,3,4], "from": "09:00", "to": "18:00"}; 0 is Monday. Empty: always.'
        ),
    )
    wants_digest = models.BooleanField(
        _("morning digest"),
        default=True,
        help_text=_("A notice at 8:45 on workdays with what the day brings."),
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("work profile")
        verbose_name_plural = _("work profiles")

    def __str__(self) -> str:
        return str(self.user)


class TeamMember(models.Model):
    """A person in a team."""

    team = models.ForeignKey(Team, verbose_name=_("team"), on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("staff member"),
        on_delete=models.CASCADE,
        related_name="teams",
    )
    role = models.CharField(_("role"), max_length=10, choices=TeamRole.choices, default=TeamRole.MEMBER)
    takes_work = models.BooleanField(_("gets work by round robin"), default=True)

    class Meta:
        verbose_name = _("team member")
        verbose_name_plural = _("team members")
        constraints = (models.UniqueConstraint(fields=["team", "user"], name="shop_member_once"),)

    def __str__(self) -> str:
        return f"{self.team} · {self.user}"


class Leave(Stamped):
    """Days a person is away, and who stands in: round robin gives the person's share to the stand-in.

    The stand-in's own shift and capacity hold, and a leave of theirs leads on to their stand-in.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("staff member"),
        on_delete=models.CASCADE,
        related_name="leaves",
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    stand_in = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("stand-in"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("leave")
        verbose_name_plural = _("leave")
        ordering = ("-first_day",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")),
                name="shop_leave_order",
                violation_error_message=_("The last day lies before the first."),
            ),
            models.CheckConstraint(
                condition=models.Q(stand_in__isnull=True) | ~models.Q(stand_in=models.F("user")),
                name="shop_leave_other",
                violation_error_message=_("Nobody stands in for themselves."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} {self.first_day}–{self.last_day}"
