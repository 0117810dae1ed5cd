"""Ready-made texts, with a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.forms import PageForm
from apps.messaging import carrier, wording
from apps.messaging.admin.outbox import CLASS_COLOURS
from apps.messaging.choices import MessageChannel, MessageClass
from apps.messaging.models import MessageTemplate
from apps.messaging.registries import preview_values, variables
from apps.messaging.selectors import setup
from apps.messaging.templates import examples, label_of, preview, variables_of


class RecordForm(PageForm):
    """Which record fills the preview."""

    record = forms.CharField(
        label=gettext_lazy("Filled from"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("A number, such as feedback:17. Empty: examples."),
    )


@admin.register(MessageTemplate)
class MessageTemplateAdmin(HistoryModelAdmin):
    """Unknown variables and what carriers refuse are named when a text is saved."""

    list_display = ("title", "code", "scene", "channel", "show_class", "tier", "show_version", "is_active")
    list_filter = ("channel", "scene", "message_class", "is_active")
    search_fields = ("code__istartswith", "title__icontains")
    change_form_outer_before_template = "admin/messaging/template_before.html"
    empty_text = gettext_lazy(
        "Texts that colleagues use again and again, with variables in place of names and numbers."
    )
    fieldsets = (
        (None, {"fields": ("title", "code", "scene", "channel", "message_class", "is_active")}),
        (
            pgettext_lazy("template", "Text"),
            {
                "fields": (
                    "subject",
                    "body",
                    "show_variables",
                    "show_length",
                    "needs_optout",
                    "respects_quiet_hours",
                )
            },
        ),
        (
            pgettext_lazy("template", "Where it is offered"),
            {"fields": ("tier", "category_code", "language", "notes")},
        ),
    )
    readonly_fields = ("show_variables", "show_length")

    def get_readonly_fields(
        self, request: HttpRequest, obj: MessageTemplate | None = None
    ) -> tuple[str, ...]:
        """Gateways know a template by its code: it stays."""
        return (*self.readonly_fields, "code") if obj is not None else self.readonly_fields

    def get_urls(self) -> list[Any]:
        """The preview."""
        view = self.admin_site.admin_view(self.preview_view)
        return [
            path("<int:object_id>/preview/", view, name="messaging_messagetemplate_preview"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The text as a customer would read it: filled with examples, or from a record the person may see."""
        template = self.get_queryset(request).filter(pk=object_id).first()
        if template is None:
            raise Http404
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        form = RecordForm(request.GET or None)
        values, note = examples(), ""
        key = form.cleaned_data["record"].strip() if form.is_bound and form.is_valid() else ""
        if key:
            found = next(
                (given for fill in preview_values if (given := fill(key, request.user)) is not None), None
            )
            if found is None:
                note = _("There is no such record, or it is not yours.")
            else:
                values = dict(found)
        text = preview(template, values)
        problems = []
        if template.channel == MessageChannel.SMS:
            words = setup().policy.refused_words
            found_problems = carrier.problems(text, message_class=template.message_class, refused_words=words)
            problems = [wording.sentence(problem) for problem in found_problems]
        return self.page(
            request,
            "admin/messaging/preview.html",
            _("Preview"),
            obj=template,
            form=form,
            note=note,
            subject=preview(template.subject, values),
            text=text,
            size=_size(template.channel, text),
            problems=problems,
            missing=[label_of(name) for name in variables_of(template) if not values.get(name)],
            back=reverse("admin:messaging_messagetemplate_change", args=[template.pk]),
        )

    @display(description=gettext_lazy("class"), ordering="message_class", label=LABELS)
    def show_class(self, obj: MessageTemplate) -> Any:
        """As a coloured word."""
        return badge(CLASS_COLOURS[MessageClass(obj.message_class)], obj.get_message_class_display())

    @display(description=gettext_lazy("version"), ordering="version")
    def show_version(self, obj: MessageTemplate) -> str:
        """v3"""
        return f"v{obj.version}"

    @display(description=gettext_lazy("variables"))
    def show_variables(self, obj: MessageTemplate) -> Any:
        """Every name that may stand in a text."""
        names = format_html_join(
            "", "<li><code>{{{{{}}}}}</code> {}</li>", ((v.name, v.label) for v in variables)
        )
        return format_html(
            '<details><summary class="cursor-pointer">{}</summary><ul class="mt-2">{}</ul></details>',
            _("Show all"),
            names,
        )

    @display(description=gettext_lazy("length"))
    def show_length(self, obj: MessageTemplate) -> str:
        """Filled with examples."""
        return _size(obj.channel, preview(obj, examples())) if obj.pk else "–"


def _size(channel: str, text: str) -> str:
    """Characters, and for an SMS how many it costs."""
    characters = ngettext("%(count)d character", "%(count)d characters", len(text)) % {"count": len(text)}
    if channel != MessageChannel.SMS:
        return characters
    gateway = setup().gateways.get(MessageChannel.SMS)
    sign = str(gateway.config.get("sign_name", "")) if gateway is not None else ""
    count = carrier.segments(text, signature=sign)
    pieces = ngettext("%(count)d SMS", "%(count)d SMS", count) % {"count": count}
    return f"{characters} · {pieces}"
