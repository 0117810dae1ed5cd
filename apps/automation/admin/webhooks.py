"""Outgoing webhooks: addresses and messages."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.automation.choices import DELIVERY_COLOURS, WebhookEvent
from apps.automation.models import WebhookDelivery, WebhookEndpoint
from apps.automation.services import outbox
from apps.core.admin.base import ReadOnlyAdmin, ShopModelAdmin, tell_error
from apps.core.admin.display import badge
from apps.core.exceptions import DomainError


class EndpointForm(forms.ModelForm):
    """Where to, and about what."""

    url = forms.URLField(label=gettext_lazy("address"), max_length=400, assume_scheme="https")
    events = forms.MultipleChoiceField(
        label=gettext_lazy("events"),
        choices=[choice for choice in WebhookEvent.choices if choice[0] not in ("test", "automation.action")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("Rules can send here whatever is ticked."),
    )

    def clean_url(self) -> str:
        """A public address."""
        url = self.cleaned_data["url"]
        try:
            _scheme, host, port = outbox.check_url(url)
            outbox.resolve(host, port)
        except DomainError as error:
            if error.code != "unknown_host":
                raise ValidationError(str(error.message)) from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ShopModelAdmin):
    """Other programs that are told. The secret is shown once."""

    form = EndpointForm
    reference_stamps = ("automation",)
    deletable = True
    list_display = ("name", "url", "show_state", "failures")
    fields = ("name", "code", "url", "events", "send_personal", "is_active")
    change_form_outer_before_template = "admin/automation/endpoint_before.html"
    empty_text = gettext_lazy(
        "Tell another program what happens here: give its address and choose the events."
    )

    def get_urls(self) -> list[Any]:
        """Secret, test, resuming."""
        wrap = self.admin_site.admin_view
        name = "automation_webhookendpoint"
        return [
            path("<int:object_id>/secret/", wrap(self.secret_view), name=f"{name}_secret"),
            path("<int:object_id>/test/", wrap(self.test_view), name=f"{name}_test"),
            path("<int:object_id>/resume/", wrap(self.resume_view), name=f"{name}_resume"),
            *super().get_urls(),
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> tuple[str, ...]:
        """The code names the secret in the environment: it stays."""
        return ("code",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        """A new address gets a secret nobody knows until one is made on its page."""
        super().save_model(request, obj, form, change)
        if not change:
            outbox.new_secret(endpoint=obj, by=request.user)  # type: ignore[arg-type]

    def response_post_save_add(self, request: HttpRequest, obj: WebhookEndpoint) -> HttpResponse:
        """On to the page that shows the secret."""
        return redirect("admin:automation_webhookendpoint_secret", obj.pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Buttons for those who may."""
        context = {"may_change": self.has_change_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def _mine(self, request: HttpRequest, object_id: int) -> WebhookEndpoint:
        endpoint = self.get_object(request, str(object_id))
        if endpoint is None:
            raise Http404
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        return endpoint

    def secret_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET explains, POST makes a new secret and shows it on this one answer."""
        endpoint = self._mine(request, object_id)
        secret = ""
        if request.method == "POST":
            secret = outbox.new_secret(endpoint=endpoint, by=request.user)  # type: ignore[arg-type]
            self.log_change(request, endpoint, [{"changed": {"fields": [str(_("secret"))]}}])
            messages.info(request, _("The old secret no longer works."))
        return self.page(
            request,
            "admin/core/secret.html",
            _("Webhook secret"),
            obj=endpoint,
            secret=secret,
            secret_label=_("Secret"),
            how=_("We sign time stamp, a dot and the raw body with HMAC-SHA256; the receiver checks it."),
            text=_("A new secret is made and shown once. The receiver must use it from then on."),
            submit=_("Make a new secret"),
            back=reverse("admin:automation_webhookendpoint_change", args=[endpoint.pk]),
        )

    def test_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: one test message into the outbox."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        endpoint = self._mine(request, object_id)
        outbox.test_message(endpoint=endpoint, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        messages.success(request, _("The test message is on its way; its line shows the answer."))
        return redirect(
            reverse("admin:automation_webhookdelivery_changelist") + f"?endpoint__id__exact={endpoint.pk}"
        )

    def resume_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: go on after a pause."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        endpoint = self._mine(request, object_id)
        outbox.resume(endpoint=endpoint, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        messages.success(request, _("What waits is sent now."))
        return redirect("admin:automation_webhookendpoint_change", endpoint.pk)

    @display(description=gettext_lazy("state"), label={"on": "success", "off": "default", "paused": "danger"})
    def show_state(self, obj: WebhookEndpoint) -> tuple[str, Any]:
        """On, off, or paused after too many failures."""
        if obj.paused_at is not None:
            return badge("paused", _("paused after failures"))
        return badge("on", _("on")) if obj.is_active else badge("off", _("off"))


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Every message with its answer; settled ones can be sent again."""

    list_display = ("created_at", "endpoint", "event", "show_status", "attempts", "response_status", "error")
    list_filter = ("status", "event", ("endpoint", RelatedDropdownFilter))
    list_select_related = ("endpoint",)
    fields = (
        "endpoint",
        "event",
        "show_status",
        "attempts",
        "created_at",
        "next_attempt_at",
        "settled_at",
        "show_body",
        "response_status",
        "response",
        "error",
        "replay_of",
    )
    readonly_fields = ("show_status", "show_body")
    change_form_outer_before_template = "admin/automation/delivery_before.html"
    empty_text = gettext_lazy("No message yet. What is told to other programs stands here with its answer.")

    def get_urls(self) -> list[Any]:
        """Sending again."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/replay/", wrap(self.replay_view), name="automation_webhookdelivery_replay"),
            *super().get_urls(),
        ]

    def replay_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("automation.replay_webhook"):
            raise PermissionDenied
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404
        try:
            fresh = outbox.replay(delivery=row, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        except DomainError as error:
            tell_error(request, error)
            return redirect("admin:automation_webhookdelivery_change", row.pk)
        messages.success(request, _("It is sent again."))
        return redirect("admin:automation_webhookdelivery_change", fresh.pk)

    @display(description=gettext_lazy("state"), ordering="status", label=DELIVERY_COLOURS)
    def show_status(self, obj: WebhookDelivery) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=gettext_lazy("message"))
    def show_body(self, obj: WebhookDelivery) -> Any:
        """As sent; texts masked even where the receiver gets them whole."""
        from apps.core import masking

        text = masking.mask_text(json.dumps(obj.body, ensure_ascii=False, indent=2))
        return format_html("<pre class='fc-json'>{}</pre>", text[:4000])
