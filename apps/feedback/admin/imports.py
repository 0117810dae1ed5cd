"""The import pages: file → columns → check → run → report, each an address of its own (screens.md, import).

Nothing is kept in the browser or the session: every step is drawn from the run, so reload and back always work.
"""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, tell_error
from apps.core.admin.display import badge, span
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, User
from apps.core.numbers import whole_number
from apps.core.services.files import local_path
from apps.core.wording import move_tables, verb_label
from apps.feedback.admin.import_forms import (
    ENCODINGS,
    FIELD_LABELS,
    FileForm,
    OptionsForm,
    UndoForm,
    initial_of,
)
from apps.feedback.fileformats import FIELDS, FileRefused, Mapping, Problem
from apps.feedback.models import ImportRun
from apps.feedback.problem_texts import fix_text, problem_text
from apps.feedback.selectors import imports as select
from apps.feedback.services import import_undo, import_work, imports
from apps.feedback.services.file_import import EXTRA_COLUMNS, own_columns
from apps.feedback.transitions import IMPORT

State = ImportRun.State
STEPS: tuple[tuple[str, Any], ...] = (
    ("file", pgettext_lazy("import step", "File")),
    ("columns", pgettext_lazy("import step", "Columns")),
    ("check", pgettext_lazy("import step", "Check")),
    ("run", pgettext_lazy("import step", "Import")),
    ("report", pgettext_lazy("import step", "Report")),
)
# The page that shows a run in this state.
PAGE_OF = {
    State.DRAFT: "columns",
    State.CHECKING: "check",
    State.READY: "check",
    State.QUEUED: "run",
    State.RUNNING: "run",
    State.PAUSED: "run",
    State.DONE: "report",
    State.FAILED: "report",
    State.UNDOING: "report",
    State.UNDONE: "report",
}
STATE_LABELS = {
    State.DRAFT: "default",
    State.CHECKING: "info",
    State.READY: "info",
    State.QUEUED: "info",
    State.RUNNING: "info",
    State.PAUSED: "warning",
    State.DONE: "success",
    State.FAILED: "danger",
    State.UNDOING: "warning",
    State.UNDONE: "default",
}
BUSY = (State.CHECKING, State.QUEUED, State.RUNNING, State.UNDOING)
UNDO_AT_ONCE = 1000

move_tables.register("feedback.importrun", IMPORT)


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rejects_as_book(handle: Any) -> Any:
    """The rejected rows as a workbook of text cells, written row by row to a temporary file."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in csv.reader(io.TextIOWrapper(handle, encoding="utf-8-sig", newline="")):
        cells = []
        for value in row[:200]:
            # Neutralised for spreadsheets already; control characters are no XML.
            cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value)[:32_000])
            cell.number_format = "@"
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    book.save(out)
    out.seek(0)
    return out


@admin.register(ImportRun)
class ImportRunAdmin(MovesMixin, ReadOnlyAdmin):
    """Every import with its counts; a new one goes step by step."""

    moves_table = IMPORT
    moves_field = "state"
    moves_in_rows = False
    moves = {
        "start": Verb(imports.start, "run", reason=None, icon="play_arrow"),
        "pause": Verb(imports.pause, "run", reason=None, icon="pause"),
        "resume": Verb(imports.resume, "run", reason=None, icon="play_arrow"),
        "again": Verb(
            imports.again,
            "run",
            reason=None,
            icon="refresh",
            show=lambda request, run: bool(run.file_id and (run.mapping.get("fields") or {}).get("text")),
        ),
    }
    list_display = (
        "file_name",
        "channel",
        "show_state",
        "read",
        "created",
        "duplicates",
        "near_duplicates",
        "rejected",
        "show_rate",
        "started_at",
        "by",
    )
    list_filter = ("state", ("channel", RelatedDropdownFilter))
    list_select_related = ("channel", "by")
    search_fields = ("file_name__istartswith",)
    ordering = ("-id",)
    list_before_template = "admin/feedback/importrun/list_before.html"
    empty_text = gettext_lazy(
        "Export the reviews at the platform (Taobao, JD, Meituan, …) as CSV or XLSX and give the file here. "
        "The columns are recognised, every row is checked first, and an import can be undone."
    )
    add_words = gettext_lazy("Import a file")
    fields = ("file_name", "channel", "show_state")
    readonly_fields = ("show_state",)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """People of single stores see the imports they made."""
        return select.imports_visible_to(request.user, queryset)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Without the long JSON columns in lists."""
        queryset = super().get_queryset(request)
        match = request.resolver_match
        if match is not None and match.url_name == "feedback_importrun_changelist":
            queryset = queryset.defer("mapping", "checked", "problems", "header")
        return queryset

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may import files."""
        return request.user.has_perm(imports.PERMISSION)

    def get_urls(self) -> list[Any]:
        """The steps before the admin's own addresses."""
        wrap = self.admin_site.admin_view
        steps = {
            "file": self.file_view,
            "columns": self.columns_view,
            "check": self.check_view,
            "run": self.run_view,
            "report": self.report_view,
            "progress": self.progress_view,
            "rejects": self.rejects_view,
            "undo": self.undo_import_view,
            "discard": self.discard_view,
        }
        return [
            *(
                path(f"<int:object_id>/{name}/", wrap(view), name=f"feedback_importrun_{name}")
                for name, view in steps.items()
            ),
            *super().get_urls(),
        ]

    # -- finding the run and its page
    def _import(self, request: HttpRequest, object_id: int, permission: str = "") -> ImportRun:
        if not (request.user.has_perm(permission) if permission else self.has_view_permission(request)):
            raise PermissionDenied
        run = (
            self.get_queryset(request)
            .select_related("channel", "store", "by", "file", "rejects_file", "corrects")
            .filter(pk=object_id)
            .first()
        )
        if run is None:
            raise Http404
        return run

    def _url(self, name: str, run: ImportRun) -> str:
        return reverse(f"admin:feedback_importrun_{name}", args=[run.pk])

    def _to(self, run: ImportRun, name: str = "") -> HttpResponse:
        return redirect(self._url(name or PAGE_OF[State(run.state)], run))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page where the run stands."""
        number = whole_number(object_id)
        if number is None:
            raise Http404
        return self._to(self._import(request, number))

    def _step(
        self,
        request: HttpRequest,
        step: str,
        title: Any,
        run: ImportRun | None,
        *,
        status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        rail = []
        reached = PAGE_OF[State(run.state)] if run is not None else "file"
        order = [name for name, _label in STEPS]
        changeable = run is not None and run.state in (State.DRAFT, State.READY)
        for number, (name, label) in enumerate(STEPS):
            open_to = run is not None and (
                (number < 2 and changeable and run.file_id and request.user.has_perm(imports.PERMISSION))
                or (name == reached)
                or (name == "check" and bool(run.checked.get("read")) and number < order.index(reached))
            )
            rail.append(
                {
                    "number": number + 1,
                    "label": label,
                    # Undoing belongs to the report.
                    "here": name == ("report" if step == "undo" else step),
                    "done": order.index(reached) > number,
                    "url": self._url(name, run) if open_to and run is not None and name != step else "",
                }
            )
        response = self.page(
            request,
            f"admin/feedback/importrun/{step}.html",
            title,
            obj=run,
            run=run,
            rail=rail,
            state_label=STATE_LABELS[State(run.state)] if run is not None else "",
            buttons=self.moves_for(request, run, back=self._url("change", run)) if run is not None else [],
            can_import=request.user.has_perm(imports.PERMISSION),
            can_undo=run is not None
            and request.user.has_perm("feedback.undo_importrun")
            and run.state in (State.DONE, State.FAILED, State.PAUSED),
            can_discard=changeable and request.user.has_perm(imports.PERMISSION),
            busy=run is not None and run.state in BUSY,
            **context,
        )
        response.status_code = status
        return response

    # -- step 1
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Give a file."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        user: User = request.user  # type: ignore[assignment]
        posted = request.method == "POST"
        form = FileForm(request.POST or None, request.FILES or None) if posted else FileForm()
        known = None
        if posted and form.is_valid():
            try:
                given = imports.give_file(
                    upload=form.cleaned_data["file"], by=user, now=timezone.now(), **form.options()
                )
            except DomainError as error:
                self._place(form, error, request)
            else:
                if not given.known:
                    return self._to(given.run, "columns")
                known = given.run if self.get_queryset(request).filter(pk=given.run.pk).exists() else None
                if known is None:
                    messages.warning(
                        request, _("A colleague gave this file before; it is imported only once.")
                    )
        return self._step(
            request,
            "file",
            _("Import a file"),
            None,
            status=200 if not posted else (409 if known else 422),
            form=form,
            known=known,
            known_url=self._url("change", known) if known else "",
            known_open=known is not None and known.state not in (State.DONE, State.UNDOING),
            limit=settings.FEEDBACK_IMPORT_MAX_MB,
            history_days=settings.FEEDBACK_HISTORICAL_AFTER_DAYS,
        )

    def file_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Look at or change what was said about the file."""
        run = self._import(request, object_id, imports.PERMISSION)
        if run.state not in (State.DRAFT, State.READY):
            return self._to(run)
        posted = request.method == "POST"
        form = OptionsForm(request.POST if posted else None, initial=initial_of(run))
        if posted and form.is_valid():
            try:
                imports.set_options(
                    run=run,
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                    **form.options(),
                )
            except DomainError as error:
                self._place(form, error, request)
                run.refresh_from_db()
            else:
                return self._to(run, "columns")
        return self._step(
            request,
            "file",
            _("Import a file"),
            run,
            status=422 if posted else 200,
            form=form,
            history_days=settings.FEEDBACK_HISTORICAL_AFTER_DAYS,
        )

    # -- step 2
    def columns_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Say what the columns mean."""
        run = self._import(request, object_id, imports.PERMISSION)
        if run.state not in (State.DRAFT, State.READY) or run.file is None:
            return self._to(run)
        posted = request.method == "POST"
        encoding = request.POST.get("encoding", "") if posted else run.encoding
        is_text = not run.file.suffix.endswith("xlsx")
        error = ""
        try:
            if posted and not self._is_offered(encoding, run):
                raise FileRefused(Problem.UNKNOWN_ENCODING, encoding=encoding[:20])
            sample = self._sample(run, encoding if is_text else "")
        except (FileRefused, OSError) as refused:
            error = imports.refusal(refused) if isinstance(refused, FileRefused) else str(refused)
            try:
                encoding = run.encoding
                sample = self._sample(run, encoding if is_text else "")
            except (FileRefused, OSError):
                messages.error(request, error)
                return redirect("admin:feedback_importrun_changelist")
        columns = own_columns(sample.columns)
        origin = ""
        if posted:
            fields, doubled = self._posted_fields(request, columns)
            values = self._posted_values(request)
            mapping = Mapping(fields, values, strict=False)
            if doubled and not error:
                error = _("“%(field)s” is chosen for two columns: %(columns)s. Choose one.") % doubled
        else:
            mapping, origin = select.first_mapping(run, sample, columns)
        if posted and "refresh" not in request.POST and not error:
            user: User = request.user  # type: ignore[assignment]
            now = timezone.now()
            try:
                imports.choose_columns(
                    run=run,
                    fields=fields,
                    values=values,
                    encoding=encoding if is_text else "",
                    columns=sample.columns,
                    by=user,
                    now=now,
                )
                small = select.is_small(run)
                imports.ask_check(run=run, by=user, now=now, at_once=small)
            except DomainError as refused:
                error = str(refused.message)
                run.refresh_from_db()
            else:
                if small:
                    import_work.work_on(run_id=run.pk, clock=timezone.now, at_once=True)
                return self._to(run, "check")
        by_column = {column: name for name, column in mapping.columns.items()}
        encodings = list(ENCODINGS)
        shown = sample.encoding.removesuffix("-sig") if is_text else ""
        if is_text and shown not in dict(encodings):
            encodings.append((shown, shown.upper()))
        return self._step(
            request,
            "columns",
            _("What the columns mean"),
            run,
            status=422 if posted and "refresh" not in request.POST else 200,
            error=error,
            origin=origin,
            is_text=is_text,
            encodings=encodings,
            encoding=shown,
            heads=[
                {"index": index, "name": column, "chosen": by_column.get(column, "")}
                for index, column in enumerate(columns)
            ],
            choices=list(FIELD_LABELS.items()),
            rows=[
                (
                    number,
                    [
                        select.shown_cell(cells.get(column, ""), by_column.get(column, ""))
                        for column in columns
                    ],
                )
                for number, cells in sample.rows[: select.SHOWN_ROWS]
            ],
            problems=[
                (problem.row, problem_text(problem.code, problem.params)) for problem in sample.problems
            ],
            left_out=[column for column in sample.columns if column in EXTRA_COLUMNS],
            maps=[
                {
                    "field": found.field,
                    "label": FIELD_LABELS[found.field],
                    "column": found.column,
                    "choices": found.choices,
                    "pairs": found.pairs,
                }
                for found in select.value_maps(mapping, sample)
            ],
        )

    def _sample(self, run: ImportRun, encoding: str) -> select.Sample:
        assert run.file is not None
        with local_path(run.file) as where:
            return select.read_sample(where, name=run.file_name, encoding=encoding or None)

    @staticmethod
    def _is_offered(encoding: str, run: ImportRun) -> bool:
        # Python knows encodings that are none of a text; only what the page offers, or what was found, is read.
        found = run.encoding.removesuffix("-sig")
        return encoding in {*dict(ENCODINGS), "utf-16-le", "utf-16-be", found, ""}

    @staticmethod
    def _posted_fields(
        request: HttpRequest, columns: tuple[str, ...]
    ) -> tuple[dict[str, str], dict[str, Any] | None]:
        fields: dict[str, str] = {}
        doubled = None
        for index, column in enumerate(columns):
            name = request.POST.get(f"column-{index}", "")
            if name not in FIELDS:
                continue
            if name in fields:
                doubled = {"field": FIELD_LABELS[name], "columns": f"{fields[name]}, {column}"}
                continue
            fields[name] = column
        return fields, doubled

    @staticmethod
    def _posted_values(request: HttpRequest) -> dict[str, dict[str, str | int]]:
        values: dict[str, dict[str, str | int]] = {}
        for name in select.VALUE_FIELDS:
            pairs: dict[str, str | int] = {}
            for index in range(30):
                key = request.POST.get(f"value-{name}-{index}-key")
                target = request.POST.get(f"value-{name}-{index}", "")
                if key and target and len(key) <= 200:
                    stars = whole_number(target) if name == "rating" else None
                    pairs[key] = target if stars is None else stars
            if pairs:
                values[name] = pairs
        return values

    # -- steps 3 to 5
    def check_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What would happen."""
        run = self._import(request, object_id)
        if run.state == State.DRAFT:
            if run.message:
                messages.error(request, run.message)
            return self._to(run, "columns" if request.user.has_perm(imports.PERMISSION) else "report")
        return self._step(
            request,
            "check",
            _("What would happen"),
            run,
            progress=self._progress(run),
            figures=_figures(run.checked) if run.checked.get("read") is not None else [],
            problems=_problems(run.checked.get("problems") or {}),
            **self._facts(run),
        )

    def run_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """How far it is."""
        run = self._import(request, object_id)
        if run.state not in (State.QUEUED, State.RUNNING, State.PAUSED):
            return self._to(run)
        return self._step(
            request,
            "run",
            _("Import is running") if run.state != State.PAUSED else _("Import is paused"),
            run,
            progress=self._progress(run),
            **self._facts(run),
        )

    def report_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What came of it."""
        run = self._import(request, object_id)
        if run.state not in (State.DONE, State.FAILED, State.UNDOING, State.UNDONE, State.DRAFT):
            return self._to(run)
        logs = ActionLog.objects.filter(model="feedback.importrun", object_id=run.pk)
        queue = reverse("admin:feedback_feedback_changelist")
        return self._step(
            request,
            "report",
            _("Report of the import"),
            run,
            progress=self._progress(run),
            figures=_figures(
                {
                    "read": run.read,
                    "created": run.created,
                    "duplicates": run.duplicates,
                    "changed": run.changed,
                    "near_duplicates": run.near_duplicates,
                    "rejected": run.rejected,
                }
            ),
            problems=_problems(run.problems),
            queue_url=f"{queue}?tab=all&import={run.pk}" if run.created > 0 else "",
            logs=[
                (log.at, _verb(log.verb), log.by, log.reason)
                for log in logs.select_related("by").order_by("-at", "-id")[:20]
            ],
            fixed_by=list(run.corrections.order_by("-id")[:5]),  # type: ignore[attr-defined]
            **self._facts(run),
        )

    def _facts(self, run: ImportRun) -> dict[str, Any]:
        return {
            "progress_url": self._url("progress", run),
            "rejects_url": self._url("rejects", run) if run.rejects_file_id else "",
            "mapping_pairs": [
                (FIELD_LABELS.get(name, name), column)
                for name, column in (run.mapping.get("fields") or {}).items()
            ],
            "corrects_url": self._url("change", run.corrects) if run.corrects else "",
        }

    def _progress(self, run: ImportRun) -> dict[str, Any]:
        """What the page polls, in words already, so that the script knows no language."""
        rate = run.read / run.seconds if run.seconds else 0.0
        left = run.seconds * (1 - run.share) / run.share if run.share > 0.01 and run.seconds else None
        parts = []
        if run.state in (State.RUNNING, State.CHECKING) and rate:
            parts.append(_("%(rate)s rows/s") % {"rate": f"{rate:,.0f}"})
        if run.state in (State.RUNNING, State.CHECKING) and left is not None:
            if left < 60:
                parts.append(_("less than a minute left"))
            else:
                parts.append(_("about %(time)s left") % {"time": span(timedelta(seconds=left))})
        if run.state == State.QUEUED or (run.state in BUSY and run.heartbeat_at is None):
            parts.append(_("Begins within a minute, or when the import before it is done."))
        return {
            "state": run.state,
            "label": run.get_state_display(),
            "percent": round(min(1.0, run.share) * 100),
            "line": " · ".join(str(part) for part in parts),
            "figures": {
                "read": f"{run.read:,}",
                "created": f"{run.created:,}",
                "duplicates": f"{run.duplicates:,}",
                "rejected": f"{run.rejected:,}",
                "undone": f"{run.undone:,}",
            },
        }

    def progress_view(self, request: HttpRequest, object_id: int) -> JsonResponse:
        """The same as JSON, for the page's script."""
        response = JsonResponse(self._progress(self._import(request, object_id)))
        response.headers["Cache-Control"] = "no-store, private"
        return response

    def rejects_view(self, request: HttpRequest, object_id: int) -> FileResponse:
        """The rejected rows as a file to fix and give again. Taking it is recorded: it holds personal data whole."""
        run = self._import(request, object_id, imports.PERMISSION)
        stored = run.rejects_file
        if stored is None:
            raise Http404
        try:
            handle = stored.file.open("rb")
        except FileNotFoundError as error:
            raise Http404 from error
        imports.record_download(run=run, stored=stored, by=request.user, now=timezone.now())  # type: ignore[arg-type]
        if request.GET.get("as") == "xlsx":
            # Opened in a spreadsheet, a CSV spoils long numbers again; here every cell is text.
            book = rejects_as_book(handle)
            name = f"{stored.name.rpartition('.')[0] or stored.name}.xlsx"
            response = FileResponse(book, as_attachment=True, filename=name, content_type=XLSX)
        else:
            response = FileResponse(
                handle, as_attachment=True, filename=stored.name, content_type="text/csv; charset=utf-8"
            )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store, private"
        return response

    # -- taking back
    def undo_import_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET: how many rows would go and which stay. POST: take them back."""
        run = self._import(request, object_id, "feedback.undo_importrun")
        if run.state not in (State.DONE, State.FAILED, State.PAUSED):
            messages.error(
                request,
                _("“%(move)s” is not possible while this is “%(state)s”.")
                % {"move": _verb("undo"), "state": run.get_state_display()},
            )
            return self._to(run)
        preview = select.undo_preview(run, request.user)
        posted = request.method == "POST"
        form = UndoForm(request.POST if posted else None)
        rest_error = ""
        if posted and form.is_valid():
            small = preview.rows <= UNDO_AT_ONCE
            try:
                import_undo.undo(
                    run=run,
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                    reason=form.cleaned_data["reason"],
                    rest=bool(request.POST.get("rest")),
                    at_once=small,
                )
            except DomainError as error:
                if error.params.get("field") == "rest":
                    rest_error = str(error.message)
                else:
                    self._place(form, error, request)
            else:
                if small:
                    import_work.work_on(run_id=run.pk, clock=timezone.now, at_once=True)
                return self._to(run, "report")
        return self._step(
            request,
            "undo",
            _("Undo the import"),
            run,
            status=422 if posted else 200,
            form=form,
            preview=preview,
            rest=bool(request.POST.get("rest")) if posted else False,
            rest_error=rest_error,
            back=self._url("change", run),
        )

    def discard_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks, POST throws a draft away."""
        run = self._import(request, object_id, imports.PERMISSION)
        if request.method == "POST":
            try:
                imports.discard(run=run, by=request.user, now=timezone.now())  # type: ignore[arg-type]
            except DomainError as error:
                tell_error(request, error)
                return self._to(run)
            messages.success(request, _("%(file)s was thrown away; nothing came in by it.") % {"file": run})
            return redirect("admin:feedback_importrun_changelist")
        if run.state not in (State.DRAFT, State.READY):
            return self._to(run)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Throw the draft away"),
            obj=run,
            text=_("The file is deleted here. Nothing has come in by it."),
            danger=True,
            submit=_("Throw the draft away"),
            back=self._url("change", run),
            form=None,
        )

    # -- the list
    @display(description=gettext_lazy("state"), ordering="state", label=STATE_LABELS)
    def show_state(self, obj: ImportRun) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.state, obj.get_state_display())

    @display(description=gettext_lazy("rows/s"))
    def show_rate(self, obj: ImportRun) -> str:
        """How fast it went."""
        return f"{obj.read / obj.seconds:,.0f}" if obj.seconds and obj.read else "–"


def _verb(verb: str) -> str:
    return str(verb_label("feedback.importrun", verb))


def _figures(counts: dict[str, Any]) -> list[dict[str, Any]]:
    labels = (
        ("read", _("rows read"), "", ""),
        ("created", _("created"), "", ""),
        ("duplicates", _("known already"), "", ""),
        ("changed", _("of these changed"), "", _("later versions of known reviews; their history is kept")),
        ("near_duplicates", _("near duplicates"), "", _("created and linked to what they resemble")),
        ("rejected", _("rejected"), "red", ""),
    )
    return [
        {
            "name": name,
            "label": label,
            "count": f"{counts.get(name) or 0:,}",
            "colour": colour if counts.get(name) else "",
            "help": text,
        }
        for name, label, colour, text in labels
    ]


def _problems(problems: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for code, entry in sorted(problems.items(), key=lambda pair: -pair[1]["count"]):
        rows = entry.get("rows") or []
        listed = ", ".join(map(str, rows)) + ("…" if entry["count"] > len(rows) else "")
        found.append(
            {
                "code": code,
                "message": entry.get("message", ""),
                "count": ngettext("%(count)d row", "%(count)d rows", entry["count"])
                % {"count": entry["count"]},
                "rows": _("Rows %(rows)s") % {"rows": listed},
                # The command speaks of value maps as it takes them; here they are chosen beside the columns.
                "fix": fix_text("bad_value" if code == "bad_rating" else code),
            }
        )
    return found
