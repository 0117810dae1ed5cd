"""Buttons drawn from a transition table: row, detail page, confirmation, many rows at once, undo.

The table (apps.core.transitions) says what is legal and who may; services do the work. A GET shows, a POST
acts.

    class WorkItemAdmin(MovesMixin, ShopModelAdmin):
        moves_table = WORK_ITEM
        moves = {"start": Verb(work.start, "item"), "finish": Verb(work.finish, "item", reason="evidence")}

Detail templates include "admin/core/moves.html" with `moves` from `moves_for(request, obj)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin.base import safe_next, tell_error
from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog
from apps.core.numbers import whole_numbers
from apps.core.transitions import Move, TransitionTable

BULK_LIMIT = 200


class MoveForm(PageForm):
    """Asks for what a move needs. Subclass it for more fields; they reach the service under their names.

    `records` (one, or all of a bulk move), `user` and `move` are there for subclasses that narrow their
    choices. A subclass with a field `reason` of its own keeps it.
    """

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
    )

    def __init__(
        self, *args: Any, records: list[models.Model], user: Any, move: Move, verb: Verb, **kwargs: Any
    ) -> None:
        self.records, self.user, self.move = records, user, move
        super().__init__(*args, **kwargs)
        if verb.reason is None:
            self.fields.pop("reason", None)
        elif "reason" in self.fields:
            self.fields["reason"].required = move.needs_reason
            if verb.reason_label:
                self.fields["reason"].label = capfirst(verb.reason_label)


@dataclass(frozen=True)
class Verb:
    """How one verb of a table is carried out.

    `service(**{record: obj}, by=…, now=…, **{reason: text}, **other form fields)` does it and raises
    DomainError to refuse. `record` is the service's keyword for the record, `reason` the one for the reason
    (None: it takes none). `form` asks for more. `show` (optional) answers whether the button makes sense for
    `(request, obj)`.
    """

    service: Callable[..., Any]
    record: str
    reason: str | None = "reason"
    form: type[MoveForm] = MoveForm
    reason_label: Any = ""
    show: Callable[[HttpRequest, Any], bool] | None = None
    icon: str = ""

    def asks(self, move: Move) -> bool:
        """Whether somebody has to type something before the move can be made."""
        return (self.reason is not None and move.needs_reason) or self.form is not MoveForm


@dataclass(frozen=True)
class Button:
    """One legal move of one record as a page draws it. `one_click` buttons POST at once, others open the
    form.
    """

    verb: str
    label: Any
    url: str
    main: bool
    danger: bool
    help: Any
    one_click: bool
    icon: str


@dataclass
class Outcome:
    """What became of one row of a bulk move."""

    record: str
    url: str
    ok: bool
    message: str
    log_id: int | None = None


class MovesMixin:
    """Mix in before a ModelAdmin. See the module's text."""

    moves_table: TransitionTable
    moves: Mapping[str, Verb] = {}
    moves_field = "status"
    # Takes `log=, by=, now=` and takes the move back; offered for moves whose table entry says `undoable`.
    undo_service: Callable[..., Any] | None = None
    # A column of buttons in the list.
    moves_in_rows = True
    moves_heading: Any = gettext_lazy("next")
    move_template = "admin/core/move_confirm.html"
    outcome_template = "admin/core/bulk_outcome.html"

    # -- what is possible ----------
    def can_move(self, request: HttpRequest, obj: Any, move: Move) -> bool:
        """Permission by the table, and the verb's own `show`. Legality is the state's business, not this
        one's.
        """
        verb = self.moves.get(move.verb)
        if verb is None or not request.user.has_perm(move.permission):
            return False
        return verb.show is None or verb.show(request, obj)

    def moves_for(self, request: HttpRequest, obj: Any, *, back: str = "") -> list[Button]:
        """The buttons of a record, in the table's order. No query beyond the person's permissions."""
        query = f"?next={quote(back)}" if back else ""
        buttons: list[Button] = []
        for move in self.moves_table.legal_from(getattr(obj, self.moves_field)):
            if not self.can_move(request, obj, move):
                continue
            verb = self.moves[move.verb]
            buttons.append(
                Button(
                    verb=move.verb,
                    label=move.label,
                    url=self._move_url("move", obj.pk, move.verb) + query,
                    # One button is the obvious one: the first main move that is possible.
                    main=move.main and not any(button.main for button in buttons),
                    danger=move.danger,
                    help=move.help,
                    one_click=not verb.asks(move),
                    icon=verb.icon,
                )
            )
        return buttons

    def _move_url(self, name: str, *args: Any) -> str:
        opts = self.model._meta  # type: ignore[attr-defined]
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=args)

    def _state_label(self, state: str | None) -> str:
        choices = dict(self.model._meta.get_field(self.moves_field).flatchoices)  # type: ignore[attr-defined]
        return str(choices.get(state, state)) if state else ""

    # -- where it shows ----------
    def get_urls(self) -> list[Any]:
        """The pages of this mixin before the admin's own."""
        opts = self.model._meta  # type: ignore[attr-defined]
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        prefix = f"{opts.app_label}_{opts.model_name}"
        return [
            path("moves/bulk/<slug:verb>/", wrap(self.bulk_view), name=f"{prefix}_bulk_move"),
            path("moves/undo/", wrap(self.undo_view), name=f"{prefix}_undo_moves"),
            path("<int:object_id>/move/<slug:verb>/", wrap(self.move_view), name=f"{prefix}_move"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The state is never a raw field (architecture, decision 4)."""
        names = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        return (*names, self.moves_field) if self.moves_field not in names else tuple(names)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Appends the column of buttons, bound to this request: an admin object is shared by all threads."""
        columns = list(super().get_list_display(request))  # type: ignore[misc]
        if self.moves_in_rows:
            back = request.get_full_path()

            def moves_column(obj: Any) -> str:
                return render_to_string(
                    "admin/core/moves_row.html",
                    {
                        "moves": self.moves_for(request, obj),
                        "record": obj,
                        "back": back,
                        "token": get_token(request),
                    },
                )

            moves_column.short_description = self.moves_heading  # type: ignore[attr-defined]
            columns.append(moves_column)
        return columns

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One list action per bulk move the person has the permission for."""
        actions = super().get_actions(request)  # type: ignore[misc]
        if actions is None:
            return actions
        for move in self.moves_table.moves:
            if move.bulk and move.verb in self.moves and request.user.has_perm(move.permission):
                name = f"move_{move.verb}"
                actions[name] = (self._bulk_action(move), name, move.label)
        return actions

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Hands the buttons to the record's page."""
        extra_context = extra_context or {}
        if request.method == "GET":
            obj = self.get_object(request, object_id)  # type: ignore[attr-defined]
            if obj is not None:
                extra_context["moves"] = self.moves_for(request, obj)
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[misc]

    # -- one record ----------
    def move_view(self, request: HttpRequest, object_id: int, verb: str) -> HttpResponse:
        """GET: what will happen and what is asked. POST: do it, then back; a refusal is shown and nothing
        changed.
        """
        move, how = self._known(verb)
        obj = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        if obj is None:
            raise Http404
        if not self.can_move(request, obj, move):
            raise PermissionDenied
        done = safe_next(request, self._move_url("change", obj.pk))
        data = request.POST if request.method == "POST" else None
        files = request.FILES if request.method == "POST" else None
        form = how.form(data, files, records=[obj], user=request.user, move=move, verb=how)
        state = getattr(obj, self.moves_field)
        if request.method == "POST" and not self._stale(request, state) and form.is_valid():
            try:
                self._run(how, obj, request, dict(form.cleaned_data))
            except DomainError as error:
                self._place(form, error, request)
            else:
                messages.success(
                    request, _("%(record)s: %(move)s – done.") % {"record": obj, "move": move.label}
                )
                return HttpResponseRedirect(done)
        return self.page(  # type: ignore[attr-defined]
            request,
            self.move_template,
            move.label,
            obj=obj,
            form=form,
            move=move,
            legal=state in move.sources,
            state=state,
            state_label=self._state_label(state),
            target_label=self._state_label(move.target or state),
            note=self.move_note(request, obj, move),
            stays=(move.target or state) == state,
            next=done,
            records=[obj],
        )

    def move_note(self, request: HttpRequest, obj: Any, move: Move) -> str:
        """What this move will do to this very record, for the page that asks; "" when the move's help says it."""
        return ""

    def _stale(self, request: HttpRequest, state: str) -> bool:
        # The page named the state its reader saw; one-click buttons of a list do too.
        seen = request.POST.get("seen")
        if seen is None or seen == state:
            return False
        messages.error(request, _("Somebody else has just changed this. Look at it again before you go on."))
        return True

    def _known(self, verb: str) -> tuple[Move, Verb]:
        move, how = self.moves_table.get(verb), self.moves.get(verb)
        if move is None or how is None:
            raise Http404
        return move, how

    @staticmethod
    def _place(form: forms.Form, error: DomainError, request: HttpRequest) -> None:
        field = error.params.get("field")
        if field in form.fields:
            form.add_error(field, str(error.message))
        else:
            tell_error(request, error)

    @staticmethod
    def _run(how: Verb, obj: Any, request: HttpRequest, values: dict[str, Any]) -> ActionLog | None:
        reason = values.pop("reason", "")
        if how.reason is not None:
            values[how.reason] = reason
        result = how.service(**{how.record: obj}, by=request.user, now=timezone.now(), **values)
        return result if isinstance(result, ActionLog) else None

    # -- many records ----------
    def _bulk_action(self, move: Move) -> Callable[..., HttpResponse | None]:
        def action(modeladmin: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
            ids = list(queryset.order_by().values_list("pk", flat=True)[: BULK_LIMIT + 1])
            if len(ids) > BULK_LIMIT:
                messages.error(request, _("Choose at most %(limit)d at a time.") % {"limit": BULK_LIMIT})
                return None
            return self._bulk_page(request, move, ids)

        return action

    def _bulk_rows(self, request: HttpRequest, ids: Iterable[int]) -> list[Any]:
        # From what the person may see, in the order they chose.
        rows = self.get_queryset(request).in_bulk(list(ids))  # type: ignore[attr-defined]
        return [rows[pk] for pk in ids if pk in rows]

    def _bulk_page(
        self, request: HttpRequest, move: Move, ids: list[int], *, form: MoveForm | None = None
    ) -> HttpResponse:
        how = self.moves[move.verb]
        rows = self._bulk_rows(request, ids)
        if form is None:
            form = how.form(None, records=rows, user=request.user, move=move, verb=how)
        return self.page(  # type: ignore[attr-defined]
            request,
            self.move_template,
            move.label,
            form=form,
            move=move,
            legal=True,
            bulk_url=self._move_url("bulk_move", move.verb),
            impossible=[row for row in rows if getattr(row, self.moves_field) not in move.sources],
            target_label=self._state_label(move.target),
            stays=move.target is None,
            next=safe_next(request, request.get_full_path()),
            records=rows,
        )

    def bulk_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """POST only: make one move on many rows, each by itself, and say what became of each."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        move, how = self._known(verb)
        if not move.bulk or not request.user.has_perm(move.permission):
            raise PermissionDenied
        ids = whole_numbers(request.POST.getlist("ids"))[:BULK_LIMIT]
        rows = self._bulk_rows(request, ids)
        form = how.form(request.POST, records=rows, user=request.user, move=move, verb=how)
        if not form.is_valid():
            return self._bulk_page(request, move, ids, form=form)
        outcomes = [self._one_of_many(request, move, how, row, dict(form.cleaned_data)) for row in rows]
        return self._outcome_page(request, move.label, outcomes, undo=move.undoable)

    def _one_of_many(
        self, request: HttpRequest, move: Move, how: Verb, row: Any, values: dict[str, Any]
    ) -> Outcome:
        url = self._move_url("change", row.pk)
        if not self.can_move(request, row, move):
            return Outcome(str(row), url, False, _("You may not do “%(move)s”.") % {"move": move.label})
        try:
            log = self._run(how, row, request, values)
        except DomainError as error:
            return Outcome(str(row), url, False, str(error.message))
        return Outcome(str(row), url, True, _("done"), log.pk if log else None)

    def _outcome_page(
        self, request: HttpRequest, title: Any, outcomes: list[Outcome], *, undo: bool
    ) -> HttpResponse:
        logs = [outcome.log_id for outcome in outcomes if outcome.log_id]
        return self.page(  # type: ignore[attr-defined]
            request,
            self.outcome_template,
            title,
            outcomes=outcomes,
            done=sum(outcome.ok for outcome in outcomes),
            refused=sum(not outcome.ok for outcome in outcomes),
            undo_url=self._move_url("undo_moves") if undo and logs and self.undo_service else "",
            logs=logs,
            next=safe_next(request, self._move_url("changelist")),
        )

    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """POST only: take back the moves named by their log rows, each by itself. The service decides who
        may.
        """
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if self.undo_service is None:
            raise Http404
        undo = type(self).undo_service
        label = self.model._meta.label_lower  # type: ignore[attr-defined]
        ids = whole_numbers(request.POST.getlist("logs"))[:BULK_LIMIT]
        logs = ActionLog.objects.filter(model=label).in_bulk(ids)
        rows = self.get_queryset(request).in_bulk({log.object_id for log in logs.values()})  # type: ignore[attr-defined]
        outcomes = []
        for pk in ids:
            log = logs.get(pk)
            if log is None or log.object_id not in rows:
                continue
            row = rows[log.object_id]
            url = self._move_url("change", row.pk)
            try:
                undo(log=log, by=request.user, now=timezone.now())  # type: ignore[misc]
            except DomainError as error:
                outcomes.append(Outcome(str(row), url, False, str(error.message)))
            else:
                outcomes.append(Outcome(str(row), url, True, _("taken back")))
        return self._outcome_page(request, _("Undo"), outcomes, undo=False)
