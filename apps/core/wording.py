"""What stands in tables as a code, in the reader's language: roles, permissions, moves, records."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.core.registry import Registry
from apps.core.transitions import TransitionTable

# -- roles (decisions, item 11) ----------
ROLES: dict[str, Any] = {
    "ops": pgettext_lazy("role", "operations"),
    "ops-lead": pgettext_lazy("role", "operations lead"),
    "care": pgettext_lazy("role", "customer care"),
    "care-lead": pgettext_lazy("role", "customer care lead"),
    "pr": pgettext_lazy("role", "public relations"),
    "pr-lead": pgettext_lazy("role", "public relations lead"),
    "legal": pgettext_lazy("role", "legal"),
    "manager": pgettext_lazy("role", "management"),
    "dept": pgettext_lazy("role", "responsible department"),
    "store": pgettext_lazy("role", "store staff"),
    "analyst": pgettext_lazy("role", "analyst"),
    "integration": pgettext_lazy("role", "outside program"),
    "auditor": pgettext_lazy("role", "auditor"),
    "admin": pgettext_lazy("role", "administrator"),
}


def role_label(name: str) -> str:
    """The role in words; a group that staff made is called as they named it."""
    return str(ROLES.get(name, name))


# -- permissions ----------
ACTIONS: dict[str, Any] = {
    "add": gettext_lazy("Can add"),
    "change": gettext_lazy("Can change"),
    "delete": gettext_lazy("Can delete"),
    "view": gettext_lazy("Can view"),
}


def permission_label(permission: Any) -> str:
    """“Customers | order | Can view”. The name in the table is English for good: it is written when it is made."""
    model = permission.content_type.model_class()
    if model is None:
        return str(permission)
    app = apps.get_app_config(model._meta.app_label).verbose_name
    own = dict(model._meta.permissions).get(permission.codename)
    verb, _sep, rest = permission.codename.partition("_")
    what = own or (ACTIONS.get(verb) if rest == model._meta.model_name else None) or permission.name
    return f"{app} | {model._meta.verbose_name} | {what}"


def is_internal(model: Any) -> bool:
    """Whether no page shows the table by itself: old versions of records, and tables that nobody gave a name."""
    return hasattr(model, "instance_type") or "verbose_name" not in model._meta.original_attrs


# -- moves and records ----------
# "app.model" → the table its moves come from. Apps register theirs; logs then speak as their buttons do.
move_tables: Registry[TransitionTable] = Registry("tables of moves")
# Verbs that stand in no table.
VERBS = {
    "dispatch": gettext_lazy("Dispatched"),
    "undo": gettext_lazy("Undone"),
    "merge": gettext_lazy("Merged"),
    "unmerge": gettext_lazy("Merge undone"),
    "read_whole": gettext_lazy("Read whole"),
    "changed": gettext_lazy("Changed"),
    "give": gettext_lazy("File given"),
    "renew_code": gettext_lazy("New address"),
    "export": gettext_lazy("Exported"),
    "use": gettext_lazy("Put into use"),
    "use_shipped": gettext_lazy("Back to the shipped weights"),
    "discard": gettext_lazy("Thrown away"),
    "download_rejects": gettext_lazy("Rejected rows downloaded"),
    "dossier": gettext_lazy("Case file made"),
    "promise": gettext_lazy("Promise noted"),
    "promise_kept": gettext_lazy("Promise kept"),
    "promise_cancelled": gettext_lazy("Promise called off"),
    "go_live": gettext_lazy("Went live"),
    "macro": gettext_lazy("Macro done"),
    "link": gettext_lazy("Linked"),
    "unlink": gettext_lazy("Taken out"),
    "ask_answer": gettext_lazy("Answer to many asked for"),
    "test": gettext_lazy("Test message sent"),
}


def verb_label(label: str, verb: str) -> Any:
    """The move in the reader's language, the bare verb where nobody registered one."""
    table = move_tables.get(label)
    move = table.get(verb) if table is not None else None
    return move.label if move is not None else VERBS.get(verb, verb)


def record_name(label: str, pk: int) -> str:
    """“feedback 17” in the reader's language; the record is not fetched: it may be personal or gone."""
    try:
        name = apps.get_model(label)._meta.verbose_name
    except (LookupError, ValueError):
        name = label
    return f"{name} {pk}"
