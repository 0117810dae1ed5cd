"""Which column of an export is which field of a feedback (decisions.md 9).

A mapping comes from a person (``text=评价内容,rating=星级``), from a preset by channel, or from ``guess``.
Header names in ``presets.json`` are those met in exports of the platforms and of shop tools; platforms change
them without notice, so a guess always says how sure it is and a person may correct it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from apps.feedback.fileformats.parsing import RATING_SCALES, ParseError
from apps.feedback.fileformats.problems import Problem

#: Fields a column may be mapped to; the customer's are flat here (decisions.md 9).
FIELDS = (
    "channel",
    "text",
    "external_id",
    "rating",
    "posted_at",
    "store",
    "product_sku",
    "order_no",
    "customer_external_id",
    "customer_nickname",
    "customer_phone",
    "customer_email",
    "images",
    "follow_up_to",
    "follow_up_text",
    "kind",
    "reply",
)
_ARROW = re.compile(r"→|->|=>")


class MappingError(ValueError):
    """A mapping that cannot be used. ``code`` is a ``Problem``, ``params`` fill its template."""

    def __init__(self, code: Problem, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code.render(params))


@dataclass(frozen=True)
class Mapping:
    """``columns``: field → column name. ``values``: field → {text in the file: text or number to use}.

    ``strict``: a value map must know every cell of its column; otherwise unknown cells are taken as they stand.
    """

    columns: dict[str, str]
    values: dict[str, dict[str, str | int]] = field(default_factory=dict)
    strict: bool = True

    def bind(self, found: Sequence[str]) -> Mapping:
        """This mapping with column names as the file spells them (case, width, spaces and ``*`` aside).

        Raises ``MappingError`` (``missing_column``, naming the columns found) for a column the file lacks and
        for a mapping without ``text``.
        """
        shown = ", ".join(found)
        if "text" not in self.columns:
            raise MappingError(Problem.MISSING_COLUMN, field="text", found=shown)
        by_name = {_normal(name): name for name in reversed(found)}
        bound = {}
        for name, column in self.columns.items():
            actual = column if column in found else by_name.get(_normal(column))
            if actual is None:
                raise MappingError(Problem.MISSING_COLUMN, field=f"{name} ({column})", found=shown)
            bound[name] = actual
        return Mapping(bound, self.values, self.strict)

    def pick(self, row: MappingType[str, str]) -> dict[str, str]:
        """The mapped cells of a row by field, as they stand in the file; empty ones are left out."""
        return {name: cell for name, column in self.columns.items() if (cell := row.get(column, "")).strip()}

    def translate(self, name: str, cell: str) -> str | int:
        """A cell through the value map of its field, or as it is where the field has none.

        Ratings go to ``parse_rating(cell, mapping.values.get("rating"))`` instead. Raises ``ParseError``
        (``bad_value``) for a cell the map does not know.
        """
        known = self.values.get(name)
        if known is None:
            return cell
        if cell.strip() not in known:
            if not self.strict:
                return cell
            raise ParseError(Problem.BAD_VALUE, value=cell[:60], known=", ".join(known))
        return known[cell.strip()]

    def __str__(self) -> str:
        """The text ``parse_mapping`` reads back."""
        parts = []
        for name, column in self.columns.items():
            part = f'{name}="{column}"' if re.search('[,，=:"]', column) else f"{name}={column}"
            if name in self.values:
                part += ":" + ",".join(f"{old}→{new}" for old, new in self.values[name].items())
            parts.append(part)
        return ",".join(parts)


def _split(text: str) -> list[str]:
    """Parts between commas (also full-width ones), quoted names kept whole."""
    parts = re.findall(r"""(?:[^,，"]|"[^"]*")+""", text)
    return [part.strip() for part in parts if part.strip()]


def parse_mapping(text: str) -> Mapping:
    """``"text=评价内容,rating=label:0→1,1→5"`` → columns and value maps.

    ``field=column`` pairs between commas; after ``:`` a value map of ``old→new`` (or ``old->new``) pairs, or
    for ratings the name of a scale (``rating=score:scale50``). Quote a column that contains commas or colons.

    Raises ``MappingError``: ``bad_mapping``, ``unknown_field`` (listing the known ones), ``duplicate_field``,
    ``missing_column`` when ``text`` is not mapped.
    """
    columns: dict[str, str] = {}
    values: dict[str, dict[str, str | int]] = {}
    current: str | None = None
    for part in _split(text):
        arrow = _ARROW.search(part)
        pair = re.match(r"\s*([^=\"]*?)\s*=(?!>)\s*(.*)", part, re.DOTALL)
        if pair and (not arrow or pair.start(2) <= arrow.start()):
            name, target = pair[1], pair[2].strip()
            if name not in FIELDS:
                raise MappingError(Problem.UNKNOWN_FIELD, field=name, known=", ".join(FIELDS))
            if name in columns:
                raise MappingError(Problem.DUPLICATE_FIELD, field=name)
            column, rule = _column_and_rule(target)
            if not column:
                raise MappingError(Problem.BAD_MAPPING, part=part)
            columns[name] = column
            current = None
            if rule in RATING_SCALES and name == "rating":
                values[name] = dict(RATING_SCALES[rule])
            elif rule:
                current = name
                _add_rule(values.setdefault(name, {}), rule, part)
        elif arrow and current is not None:
            _add_rule(values[current], part, part)
        else:
            raise MappingError(Problem.BAD_MAPPING, part=part)
    if "text" not in columns:
        raise MappingError(Problem.MISSING_COLUMN, field="text", found=", ".join(columns.values()) or "-")
    return Mapping(columns, values)


def _column_and_rule(target: str) -> tuple[str, str]:
    """(column, what stands after its colon). A colon belongs to the name unless a map or a scale follows."""
    quoted = re.fullmatch(r'"([^"]*)"\s*(?::\s*(.*))?', target, re.DOTALL)
    if quoted:
        return quoted[1], (quoted[2] or "").strip()
    arrow = _ARROW.search(target)
    colon = target.rfind(":", 0, arrow.start() if arrow else len(target))
    if colon >= 0 and (arrow or target[colon + 1 :].strip() in RATING_SCALES):
        return target[:colon].strip(), target[colon + 1 :].strip()
    return target, ""


def _add_rule(rules: dict[str, str | int], rule: str, part: str) -> None:
    pieces = [piece.strip() for piece in _ARROW.split(rule, maxsplit=1)]
    if len(pieces) != 2 or not all(pieces):
        raise MappingError(Problem.BAD_MAPPING, part=part)
    old, new = pieces
    rules[old] = int(new) if new.isascii() and new.isdigit() else new


# -- presets and guessing ------------------------------------------------------------------------------------
@cache
def presets() -> dict[str, dict[str, list[str]]]:
    """Channel → field → header names, most specific first. ``generic`` serves every channel."""
    data: dict[str, dict[str, list[str]]] = json.loads(
        (Path(__file__).parent / "presets.json").read_text(encoding="utf-8")
    )
    return data


@dataclass(frozen=True)
class Guess:
    """``mapping`` and how sure it is: per field 0 … 1, and ``confidence`` for the whole (that of ``text``,
    lowered by doubtful companions). ``unused`` are columns nothing was made of.
    """

    mapping: Mapping
    confidence: float
    by_field: dict[str, float]
    unused: tuple[str, ...]


def _normal(header: str) -> str:
    """A header for comparing: width and case folded, without spaces, marks (``*``) and notes in brackets."""
    text = unicodedata.normalize("NFKC", header).lower()
    text = re.sub(r"[(\[【][^)\]】]*[)\]】]", "", text)
    return re.sub(r"[\s*_\-:·/\"'`.#]+", "", text) or unicodedata.normalize("NFKC", header).lower().strip()


def guess(
    columns: Sequence[str], channel: str = "generic", samples: Iterable[MappingType[str, str]] = ()
) -> Guess:
    """The likeliest mapping of an export with these ``columns``, from the channel's preset, then ``generic``.

    ``samples`` (a few rows) settle what a header cannot: a ``label`` of only 0 and 1 becomes ``0→1,1→5``, any
    other ``label`` is left to a person. Unknown channels use ``generic``. Raises ``MappingError``
    (``missing_column``) when no column looks like the text.
    """
    known = presets()
    layers = [known[name] for name in dict.fromkeys([channel.lower(), "generic"]) if name in known]
    headers = {column: _normal(column) for column in columns}
    chosen: dict[str, str] = {}
    sure: dict[str, float] = {}

    def take(name: str, column: str, confidence: float) -> None:
        chosen[name] = column
        sure[name] = confidence

    # Exact names first, for all fields, so that a vague hit never takes a column from its rightful field.
    for weight, synonyms in zip((1.0, 0.9) if len(layers) > 1 else (1.0,), layers, strict=True):
        for name in FIELDS:
            for synonym in synonyms.get(name, ()):
                hit = next((c for c in columns if headers[c] == _normal(synonym)), None)
                if name not in chosen and hit is not None and hit not in chosen.values():
                    take(name, hit, weight)
    # Then names that contain a known one of two or more characters: 商品评价内容, 门店名称2.
    for synonyms in layers:
        for name in FIELDS:
            for synonym in sorted(synonyms.get(name, ()), key=len, reverse=True):
                core = _normal(synonym)
                if name in chosen or len(core) < (3 if core.isascii() else 2):
                    continue
                hit = next((c for c in columns if core in headers[c] and c not in chosen.values()), None)
                if hit is not None and not _misleading(name, headers[hit]):
                    take(name, hit, 0.6 if len(core) * 2 >= len(headers[hit]) else 0.4)
    if "text" not in chosen:
        raise MappingError(Problem.MISSING_COLUMN, field="text", found=", ".join(columns))

    values: dict[str, dict[str, str | int]] = {}
    if headers.get(chosen.get("rating", "")) == "label":
        seen = {row.get(chosen["rating"], "").strip() for row in samples} - {""}
        if seen and seen <= {"0", "1", "0.0", "1.0"}:
            values["rating"] = {"0": 1, "1": 5}
            sure["rating"] = 0.7
        elif not seen:
            values["rating"] = {"0": 1, "1": 5}
            sure["rating"] = 0.4
        else:
            del chosen["rating"], sure["rating"]
    ordered = {name: chosen[name] for name in FIELDS if name in chosen}
    others = [value for name, value in sure.items() if name != "text"]
    confidence = sure["text"] * (0.5 + 0.5 * (sum(others) / len(others) if others else 0.5))
    unused = tuple(column for column in columns if column not in chosen.values())
    return Guess(Mapping(ordered, values), round(confidence, 3), sure, unused)


_CLUES = {
    # A field's vague hit is refused when the header speaks of something else.
    "text": "时间|日期|id|编号|星级|评分|得分|人|用户|图片|数|回复|类型|等级|结果|状态|"
    "time|date|rating|score|count|image",
    "rating": "内容|时间|人|用户|id|图片|回复",
    "posted_at": "回复|追评|付款|支付|发货|下单|更新|修改|处理|收货",
    "order_no": "金额|时间|状态|数量|类型",
    "customer_nickname": "id|电话|手机|地址|等级|评价|评分|数|类型|备注",
    "store": "id|评分|回复|电话|地址",
    "reply": "时间|状态|人|数|率",
    "follow_up_text": "时间|图片|数|人",
    "images": "数",
    "kind": "商品|订单|支付|店铺|评价",
    "channel": "id|订单",
    "external_id": "订单|商品|店铺|门店|用户|会员|买家|客户|物流|快递|"
    "order|product|user|item|sku|shop|store|customer",
}


def _misleading(name: str, header: str) -> bool:
    clues = _CLUES.get(name)
    return bool(clues and re.search(clues, header))
