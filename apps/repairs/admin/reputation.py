"""Reputation actions [口碑行动] beside the figures they should move (R33)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ShopModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.models import User
from apps.core.wording import move_tables
from apps.repairs.choices import ACTION_COLOURS, ACTION_OPEN
from apps.repairs.models import ReputationAction
from apps.repairs.selectors.indicators import all_metrics, metric_of
from apps.repairs.selectors.reputation import effect, narrowing_problem
from apps.repairs.services import reputation
from apps.repairs.transitions import REPUTATION_ACTION

move_tables.register("repairs.reputationaction", REPUTATION_ACTION)


class ActionForm(forms.ModelForm):
    """The indicator from a list, and only what it can be narrowed by."""

    metric = forms.ChoiceField(label=gettext_lazy("indicator"))

    class Meta:
        model = ReputationAction
        fields = (
            "title", "kind", "what", "owner", "starts_on", "due_on", "store", "product", "category", "channel",
            "metric", "direction", "target", "window_days",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields.get("metric")
        if field is not None:
            found = all_metrics()
            ours = [(code, str(row.label)) for code, row in found.items() if not code.startswith("ext:")]
            others = [(code, str(row.label)) for code, row in found.items() if code.startswith("ext:")]
            field.choices = [(_("Ours"), ours), (_("From outside"), others)]
        if self.instance.target is not None:
            self.initial["target"] = f"{self.instance.target.normalize():f}"
        what: Any = self.fields.get("what")
        if what is not None:
            what.widget.attrs["rows"] = 3
        owner: Any = self.fields.get("owner")
        if owner is not None:
            owner.queryset = User.objects.filter(is_active=True, is_staff=True).order_by("name", "username")

    def clean(self) -> dict[str, Any]:
        """What the indicator cannot be narrowed by is named beside its field."""
        values = super().clean() or {}
        metric = metric_of(values.get("metric") or "")
        if metric is None:
            return values
        scope = {name: 1 for name in ("store", "product", "category", "channel") if values.get(name)}
        wrong = narrowing_problem(metric, scope)
        if wrong:
            what = self.fields[wrong].label
            self.add_error(wrong, _("This indicator is not known by %(what)s.") % {"what": what})
        if metric.code == "complaint_share" and "category" not in scope:
            self.add_error("category", _("Choose the category whose share of complaints is meant."))
        return values


class WhenFilter(admin.SimpleListFilter):
    """Open ones unless something else is chosen."""

    title = gettext_lazy("state")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Late, ended, all."""
        return [
            ("late", gettext_lazy("overdue")),
            ("check", gettext_lazy("done, to be checked")),
            ("ended", gettext_lazy("checked or dropped")),
            ("all", gettext_lazy("all")),
        ]

    def choices(self, changelist: Any) -> Any:
        """The first choice is named after what it shows."""
        for number, choice in enumerate(super().choices(changelist)):
            yield choice | ({"display": gettext_lazy("planned or under way")} if number == 0 else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        value = self.value()
        if value == "late":
            return queryset.overdue(timezone.localdate())  # type: ignore[attr-defined]
        if value == "check":
            return queryset.filter(status="done")
        if value == "ended":
            return queryset.filter(status__in=("checked", "dropped"))
        return queryset if value == "all" else queryset.filter(status__in=ACTION_OPEN)


@admin.register(ReputationAction)
class ReputationActionAdmin(MovesMixin, ShopModelAdmin):
    """By the day they are due. What ended stays as it was."""

    form = ActionForm
    moves_table = REPUTATION_ACTION
    moves = {
        "start": Verb(reputation.start, "action", reason=None, icon="play_arrow"),
        "finish": Verb(reputation.finish, "action", reason_label=gettext_lazy("What was done"), icon="check"),
        "check": Verb(reputation.check, "action", reason_label=gettext_lazy("Conclusion"), icon="fact_check"),
        "drop": Verb(reputation.drop, "action", icon="block"),
    }
    moves_in_rows = False
    deletable = False
    list_display = ("title", "kind", "owner", "show_scope", "show_due", "show_status")
    list_filter = (WhenFilter, "kind", ("owner", RelatedDropdownFilter), ("store", RelatedDropdownFilter))
    list_select_related = ("owner", "store", "product", "category", "channel")
    search_fields = ("title__icontains",)
    ordering = ("due_on", "id")
    autocomplete_fields = ("store", "product", "category")
    change_form_outer_before_template = "admin/core/moves.html"
    change_form_outer_after_template = "admin/repairs/action_page.html"
    fieldsets = (
        (None, {"fields": ("title", ("kind", "owner"), "what", ("starts_on", "due_on"), "show_status")}),
        (
            pgettext_lazy("reputation action", "What it should move"),
            {"fields": ("metric", ("direction", "target"), "window_days")},
        ),
        (
            pgettext_lazy("reputation action", "Where"),
            {"fields": (("store", "product"), ("category", "channel"))},
        ),
    )
    readonly_fields = ("show_status",)
    empty_text = gettext_lazy(
        "Plan the first action: what to do, who does it until when, and which figure should move. Its page then shows before and after."
    )

    class Media:
        css = {"all": ("repairs/reputation.css",)}

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """One's own, and those of one's stores."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """While it is open."""
        return (obj is None or obj.is_open) and super().has_change_permission(request, obj)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The names of all indicators are read once for all rows."""
        labels: dict[str, str] = {}

        def show_metric(obj: ReputationAction) -> str:
            if not labels:
                labels.update({code: str(row.label) for code, row in all_metrics().items()})
            return labels.get(obj.metric, obj.metric)

        show_metric.short_description = _("indicator")  # type: ignore[attr-defined]
        columns = list(super().get_list_display(request))
        return [*columns[:4], show_metric, *columns[4:]]

    def save_model(self, request: HttpRequest, obj: ReputationAction, form: Any, change: bool) -> None:
        """A new one names its maker; a new owner is told; another day is another chance to be late."""
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        if "due_on" in form.changed_data:
            obj.told_late_at = None
        super().save_model(request, obj, form, change)
        reputation.keep_work(action=obj, now=timezone.now(), changed=form.changed_data)
        if "owner" in form.changed_data:
            reputation.tell_owner(action=obj, by=request.user, now=timezone.now())  # type: ignore[arg-type]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Buttons above, the figure below."""
        obj = kwargs.get("obj")
        if obj is not None:
            context["moves"] = self.moves_for(request, obj)
            context |= {"deed": obj, "effect": effect(obj, today=timezone.localdate())}
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description=gettext_lazy("where"))
    def show_scope(self, obj: ReputationAction) -> str:
        """What it is about."""
        parts = [str(part) for part in (obj.store, obj.product, obj.category, obj.channel) if part]
        return " · ".join(parts) or _("the whole company")

    @display(description=gettext_lazy("due"), ordering="due_on", label=LABELS)
    def show_due(self, obj: ReputationAction) -> Any:
        """Red when it is late."""
        late = obj.is_overdue(timezone.localdate())
        day = obj.due_on.isoformat()
        return badge("red", _("%(day)s overdue") % {"day": day}) if late else badge("grey", day)

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_status(self, obj: ReputationAction) -> Any:
        """As a coloured word."""
        return badge(ACTION_COLOURS.get(obj.status or "planned", "grey"), obj.get_status_display())
