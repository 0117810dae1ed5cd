"""Base classes of every list and form in the back office."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from apps.core.admin.forms import dress
from apps.core.history import reason_text
from apps.core.reference import touch

COUNT_LIMIT = 2000


class BoundedPaginator(Paginator):
    """Counts at most COUNT_LIMIT rows: a list of a million opens as fast as one of a hundred (architecture,
    8).

    Rows beyond the limit are reached by search and filters; the page says so.
    """

    template_name = "admin/core/pagination.html"

    @cached_property
    def _found(self) -> int:
        objects = self.object_list
        if isinstance(objects, models.QuerySet):
            # Without ordering and annotations the database stops as soon as it has seen enough rows.
            return objects.order_by()[: COUNT_LIMIT + 1].count()
        return len(objects)

    @cached_property
    def count(self) -> int:
        """Rows found, at most COUNT_LIMIT."""
        return min(self._found, COUNT_LIMIT)

    @cached_property
    def is_bounded(self) -> bool:
        """Whether there are more rows than were counted."""
        return self._found > COUNT_LIMIT


class BoundedChangeList(ChangeList):
    """The theme's list without its second count in the page head: the count stands below the rows."""

    def get_results(self, request: HttpRequest) -> None:
        """Nothing is counted twice."""
        super().get_results(request)
        self.full_result_count = self.result_count


class ShopModelAdmin(ModelAdmin):
    """What every admin of ours shares.

    `reference_stamps` name the in-memory data that a save or a deletion makes stale (apps.core.reference).
    Records that keep a history are not deleted unless a class sets `deletable`: they are switched off
    instead.
    """

    list_per_page = 25
    list_max_show_all = 100
    show_full_result_count = False
    paginator = BoundedPaginator
    list_filter_submit = True
    compressed_fields = True
    warn_unsaved_form = True
    # What an empty list says that nobody filtered: what belongs here and how it gets in.
    empty_text: Any = ""
    # What the button there says; "": “Add …”.
    add_words: Any = ""
    reference_stamps: tuple[str, ...] = ()
    deletable: bool | None = None

    class Media:
        css = {"all": ("core/lists.css",)}

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """The rows this person may see (decision 12); narrowed by subclasses."""
        return queryset

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """One count, bounded."""
        return BoundedChangeList

    def get_form(
        self, request: HttpRequest, obj: models.Model | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Fields that a form declares itself look like those made from the model."""
        form = super().get_form(request, obj, change, **kwargs)
        dress(form.base_fields)
        return form

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Every list, form, action and autocomplete starts from what the person may see."""
        return self.visible_to(request, super().get_queryset(request))

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """No deletion where a history is kept, unless the class allows it."""
        allowed = self.deletable if self.deletable is not None else not hasattr(self.model, "history")
        return allowed and super().has_delete_permission(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Runs last of all saving, so readers reload only after inlines and relations are in."""
        super().save_related(request, form, formsets, change)
        self.touch_reference()

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        """Delete one and tell the readers of reference data."""
        super().delete_model(request, obj)
        self.touch_reference()

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet) -> None:
        """Delete many and tell the readers of reference data."""
        super().delete_queryset(request, queryset)
        self.touch_reference()

    def touch_reference(self) -> None:
        """Make every process reload what was built from this table."""
        for stamp in self.reference_stamps:
            touch(stamp)

    def page(
        self,
        request: HttpRequest,
        template: str,
        title: Any,
        *,
        obj: models.Model | None = None,
        **context: Any,
    ) -> TemplateResponse:
        """A page of ours inside the admin's frame. Pages that show secrets pass through here too: never
        cached.
        """
        request.current_app = self.admin_site.name
        response = TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "original": obj,
                "object": obj,
                "model_admin": self,
            }
            | context,
        )
        response.headers["Cache-Control"] = "no-store, private"
        return response


class HistoryModelAdmin(SimpleHistoryAdmin, ShopModelAdmin):
    """For records whose field history is kept. The history is read, never used to write."""

    def revert_disabled(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Going back is a new edit with a name and a time, not a rewrite."""
        return True

    def set_history_delta_changes(self, request: HttpRequest, historical_records: Any, *args: Any) -> None:
        """Reasons in words; a dash, not “None”, where nobody gave one."""
        for record in historical_records:
            record.history_change_reason = reason_text(record.history_change_reason) or "–"
        super().set_history_delta_changes(request, historical_records, *args)

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Look at an old version of a visible record. POST, which would bring it back, is refused."""
        if request.method != "GET" or self.get_object(request, object_id) is None:
            raise PermissionDenied
        return super().history_form_view(request, object_id, version_id, extra_context)


class ReadOnlyAdmin(ShopModelAdmin):
    """Lists that only tell: logs, ledgers, runs."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Never."""
        return False


class PartInline(TabularInline):
    """Rows of a record: whoever may change the record may change them, as long as it is open to changes."""

    extra = 0
    hide_title = True
    with_new = False
    """Whether the rows are filled in together with a new record."""

    def may(self, request: HttpRequest, obj: Any) -> bool:
        """Asked of the record's own page."""
        owner = self.admin_site._registry[self.parent_model]
        if obj is None:
            return self.with_new and owner.has_add_permission(request)
        return owner.has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the record, whose page asked already; parts are shown nowhere else."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the record."""
        return self.may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the record."""
        return self.may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the record."""
        return self.may(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A table's boxes have no labels of their own: the column's name is given to screen readers."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            widget = getattr(field.widget, "widget", field.widget)
            widget.attrs["aria-label"] = capfirst(db_field.verbose_name)
            if isinstance(widget, forms.Textarea):
                widget.attrs["rows"] = 2
        return field


def safe_next(request: HttpRequest, default: str) -> str:
    """Where to go afterwards: `next` from the form or address if it lies on this site, else `default`."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if wanted and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return default


def tell_error(request: HttpRequest, error: Any) -> None:
    """Show a refusal to the person."""
    messages.error(request, str(getattr(error, "message", error)))


def model_fields(model: type[models.Model], *, without: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the concrete fields in their order, for read-only forms."""
    left_out = set(without) | {model._meta.pk.name}
    return tuple(field.name for field in model._meta.concrete_fields if field.name not in left_out)
