"""Seeing personal data whole: button, reason, audit row, shown once (PIPL art. 51; architecture 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.core.services.reveals import reveal


class RevealForm(PageForm):
    """Which fields, and why."""

    fields_wanted = forms.MultipleChoiceField(
        label=gettext_lazy("What do you need to see?"), widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "Kept with your name and the time, and read by those who answer for data protection."
        ),
    )

    def __init__(self, *args: Any, choices: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["fields_wanted"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["fields_wanted"].initial = [choices[0][0]]


class RevealMixin:
    """Adds `<id>/reveal/` to a ModelAdmin. `reveal_fields` are the fields that may be seen whole."""

    reveal_fields: tuple[str, ...] = ()
    reveal_permission = ""

    def get_urls(self) -> list[Any]:
        """The reveal page before the admin's own."""
        opts = self.model._meta  # type: ignore[attr-defined]
        return [
            path(
                "<int:object_id>/reveal/",
                self.admin_site.admin_view(self.reveal_view),  # type: ignore[attr-defined]
                name=f"{opts.app_label}_{opts.model_name}_reveal",
            ),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def reveal_labels(self) -> Mapping[str, Any]:
        """Field → label."""
        get_field = self.model._meta.get_field  # type: ignore[attr-defined]
        return {name: get_field(name).verbose_name for name in self.reveal_fields}

    def reveal_url(self, request: HttpRequest, obj: models.Model) -> str:
        """Address of the button, "" for those who may not."""
        opts = obj._meta
        if not request.user.has_perm(self.reveal_permission):
            return ""
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_reveal", args=[obj.pk])

    def reveal_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks which fields and why; POST writes the audit row and shows the values on its own answer
        only.
        """
        obj = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        if obj is None:
            raise Http404
        if not request.user.has_perm(self.reveal_permission):
            raise PermissionDenied
        labels = self.reveal_labels()
        filled = [(name, label) for name, label in labels.items() if getattr(obj, name)]
        form = RevealForm(request.POST if request.method == "POST" else None, choices=filled)
        shown: list[tuple[Any, str]] = []
        if request.method == "POST" and form.is_valid():
            try:
                values = reveal(
                    record=obj,
                    fields=form.cleaned_data["fields_wanted"],
                    permission=self.reveal_permission,
                    reason=form.cleaned_data["reason"],
                    by=request.user,
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("reason", str(error.message))
            else:
                shown = [(labels[name], value) for name, value in values.items()]
        opts = self.model._meta  # type: ignore[attr-defined]
        return self.page(  # type: ignore[attr-defined]
            request,
            "admin/core/reveal.html",
            _("Personal data whole") if shown else _("See personal data whole"),
            obj=obj,
            form=form,
            shown=shown,
            nothing=not filled,
            back=reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk]),
        )
