"""What the shop trained on its own texts, and which weights read now (R17)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from kombu.exceptions import OperationalError
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.feedback.models import TrainedModel
from apps.feedback.services import training
from apps.feedback.tasks import train_text_task

CHANGE = training.PERMISSION


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    """Every training with what it brought; the lead chooses which weights read."""

    list_display = (
        "version",
        "show_state",
        "show_before",
        "show_after",
        "held_out",
        "examples",
        "created_at",
    )
    list_before_template = "admin/feedback/trained_before.html"
    fields = (
        "version",
        "is_active",
        "show_before",
        "show_after",
        "held_out",
        "examples",
        "created_at",
        "created_by",
    )
    readonly_fields = fields

    def get_urls(self) -> list[Any]:
        """Choosing changes what is read, so it is a POST."""
        wrap = self.admin_site.admin_view
        return [
            path("shipped/", wrap(require_POST(self.shipped_view)), name="feedback_trainedmodel_shipped"),
            path("train/", wrap(require_POST(self.train_view)), name="feedback_trainedmodel_train"),
            path("<int:pk>/use/", wrap(require_POST(self.use_view)), name="feedback_trainedmodel_use"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        """The list needs no weights."""
        return super().get_queryset(request).defer("weights")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Adds the button for those who may choose."""
        columns = list(super().get_list_display(request))
        if not request.user.has_perm(CHANGE):
            return columns

        def buttons(obj: TrainedModel) -> str:
            return render_to_string("admin/feedback/trained_row.html", {"model": obj})

        buttons.short_description = gettext_lazy("next")  # type: ignore[attr-defined]
        return [*columns, buttons]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list, with the way back to the shipped weights."""
        extra = {
            "can_choose": request.user.has_perm(CHANGE),
            "own_in_use": TrainedModel.objects.filter(is_active=True).exists(),
        }
        return super().changelist_view(request, (extra_context or {}) | extra)

    def train_view(self, request: HttpRequest) -> HttpResponseRedirect:
        """Train in the background; the bell tells what came of it."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        try:
            train_text_task.delay(request.user.pk)
        except OperationalError:
            messages.error(request, _("The background worker cannot be reached; try again later."))
        else:
            messages.success(request, _("Training has begun; the bell will tell what came of it."))
        return HttpResponseRedirect(reverse("admin:feedback_trainedmodel_changelist"))

    def use_view(self, request: HttpRequest, pk: int) -> HttpResponseRedirect:
        """Read with these weights."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        model = get_object_or_404(TrainedModel, pk=pk)
        training.use(model=model, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        messages.success(
            request, _("From now on %(version)s reads what arrives.") % {"version": model.version}
        )
        return HttpResponseRedirect(reverse("admin:feedback_trainedmodel_changelist"))

    def shipped_view(self, request: HttpRequest) -> HttpResponseRedirect:
        """Read with the shipped weights."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        training.use(model=None, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        messages.success(request, _("From now on the shipped weights read what arrives."))
        return HttpResponseRedirect(reverse("admin:feedback_trainedmodel_changelist"))

    @display(description=gettext_lazy("state"), label={"in use": "success", "kept": "info"})
    def show_state(self, obj: TrainedModel) -> tuple[str, Any]:
        """In use or kept."""
        return ("in use", _("in use")) if obj.is_active else ("kept", _("not in use"))

    @display(description=gettext_lazy("right before"))
    def show_before(self, obj: TrainedModel) -> str:
        """As per cent of the tested texts."""
        return f"{obj.before:.1%}"

    @display(description=gettext_lazy("right after"))
    def show_after(self, obj: TrainedModel) -> str:
        """As per cent, with a word when the sample is small."""
        share = f"{obj.after:.1%}"
        return _("%(share)s (small sample)") % {"share": share} if obj.held_out < 100 else share
