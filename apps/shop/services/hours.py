"""Opening hours and shifts as people write them ↔ as they are stored. Plain Python but for the messages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.core import business_time

Pair = list[str]

_DASH = re.compile(r"\s*(?:[-–—~～]|至|到|\bto\b)\s*")
_TIMES = re.compile(r"(\d{1,2}:\d{2})\s*(?:[-–—~～]|至|到|\bto\b)\s*(\d{1,2}:\d{2})")
_CLOSED = frozenset({"", "-", "closed", "休", "休息", "不营业", "关门"})
_ALL_DAY = frozenset({"24h", "24小时", "全天", "allday", "24/7"})

_CHINESE = "一二三四五六日"
_ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SETS = {
    "每天": range(7),
    "每日": range(7),
    "天天": range(7),
    "daily": range(7),
    "everyday": range(7),
    "always": range(7),
    "工作日": range(5),
    "weekdays": range(5),
    "周末": range(5, 7),
    "weekend": range(5, 7),
    "weekends": range(5, 7),
}


class HoursError(ValueError):
    """The text cannot be read; the message says which part and what was expected."""


def _plain(text: str) -> str:
    # Full-width letters, digits and punctuation as typed on a Chinese keyboard.
    return unicodedata.normalize("NFKC", text).replace("、", ",").replace("。", ";").strip()


def parse_windows(text: str) -> list[Pair]:
    """Windows: "09:00-12:00, 13:30-18:00" → [["09:00", "12:00"], ["13:30", "18:00"]]; closed or empty → [].

    An end at or before the start lies on the next day. Raises HoursError for what cannot be read and for
    windows that overlap each other.
    """
    plain = _plain(text)
    bare = plain.lower().replace(" ", "")
    if bare in _CLOSED:
        return []
    if bare in _ALL_DAY:
        return [["00:00", "24:00"]]
    pairs: list[Pair] = []
    for part in re.split(r"[,;]+", plain):
        if not part.strip():
            continue
        match = _TIMES.fullmatch(part.strip())
        if not match:
            raise HoursError(_("“%(part)s” is not of the form 09:00-18:00.") % {"part": part.strip()[:40]})
        pairs.append([_clock(match[1]), _clock(match[2])])
    windows = []
    for start, end in pairs:
        try:
            windows.append(business_time.window(start, end))
        except ValueError as error:
            raise HoursError(_("“%(part)s” is no time of day.") % {"part": f"{start}-{end}"}) from error
    order = sorted(range(len(pairs)), key=lambda index: windows[index])
    for before, after in pairwise(order):
        if windows[after][0] < windows[before][1]:
            raise HoursError(
                _("%(one)s and %(other)s overlap.")
                % {"one": "-".join(pairs[before]), "other": "-".join(pairs[after])}
            )
    return [pairs[index] for index in order]


def _clock(text: str) -> str:
    hours, _colon, minutes = text.partition(":")
    return f"{int(hours):02d}:{minutes}"


def show_windows(pairs: Iterable[Sequence[str]]) -> str:
    """[["09:00", "12:00"]] → "09:00-12:00"."""
    return ", ".join(f"{start}-{end}" for start, end in pairs)


def check_week(weekly: Sequence[Sequence[Sequence[str]]]) -> None:
    """Raises HoursError when a night runs into the next day's opening, or when the week never opens."""
    days = [[business_time.window(*pair) for pair in pairs] for pairs in weekly]
    if not any(days):
        raise HoursError(_("The calendar never opens: fill in at least one day."))
    for index, windows in enumerate(days):
        following = days[(index + 1) % 7]
        latest = max((end for _start, end in windows), default=0) - business_time.DAY_MINUTES
        if following and latest > min(start for start, _end in following):
            raise HoursError(
                _("The night of %(day)s runs into the opening of the next day.") % {"day": day_name(index)}
            )


def day_name(day: int) -> str:
    """The weekday, Monday is 0, in the reader's language."""
    if (get_language() or "").startswith("zh"):
        return "周" + _CHINESE[day]
    return _ENGLISH[day].capitalize()


def _day(word: str) -> int:
    """One weekday. Raises HoursError."""
    name = word.strip().lower().rstrip(".")
    bare = re.sub(r"^(?:周|星期|礼拜)", "", name)
    if bare == "天":
        bare = "日"
    if len(bare) == 1 and bare in _CHINESE:
        return _CHINESE.index(bare)
    if name in _LONG:
        return _LONG.index(name)
    if (
        len(name) >= 3
        and name[:3] in _ENGLISH
        and (len(name) == 3 or _LONG[_ENGLISH.index(name[:3])].startswith(name))
    ):
        return _ENGLISH.index(name[:3])
    raise HoursError(_("“%(word)s” is no weekday.") % {"word": word.strip()[:20]})


def parse_days(text: str) -> list[int]:
    """Days from "Mon-Fri", "周一至周五", "周六, 周日" or "工作日"; empty: every day. Raises HoursError."""
    plain = _plain(text).strip(" :,;")
    if not plain:
        return list(range(7))
    days: set[int] = set()
    for part in re.split(r"[,\s/和]+(?![-–—~～])", re.sub(_DASH, "-", plain)):
        if not part:
            continue
        known = _SETS.get(part.lower())
        if known is not None:
            days.update(known)
            continue
        first, dash, last = part.partition("-")
        start = _day(first)
        end = _day(last) if dash else start
        # Fri-Mon goes over the week's end.
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return sorted(days)


def parse_shift(text: str) -> list[dict[str, Any]]:
    """Entries from "Mon-Fri 09:00-18:00; 周六 13:00-21:30"; empty → [] (always on shift).

    Parts are separated by semicolons or lines; one part may carry several windows. Raises HoursError, naming
    the part that cannot be read.
    """
    entries: list[dict[str, Any]] = []
    for part in re.split(r"[;\n]+", _plain(text)):
        part = part.strip(" ,")
        if not part:
            continue
        found = re.search(r"\d{1,2}:\d{2}", part)
        head, times = (part[: found.start()], part[found.start() :]) if found else _without_times(part)
        days = parse_days(head)
        windows = parse_windows(times)
        if not windows:
            raise HoursError(_("“%(part)s” has no hours such as 09:00-18:00.") % {"part": part[:40]})
        entries.extend({"days": days, "from": start, "to": end} for start, end in windows)
    return entries


def _without_times(part: str) -> tuple[str, str]:
    for word in ("全天", "24小时", "24h"):
        if part.lower().endswith(word):
            return part[: -len(word)], word
    raise HoursError(_("“%(part)s” has no hours such as 09:00-18:00.") % {"part": part[:40]})


def show_days(days: Sequence[int]) -> str:
    """[0, 1, 2, 3, 4] → Mon-Fri or 周一至周五."""
    ordered = sorted(days) if days else list(range(7))
    joiner = "至" if (get_language() or "").startswith("zh") else "-"
    runs: list[list[int]] = []
    for day in ordered:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    texts = []
    for run in runs:
        if len(run) > 2:
            texts.append(f"{day_name(run[0])}{joiner}{day_name(run[-1])}")
        else:
            texts.extend(day_name(day) for day in run)
    return ", ".join(texts)


def show_shift(entries: Iterable[dict[str, Any]]) -> str:
    """The stored entries as `parse_shift` reads them; equal days stand together."""
    grouped: dict[tuple[int, ...], list[Pair]] = {}
    for entry in entries:
        days = tuple(entry.get("days") or range(7))
        grouped.setdefault(days, []).append([entry["from"], entry["to"]])
    return "; ".join(f"{show_days(days)} {show_windows(pairs)}" for days, pairs in grouped.items())
