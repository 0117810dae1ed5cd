"""Cells to values: dates, ratings, order numbers, phones, nicknames, pictures (peers.md 3.19).

Every function takes text as exports write it (full-width digits, Chinese units, spreadsheet numbers) and
gives back a value, None for an empty cell, or raises ``ParseError`` with a code. Nothing is guessed: what can
be read two ways (01/02/2025) is refused.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from apps.feedback.fileformats.problems import Problem

_BLANK = frozenset({"", "-", "--", "—", "/", "\\", "无", "null", "none", "nan", "n/a", "#n/a"})


class ParseError(ValueError):
    """A cell that cannot be read. ``code`` is a ``Problem``, ``params`` fill its template."""

    def __init__(self, code: Problem, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code.render(params))


def _plain(value: object) -> str:
    """Text with width folded and the wrappers taken off that keep spreadsheets from spoiling numbers."""
    text = unicodedata.normalize("NFKC", str(value)).replace("\u200b", "").strip()
    wrapped = re.fullmatch(r'="(.*)"', text, re.DOTALL)
    if wrapped:
        text = wrapped[1].strip()
    return text.lstrip("'`").strip()


def _is_blank(text: str) -> bool:
    return text.lower() in _BLANK


def _shown(value: object) -> str:
    return str(value)[:60]


# -- date and time -------------------------------------------------------------------------------------------
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_EXCEL_EPOCH = datetime(1899, 12, 30)  # serial 1 = 1900-01-01, with Excel's 29 February 1900 counted
_DATE_TIME = re.compile(
    r"(?P<year>\d{4})\s*(?:[-/.]|年)\s*(?P<month>\d{1,2})\s*(?:[-/.]|月)"
    r"\s*(?P<day>\d{1,2})\s*[日号]?"
    r"(?:\s*\(?(?:星期|周)[一二三四五六日天]\)?)?"
    r"(?:[\sT,]*(?P<half>上午|下午|晚上|凌晨|早上|中午|AM|PM|am|pm)?\s*"
    r"(?P<hour>\d{1,2})\s*(?::|时|點|点)\s*(?:(?P<minute>\d{1,2})\s*(?::|分)?\s*"
    r"(?:(?P<second>\d{1,2})(?:[.,](?P<part>\d{1,9}))?\s*秒?)?)?\s*(?P<half2>AM|PM|am|pm)?"
    r"\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
)
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")


def _zone(zone: str | tzinfo) -> tzinfo:
    return ZoneInfo(zone) if isinstance(zone, str) else zone


def parse_datetime(value: object, zone: str | tzinfo) -> datetime | None:
    """A moment, aware and in ``zone``; None for an empty cell.

    Reads ``2025/9/1 8:05``, ``2025-09-01 08:05:33``, ``2025年9月1日 8时5分``, ISO 8601 (offset or not),
    ``20250901``, ``20250901080533``, dates alone (midnight), 上午/下午, full-width digits, ``datetime`` and
    ``date`` objects, spreadsheet serials (45901.34), Unix seconds and milliseconds (which are UTC by
    definition). Times without an offset are local to ``zone``.

    Raises ``ParseError`` (``bad_date``): no such date, two-digit or missing year, day first, year outside
    1990-2100.
    """
    local = _zone(zone)
    bad = ParseError(Problem.BAD_DATE, value=_shown(value))
    try:
        moment = _moment(value, local)
    except (ValueError, OverflowError) as error:
        raise bad from error
    if moment is None:
        return None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise bad
    return moment


def _moment(value: object, zone: tzinfo) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)
    if isinstance(value, date):
        return datetime.combine(value, time(), zone)
    text = _plain(value)
    if _is_blank(text):
        return None
    found = _DATE_TIME.fullmatch(text)
    if found:
        return _from_parts(found, zone)
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return _from_number(text, zone)
    raise ValueError(text)


def _from_parts(found: re.Match[str], zone: tzinfo) -> datetime:
    hour, minute = int(found["hour"] or 0), int(found["minute"] or 0)
    half = (found["half"] or found["half2"] or "").lower()
    if (half in ("下午", "晚上", "pm") and hour < 12) or (half == "中午" and hour < 3):
        hour += 12
    elif half in ("上午", "凌晨", "am") and hour == 12:
        hour = 0
    micro = int((found["part"] or "0").ljust(6, "0")[:6])
    midnight = hour == 24 and minute == 0 and not int(found["second"] or 0)
    moment = datetime(
        int(found["year"]),
        int(found["month"]),
        int(found["day"]),
        0 if midnight else hour,
        minute,
        int(found["second"] or 0),
        micro,
    )
    if midnight:
        moment += timedelta(days=1)
    offset = found["offset"]
    if not offset:
        return moment.replace(tzinfo=zone)
    return datetime.fromisoformat(moment.isoformat() + ("+00:00" if offset == "Z" else offset)).astimezone(
        zone
    )


def _from_number(text: str, zone: tzinfo) -> datetime:
    whole = text.partition(".")[0]
    compact = _COMPACT.fullmatch(text)
    # Twelve digits could be milliseconds before 2001; shops had no reviews then.
    if compact and (len(text) in (8, 14) or len(text) == 12):
        parts = [int(part) for part in compact.groups(default="0")]
        return datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=zone)
    if len(whole) == 5:
        seconds = round(float(text) * 86_400)  # serials carry rounding noise below the second
        return (_EXCEL_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=zone)
    if len(whole) in (9, 10):
        return datetime.fromtimestamp(round(float(text), 6), UTC).astimezone(zone)
    if len(whole) in (12, 13) and whole == text:
        return datetime.fromtimestamp(int(text) / 1000, UTC).astimezone(zone)
    raise ValueError(text)


# -- rating --------------------------------------------------------------------------------------------------
#: Scales that are used only when a mapping names them (``rating=score:scale50``): 35 on a scale of 50 means
#: three and a half stars. Halves go to the lower star, so that a doubtful review is rather looked at.
RATING_SCALES: dict[str, dict[str, int]] = {
    "scale10": {str(n): max(1, n // 2) for n in range(1, 11)},
    "scale50": {str(n): max(1, n // 10) for n in range(5, 51, 5)},
    "scale500": {str(n): max(1, n // 100) for n in range(50, 501, 50)},
}
_WORDS = {
    "好评": 5, "中评": 3, "差评": 1, "好": 5, "中": 3, "差": 1,
    "非常满意": 5, "很满意": 5, "满意": 4, "一般": 3, "不满意": 2, "非常不满意": 1, "很不满意": 1,
    "good": 5, "neutral": 3, "bad": 1, "positive": 5, "negative": 1,
    "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5,
}  # fmt: skip


def parse_rating(value: object, maps: Mapping[str, str | int] | None = None) -> int | None:
    """Stars from 1 to 5, or None for an empty cell.

    Reads ``5``, ``5.0``, ``5星``, ``五星``, ``4/5``, ``★★★★☆``, 好评/中评/差评, 非常满意; 4.5 gives 4.
    With ``maps`` (text → stars, from the mapping) only its values are allowed: a scale of 10-50 or 100-500 is
    never guessed. Raises ``ParseError`` (``bad_rating``, or ``bad_value`` for what the map does not know).
    """
    if value is None:
        return None
    text = _plain(value)
    if maps is not None:
        known = {_number_text(_plain(key)): stars for key, stars in maps.items()}
        found = known.get(_number_text(text))
        if found is None:
            if _is_blank(text):
                return None
            raise ParseError(Problem.BAD_VALUE, value=_shown(value), known=", ".join(maps))
        return parse_rating(found)
    if _is_blank(text):
        return None
    if re.fullmatch("[★☆⭐✩✭\ufe0f]+", text):
        stars = sum(text.count(star) for star in "★⭐✭")
    else:
        core = re.sub(r"\s|星级|颗星|[星分级]|stars?$", "", text.lower())
        core = re.sub(r"/5$", "", core)
        if core in _WORDS:
            stars = _WORDS[core]
        elif re.fullmatch(r"\d(?:\.\d+)?", core):
            stars = int(float(core))
        else:
            stars = 0
    if not 1 <= stars <= 5:
        raise ParseError(Problem.BAD_RATING, value=_shown(value))
    return stars


def _number_text(text: str) -> str:
    return re.sub(r"^(\d+)\.0+$", r"\1", text).lower()


# -- order number and phone ----------------------------------------------------------------------------------
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,3}")


def _refuse_shortened(text: str, value: object) -> None:
    if _SCIENTIFIC.fullmatch(text):
        raise ParseError(Problem.LOSSY_NUMBER, value=_shown(value))


def parse_order_no(value: object) -> str | None:
    """An order number as text, or None for an empty cell.

    Raises ``ParseError``: ``lossy_number`` for ``1.23E+17`` and for 18 or more digits of which everything
    behind the fifteenth is zero (a spreadsheet keeps 15), ``bad_order_no`` for what is no number at all.
    """
    if value is None:
        return None
    if isinstance(value, float) and abs(value) >= 10**15:
        raise ParseError(Problem.LOSSY_NUMBER, value=_shown(value))
    text = _plain(value)
    if _is_blank(text):
        return None
    _refuse_shortened(text, value)
    text = re.sub(r"\s+", "", re.sub(r"\.0$", "", text))
    if re.fullmatch(r"\d{15}0{3,}", text):
        raise ParseError(Problem.LOSSY_NUMBER, value=_shown(value))
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_\-.#/]{0,63}", text):
        raise ParseError(Problem.BAD_ORDER_NO, value=_shown(value))
    return text


def parse_phone(value: object) -> str | None:
    """A phone number in one form, or None for an empty or already masked cell (138****5678).

    Mainland mobiles lose +86 and separators: ``13812345678``; landlines become ``010-88886666``; others keep
    ``+`` and digits. Raises ``ParseError``: ``lossy_number`` (1.38E+10), ``bad_phone``.
    """
    if value is None:
        return None
    text = _plain(value)
    if _is_blank(text) or "*" in text:
        return None
    _refuse_shortened(text, value)
    text = re.sub(r"\.0$", "", text)
    if re.search(r"[^\d+()\-\s.转#extEXT]", text):
        raise ParseError(Problem.BAD_PHONE, value=_shown(value))
    # A privacy number's extension (13812345678-1234, …转1234) belongs to one order, not to the person.
    base = re.split(r"(?:转|#|ext\.?)", text, flags=re.IGNORECASE)[0].strip()
    digits = re.sub(r"\D", "", base)
    if base.startswith("+") and not digits.startswith("86") and 8 <= len(digits) <= 15:
        return "+" + digits
    mobile = re.fullmatch(r"(?:0086|86|0)?(1[3-9]\d{9})(?:\d{1,6})?", digits)
    if mobile and (len(digits) - mobile.end(1) == 0 or re.search(r"\d-\d{1,6}$", base)):
        return mobile[1]
    landline = re.fullmatch(r"(?:(?:0086|86)0?|0)(10|2\d|[3-9]\d{2})([2-9]\d{6,7})", digits)
    if landline:
        return f"0{landline[1]}-{landline[2]}"
    if re.fullmatch(r"(?:400|800)\d{7}", digits):
        return digits
    if base.startswith("00") and 8 <= len(digits.removeprefix("00")) <= 15:
        return "+" + digits.removeprefix("00")
    raise ParseError(Problem.BAD_PHONE, value=_shown(value))


# -- nickname ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Nickname:
    """A name shown on a platform. Only an ``identifying`` one may be used to recognise a customer again."""

    text: str
    identifying: bool


_ANONYMOUS = re.compile(
    r"(?:淘宝|天猫|京东|jd|美团|点评|大众点评|抖音|快手|拼多多|小红书|饿了么|支付宝|微信|手机|平台|匿名|买家|网友|游客|访客|"
    r"默认|普通|新|某)*(?:用户|会员|买家|网友|游客|访客|顾客|客户|消费者|匿名)|"
    r"匿名(?:用户|评价|买家|会员|网友|顾客|发布)?|anonymous(?:\s*user)?|guest|user|null|none|已注销(?:用户)?|用户已注销|未知"
)


def clean_nickname(value: object) -> Nickname | None:
    """The nickname, or None for names that stand for nobody: 匿名用户, 微信用户, ``***``.

    Two people called 匿名用户 must never become one customer. Masked names (``j***n``, 张**) are kept for
    display but not ``identifying``, for the same reason.
    """
    if value is None:
        return None
    text = " ".join(_plain(value).split())
    if _is_blank(text) or not re.search(r"\w", text):
        return None
    bare = re.sub(r"[()\[\]【】*\s]", "", text).lower()
    if _ANONYMOUS.fullmatch(bare):
        return None
    return Nickname(text[:100], identifying="*" not in text)


# -- pictures ------------------------------------------------------------------------------------------------
_SCHEME = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_PICTURE = re.compile(r"[^\s,;|<>\"'，；、]+\.(?:jpe?g|png|gif|webp|bmp|heic)", re.IGNORECASE)


def split_images(value: object) -> list[str]:
    """Addresses (or names) of pictures in one cell, without repeats, in order.

    Separators may be commas, semicolons, bars, 、, line breaks or a JSON list. A comma inside an address
    (``?x-oss-process=image/resize,w_100``) does not split it. ``//host/…`` becomes ``https://host/…``. Only
    http(s) addresses and bare picture names are kept; other schemes are not.
    """
    if value is None:
        return []
    text = str(value).strip()
    if _is_blank(text):
        return []
    parts: list[str] = []
    if text.startswith("["):
        try:
            parts = [str(item) for item in json.loads(text)]
        except (ValueError, TypeError):
            text = text.strip("[]")
    if not parts:
        parts = re.split(r"""[,;|\s，；、"']+(?=(?:https?:)?//)|[\s"']+""", text, flags=re.IGNORECASE)
    images: list[str] = []
    for part in parts:
        part = part.strip(" \t\r\n,;|，；、\"'")
        if _SCHEME.match(part):
            images.append(part if part[0] != "/" else f"https:{part}")
        elif part and ":" not in part:
            images += [name for name in re.split(r"[,;|，；、]+", part) if _PICTURE.fullmatch(name)]
    return list(dict.fromkeys(images))
