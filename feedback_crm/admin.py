"""Third-party tables in our look: roles, schedules, log-in records. What staff do not need is not shown."""

from __future__ import annotations

import json
from inspect import signature
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, ShopModelAdmin
from feedback_crm.celery import app as celery_app

for model in (
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    SolarSchedule,
    ClockedSchedule,
    AccessAttempt,
    AccessLog,
    AccessFailureLog,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ShopModelAdmin):
    """Roles and what they may (decisions, item 11). The product names some, so none is deleted here."""

    deletable = False
    list_display = ("name", "show_people")
    search_fields = ("name__istartswith",)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """With the number of people, counted in the same query."""
        return queryset.annotate(people=models.Count("user"))

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Nobody widens a role of their own."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:
            return True
        return not request.user.groups.filter(pk=obj.pk).exists()

    @display(description=gettext_lazy("people"), ordering="people")
    def show_people(self, obj: Any) -> int:
        """How many hold the role."""
        return obj.people


def known_tasks() -> list[tuple[str, str]]:
    """Every task of the product that runs by itself; one that needs a record cannot be put on a schedule."""
    celery_app.loader.import_default_modules()
    names = sorted(
        name
        for name, task in celery_app.tasks.items()
        if not name.startswith("celery.") and not signature(task.run).parameters
    )
    return [("", "")] + [(name, name) for name in names]


class PeriodicTaskForm(forms.ModelForm):
    """Which task, how often, with what."""

    task = forms.ChoiceField(label=gettext_lazy("task"))

    class Meta:
        model = PeriodicTask
        fields = ("name", "task", "enabled", "description", "interval", "crontab", "kwargs")
        labels = {
            "name": gettext_lazy("name"),
            "enabled": gettext_lazy("switched on"),
            "description": gettext_lazy("remarks"),
            "interval": gettext_lazy("every"),
            "crontab": gettext_lazy("at fixed times"),
            "kwargs": gettext_lazy("values (JSON)"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "task" in self.fields:
            from unfold.widgets import UnfoldAdminSelectWidget

            choices = known_tasks()
            present = self.instance.task
            if present and (present, present) not in choices:
                choices.append((present, present))
            self.fields["task"] = forms.ChoiceField(
                label=gettext_lazy("task"), choices=choices, widget=UnfoldAdminSelectWidget(choices=choices)
            )
            if present:
                self.initial["task"] = present

    def clean_kwargs(self) -> str:
        """A JSON object."""
        text = self.cleaned_data["kwargs"] or "{}"
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValidationError(_("This is no JSON.")) from error
        if not isinstance(value, dict):
            raise ValidationError(_("This must be an object such as {}."))
        return text


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ShopModelAdmin):
    """Periodic work. Switching on and off needs the permission to change; the stock list lets onlookers do
    it.
    """

    form = PeriodicTaskForm
    list_display = ("name", "show_schedule", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("name__icontains",)
    fields = ("name", "task", "enabled", "description", "interval", "crontab", "kwargs", "last_run_at")
    readonly_fields = ("last_run_at",)
    actions = ("switch_on", "switch_off")

    @admin.action(description=gettext_lazy("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: models.QuerySet) -> None:
        """The chosen ones run again from now on."""
        self._switch(request, queryset, enabled=True)

    @admin.action(description=gettext_lazy("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: models.QuerySet) -> None:
        """The chosen ones rest until somebody switches them on."""
        self._switch(request, queryset, enabled=False)

    def _switch(self, request: HttpRequest, queryset: models.QuerySet, *, enabled: bool) -> None:
        done = queryset.update(enabled=enabled)
        PeriodicTasks.update_changed()
        text = (
            ngettext("%(count)d schedule switched on.", "%(count)d schedules switched on.", done)
            if enabled
            else ngettext("%(count)d schedule switched off.", "%(count)d schedules switched off.", done)
        )
        messages.success(request, text % {"count": done})

    @display(description=gettext_lazy("when"))
    def show_schedule(self, obj: PeriodicTask) -> str:
        """Its interval or times."""
        return str(obj.interval or obj.crontab or "")


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ShopModelAdmin):
    """Every so often."""

    deletable = False
    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ShopModelAdmin):
    """At fixed times."""

    deletable = False
    list_display = ("__str__", "minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    fields = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")


class LogInAdmin(ReadOnlyAdmin):
    """Shared by the records of log-ins."""

    ordering = ("-id",)
    search_fields = ("username__istartswith", "=ip_address")


@admin.register(AccessAttempt)
class AccessAttemptAdmin(LogInAdmin):
    """Failed log-ins that count towards a lock. Deleting one unlocks."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    fields = ("attempt_time", "username", "ip_address", "user_agent", "failures_since_start")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Unlocking is for those who hold the permission."""
        return request.user.has_perm("axes.delete_accessattempt")


@admin.register(AccessLog)
class AccessLogAdmin(LogInAdmin):
    """Who logged in and out when."""

    list_display = ("attempt_time", "username", "ip_address", "logout_time")
    fields = ("attempt_time", "logout_time", "username", "ip_address", "user_agent")
