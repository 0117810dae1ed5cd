"""Reviews for the showcase and the showcases themselves [好评展示] (R32, R71)."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ShopModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.transitions import Move
from apps.core.wording import VERBS, move_tables
from apps.feedback.models import FeedbackFile
from apps.feedback.selectors.composer import ways
from apps.messaging.models import MessageTemplate
from apps.repairs.choices import SHOW_COLOURS, SHOW_LIVE, Part, ShowState
from apps.repairs.models import Showcase, ShowcaseItem
from apps.repairs.selectors.showcase import export, fill, snippet
from apps.repairs.services import showcase
from apps.repairs.transitions import PROPOSE, SHOW_ITEM, SHOWCASE

move_tables.register("repairs.showcaseitem", SHOW_ITEM)
move_tables.register("repairs.showcase", SHOWCASE)
VERBS["propose"] = gettext_lazy("Proposed")
VERBS["edit"] = gettext_lazy("Edited")
VERBS["withdraw_part"] = gettext_lazy("Part of a permission taken back")


class AskForm(MoveForm):
    """By which template, with the whole text to read."""

    template = forms.ModelChoiceField(
        label=gettext_lazy("Template"), queryset=MessageTemplate.objects.none(), required=True
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["template"]
        open_ways = [way.channel for way in ways(self.records[0].feedback) if way.open]  # type: ignore[attr-defined]
        field.queryset = (
            MessageTemplate.objects.filter(
                is_active=True, message_class="service", scene="other", channel__in=open_ways
            )
            .exclude(channel="public_reply")
            .exclude(code__startswith="TH_")
        )
        field.label_from_instance = lambda row: f"{row.title} · {row.get_channel_display()}"
        # By the way that comes first, in the words shipped for it.
        rows = {row.channel: row for row in field.queryset if row.code.startswith("SHOW_ASK")}
        own = next((rows[channel] for channel in open_ways if channel in rows), None)
        if own is not None and not self.is_bound:
            self.initial["template"] = own.pk


class GrantForm(MoveForm):
    """What, and what shows it."""

    parts = forms.MultipleChoiceField(
        label=gettext_lazy("The author permits"), choices=Part.choices, widget=forms.CheckboxSelectMultiple
    )
    file = forms.FileField(
        label=gettext_lazy("File as evidence"),
        required=False,
        help_text=gettext_lazy("A screenshot or a signed page: PNG, JPEG, PDF."),
    )
    field_order = ("parts", "reason", "file")


class WithdrawForm(MoveForm):
    """All of it, or photos or nickname alone."""

    parts = forms.MultipleChoiceField(
        label=gettext_lazy("What is taken back"),
        choices=Part.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("With the text everything is taken down, for good."),
        initial=[Part.TEXT],
    )
    field_order = ("parts", "reason")


class ExcerptForm(PageForm):
    """What of the review is shown."""

    text = forms.CharField(
        label=gettext_lazy("Text as shown"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "The author's own words. Whole clauses may be left out and are marked with “…”."
        ),
    )
    photos = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Photos"),
        queryset=FeedbackFile.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    with_nickname = forms.BooleanField(
        label=gettext_lazy("With nickname"),
        required=False,
        help_text=gettext_lazy("Whole, if the author permits it; masked otherwise."),
    )

    def __init__(self, *args: Any, item: ShowcaseItem, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["photos"]
        field.queryset = FeedbackFile.objects.filter(
            feedback_id=item.feedback_id, is_recording=False, file__content_type__startswith="image/"
        ).select_related("file")
        field.label_from_instance = lambda row: row.file.name
        if not field.queryset.exists():
            del self.fields["photos"]


class StateFilter(admin.SimpleListFilter):
    """Those still in play unless something else is chosen."""

    title = gettext_lazy("state")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Each state, or all."""
        return [*ShowState.choices, ("all", gettext_lazy("all"))]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": gettext_lazy("in progress or shown")} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        if value == "all":
            return queryset
        return (
            queryset.filter(status=value)
            if value in ShowState.values
            else queryset.filter(status__in=SHOW_LIVE)
        )


@admin.register(ShowcaseItem)
class ShowcaseItemAdmin(MovesMixin, ShopModelAdmin):
    """Proposed → asked → permitted → shown. Nothing is typed into the record itself."""

    moves_table = SHOW_ITEM
    moves = {
        "ask": Verb(showcase.ask, "item", reason=None, form=AskForm, icon="send"),
        "grant": Verb(
            showcase.grant,
            "item",
            form=GrantForm,
            reason_label=gettext_lazy("How the author said so"),
            icon="verified",
        ),
        "release": Verb(showcase.release, "item", reason=None, icon="visibility"),
        "hide": Verb(showcase.hide, "item", icon="visibility_off"),
        "withdraw": Verb(showcase.withdraw, "item", form=WithdrawForm, icon="undo"),
        "refuse": Verb(showcase.refuse, "item", icon="block"),
    }
    moves_in_rows = False
    deletable = False
    warn_unsaved_form = False
    list_display = (
        "show_text",
        "show_where",
        "show_permitted",
        "proposed_by",
        "show_status",
        "show_released",
    )
    list_display_links = ("show_text",)
    list_filter = (StateFilter,)
    ordering = ("-id",)
    search_fields = ("text__icontains",)
    list_select_related = ("feedback", "feedback__channel", "store", "product", "proposed_by")
    change_form_outer_before_template = "admin/core/moves.html"
    change_form_outer_after_template = "admin/repairs/item_page.html"
    fields = ("show_status", "show_reason")
    readonly_fields = ("show_status", "show_reason")
    empty_text = gettext_lazy(
        "Nothing proposed yet. Choose reviews in “Praise” and propose them; then ask their authors."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """As their feedback."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Permissions in one more query; the feedback with whatever a move asks of it."""
        return (
            super()
            .get_queryset(request)
            .select_related(
                "feedback__channel", "feedback__customer", "feedback__store", "message", "released_by"
            )
            .prefetch_related("permissions")
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Proposed from the list of praise."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By moves and by the page for the excerpt."""
        return False

    def get_urls(self) -> list[Any]:
        """The page for the excerpt."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/excerpt/", wrap(self.excerpt_view), name="repairs_showcaseitem_excerpt"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With buttons, the review as it is and as it would be shown, and the author's word on each part."""
        obj = kwargs.get("obj")
        if obj is not None:
            granted = obj.granted()
            context |= {
                "moves": self.moves_for(request, obj),
                "item": obj,
                "whole": mask_text(obj.feedback.text),
                "name": obj.name_shown(granted),
                "permissions": list(obj.permissions.select_related("by", "inbound", "file")),
                "photos": list(obj.photos.select_related("file")),
                "may_edit": request.user.has_perm(PROPOSE)
                and obj.status in ("proposed", "asked", "permitted"),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def move_note(self, request: HttpRequest, obj: Any, move: Move) -> str:
        """The question as it would go out; for release what is permitted."""
        if move.verb == "ask":
            form = AskForm(records=[obj], user=request.user, move=move, verb=self.moves["ask"])
            template = form.initial.get("template")
            row = MessageTemplate.objects.filter(pk=template).first() if template else None
            if row is None:
                return _(
                    "There is no way to reach this author: record a permission you already have instead."
                )
            try:
                return showcase.question(obj, row, request.user)  # type: ignore[arg-type]
            except DomainError as error:
                return str(error.message)
        if move.verb == "release":
            parts = [str(Part(part).label) for part in Part.values if part in obj.granted()]
            return _("Permitted by the author: %(parts)s.") % {"parts": "、".join(parts) or "–"}
        return ""

    def excerpt_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Choose excerpt, photos, nickname."""
        if not request.user.has_perm(PROPOSE):
            raise PermissionDenied
        item = self.get_queryset(request).filter(pk=object_id).first()
        if item is None:
            raise Http404
        back = reverse("admin:repairs_showcaseitem_change", args=[item.pk])
        initial = {"text": item.text, "with_nickname": item.with_nickname, "photos": list(item.photos.all())}
        form = ExcerptForm(request.POST if request.method == "POST" else None, item=item, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                showcase.edit(
                    item=item,
                    text=form.cleaned_data["text"],
                    photos=list(form.cleaned_data.get("photos") or ()),
                    with_nickname=form.cleaned_data["with_nickname"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("text" if error.params.get("field") == "text" else None, str(error.message))
            else:
                messages.success(request, _("Saved."))
                return redirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Choose what is shown"),
            obj=None,
            form=form,
            text=_("The whole review: “%(text)s”") % {"text": mask_text(item.feedback.text)},
            submit=_("Save"),
            back=back,
        )

    # -- columns ----------
    @display(description=gettext_lazy("text as shown"))
    def show_text(self, obj: ShowcaseItem) -> str:
        """The beginning."""
        return obj.text[:60] + ("…" if len(obj.text) > 60 else "")

    @display(description=gettext_lazy("channel and store"))
    def show_where(self, obj: ShowcaseItem) -> str:
        """Both where known."""
        return " · ".join(str(part) for part in (obj.feedback.channel, obj.store, obj.product) if part)

    @display(description=gettext_lazy("permitted"))
    def show_permitted(self, obj: ShowcaseItem) -> str:
        """Which parts."""
        granted = obj.granted()
        return "、".join(str(Part(part).label) for part in Part.values if part in granted) or "—"

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_status(self, obj: ShowcaseItem) -> Any:
        """As a coloured word."""
        return badge(SHOW_COLOURS[obj.status], obj.get_status_display())

    @display(description=gettext_lazy("why"))
    def show_reason(self, obj: ShowcaseItem) -> str:
        """Why it was taken down."""
        return obj.why_ended or "—"

    @display(description=gettext_lazy("released by"))
    def show_released(self, obj: ShowcaseItem) -> str:
        """Who, when."""
        if obj.released_at is None:
            return "—"
        return f"{obj.released_by} · {timezone.localtime(obj.released_at):%m-%d %H:%M}"


@admin.register(Showcase)
class ShowcaseAdmin(MovesMixin, HistoryModelAdmin):
    """Changed while off, checked by the law when switched on, shown as on a phone."""

    moves_table = SHOWCASE
    moves = {
        "switch_on": Verb(showcase.switch_on, "showcase", reason=None, icon="play_arrow"),
        "switch_off": Verb(showcase.switch_off, "showcase", reason=None, icon="pause"),
    }
    moves_in_rows = False
    deletable = False
    list_display = ("name", "code", "show_scope", "label", "show_status")
    list_filter = ("status",)
    list_select_related = ("store", "channel", "product", "tag")
    search_fields = ("name__icontains", "code__istartswith")
    autocomplete_fields = ("store", "product")
    change_form_outer_before_template = "admin/core/moves.html"
    change_form_outer_after_template = "admin/repairs/showcase_page.html"
    fieldsets = (
        (None, {"fields": (("name", "code"), "show_status")}),
        (
            pgettext_lazy("showcase", "Which reviews"),
            {"fields": (("store", "channel"), ("product", "tag"), "most")},
        ),
        (
            pgettext_lazy("showcase", "What stands beside them"),
            {
                "fields": ("label", ("reviews_url", "link_text"), "shows_counts", "claims_all"),
                "description": gettext_lazy(
                    "A selection must say so and lead to all reviews, the negative ones too (consumer law, implementing regulation 2024, art. 9)."
                ),
            },
        ),
    )
    readonly_fields = ("show_status",)
    empty_text = gettext_lazy(
        "Add a showcase: which reviews it takes, its label and the link to all reviews. It shows released reviews by itself."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see theirs and the company's."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is on was checked as it stands: switch it off to change it."""
        return (obj is None or obj.status == "off") and super().has_change_permission(request, obj)

    def get_urls(self) -> list[Any]:
        """Downloads."""
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:object_id>/export/<slug:kind>/", wrap(self.export_view), name="repairs_showcase_export"
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Buttons above, the preview below."""
        obj = kwargs.get("obj")
        if obj is not None:
            context["moves"] = self.moves_for(request, obj)
            shown = fill(obj, now=timezone.now())
            context |= {
                "showcase": obj,
                "count": len(shown.reviews),
                # Made by our own template, which escapes every word of customers.
                "preview": mark_safe(snippet(shown)),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """An address typed without its scheme is a safe one."""
        if db_field.name == "reviews_url":
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def export_view(self, request: HttpRequest, object_id: int, kind: str) -> HttpResponse:
        """The file to put on a page: json or html. Only while it is on."""
        item = self.get_queryset(request).filter(pk=object_id).first()
        if item is None or kind not in ("json", "html"):
            raise Http404
        if not request.user.has_perm("repairs.view_showcase"):
            raise PermissionDenied
        try:
            data, _tag, _changed = export(item, now=timezone.now())
        except DomainError as error:
            messages.error(request, str(error.message))
            return redirect("admin:repairs_showcase_change", object_id)
        body = data["html"] if kind == "html" else json.dumps(data, ensure_ascii=False, indent=1)
        mime = "text/html" if kind == "html" else "application/json"
        response = HttpResponse(body, content_type=f"{mime}; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="showcase-{item.code}.{kind}"'
        response.headers["Cache-Control"] = "no-store, private"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @display(description=gettext_lazy("shows"))
    def show_scope(self, obj: Showcase) -> str:
        """What it takes."""
        parts = [str(part) for part in (obj.store, obj.channel, obj.product, obj.tag) if part]
        return " · ".join(parts) or _("everything released")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_status(self, obj: Showcase) -> Any:
        """As a coloured word."""
        return badge("green" if obj.status == "on" else "grey", obj.get_status_display())
