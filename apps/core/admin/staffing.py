"""On the pages of a person: what they still have to do, and where it is handed over."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from apps.core.staffing import open_work_of


def warn_of_open_work(request: HttpRequest, person: Any) -> None:
    """After somebody was switched off or goes on leave: a warning that leads to the hand-over."""
    for work in open_work_of(person, request.user, timezone.now()):
        if work.count:
            messages.warning(
                request,
                format_html(
                    '{} <a class="underline font-semibold" href="{}">{}</a>',
                    work.text,
                    work.url,
                    _("Hand over"),
                ),
            )


class OpenWorkMixin:
    """Shows above the form of one record what its person has open. `person_field` names the person; "" is itself."""

    person_field = ""
    change_form_outer_before_template = "admin/core/open_work.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A few queries more, on the page of one record only."""
        obj = self.get_object(request, object_id)  # type: ignore[attr-defined]
        person = getattr(obj, self.person_field) if obj is not None and self.person_field else obj
        found = open_work_of(person, request.user, timezone.now()) if person is not None else []
        context = {"open_work": [work for work in found if work.count]} | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc]
