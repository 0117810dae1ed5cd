"""Ways out of the house."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.messaging.choices import GatewayKind, MessageChannel
from apps.messaging.gateways import adapter_of, secrets_of
from apps.messaging.models import Gateway, MessageTemplate
from apps.messaging.selectors import STAMP
from apps.messaging.services.gateways import send_test


class TestForm(PageForm):
    """Where the test goes."""

    address = forms.CharField(
        label=gettext_lazy("To"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("Your own number, address or openid. A group needs none."),
    )
    template = forms.ModelChoiceField(
        label=gettext_lazy("Template"),
        queryset=MessageTemplate.objects.none(),
        required=False,
        help_text=gettext_lazy("Filled with examples; SMS providers send nothing without one."),
    )
    text = forms.CharField(label=gettext_lazy("Text"), max_length=300, required=False)

    def __init__(self, *args: Any, gateway: Gateway, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = MessageTemplate.objects.filter(channel=gateway.channel, is_active=True)
        self.fields["template"].queryset = rows  # type: ignore[attr-defined]
        if gateway.channel == MessageChannel.STAFF_GROUP:
            del self.fields["address"], self.fields["template"]


@admin.register(Gateway)
class GatewayAdmin(HistoryModelAdmin):
    """Secrets come from the environment; this page only says whether they are there."""

    reference_stamps = (STAMP,)
    list_display = ("name", "channel", "kind", "show_secrets_short", "show_state")
    list_filter = ("channel", "is_active")
    search_fields = ("code__istartswith", "name__icontains")
    change_form_outer_before_template = "admin/messaging/gateway_before.html"
    empty_text = gettext_lazy(
        "A gateway carries the messages of one channel: an SMS provider, a mail server, a group robot."
    )
    fieldsets = (
        (None, {"fields": ("name", "code", "channel", "kind", "is_active")}),
        (gettext_lazy("Settings"), {"fields": ("config", "show_settings", "show_secrets", "show_push")}),
    )
    add_fieldsets = ((None, {"fields": ("name", "code", "channel", "kind", "config", "is_active")}),)
    readonly_fields = ("show_settings", "show_secrets", "show_push")

    def get_fieldsets(self, request: HttpRequest, obj: Gateway | None = None) -> Any:
        """What a kind needs is told once it is chosen."""
        return self.fieldsets if obj is not None else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Gateway | None = None) -> tuple[str, ...]:
        """Names of secrets hang on the code."""
        return (*self.readonly_fields, "code") if obj is not None else self.readonly_fields

    def get_urls(self) -> list[Any]:
        """The test."""
        view = self.admin_site.admin_view(self.test_view)
        return [path("<int:object_id>/test/", view, name="messaging_gateway_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks where to, POST sends one message past the outbox and says what the provider answered."""
        gateway = self.get_queryset(request).filter(pk=object_id).first()
        if gateway is None:
            raise Http404
        if not self.has_change_permission(request, gateway) or gateway.kind == GatewayKind.ASSISTED:
            raise PermissionDenied
        back = reverse("admin:messaging_gateway_change", args=[gateway.pk])
        form = TestForm(request.POST or None, gateway=gateway)
        if request.method == "POST" and form.is_valid():
            try:
                answer = send_test(
                    gateway=gateway,
                    address=form.cleaned_data.get("address", ""),
                    template=form.cleaned_data.get("template"),
                    text=form.cleaned_data["text"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error(None, str(error.message))
            else:
                if answer.outcome == "sent":
                    messages.success(request, _("The provider took it. Look whether it arrives."))
                else:
                    messages.error(
                        request,
                        _("Not sent: %(code)s %(text)s") % {"code": answer.code, "text": answer.text},
                    )
                return redirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Send a test message"),
            obj=gateway,
            form=form,
            text=_("It goes out at once, whether this gateway is in use or not."),
            submit=_("Send"),
            back=back,
        )

    @display(description=gettext_lazy("state"), ordering="is_active", label=LABELS)
    def show_state(self, obj: Gateway) -> Any:
        """In use, and whether anything really leaves."""
        if not obj.is_active:
            return badge("grey", _("not in use"))
        if obj.kind == GatewayKind.CONSOLE:
            return badge("amber", _("test: nothing leaves"))
        return badge("green", _("in use"))

    @display(description=gettext_lazy("secrets"))
    def show_secrets_short(self, obj: Gateway) -> str:
        """All there, or which are missing."""
        missing = [name for name, there in secrets_of(obj) if not there]
        return _("missing: %(names)s") % {"names": ", ".join(missing)} if missing else _("nothing missing")

    @display(description=gettext_lazy("secrets"))
    def show_secrets(self, obj: Gateway) -> Any:
        """Names and whether they are set; never a value."""
        rows = [(name, _("set") if there else _("not set")) for name, there in secrets_of(obj)]
        return format_html_join("", "<p><code>{}</code> {}</p>", rows) or _("This kind needs none.")

    @display(description=gettext_lazy("settings of this kind"))
    def show_settings(self, obj: Gateway) -> str:
        """Names a config may have."""
        adapter = adapter_of(obj)
        parts = [
            _("needed: %(names)s") % {"names": ", ".join(adapter.needed)} if adapter.needed else "",
            _("possible: %(names)s") % {"names": ", ".join(adapter.optional)} if adapter.optional else "",
        ]
        return "; ".join(part for part in parts if part) or _("This kind needs none.")

    @display(description=gettext_lazy("address for pushes"))
    def show_push(self, obj: Gateway) -> str:
        """Where the provider delivers answers and receipts; its secret is GATEWAY_…_PUSH_TOKEN."""
        if obj.kind in (GatewayKind.WECHAT_TEMPLATE, GatewayKind.WECHAT_SERVICE):
            return reverse("api-hook-wechat", args=[obj.code])
        if obj.kind == GatewayKind.ALIYUN_SMS:
            return reverse("api-hook-aliyun", args=[obj.code, "PUSH_TOKEN"])
        return "–"
