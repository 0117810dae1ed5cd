"""The rules in use, compiled once and kept until something changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.automation.choices import RuleState
from apps.automation.conditions import BadCondition, Compiled, compile_tree, problems_of
from apps.automation.fields import is_working_time
from apps.automation.models import Rule, WebhookEndpoint
from apps.automation.registries import Action, Event, Facts, Param, actions, events, fields
from apps.core.reference import Cached
from apps.feedback.choices import Status
from apps.feedback.selectors.reference import reference

STAMP = "automation"
MAX_DEPTH = 3
# Nobody works on these any more; only a rule about the move itself still looks at them.
GONE = frozenset({Status.DISMISSED, Status.MERGED})
# Always read with a batch.
BASE = ("id", "is_historical", "received_at", "tier", "status")


@dataclass(slots=True)
class RuleRef:
    """A rule ready to be asked."""

    rule: Rule
    event: Event
    compiled: Compiled
    steps: list[tuple[str, Action, dict[str, Any]]]

    def barred(self, facts: Facts, detail: Any, chain: list[int], *, trial: bool = False) -> str | None:
        """Why the rule does not even look at this event, in words; None when it does."""
        rule = self.rule
        if self.event.wants is not None and not self.event.wants(detail, rule.event_params):
            return _("another kind of event")
        if facts["status"] in GONE and self.event.source != "moves":
            return _("merged into another case, or dismissed")
        if facts["is_historical"] and not rule.with_historical:
            return _("historical feedback")
        if rule.pk in chain:
            return _("this rule has acted in this chain already")
        if len(chain) >= MAX_DEPTH:
            return _("%(depth)d rules have followed each other already") % {"depth": MAX_DEPTH}
        at: datetime = facts["_at"]
        if not trial and rule.enabled_at is not None and at < rule.enabled_at:
            return _("it happened before the rule was switched on")
        if not trial and (
            (rule.active_from is not None and at < rule.active_from)
            or (rule.active_until is not None and at >= rule.active_until)
        ):
            return _("outside of the time the rule acts in")
        if rule.working_time_only and not is_working_time(at):
            return _("outside of working time")
        return None


@dataclass
class Shelf:
    """The rules that listen to one source, in order, with an index over what they look for."""

    refs: list[RuleRef] = field(default_factory=list)
    general: list[int] = field(default_factory=list)
    index: dict[str, dict[Any, list[int]]] = field(default_factory=dict)
    columns: tuple[str, ...] = BASE
    loaded: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Called once all rules are in."""
        columns = set(BASE)
        loaded = set()
        tables: dict[str, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, ref in enumerate(self.refs):
            for code in ref.compiled.fields:
                known = fields.get(code)
                if known is not None:
                    columns |= set(known.columns)
                    if known.load is not None:
                        loaded.add(code)
            for _code, action, _params in ref.steps:
                columns |= set(action.needs)
            if ref.compiled.index is None:
                self.general.append(number)
            else:
                column, values = ref.compiled.index
                for value in values:
                    tables[column][value].append(number)
        self.index = {column: dict(table) for column, table in tables.items()}
        self.columns, self.loaded = tuple(sorted(columns)), tuple(sorted(loaded))

    def candidates(self, facts: Facts) -> list[int]:
        """Numbers of the rules that may match, in their order."""
        found: list[int] | None = None
        for column, table in self.index.items():
            hit = table.get(facts[column])
            if hit:
                found = hit if found is None else found + hit
        if found is None:
            return self.general
        return sorted(self.general + found)

    def load(self, rows: list[Facts]) -> None:
        """What is no column: a fixed number of queries for all rows."""
        for code in self.loaded:
            known = fields.get(code)
            if known is not None and known.load is not None:
                known.load(rows)


@dataclass
class Book:
    """Everything the engine looks up."""

    shelves: dict[str, Shelf]
    broken: list[tuple[Rule, list[str]]]
    # event → ids of webhook addresses that want it
    endpoints: dict[str, list[WebhookEndpoint]]

    def listens(self, source: str) -> bool:
        """Whether anybody cares about a source."""
        wanted = {"arrivals": ("feedback.created",), "moves": ("feedback.moved", "feedback.replied")}
        return source in self.shelves or any(self.endpoints.get(event) for event in wanted.get(source, ()))


def problems_of_rule(rule: Rule) -> list[str]:
    """Why a rule cannot be switched on, in sentences; empty when it can."""
    found = list(problems_of(rule.conditions))
    if events.get(rule.event) is None:
        found.insert(0, _("There is no event “%(event)s”.") % {"event": rule.event})
    else:
        found += _param_problems(events.get(rule.event).params, rule.event_params, _("Event"))  # type: ignore[union-attr]
    if not isinstance(rule.actions, list) or not rule.actions:
        found.append(_("The rule does nothing: add an action."))
        return found
    for number, step in enumerate(rule.actions, start=1):
        code = step.get("code") if isinstance(step, dict) else None
        action = actions.get(code) if isinstance(code, str) else None
        if action is None:
            found.append(
                _("Action %(number)d: there is no action “%(code)s”.") % {"number": number, "code": code}
            )
            continue
        name = _("Action %(number)d (%(action)s)") % {"number": number, "action": action.label}
        found += _param_problems(action.params, step.get("params") or {}, name)
    return found


def _param_problems(params: Iterable[Param], values: Any, name: str) -> list[str]:
    found = []
    if not isinstance(values, dict):
        return [_("%(where)s: its details are not readable.") % {"where": name}]
    params = tuple(params)
    for extra in set(values) - {param.name for param in params}:
        found.append(_("%(where)s: there is no detail “%(name)s”.") % {"where": name, "name": extra})
    for param in params:
        value = values.get(param.name, param.default)
        where = {"where": name, "name": param.label}
        if value in ("", None):
            if param.required:
                found.append(_("%(where)s: “%(name)s” is missing.") % where)
        elif param.type == "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                found.append(_("%(where)s: “%(name)s” must be a number.") % where)
            elif (param.least is not None and value < param.least) or (
                param.most is not None and value > param.most
            ):
                found.append(
                    _("%(where)s: “%(name)s” must lie between %(least)s and %(most)s.")
                    % (where | {"least": f"{param.least:g}", "most": f"{param.most:g}"})
                )
        elif param.type == "choice" and param.choices is not None:
            if str(value) not in {str(key) for key, _label in param.choices()}:
                found.append(
                    _("%(where)s: “%(value)s” is no “%(name)s” (any more).") % (where | {"value": value})
                )
        elif not isinstance(value, str) or len(value) > 2000:
            found.append(_("%(where)s: “%(name)s” is too long or not a text.") % where)
    return found


def ready(rule: Rule) -> RuleRef:
    """One rule ready to be asked. Raises BadCondition."""
    found = problems_of_rule(rule)
    if found:
        raise BadCondition(found)
    steps = []
    for step in rule.actions:
        action = actions.get(step["code"])
        assert action is not None
        given = step.get("params") or {}
        values = {
            p.name: given.get(p.name) if given.get(p.name) not in (None, "") else p.default
            for p in action.params
        }
        steps.append((step["code"], action, values))
    event = events.get(rule.event)
    assert event is not None
    return RuleRef(rule, event, compile_tree(rule.conditions), steps)


def shelf_of(refs: Iterable[RuleRef]) -> Shelf:
    """A shelf for these rules."""
    shelf = Shelf(refs=list(refs))
    shelf.prepare()
    return shelf


def _load() -> Book:
    by_source: dict[str, list[RuleRef]] = defaultdict(list)
    broken = []
    for rule in Rule.objects.filter(status=RuleState.ENABLED).order_by("position", "id"):
        try:
            ref = ready(rule)
        except BadCondition as error:
            broken.append((rule, error.problems))
            continue
        by_source[ref.event.source].append(ref)
    endpoints: dict[str, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in WebhookEndpoint.objects.filter(is_active=True, paused_at__isnull=True):
        for event in endpoint.events:
            endpoints[event].append(endpoint)
    return Book({source: shelf_of(refs) for source, refs in by_source.items()}, broken, dict(endpoints))


_cached: Cached[Book] = Cached(STAMP, _load)
_built_on: list[Any] = [None]


def book() -> Book:
    """The present rules; two small queries unless something changed. Categories and stores count as part of them."""
    ref = reference()
    if _built_on[0] is not ref:
        _cached.forget()
        _built_on[0] = ref
    return _cached.get()


def forget_book() -> None:
    """For tests: their databases are made anew under the same process."""
    _cached.forget()
    _built_on[0] = None
