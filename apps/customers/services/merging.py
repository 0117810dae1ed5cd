"""Two records of one person become one, and exactly two again if that was wrong (peers 4.2).

Nothing is destroyed: rows change hands through the registered movers, the source stays as a signpost with all
its own values, and `CustomerMerge` names every row that moved. Values filled into the target are remembered
as keyed hashes only: the values themselves still stand in the source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, ReasonNeeded, StaleState
from apps.core.hashing import keyed_hash
from apps.core.history import coded
from apps.core.models import ActionLog, User
from apps.customers.choices import CustomerState
from apps.customers.models import Customer, CustomerMerge
from apps.customers.registries import movers

PERMISSION = "customers.merge_customer"

# Filled into an empty target, field by field. `external_id` is unique and stays with its record: whoever
# looks it up
# follows `merged_into`.
FILLED_ALONE = ("nickname", "name", "gender", "phone", "email", "city", "member_tier", "note")
# A birthday is one thing: all four or none.
BIRTHDAY = ("birth_year", "birth_month", "birth_day", "birth_is_lunar")

# Relations to Customer that a merge leaves where they are, and why. The test of related objects reads this.
NOT_MOVED = {
    "customers.customer.merged_into": "earlier merges keep their own target; chains are followed",
    "customers.customermerge.source": "the record of a merge is evidence",
    "customers.customermerge.target": "the record of a merge is evidence",
    "customers.historicalcustomer.merged_into": "history is what was",
}


@dataclass
class Preview:
    """What a merge would do."""

    moves: list[tuple[str, int]] = field(default_factory=list)
    stays: list[tuple[str, int]] = field(default_factory=list)
    fills: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows change hands."""
        return sum(count for _label, count in self.moves)


def relations() -> set[str]:
    """Every relation to Customer as "app.model.field", hidden ones included; a test compares it with the
    movers.
    """
    found = set()
    for relation in Customer._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and isinstance(relation, models.ForeignObjectRel):
            found.add(f"{relation.related_model._meta.label_lower}.{relation.field.name}")
    return found


def undecided() -> set[str]:
    """Relations that no mover covers and NOT_MOVED does not name: a merge would tear them apart."""
    return relations() - {f"{mover.model}.{mover.field}" for mover in movers} - set(NOT_MOVED)


def _companions(model: type[models.Model], name: str) -> list[tuple[str, ...]]:
    """For every unique rule that holds the customer: the other columns. () means one row a customer."""
    meta = model._meta
    sets = [tuple(group) for group in meta.unique_together]
    sets += [tuple(rule.fields) for rule in meta.constraints if isinstance(rule, models.UniqueConstraint)]
    if getattr(meta.get_field(name), "unique", False):
        sets.append((name,))
    return [tuple(part for part in group if part != name) for group in sets if name in group]


def _split(
    model: type[models.Model], name: str, source_id: int, target_id: int
) -> tuple[list[int], list[int]]:
    """(ids that move, ids that must stay because the target has their like already)."""
    manager = model._base_manager
    ids = list(manager.filter(**{f"{name}_id": source_id}).order_by("pk").values_list("pk", flat=True))
    staying: set[int] = set()
    for columns in _companions(model, name) if ids else []:
        if not columns:
            if manager.filter(**{f"{name}_id": target_id}).exists():
                staying.update(ids)
            continue
        taken = set(manager.filter(**{f"{name}_id": target_id}).values_list(*columns))
        for pk, *values in manager.filter(pk__in=ids).values_list("pk", *columns):
            # NULL never equals NULL in a unique rule.
            if None not in values and tuple(values) in taken:
                staying.add(pk)
    return [pk for pk in ids if pk not in staying], [pk for pk in ids if pk in staying]


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _fillable(source: Customer, target: Customer) -> list[str]:
    """Names of what the target lacks and the source has; "birthday" stands for its four fields."""
    names = [
        name
        for name in FILLED_ALONE
        if _is_empty(getattr(target, name)) and not _is_empty(getattr(source, name))
    ]
    parts = BIRTHDAY[:3]
    if all(getattr(target, part) is None for part in parts) and any(
        getattr(source, part) is not None for part in parts
    ):
        names.append("birthday")
    if [tag for tag in source.tags if tag not in target.tags]:
        names.append("tags")
    return names


def _check(source: Customer, target: Customer) -> None:
    if source.pk == target.pk:
        raise InvalidInput(_("A customer cannot be merged into themselves."))
    for customer in (source, target):
        if customer.state == CustomerState.MERGED or customer.merged_into_id is not None:
            raise StaleState(
                _("%(customer)s (#%(number)d) has been merged into another already.")
                % {"customer": customer, "number": customer.pk}
            )
        if customer.state != CustomerState.ACTIVE:
            raise IllegalMove(
                _("%(customer)s (#%(number)d) is “%(state)s” and cannot be merged.")
                % {"customer": customer, "number": customer.pk, "state": customer.get_state_display()}
            )


def preview(*, source: Customer, target: Customer) -> Preview:
    """What `merge` would do, without doing it. Raises what it would raise."""
    _check(source, target)
    result = Preview()
    for mover in movers:
        model = apps.get_model(mover.model)
        moving, staying = _split(model, mover.field, source.pk, target.pk)
        if moving:
            result.moves.append((str(model._meta.verbose_name_plural), len(moving)))
        if staying:
            result.stays.append((str(model._meta.verbose_name_plural), len(staying)))
    fills = _fillable(source, target)
    result.fills = [_label(name) for name in fills]
    result.differs = [
        _label(name)
        for name in FILLED_ALONE
        if not _is_empty(getattr(source, name))
        and not _is_empty(getattr(target, name))
        and getattr(source, name) != getattr(target, name)
    ]
    return result


def _label(name: str) -> str:
    if name == "birthday":
        return _("birthday")
    return str(Customer._meta.get_field(name).verbose_name)


def _mark(name: str, value: Any) -> str:
    # Recognises a value later without keeping it: undo must not take away what somebody typed since.
    return keyed_hash(f"merge:{name}:{value!r}")


def _locked(*ids: int) -> dict[int, Customer]:
    """The rows, locked in the order of their keys, so that two merges never wait for each other in a ring."""
    rows = Customer.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in rows}


@transaction.atomic
def merge(*, source: Customer, target: Customer, by: User, now: datetime, reason: str) -> CustomerMerge:
    """Make `source` part of `target`; returns the row that `undo` needs.

    Raises NotPermitted, ReasonNeeded, InvalidInput (same record), StaleState (one of them was merged
    meanwhile) or IllegalMove (restricted or erased). Of two merges of one source at once, one wins and the
    other is told.
    """
    if not by.has_perm(PERMISSION):
        raise NotPermitted(_("You may not merge customers."))
    if len(reason.strip()) < 2:
        raise ReasonNeeded(_("Say why these two are the same person."), field="reason")
    rows = _locked(source.pk, target.pk)
    if len(rows) != len({source.pk, target.pk}):
        raise StaleState(_("One of the customers no longer exists."))
    old, new = rows[source.pk], rows[target.pk]
    _check(old, new)

    moved: dict[str, list[int]] = {}
    for mover in movers:
        model = apps.get_model(mover.model)
        ids, _staying = _split(model, mover.field, old.pk, new.pk)
        if ids:
            model._base_manager.filter(pk__in=ids).update(**{f"{mover.field}_id": new.pk})
            moved[f"{mover.model}.{mover.field}"] = ids

    filled = _fill(old, new)
    old.state, old.merged_into = CustomerState.MERGED, new
    _save(old, by=by, why=coded("merged_into", new.pk), fields=["state", "merged_into"])
    if filled:
        _save(new, by=by, why=coded("filled_from", old.pk), fields=_columns(filled))
    record = CustomerMerge.objects.create(
        source=old, target=new, moved=moved, filled=filled, reason=reason.strip()[:300], by=by, at=now
    )
    _log(record, "merge", by=by, now=now, reason=record.reason)
    _copy_state(old, source)
    _copy_state(new, target)
    return record


def _fill(source: Customer, target: Customer) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name in _fillable(source, target):
        if name == "birthday":
            before = target.birth_is_lunar
            for part in BIRTHDAY:
                setattr(target, part, getattr(source, part))
            filled[name] = {
                "mark": _mark(name, [getattr(target, part) for part in BIRTHDAY]),
                "was_lunar": before,
            }
        elif name == "tags":
            added = [tag for tag in source.tags if tag not in target.tags]
            target.tags = [*target.tags, *added]
            filled[name] = [_mark(name, tag) for tag in added]
        else:
            setattr(target, name, getattr(source, name))
            filled[name] = _mark(name, getattr(target, name))
    return filled


def _columns(filled: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for name in filled:
        names.extend(BIRTHDAY if name == "birthday" else [name])
    return names


def _save(customer: Customer, *, by: User, why: str, fields: list[str]) -> None:
    # `save`, not `update`: the look-up hashes and the field history follow.
    customer._history_user = by  # type: ignore[attr-defined]
    customer._change_reason = why  # type: ignore[attr-defined]
    customer.save(update_fields=[*fields, "updated_at"])


def _copy_state(fresh: Customer, given: Customer) -> None:
    for column in Customer._meta.concrete_fields:
        setattr(given, column.attname, getattr(fresh, column.attname))


def _log(record: CustomerMerge, verb: str, *, by: User, now: datetime, reason: str) -> None:
    ActionLog.objects.bulk_create(
        ActionLog(
            model="customers.customer",
            object_id=pk,
            verb=verb,
            reason=reason,
            by=by,
            via="admin",
            at=now,
            data={"merge": record.pk, "source": record.source_id, "target": record.target_id},
        )
        for pk in (record.source_id, record.target_id)
    )


@dataclass(frozen=True)
class Undone:
    """What `undo` gave back, and what it left because somebody changed it since."""

    returned: int
    left: int
    kept_fields: tuple[str, ...]


@transaction.atomic
def undo(*, merge: CustomerMerge, by: User, now: datetime) -> Undone:
    """Make them two again: every moved row that the target still has goes back, filled fields are emptied.

    Rows that came to the target since stay there; a filled field that somebody changed since is left alone
    and named. Raises NotPermitted, StaleState (undone already) or IllegalMove (the target was merged further:
    undo that first).
    """
    if not by.has_perm(PERMISSION):
        raise NotPermitted(_("You may not merge customers."))
    rows = _locked(merge.source_id, merge.target_id)
    record = CustomerMerge.objects.select_for_update().get(pk=merge.pk)
    if record.undone_at is not None:
        raise StaleState(_("This merge was undone already."))
    source, target = rows[record.source_id], rows[record.target_id]
    if source.merged_into_id != target.pk:
        raise StaleState(_("%(customer)s is no longer part of that customer.") % {"customer": source})
    if target.state == CustomerState.MERGED:
        raise IllegalMove(_("The customer was merged further since. Undo the later merge first."))
    if target.state == CustomerState.ERASED:
        raise IllegalMove(_("The customer has been erased; nothing can be given back."))

    returned = left = 0
    for relation, ids in record.moved.items():
        label, _dot, name = relation.rpartition(".")
        model = apps.get_model(label)
        done = model._base_manager.filter(pk__in=ids, **{f"{name}_id": target.pk}).update(
            **{f"{name}_id": source.pk}
        )
        returned += done
        left += len(ids) - done
    emptied, kept = _empty(target, record.filled)
    source.state, source.merged_into = CustomerState.ACTIVE, None
    _save(source, by=by, why=coded("merge_undone_into", target.pk), fields=["state", "merged_into"])
    if emptied:
        _save(target, by=by, why=coded("merge_undone_from", source.pk), fields=emptied)
    CustomerMerge.objects.filter(pk=record.pk).update(undone_at=now, undone_by=by)
    merge.undone_at, merge.undone_by = now, by
    _log(record, "unmerge", by=by, now=now, reason="")
    return Undone(returned, left, tuple(_label(name) for name in kept))


def _empty(target: Customer, filled: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Take the filled values out again where they are still the ones that were filled: (columns, fields
    kept).
    """
    columns: list[str] = []
    kept: list[str] = []
    for name, mark in filled.items():
        if name == "birthday":
            if _mark(name, [getattr(target, part) for part in BIRTHDAY]) == mark["mark"]:
                for part in BIRTHDAY:
                    setattr(target, part, mark["was_lunar"] if part == "birth_is_lunar" else None)
                columns.extend(BIRTHDAY)
            else:
                kept.append(name)
        elif name == "tags":
            left = [tag for tag in target.tags if _mark(name, tag) not in mark]
            if left != target.tags:
                target.tags = left
                columns.append(name)
        elif _mark(name, getattr(target, name)) == mark:
            setattr(target, name, "")
            columns.append(name)
        else:
            kept.append(name)
    return columns, kept


def moved_text(merge: CustomerMerge) -> str:
    """“orders: 3, identities: 1” for people."""
    parts = []
    for relation, ids in merge.moved.items():
        label, _dot, _name = relation.rpartition(".")
        try:
            name = str(apps.get_model(label)._meta.verbose_name_plural)
        except LookupError:
            name = label
        parts.append(f"{name}: {len(ids)}")
    return ", ".join(parts)


def filled_text(merge: CustomerMerge) -> str:
    """Which fields were filled, without their values."""
    return ", ".join(_label(name) for name in merge.filled)
