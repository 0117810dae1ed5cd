"""Outside programs and their keys (decisions, item 10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import ShopModelAdmin
from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.core.models import Integration, IntegrationToken
from apps.core.numbers import whole_number
from apps.core.services.tokens import SCOPES, issue_token, revoke_token

SCOPE_LABELS = {
    "feedback:read": gettext_lazy("read feedback"),
    "feedback:write": gettext_lazy("send feedback"),
    "feedback:move": gettext_lazy("move feedback"),
    "customers:read": gettext_lazy("read customers, masked"),
    "customers:write": gettext_lazy("send customers"),
    "customers:unmask": gettext_lazy("read customers whole"),
    "orders:write": gettext_lazy("send orders"),
    "stock:read": gettext_lazy("read stock"),
    "stock:write": gettext_lazy("send stock"),
    "metrics:read": gettext_lazy("read figures"),
}


class TokenForm(PageForm):
    """What the key may do, for which stores and how long."""

    scopes = forms.MultipleChoiceField(label=gettext_lazy("May"), widget=forms.CheckboxSelectMultiple)
    stores = forms.CharField(
        label=gettext_lazy("Only these stores"),
        required=False,
        max_length=400,
        help_text=gettext_lazy("Store codes separated by commas; empty: every store."),
    )
    days = forms.IntegerField(
        label=gettext_lazy("Valid for days"),
        required=False,
        min_value=1,
        max_value=3650,
        help_text=gettext_lazy("Empty: until it is revoked."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (scope, f"{scope} – {SCOPE_LABELS[scope]}" if scope in SCOPE_LABELS else scope)
            for scope in SCOPES
        ]

    def clean_stores(self) -> list[str]:
        """Codes as a list; full-width commas count."""
        text = self.cleaned_data["stores"].replace("，", ",").replace("、", ",")
        return list(dict.fromkeys(code.strip() for code in text.split(",") if code.strip()))


@admin.register(Integration)
class IntegrationAdmin(ShopModelAdmin):
    """Programs are switched off, not deleted: their keys stay for the audit."""

    deletable = False
    list_display = ("name", "note", "is_active", "show_keys", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    fields = ("name", "note", "is_active")
    change_form_outer_after_template = "admin/core/tokens.html"

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """With the number of live keys, counted in the same query."""
        return queryset.annotate(
            live_keys=models.Count("tokens", filter=models.Q(tokens__revoked_at__isnull=True))
        )

    def get_urls(self) -> list[Any]:
        """Making and revoking keys."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/key/", wrap(self.key_view), name="core_integration_key"),
            path(
                "<int:object_id>/key/<int:token_id>/revoke/",
                wrap(self.revoke_view),
                name="core_integration_revoke",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Hands the keys to the template; the keys themselves are not stored, only how they begin."""
        number = whole_number(object_id)
        tokens = IntegrationToken.objects.filter(integration_id=number) if number is not None else []
        now = timezone.now()
        rows = [
            {"token": token, "state": self._state(token, now)}
            for token in (tokens.order_by("revoked_at", "-created_at") if tokens != [] else [])
        ]
        context = {
            "tokens": rows,
            "may_issue": self.has_change_permission(request),
            "integration_id": object_id,
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @staticmethod
    def _state(token: IntegrationToken, now: Any) -> tuple[str, str]:
        if token.revoked_at is not None:
            return "default", _("revoked")
        if token.expires_at is not None and token.expires_at <= now:
            return "warning", _("expired")
        return "success", _("live")

    def _permitted(self, request: HttpRequest, object_id: int) -> Integration:
        integration = self.get_object(request, str(object_id))
        if integration is None:
            raise Http404
        if not self.has_change_permission(request, integration):
            raise PermissionDenied
        return integration

    def key_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: the form. POST: make a key and show it on this one answer; it exists nowhere else."""
        integration = self._permitted(request, object_id)
        form = TokenForm(request.POST if request.method == "POST" else None)
        key = ""
        if request.method == "POST" and form.is_valid():
            now = timezone.now()
            days = form.cleaned_data["days"]
            try:
                with transaction.atomic():
                    token, key = issue_token(
                        integration=integration,
                        scopes=form.cleaned_data["scopes"],
                        now=now,
                        expires_at=now + timedelta(days=days) if days else None,
                    )
                    token.stores = form.cleaned_data["stores"]
                    token.save(update_fields=["stores"])
            except DomainError as error:
                form.add_error("scopes", str(error.message))
            else:
                self.log_change(
                    request,
                    integration,
                    [{"added": {"name": str(_("access token")), "object": token.prefix}}],
                )
        return self.page(
            request,
            "admin/core/secret.html",
            _("New key"),
            obj=integration,
            form=form,
            secret=key,
            secret_label=_("Key"),
            how=_("Send it in the header: Authorization: Token …"),
            submit=_("Make the key"),
            back=reverse("admin:core_integration_change", args=[integration.pk]),
        )

    def revoke_view(self, request: HttpRequest, object_id: int, token_id: int) -> HttpResponse:
        """GET asks, POST revokes at once."""
        integration = self._permitted(request, object_id)
        token = integration.tokens.filter(pk=token_id).first()
        if token is None:
            raise Http404
        back = reverse("admin:core_integration_change", args=[integration.pk])
        if request.method == "POST":
            revoke_token(token=token, now=timezone.now())
            self.log_change(
                request, integration, [{"deleted": {"name": str(_("access token")), "object": token.prefix}}]
            )
            messages.success(
                request, _("The key %(prefix)s… no longer opens anything.") % {"prefix": token.prefix}
            )
            return HttpResponseRedirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Revoke key"),
            obj=integration,
            text=_(
                "The program that uses %(prefix)s… will be refused from now on. This cannot be taken back."
            )
            % {"prefix": token.prefix},
            submit=_("Revoke key"),
            danger=True,
            back=back,
        )

    @display(description=gettext_lazy("live keys"), ordering="live_keys")
    def show_keys(self, obj: Any) -> int:
        """Not revoked."""
        return obj.live_keys
