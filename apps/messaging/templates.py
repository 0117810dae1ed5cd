"""Texts with `{{variables}}`. No template language over records: names from a whitelist, replaced once.

`{{name}}` must have a value when the text is sent, `{{name?}}` may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.messaging.registries import variables

VARIABLE = re.compile(r"\{\{\s*([^{}?]*?)\s*(\??)\s*\}\}")
# What looks like the beginning or the end of a variable and is none.
BROKEN = re.compile(r"\{\{|\}\}")


class Missing(InvalidInput):
    """Variables that must be filled have no value; `names` in params lists them."""

    code = "missing_values"


class UnknownVariables(InvalidInput):
    """A text names variables that nobody registered; `names` in params lists them."""

    code = "unknown_variables"


def _body_of(template_or_body: Any) -> str:
    return template_or_body if isinstance(template_or_body, str) else str(template_or_body.body)


def variables_of(template_or_body: Any) -> list[str]:
    """The names a text uses, each once, in the order they appear."""
    return list(dict.fromkeys(match[1] for match in VARIABLE.finditer(_body_of(template_or_body))))


def mandatory_of(template_or_body: Any) -> list[str]:
    """The names that must have a value."""
    found = VARIABLE.finditer(_body_of(template_or_body))
    return list(dict.fromkeys(match[1] for match in found if not match[2]))


def label_of(name: str) -> str:
    """A variable in words: “order number, last four (order_tail)”."""
    known = variables.get(name)
    return f"{known.label} ({name})" if known else name


def check_body(body: str, *, field: str = "body") -> None:
    """Refuse names that are not on the whitelist, and braces that do not close. Raises UnknownVariables, InvalidInput."""
    unknown = [name for name in variables_of(body) if variables.get(name) is None]
    if unknown:
        raise UnknownVariables(
            _("There is no variable called %(names)s.")
            % {"names": ", ".join(name or "{{}}" for name in unknown)},
            names=unknown,
            field=field,
        )
    if BROKEN.search(VARIABLE.sub("", body)):
        raise InvalidInput(
            _("A variable is written {{name}}: one pair of braces does not close."), field=field
        )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def render(template_or_body: Any, values: Mapping[str, Any]) -> str:
    """The text with its variables filled, in one pass: braces inside a value stay what they are.

    Raises Missing (an InvalidInput) naming every mandatory variable without a value.
    """
    body = _body_of(template_or_body)
    empty = [name for name in mandatory_of(body) if not _text(values.get(name)).strip()]
    if empty:
        raise Missing(
            _("Still to fill in: %(names)s.") % {"names": ", ".join(label_of(name) for name in empty)},
            names=empty,
            field="body",
        )
    return VARIABLE.sub(lambda match: _text(values.get(match[1])), body)


def preview(template_or_body: Any, values: Mapping[str, Any]) -> str:
    """The text as far as it can be filled; what is missing stands in 〔 〕."""

    def fill(match: re.Match[str]) -> str:
        value = _text(values.get(match[1]))
        if value.strip() or match[2]:
            return value
        known = variables.get(match[1])
        return f"〔{known.label if known else match[1]}〕"

    return VARIABLE.sub(fill, _body_of(template_or_body))


def examples() -> dict[str, str]:
    """An example for every variable."""
    return {variable.name: variable.example for variable in variables}
