"""Staff accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.core.admin.base import ShopModelAdmin
from apps.core.admin.forms import PermissionsField, RolesField, offered
from apps.core.admin.staffing import OpenWorkMixin, warn_of_open_work
from apps.core.models import User
from apps.core.wording import permission_label, role_label

# Where these are only read, the theme would print codes and the English of the table.
IN_WORDS = {"groups": "show_role_names", "user_permissions": "show_permission_names"}


def permission_names(permissions: models.QuerySet) -> Any:
    """One a line, in words."""
    rows = ((permission_label(row),) for row in offered(permissions.all()))
    return format_html_join(mark_safe("<br>"), "{}", rows)


class RolesFilter(admin.RelatedFieldListFilter):
    """By role, in words."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Every role in the order the product made them."""
        return [(pk, role_label(name)) for pk, name in Group.objects.order_by("pk").values_list("pk", "name")]


@admin.register(User)
class UserAdmin(OpenWorkMixin, DjangoUserAdmin, ShopModelAdmin):
    """Accounts are switched off, never deleted: logs name them. Only superusers hand out more than roles."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    deletable = False
    # Who is active or away decides who gets work; the readers of teams keep that in memory.
    reference_stamps = ("feedback",)
    list_display = ("show_name", "username", "show_roles", "show_presence", "show_active", "last_login")
    list_display_links = ("show_name", "username")
    list_filter = ("is_active", "is_away", ("groups", RolesFilter))
    search_fields = ("username__istartswith", "name__istartswith")
    ordering = ("username",)
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
        names = (*super().get_readonly_fields(request, obj), *IN_WORDS.values())
        if request.user.is_superuser:
            return names
        own = ("groups", "is_staff", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*names, "is_superuser", "user_permissions", *own)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Words in place of codes for those who may only look."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        only_read = set(self.get_readonly_fields(request, obj))
        if not self.has_change_permission(request, obj):
            only_read |= set(IN_WORDS)
        swaps = {name: other for name, other in IN_WORDS.items() if name in only_read}
        return [
            (title, {**options, "fields": tuple(swaps.get(name, name) for name in options["fields"])})
            for title, options in fieldsets
        ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is switched off may leave open work behind."""
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            warn_of_open_work(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Roles to tick and permissions to choose, both in words."""
        if db_field.name == "groups":
            kwargs |= {
                "form_class": RolesField,
                "queryset": Group.objects.order_by("pk"),
                "widget": UnfoldAdminCheckboxSelectMultipleWidget(),
                "help_text": "",
            }
        elif db_field.name == "user_permissions":
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)

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
        """Groups, in words."""
        return [role_label(group.name) for group in obj.groups.all()]

    @display(description=_("roles"))
    def show_role_names(self, obj: User) -> str:
        """As text, for forms that only show."""
        return ", ".join(self.show_roles(obj)) or "–"

    @display(description=_("user permissions"))
    def show_permission_names(self, obj: User) -> Any:
        """Beside those of the roles."""
        return permission_names(obj.user_permissions) or "–"

    @display(description=_("presence"), label={"away": "warning", "here": "success"})
    def show_presence(self, obj: User) -> tuple[str, Any]:
        """Away people get no new work."""
        return ("away", _("away")) if obj.is_away else ("here", _("here"))

    @display(description=_("active"), boolean=True, ordering="is_active")
    def show_active(self, obj: User) -> bool:
        """Whether the person may log in."""
        return obj.is_active
