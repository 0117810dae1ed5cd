"""Praise [好评]: who was content, thanked in one go, tagged, proposed for the showcase (R32)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin, safe_next
from apps.core.admin.display import LABELS, badge, link
from apps.core.admin.forms import LinesField, PageForm
from apps.core.exceptions import DomainError
from apps.core.numbers import whole_numbers
from apps.core.wording import VERBS
from apps.feedback.choices import EntryKind
from apps.feedback.models import Entry, Feedback
from apps.feedback.models.feedback import IS_PRAISE
from apps.feedback.selectors.composer import values_of
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.repairs.choices import SHOW_COLOURS
from apps.repairs.models import Praise, PraiseMark, PraiseTag
from apps.repairs.services import praise, showcase
from apps.repairs.transitions import PROPOSE

VERBS["praise_tags"] = gettext_lazy("Praise tagged")


class TagForm(forms.ModelForm):
    """Words one per line."""

    words = LinesField(label=gettext_lazy("suggested by these words"), max_line=20)

    class Meta:
        model = PraiseTag
        fields = ("name", "words", "category", "position", "is_active")


@admin.register(PraiseTag)
class PraiseTagAdmin(HistoryModelAdmin):
    """The shop's own words for what pleases."""

    form = TagForm
    list_display = ("name", "show_words", "category", "position", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("category",)
    search_fields = ("name__icontains",)
    autocomplete_fields = ("category",)
    empty_text = gettext_lazy(
        "Add what customers praise, e.g. 服务好, with the words by which it is recognised."
    )

    @display(description=gettext_lazy("suggested by these words"))
    def show_words(self, obj: PraiseTag) -> str:
        """The first few."""
        return "、".join(str(word) for word in obj.words[:6]) or "—"


class TagFilter(admin.SimpleListFilter):
    """One tag, or none at all."""

    title = gettext_lazy("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The active tags."""
        return [
            *((str(tag.pk), tag.name) for tag in PraiseTag.objects.filter(is_active=True)),
            ("none", _("without a tag")),
        ]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Through the index of the marks."""
        marks = PraiseMark.objects.filter(feedback_id=models.OuterRef("pk"))
        value = self.value()
        if value == "none":
            return queryset.filter(~models.Exists(marks))
        if value and value.isdecimal():
            return queryset.filter(models.Exists(marks.filter(tag_id=int(value))))
        return queryset


class AnsweredFilter(admin.SimpleListFilter):
    """Thanked, or not yet."""

    title = gettext_lazy("thanked")
    parameter_name = "thanked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Two."""
        return [("no", gettext_lazy("not thanked yet")), ("yes", gettext_lazy("thanked or answered"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Through the thread's index."""
        replies = Entry.objects.filter(feedback_id=models.OuterRef("pk"), kind=EntryKind.REPLY)
        if self.value() == "no":
            return queryset.filter(~models.Exists(replies))
        return queryset.filter(models.Exists(replies)) if self.value() == "yes" else queryset


class ThanksForm(PageForm):
    """By which templates."""

    templates = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Templates"),
        queryset=MessageTemplate.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Each customer gets the one by which they can be reached; a public reply first."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["templates"]
        field.queryset = MessageTemplate.objects.filter(
            is_active=True, message_class="service", scene="other"
        )
        field.queryset = field.queryset.exclude(channel__in=("sms", "phone_script", "staff_group")).exclude(
            code__startswith="SHOW_ASK"
        )
        field.label_from_instance = lambda row: f"{row.title} · {row.get_channel_display()}"
        if not self.is_bound:
            self.initial["templates"] = [
                row.pk for row in field.queryset if row.code in ("TH_IM", "TH_PUBLIC", "TH_MAIL", "TH_WX")
            ]


class TagsForm(PageForm):
    """Put on, take off."""

    add = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Put on"),
        queryset=PraiseTag.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("Ticked: suggested by the words of the reviews chosen."),
    )
    remove = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Take off"),
        queryset=PraiseTag.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, *args: Any, rows: list[Feedback], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        add: Any = self.fields["add"]
        add.queryset = PraiseTag.objects.filter(is_active=True)
        tags = list(add.queryset)
        if not self.is_bound:
            self.initial["add"] = sorted({tag.pk for row in rows for tag in praise.suggested(row, tags)})
        there = PraiseTag.objects.filter(marks__feedback__in=[row.pk for row in rows]).distinct()
        remove: Any = self.fields["remove"]
        remove.queryset = there
        if not there.exists():
            del self.fields["remove"]


@admin.register(Praise)
class PraiseAdmin(ReadOnlyAdmin):
    """Newest first; the index `feedback_praise` serves it."""

    list_display = ("show_when", "show_text", "show_stars", "show_where", "show_tags", "show_state")
    list_display_links = None
    list_filter = (
        TagFilter,
        AnsweredFilter,
        ("channel", RelatedDropdownFilter),
        ("store", RelatedDropdownFilter),
        ("product", RelatedDropdownFilter),
    )
    ordering = ("-posted_at", "-id")
    sortable_by = ()
    actions = ("thank_action", "tag_action", "propose_action")
    list_before_template = "admin/repairs/praise_before.html"
    empty_text = gettext_lazy(
        "No praise yet. Reviews with four or five stars and praise from every channel appear here by themselves."
    )

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """As the feedback itself; only praise."""
        return (
            queryset.visible_to(request.user)  # type: ignore[attr-defined]
            .filter(IS_PRAISE)
            .exclude(status__in=("dismissed", "merged"))
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """With what the rows show: two more queries, however many rows."""
        replies = Entry.objects.filter(feedback_id=models.OuterRef("pk"), kind=EntryKind.REPLY)
        return (
            super()
            .get_queryset(request)
            .select_related("channel", "store", "product", "showcase_item")
            .prefetch_related("praise_marks__tag")
            .annotate(answered=models.Exists(replies))
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those the person may do."""
        actions = super().get_actions(request)
        needs = {"thank_action": praise.THANK, "tag_action": praise.THANK, "propose_action": PROPOSE}
        return {
            name: action
            for name, action in actions.items()
            if name not in needs or request.user.has_perm(needs[name])
        }

    def get_urls(self) -> list[Any]:
        """Pages on which the actions ask; a row's own page is the case."""
        wrap = self.admin_site.admin_view
        return [
            path("thank/", wrap(self.thank_view), name="repairs_praise_thank"),
            path("tags/", wrap(self.tags_view), name="repairs_praise_tags"),
            path("propose/", wrap(self.propose_view), name="repairs_praise_propose"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The case."""
        return redirect("admin:feedback_feedback_change", object_id)

    # -- actions ----------
    def _go(self, name: str, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        ids = list(queryset.order_by().values_list("pk", flat=True)[: praise.AT_ONCE + 1])
        if len(ids) > praise.AT_ONCE:
            messages.error(request, _("Choose at most %(limit)d at a time.") % {"limit": praise.AT_ONCE})
            return redirect(request.get_full_path())
        query = "&".join(f"ids={pk}" for pk in ids)
        return redirect(f"{reverse(f'admin:repairs_praise_{name}')}?{query}")

    @admin.action(description=gettext_lazy("Thank"))
    def thank_action(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        """To the page that asks."""
        return self._go("thank", request, queryset)

    @admin.action(description=gettext_lazy("Tag"))
    def tag_action(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        """To the page that asks."""
        return self._go("tags", request, queryset)

    @admin.action(description=gettext_lazy("Propose for the showcase"))
    def propose_action(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        """To the page that asks."""
        return self._go("propose", request, queryset)

    def _rows(self, request: HttpRequest, permission: str) -> list[Any]:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        ids = whole_numbers(given.getlist("ids"))[: praise.AT_ONCE]
        # What a reply or an excerpt is made of, in the same query.
        rows = (
            self.get_queryset(request)
            .select_related(
                "channel", "store", "product", "showcase_item", "customer", "order", "category", "subcategory"
            )
            .in_bulk(ids)
        )
        return [rows[pk] for pk in ids if pk in rows]

    def _ask(
        self,
        request: HttpRequest,
        title: Any,
        *,
        rows: list[Any],
        form: Any,
        text: str,
        submit: Any,
        **more: Any,
    ) -> HttpResponse:
        return self.page(
            request,
            "admin/repairs/praise_ask.html",
            title,
            rows=rows,
            form=form,
            text=text,
            submit=submit,
            back=safe_next(request, reverse("admin:repairs_praise_changelist")),
            **more,
        )

    def thank_view(self, request: HttpRequest) -> HttpResponse:
        """GET: whom, by what words. POST: each by itself, and what became of each."""
        rows = self._rows(request, praise.THANK)
        form = ThanksForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and rows and form.is_valid():
            done = praise.thank_many(
                feedback=rows,
                templates=list(form.cleaned_data["templates"]),
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
            return self.page(
                request,
                "admin/repairs/praise_done.html",
                _("Thanks"),
                outcomes=done,
                count=sum(row.done for row in done),
                refused=sum(not row.done for row in done),
                back=reverse("admin:repairs_praise_changelist"),
            )
        examples = []
        if rows:
            values = values_of(rows[0], request.user)  # type: ignore[arg-type]
            chosen = set(form.initial.get("templates", ()))
            queryset: Any = form.fields["templates"].queryset  # type: ignore[attr-defined]
            examples = [(row, preview(row, values)) for row in queryset if row.pk in chosen]
        return self._ask(
            request,
            _("Thank for praise"),
            rows=rows,
            form=form,
            text=_(
                "Only thanks: every text is checked by the law first, and one that offers anything is stopped."
            ),
            submit=_("Send thanks"),
            examples=examples,
        )

    def tags_view(self, request: HttpRequest) -> HttpResponse:
        """GET: tags with suggestions. POST: put on and take off."""
        rows = self._rows(request, praise.THANK)
        form = TagsForm(request.POST if request.method == "POST" else None, rows=rows)
        if request.method == "POST" and rows and form.is_valid():
            count = praise.set_tags(
                feedback=rows,
                add=form.cleaned_data["add"],
                remove=form.cleaned_data.get("remove") or (),
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
            messages.success(
                request, ngettext("%(count)d tag put on.", "%(count)d tags put on.", count) % {"count": count}
            )
            return redirect(safe_next(request, reverse("admin:repairs_praise_changelist")))
        return self._ask(
            request,
            _("Tag praise"),
            rows=rows,
            form=form,
            text=_("Tags say what pleased; the list and the showcases can be narrowed by them."),
            submit=_("Save tags"),
        )

    def propose_view(self, request: HttpRequest) -> HttpResponse:
        """GET: which. POST: propose each whole; excerpt, photos and permission come on its page."""
        rows = self._rows(request, PROPOSE)
        form = PageForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and rows:
            made, refused = [], []
            for row in rows:
                try:
                    made.append(
                        showcase.propose(feedback=row, by=request.user, now=timezone.now())  # type: ignore[arg-type]
                    )
                except DomainError as error:
                    refused.append(f"{row.number}: {error.message}")
            for text in refused[:5]:
                messages.warning(request, text)
            if made:
                messages.success(
                    request,
                    ngettext(
                        "%(count)d review proposed. Next: ask its author.",
                        "%(count)d reviews proposed. Next: ask their authors.",
                        len(made),
                    )
                    % {"count": len(made)},
                )
            if len(made) == 1:
                return redirect("admin:repairs_showcaseitem_change", made[0].pk)
            return redirect(
                "admin:repairs_showcaseitem_changelist" if made else "admin:repairs_praise_changelist"
            )
        return self._ask(
            request,
            _("Propose for the showcase"),
            rows=rows,
            form=form,
            text=_(
                "Nothing is shown yet: the author is asked first, and a second person releases it. Without the author's permission nothing is shown."
            ),
            submit=_("Propose"),
        )

    # -- columns ----------
    @display(description=gettext_lazy("posted at"))
    def show_when(self, obj: Any) -> Any:
        """With the way to the case."""
        day = timezone.localtime(obj.posted_at)
        return format_html(
            '<span class="whitespace-nowrap">{}</span><br>{}',
            f"{day:%m-%d %H:%M}",
            link(reverse("admin:feedback_feedback_change", args=[obj.pk]), obj.number),
        )

    @display(description=gettext_lazy("text"))
    def show_text(self, obj: Any) -> Any:
        """Masked."""
        return format_html('<span class="fr-text">{}</span>', obj.snippet)

    @display(description=gettext_lazy("stars"))
    def show_stars(self, obj: Any) -> Any:
        """Read out as a number."""
        if obj.rating is None:
            return "—"
        label = _("%(stars)d stars") % {"stars": obj.rating}
        return format_html(
            '<span class="fc-stars" role="img" aria-label="{}">{}</span>', label, "★" * obj.rating
        )

    @display(description=gettext_lazy("channel and store"))
    def show_where(self, obj: Any) -> str:
        """Both where known."""
        return " · ".join(str(part) for part in (obj.channel, obj.store, obj.product) if part)

    @display(description=gettext_lazy("tags"))
    def show_tags(self, obj: Any) -> Any:
        """As small badges."""
        return (
            format_html_join(
                " ",
                '<span class="fc-badge is-blue">{}</span>',
                ((mark.tag.name,) for mark in obj.praise_marks.all()),
            )
            or "—"
        )

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_state(self, obj: Any) -> Any:
        """In the showcase, thanked, or nothing yet."""
        item = getattr(obj, "showcase_item", None)
        if item is not None:
            return badge(
                SHOW_COLOURS[item.status], _("showcase: %(state)s") % {"state": item.get_status_display()}
            )
        return badge("green", _("thanked")) if obj.answered else badge("grey", _("not thanked yet"))
