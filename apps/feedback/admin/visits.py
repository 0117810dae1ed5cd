"""Mystery visits [神秘访客] and symposiums [顾客座谈会] (R7, R73)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import Count, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, PartInline, ShopModelAdmin
from apps.core.admin.display import LABELS, badge, link
from apps.core.admin.files import file_readers
from apps.core.admin.forms import PageForm
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import User
from apps.core.numbers import whole_number, whole_numbers
from apps.core.services.photos import clean_photo
from apps.core.transitions import Move
from apps.core.wording import VERBS, move_tables
from apps.customers.choices import MemberTier
from apps.feedback.admin.forms import FilesField, ManyFiles
from apps.feedback.models import (
    Category,
    MysteryVisit,
    Symposium,
    SymposiumFinding,
    SymposiumInvitation,
    VisitCriterion,
    VisitFinding,
    VisitScore,
)
from apps.feedback.models.visits import points
from apps.feedback.selectors.visits import COUNT_LIMIT, audience, barred, can_open_visit_photo
from apps.feedback.services import visits
from apps.feedback.transitions import INVITATION, SYMPOSIUM, VISIT

move_tables.register("feedback.mysteryvisit", VISIT)
move_tables.register("feedback.symposium", SYMPOSIUM)
move_tables.register("feedback.symposiuminvitation", INVITATION)
VERBS["choose"] = gettext_lazy("Chosen for invitation")
file_readers.register("feedback.visits", can_open_visit_photo)

STATES = {
    "draft": "default",
    "planned": "info",
    "submitted": "warning",
    "held": "warning",
    "recorded": "success",
    "cancelled": "default",
}
INVITATION_COLOURS = {
    "chosen": "grey",
    "invited": "blue",
    "accepted": "green",
    "declined": "grey",
    "attended": "green",
    "absent": "amber",
}
SEVERITY = {"good": "success", "minor": "info", "major": "warning", "critical": "danger"}


@admin.register(VisitCriterion)
class VisitCriterionAdmin(HistoryModelAdmin):
    """The checklist of mystery visits. Lines no longer wanted are switched off."""

    list_display = ("__str__", "code", "weight", "hint", "position", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name_zh__icontains", "name_en__icontains", "code__istartswith")
    fields = ("name_zh", "name_en", "code", "hint", "weight", "position", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: VisitCriterion | None = None) -> tuple[str, ...]:
        """Visits name a criterion by its code: it stays."""
        return ("code",) if obj is not None else ()


class ScoreInline(PartInline):
    """One line for each criterion."""

    model = VisitScore
    fields = ("show_criterion", "score", "note")
    readonly_fields = ("show_criterion",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Names with the rows."""
        return super().get_queryset(request).select_related("criterion", "visit")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The checklist decides the lines."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The checklist decides the lines."""
        return False

    @display(description=gettext_lazy("criterion"))
    def show_criterion(self, obj: VisitScore) -> Any:
        """With its weight and what to look for."""
        return format_html(
            '<b>{}</b> <span class="fc-quiet">× {}</span><br><span class="fc-quiet">{}</span>',
            obj.criterion,
            obj.weight,
            obj.criterion.hint,
        )


class FindingInline(PartInline):
    """What was found; after recording with the feedback it became."""

    fields: tuple[str, ...] = ("severity", "category", "text", "show_feedback")
    readonly_fields = ("show_feedback",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """The feedback's number needs no row of its own."""
        return super().get_queryset(request).select_related("category")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices are read once for all rows."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "category" and field is not None:
            rows = list(Category.objects.filter(is_active=True).select_related("parent"))
            tops = [row for row in rows if row.parent_id is None]
            field.choices = [
                ("", "—"),
                *(
                    (
                        str(top),
                        [
                            (top.pk, str(top)),
                            *((row.pk, f"　{row}") for row in rows if row.parent_id == top.pk),
                        ],
                    )
                    for top in tops
                ),
            ]
        return field

    @display(description=gettext_lazy("feedback"))
    def show_feedback(self, obj: Any) -> Any:
        """Its number."""
        if not obj.feedback_id:
            return "—"
        return link(
            reverse("admin:feedback_feedback_change", args=[obj.feedback_id]), f"F{obj.feedback_id:07d}"
        )


class VisitFindingInline(FindingInline):
    """Findings of a visit."""

    model = VisitFinding


class SymposiumFindingInline(FindingInline):
    """Findings of a symposium, with who said it."""

    model = SymposiumFinding
    fields = ("severity", "category", "text", "customer", "show_feedback")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Names with the rows."""
        return super().get_queryset(request).select_related("customer")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Remembers whose guests may be named."""
        request.fc_symposium = obj  # type: ignore[attr-defined]
        return super().get_formset(request, obj, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Those on the invitation list, masked."""
        if db_field.name != "customer":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        symposium = getattr(request, "fc_symposium", None)
        guests = (
            SymposiumInvitation.objects.filter(symposium=symposium)
            .exclude(status__in=("chosen", "declined"))
            .select_related("customer")
        )
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.choices = [
                ("", "—"),
                *(
                    (guest.customer_id, f"{guest.customer.masked_name} #{guest.customer_id}")
                    for guest in guests
                ),
            ]
        return field


class PhotoForm(forms.ModelForm):
    """Adds photos, made anew while the form is checked so that a bad one is named beside its field."""

    photos = FilesField(
        label=gettext_lazy("Add photos"),
        required=False,
        widget=ManyFiles(attrs={"class": "fc-input", "accept": "image/*"}),
        help_text=gettext_lazy("JPEG, PNG, WebP or HEIC. Place and camera data are removed."),
    )

    def clean_photos(self) -> list[Any]:
        """Cleaned copies."""
        uploads = self.cleaned_data["photos"]
        present = self.instance.files.count() if self.instance.pk and uploads else 0
        if present + len(uploads) > visits.MAX_PHOTOS:
            raise ValidationError(
                _("At most %(limit)d photos can be kept here.") % {"limit": visits.MAX_PHOTOS}
            )
        try:
            return [
                clean_photo(upload, size=upload.size, number=number)
                for number, upload in enumerate(uploads, start=1)
            ]
        except InvalidInput as error:
            raise ValidationError(str(error.message)) from error


class VisitForm(PhotoForm):
    """A visit that has taken place."""

    def clean_visited_at(self) -> Any:
        """Said while the date is typed, not only when everything is to be submitted."""
        when = self.cleaned_data["visited_at"]
        if when and when > timezone.now():
            raise ValidationError(_("The visit lies in the future."))
        return when


class RecordAdmin(MovesMixin, ShopModelAdmin):
    """What visits and symposiums share: open to changes by state, photos, buttons above the form."""

    form = PhotoForm
    deletable = False
    moves_in_rows = False
    open_states: tuple[str, ...] = ()
    change_form_outer_before_template = "admin/feedback/visits/moves.html"

    class Media:
        css = {"all": ("feedback/visits.css",)}

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see theirs."""
        return queryset.visible_to(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was submitted or recorded stays as it is."""
        if obj is not None and obj.status not in self.open_states:
            return False
        return super().has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Without a chance to change anything there is no box for photos."""
        if obj is not None and not self.has_change_permission(request, obj):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        """Parts come once there is a record."""
        return self.inlines if obj is not None else ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Saving writes every column, so the state is read under a lock: what somebody submits or records in the
        same moment is not set back to a draft.
        """
        number = whole_number(object_id)
        if request.method != "POST" or number is None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        with transaction.atomic():
            list(self.model._base_manager.select_for_update().filter(pk=number).values_list("pk"))
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Photos after everything else."""
        super().save_related(request, form, formsets, change)
        photos = form.cleaned_data.get("photos") or []
        if photos:
            visits.attach_photos(
                record=form.instance,
                photos=photos,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to its page, where the rest is filled in."""
        return redirect(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", obj.pk)

    # -- moves ----------
    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Every move asks on a page of its own; where the form is open, its button saves it first."""
        obj = kwargs.get("obj")
        if obj is not None:
            context["moves"] = [replace(button, one_click=False) for button in self.moves_for(request, obj)]
            context["saves_first"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Saved by the button of a move: on to the page that asks."""
        verb = request.POST.get("_then", "")
        if verb and verb in {button.verb for button in self.moves_for(request, obj)}:
            messages.success(request, _("Saved. Nothing else has happened yet: confirm below."))
            return redirect(self._move_url("move", obj.pk, verb))
        return super().response_change(request, obj)

    def move_note(self, request: HttpRequest, obj: Any, move: Move) -> str:
        """How many feedback recording will make."""
        if move.verb not in ("record", "record_findings"):
            return ""
        count = obj.findings.count()
        if not count:
            return _("There are no findings: it is only filed, no feedback is made.")
        return ngettext(
            "%(count)d finding becomes %(count)d feedback.",
            "%(count)d findings become %(count)d feedback.",
            count,
        ) % {"count": count}

    @display(description=gettext_lazy("photos"))
    def show_photos(self, obj: Any) -> Any:
        """Small, each opens whole."""
        if obj.pk is None:
            return "—"
        rows = [
            (reverse("admin:core_storedfile_open", args=[row.file_id]), number)
            for number, row in enumerate(obj.files.order_by("pk"), start=1)
        ]
        return (
            format_html_join(
                "",
                '<a href="{0}"><img class="fv-photo" loading="lazy" src="{0}" alt="{1}"></a>',
                ((url, _("Photo %(number)d") % {"number": number}) for url, number in rows),
            )
            or "—"
        )

    @display(description=gettext_lazy("state"), ordering="status", label=STATES)
    def show_status(self, obj: Any) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=gettext_lazy("findings"))
    def show_found(self, obj: Any) -> int:
        """How many."""
        return obj.found


def _found(model: type[models.Model], name: str) -> Any:
    """The number of findings, counted beside the row."""
    rows = model._default_manager.filter(**{name: OuterRef("pk")}).order_by().values(name)
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0)


# -- mystery visits ----------
@admin.register(MysteryVisit)
class MysteryVisitAdmin(RecordAdmin):
    """Checklist, findings, photos. Draft → submitted → recorded."""

    form = VisitForm
    moves_table = VISIT
    moves = {
        "submit": Verb(visits.submit, "visit", reason=None, icon="send"),
        "record": Verb(visits.record, "visit", reason=None, icon="playlist_add_check"),
        "send_back": Verb(visits.send_back, "visit", icon="undo"),
    }
    open_states = ("draft",)
    list_display = (
        "show_number", "store", "visited_at", "show_visitor", "show_points", "show_found", "show_status"
    )  # fmt: skip
    list_display_links = ("show_number",)
    list_filter = ("status", ("store", RelatedDropdownFilter))
    list_select_related = ("store", "visitor")
    search_fields = ("store__name__icontains", "=id")
    list_before_template = "admin/feedback/visits/about_visits.html"
    empty_text = gettext_lazy(
        "Add the first visit: choose the store and the time, then score the checklist and write down what you found. "
        "Nothing reaches the store before you submit it."
    )
    autocomplete_fields = ("store",)
    inlines = (ScoreInline, VisitFindingInline)
    fieldsets = (
        (None, {"fields": ("show_status", "show_points", "store", "visited_at", "visitor", "visitor_name")}),
        (gettext_lazy("What it was like"), {"fields": ("summary", "show_photos", "photos")}),
    )
    add_fieldsets = ((None, {"fields": ("store", "visited_at", "visitor", "visitor_name", "summary")}),)
    readonly_fields = ("show_status", "show_points", "show_photos")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """With points and findings counted in the same query."""
        scored = (
            VisitScore.objects.filter(visit=OuterRef("pk"), score__isnull=False)
            .order_by()
            .values("visit")
            .annotate(p=Sum(F("score") * F("weight")) * 10.0 / Sum("weight"))
            .values("p")
        )
        return (
            super()
            .visible_to(request, queryset)
            .annotate(points=Subquery(scored), found=_found(VisitFinding, "visit"))
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the box for photos where nothing can be changed."""
        if obj is None:
            return self.add_fieldsets
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return (
            (None, self.fieldsets[0][1]),
            (gettext_lazy("What it was like"), {"fields": ("summary", "show_photos")}),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Whoever enters it was there, just now, unless they say otherwise."""
        return {
            "visitor": request.user.pk,
            "visited_at": timezone.now(),
        } | super().get_changeform_initial_data(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Colleagues who still work here."""
        if db_field.name == "visitor":
            kwargs["queryset"] = User.objects.filter(is_active=True, is_staff=True).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: MysteryVisit, form: Any, change: bool) -> None:
        """A new visit gets its checklist."""
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
        if not change:
            visits.start_checklist(visit=obj)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """What comes next."""
        messages.success(request, _("Now score the checklist and write down what you found."))
        return super().response_add(request, obj, post_url_continue)

    @display(description=gettext_lazy("number"), ordering="-id")
    def show_number(self, obj: MysteryVisit) -> str:
        """What people call it."""
        return obj.number

    @display(description=gettext_lazy("visitor"))
    def show_visitor(self, obj: MysteryVisit) -> str:
        """A colleague or somebody from outside."""
        return str(obj.visitor or obj.visitor_name)

    @display(description=pgettext_lazy("mystery visit", "points"), ordering="points", label=LABELS)
    def show_points(self, obj: Any) -> Any:
        """Weighted mean, of 100: green from 85, amber from 70."""
        # Lists carry the figure, also where it is "none yet"; a page just saved does not.
        value = obj.points if hasattr(obj, "points") else points(list(obj.scores.all())) if obj.pk else None
        if value is None:
            return badge("grey", _("not scored"))
        value = float(value)
        return badge("green" if value >= 85 else "amber" if value >= 70 else "red", f"{value:.1f} / 100")


# -- symposiums ----------
class AudienceForm(PageForm):
    """Whom to invite."""

    tiers = forms.MultipleChoiceField(
        label=gettext_lazy("Member tiers"),
        choices=[choice for choice in MemberTier.choices if choice[0]],
        widget=forms.CheckboxSelectMultiple,
    )
    earlier = forms.ChoiceField(
        label=gettext_lazy("Earlier symposiums"),
        choices=[
            ("any", gettext_lazy("does not matter")),
            ("never", gettext_lazy("never came")),
            ("before", gettext_lazy("came before")),
        ],
    )
    places = forms.IntegerField(
        label=gettext_lazy("At most"), min_value=1, max_value=visits.INVITE_AT_MOST, initial=30
    )


class ExportForm(PageForm):
    """Masked unless somebody needs more, with a reason."""

    whole = forms.BooleanField(
        label=gettext_lazy("Whole names and numbers"),
        required=False,
        help_text=gettext_lazy("Needed to call or write to the customers. Each look is recorded."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, may_whole: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_whole:
            del self.fields["whole"], self.fields["reason"]


@admin.register(Symposium)
class SymposiumAdmin(RecordAdmin):
    """Plan, invite, hold, record."""

    moves_table = SYMPOSIUM
    moves = {
        "hold": Verb(visits.hold, "symposium", reason=None, icon="event_available"),
        "record_findings": Verb(visits.record_findings, "symposium", reason=None, icon="playlist_add_check"),
        "plan_again": Verb(visits.plan_again, "symposium", icon="undo"),
        "cancel": Verb(visits.cancel, "symposium", icon="event_busy"),
    }
    open_states = ("planned", "held")
    list_display = (
        "topic", "held_at", "show_place", "show_stores", "host", "show_guests", "show_found", "show_status"
    )  # fmt: skip
    list_filter = ("status",)
    list_select_related = ("host",)
    search_fields = ("topic__icontains",)
    list_before_template = "admin/feedback/visits/about_symposiums.html"
    empty_text = gettext_lazy(
        "Plan the first one: topic, time and place. Then invite customers by member tier, and after it took place write down what they said."
    )
    autocomplete_fields = ("stores",)
    inlines = (SymposiumFindingInline,)
    # Who comes is settled before there are minutes and findings.
    change_form_outer_before_template = "admin/feedback/visits/symposium_before.html"
    fieldsets = (
        (None, {"fields": ("show_status", "topic", "held_at", "place", "stores", "host")}),
        (pgettext_lazy("symposium", "Minutes"), {"fields": ("minutes", "show_photos", "photos")}),
    )
    add_fieldsets = ((None, {"fields": ("topic", "held_at", "place", "stores", "host")}),)
    readonly_fields = ("show_status", "show_photos")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """With guests and findings counted in the same query, stores in one more."""
        rows = SymposiumInvitation.objects.filter(symposium=OuterRef("pk")).order_by().values("symposium")
        return (
            super()
            .visible_to(request, queryset)
            .annotate(
                guests=Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0),
                came=Coalesce(
                    Subquery(rows.filter(status="attended").annotate(n=Count("pk")).values("n")), 0
                ),
                found=_found(SymposiumFinding, "symposium"),
            )
            .prefetch_related("stores")
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the box for photos where nothing can be changed."""
        if obj is None:
            return self.add_fieldsets
        if self.has_change_permission(request, obj):
            return self.fieldsets
        return (
            (None, self.fieldsets[0][1]),
            (pgettext_lazy("symposium", "Minutes"), {"fields": ("minutes", "show_photos")}),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Whoever plans it is the host unless they say otherwise."""
        return {"host": request.user.pk} | super().get_changeform_initial_data(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Colleagues who still work here."""
        if db_field.name == "host":
            kwargs["queryset"] = User.objects.filter(is_active=True, is_staff=True).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_urls(self) -> list[Any]:
        """Inviting, answers, list."""
        view = self.admin_site.admin_view
        return [
            path("<int:object_id>/invite/", view(self.invite_view), name="feedback_symposium_invite"),
            path("<int:object_id>/answers/", view(self.answers_view), name="feedback_symposium_answers"),
            path("<int:object_id>/export/", view(self.export_view), name="feedback_symposium_export"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the invitation list above the form."""
        extra_context = extra_context or {}
        symposium = self.get_object(request, object_id)
        if symposium is not None and request.user.has_perm("customers.view_customer"):
            rows = list(
                symposium.invitations.select_related("customer").order_by("pk")[: visits.INVITE_AT_MOST]
            )
            out = barred((row.customer_id for row in rows), timezone.now())
            for row in rows:
                row.colour = INVITATION_COLOURS[row.status]
                row.is_barred = row.customer_id in out
            may = request.user.has_perm("feedback.change_symposium")
            extra_context |= {
                "invitations": rows,
                "may_invite": may and symposium.status == "planned",
                "verbs": INVITATION.moves if may and symposium.status in ("planned", "held") else (),
                "symposium": symposium,
            }
        return super().change_view(request, object_id, form_url, extra_context)

    def _symposium(self, request: HttpRequest, object_id: int, permission: str) -> Symposium:
        if not (request.user.has_perm(permission) and request.user.has_perm("customers.view_customer")):
            raise PermissionDenied
        symposium = self.get_queryset(request).filter(pk=object_id).first()
        if symposium is None:
            raise Http404
        return symposium

    def invite_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: who would be invited and who not; POST: put the ticked ones on the list."""
        symposium = self._symposium(request, object_id, "feedback.change_symposium")
        now = timezone.now()
        back = reverse("admin:feedback_symposium_change", args=[symposium.pk])
        if request.method == "POST":
            ids = whole_numbers(request.POST.getlist("customer"))
            try:
                added, left = visits.choose(
                    symposium=symposium,
                    customer_ids=ids,
                    by=request.user,  # type: ignore[arg-type]
                    now=now,
                )
            except DomainError as error:
                messages.error(request, str(error.message))
                return redirect(request.get_full_path())
            messages.success(
                request,
                ngettext("%(count)d customer is on the list.", "%(count)d customers are on the list.", added)
                % {"count": added},
            )
            if left:
                messages.warning(
                    request,
                    ngettext(
                        "%(count)d was left out: may no longer be invited.",
                        "%(count)d were left out: may no longer be invited.",
                        left,
                    )
                    % {"count": left},
                )
            return redirect(back)
        form = AudienceForm(request.GET if request.GET else None, initial={"earlier": "any"})
        found = None
        if form.is_bound and form.is_valid():
            found = audience(
                symposium=symposium,
                tiers=form.cleaned_data["tiers"],
                earlier=form.cleaned_data["earlier"],
                limit=form.cleaned_data["places"],
                now=now,
            )
        left_words = {
            "state": _("storage only or erased"),
            "invited": _("on the list already"),
            "hold": _("contact hold"),
            "consent": _("no consent to surveys"),
        }
        return self.page(
            request,
            "admin/feedback/visits/invite.html",
            _("Invite customers"),
            obj=symposium,
            form=form,
            found=found,
            bounded=found is not None and found.count > COUNT_LIMIT,
            limit=COUNT_LIMIT,
            left_out=[(left_words[code], n) for code, n in found.left_out.items() if n] if found else [],
            planned=symposium.status == "planned",
            back=back,
        )

    def answers_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """POST only: one move on the ticked invitations."""
        symposium = self._symposium(request, object_id, "feedback.change_symposium")
        back = reverse("admin:feedback_symposium_change", args=[symposium.pk]) + "#invitations"
        verb = request.POST.get("verb", "")
        if request.method != "POST" or INVITATION.get(verb) is None:
            return redirect(back)
        ids = whole_numbers(request.POST.getlist("invitation"))
        if not ids:
            messages.warning(request, _("Choose rows first."))
            return redirect(back)
        done, refused = visits.move_invitations(
            symposium=symposium,
            ids=ids,
            verb=verb,
            by=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        if done:
            messages.success(
                request,
                ngettext("%(count)d invitation changed.", "%(count)d invitations changed.", done)
                % {"count": done},
            )
        for text in refused[:5]:
            messages.warning(request, text)
        return redirect(back)

    def export_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks, POST answers the file: masked, or whole for those who may and say why."""
        symposium = self._symposium(request, object_id, "feedback.view_symposium")
        form = ExportForm(
            request.POST if request.method == "POST" else None,
            may_whole=request.user.has_perm("customers.unmask_customer"),
        )
        if request.method == "POST" and form.is_valid():
            try:
                text = visits.invitation_list(
                    symposium=symposium,
                    whole=form.cleaned_data.get("whole", False),
                    reason=form.cleaned_data.get("reason", ""),
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("reason" if "reason" in form.fields else None, str(error.message))
            else:
                response = HttpResponse(text, content_type="text/csv; charset=utf-8")
                response.headers["Content-Disposition"] = (
                    f'attachment; filename="symposium-{symposium.pk}.csv"'
                )
                response.headers["Cache-Control"] = "no-store, private"
                return response
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Invitation list as a file"),
            obj=symposium,
            form=form,
            text=_("A CSV file for a spreadsheet. Names and numbers are masked unless you ask for more."),
            submit=_("Download"),
            back=reverse("admin:feedback_symposium_change", args=[symposium.pk]),
        )

    @display(description=pgettext_lazy("symposium", "place"))
    def show_place(self, obj: Symposium) -> Any:
        """Empty means online."""
        return obj.place or _("online")

    @display(description=gettext_lazy("stores"))
    def show_stores(self, obj: Symposium) -> Any:
        """Empty means every store."""
        names = [str(store) for store in obj.stores.all()]
        if not names:
            return _("every store")
        return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")

    @display(description=gettext_lazy("invited / came"))
    def show_guests(self, obj: Any) -> str:
        """Two numbers."""
        return f"{obj.guests} / {obj.came}"
