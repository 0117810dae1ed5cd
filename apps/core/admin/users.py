"""Staff accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.core.admin.base import ShopModelAdmin
from apps.core.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ShopModelAdmin):
    """Accounts are switched off, never deleted: logs name them. Only superusers hand out more than roles."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    deletable = False
    # Who is active or away decides who gets work; the readers of teams keep that in memory.
    reference_stamps = ("feedback",)
    list_display = ("show_name", "username", "show_roles", "show_presence", "show_active", "last_login")
    list_display_links = ("show_name", "username")
    list_filter = ("is_active", "is_away", "groups")
    search_fields = ("username__istartswith", "name__istartswith")
    ordering = ("username",)
    autocomplete_fields = ("groups",)
    filter_horizontal = ("user_permissions",)
    fieldsets = (
        (None, {"fields": ("username", "name", "email", "password")}),
        (_("At work"), {"fields": ("is_away", "groups")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "name", "usable_password", "password1", "password2"),
            },
        ),
        (_("At work"), {"fields": ("is_staff", "groups")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Everybody; roles in one further query for the whole page."""
        return queryset.prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser's account, password included, is changed by superusers only."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody raises themselves: superuser and single permissions are for superusers to give."""
        names = tuple(super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return names
        own = ("groups", "is_staff", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*names, "is_superuser", "user_permissions", *own)

    def get_form(self, request: HttpRequest, obj: User | None = None, **kwargs: Any) -> Any:
        """New accounts may enter the back office unless somebody unticks it."""
        form = super().get_form(request, obj, **kwargs)
        if obj is None and "is_staff" in form.base_fields:
            form.base_fields["is_staff"].initial = True
        return form

    @display(description=_("name"), ordering="name")
    def show_name(self, obj: User) -> str:
        """As colleagues know the person."""
        return str(obj)

    @display(description=_("roles"), label=True)
    def show_roles(self, obj: User) -> list[str]:
        """Groups."""
        return [group.name for group in obj.groups.all()]

    @display(description=_("presence"), label={"away": "warning", "here": "success"})
    def show_presence(self, obj: User) -> tuple[str, Any]:
        """Away people get no new work."""
        return ("away", _("away")) if obj.is_away else ("here", _("here"))

    @display(description=_("active"), boolean=True, ordering="is_active")
    def show_active(self, obj: User) -> bool:
        """Whether the person may log in."""
        return obj.is_active
