"""The Simplified Chinese catalogue is complete, compiled, and in step with the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils import translation

from apps.feedback.fileformats import Problem
from apps.feedback.problem_texts import FIXES, TEXTS

ROOT = Path(settings.BASE_DIR)
FOLDER = Path("locale/zh_Hans/LC_MESSAGES")
MAKEMESSAGES = [
    "makemessages", "-l", "zh_Hans", "--add-location", "file", "--no-wrap",
    "--ignore", ".venv", "--ignore", "var", "--ignore", "docs/*",
]  # fmt: skip
# %(name)s, %s and %% of Python's old format; {name} of str.format.
OLD_STYLE = re.compile(r"%(?:\(\w+\))?[#0\- +]*\d*(?:\.\d+)?[a-zA-Z%]")
BRACES = re.compile(r"\{\w*\}")


def catalogue(path: Path = ROOT / FOLDER / "django.po") -> polib.POFile:
    return polib.pofile(str(path))


def key_of(entry: polib.POEntry | polib.MOEntry) -> tuple[str, str]:
    return entry.msgctxt or "", entry.msgid


def texts_of(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def placeholders(entry: polib.POEntry, text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    if "python-format" in entry.flags:
        found.update(OLD_STYLE.findall(text))
    if "python-brace-format" in entry.flags:
        found.update(BRACES.findall(text))
    return found


def test_nothing_is_fuzzy_empty_or_left_over() -> None:
    wrong = [
        entry.msgid
        for entry in catalogue()
        if entry.fuzzy or entry.obsolete or not all(text.strip() for text in texts_of(entry))
    ]
    assert not wrong, f"translate these, then compile: {wrong}"


def test_placeholders_survive_translation() -> None:
    wrong = []
    for entry in catalogue():
        # Chinese has one form for every number; it must fit the plural, which always names the number.
        source = entry.msgid_plural or entry.msgid
        wrong += [
            (entry.msgid, text)
            for text in texts_of(entry)
            if placeholders(entry, source) != placeholders(entry, text)
        ]
    assert not wrong


def test_markup_survives_translation() -> None:
    tags = re.compile(r"</?\w+[^>]*>")
    wrong = [
        entry.msgid
        for entry in catalogue()
        for text in texts_of(entry)
        if sorted(tags.findall(entry.msgid)) != sorted(tags.findall(text))
    ]
    assert not wrong


def test_compiled_catalogue_is_up_to_date() -> None:
    compiled = {key_of(entry): texts_of(entry) for entry in polib.mofile(str(ROOT / FOLDER / "django.mo"))}
    source = {key_of(entry): texts_of(entry) for entry in catalogue()}
    assert compiled == source, "run: python manage.py compilemessages -l zh_Hans"


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext is not installed")
def test_gettext_accepts_the_catalogue(tmp_path: Path) -> None:
    check = ["msgfmt", "--check", "-o", str(tmp_path / "django.mo"), str(ROOT / FOLDER / "django.po")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed")
def test_every_text_of_the_code_is_in_the_catalogue(tmp_path: Path) -> None:
    for part in ("apps", "feedback_crm", "templates", "locale"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    environment = {
        **os.environ,
        "VAR_DIR": str(tmp_path / "var"),
        "DATABASE_URL": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *MAKEMESSAGES],
        cwd=tmp_path, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {key_of(entry) for entry in catalogue(tmp_path / FOLDER / "django.po") if not entry.obsolete}
    present = {key_of(entry) for entry in catalogue()}
    command = "python manage.py " + " ".join(MAKEMESSAGES)
    assert not found - present, f"new texts; run: {command}"
    assert not present - found, f"texts nobody uses any more; run: {command}"


def test_every_problem_of_a_file_has_its_text() -> None:
    with translation.override("en"):
        assert {problem.value: problem.template for problem in Problem} == {
            code: str(text) for code, text in TEXTS.items()
        }
    # What intake refuses has its text there.
    intake = {"store", "channel", "kind"}
    long = {"text_too_long", "external_id_too_long", "order_no_too_long", "product_sku_too_long"}
    known = set(TEXTS) | {f"unknown_{name}" for name in intake} | long | {"future_date", "text_missing"}
    assert set(FIXES) <= known
