"""The documents name what there is, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands

from apps.feedback.transitions import FEEDBACK

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def own_commands() -> set[str]:
    return {name for name, app in get_commands().items() if str(app).startswith(("apps.", "feedback_crm"))}


def environment_variables() -> set[str]:
    calls = re.compile(
        r"(?:env\.\w+|boolean|secret|database|time_zone|environ\.get)\(\s*\"([A-Z][A-Z_]+)\"|environ\[\"([A-Z_]+)\"\]"
    )
    found: set[str] = set()
    for path in (ROOT / "feedback_crm").rglob("*.py"):
        for call in calls.findall(path.read_text("utf-8")):
            found.update(name for name in call if name)
    return found - {"DJANGO_SETTINGS_MODULE"}


def anchors(text: str) -> set[str]:
    """Anchors as they are made from headings: lower case, punctuation away, blanks to hyphens."""
    headings = re.findall(r"^#+\s+(.+)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_command_is_described() -> None:
    missing = {name for name in own_commands() if f"`{name}" not in read("commands.md")}
    assert not missing


def test_no_command_is_described_that_is_not_there() -> None:
    described = set(re.findall(r"^\| `(\w+)", read("commands.md"), re.MULTILINE))
    assert described <= set(get_commands())


def test_every_environment_variable_is_described() -> None:
    variables = environment_variables()
    assert {"DATABASE_URL", "SECRET_KEY", "VAR_DIR", "PORT"} <= variables
    assert not {name for name in variables if f"`{name}`" not in read("how-to/settings.md")}


def test_every_setting_described_is_read() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)`", read("how-to/settings.md"), re.MULTILINE))
    assert described == environment_variables()


def test_the_reference_deployment_believes_its_proxy_and_takes_files_as_large_as_the_application() -> None:
    assert "TRUSTED_PROXIES: ${TRUSTED_PROXIES:-1}" in (ROOT / "compose.yaml").read_text("utf-8")
    location = (
        read("how-to/deploy.md").partition("location /admin/feedback/importrun/ {")[2].partition("}")[0]
    )
    size = re.search(r"client_max_body_size (\d+)m;", location)
    assert size
    assert int(size[1]) >= settings.FEEDBACK_IMPORT_MAX_MB


def test_every_move_of_a_case_is_described() -> None:
    text = read("architecture.md")
    assert not {verb for verb in FEEDBACK.verbs() if f"`{verb}`" not in text}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for pair in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        link = unquote(pair[0] or pair[1])
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    assert not broken


def test_every_page_can_be_found() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    assert not {page for page in pages if page not in index}


def test_pictures_are_small_and_used() -> None:
    texts = "".join(path.read_text("utf-8") for path in PAGES)
    for picture in (ROOT / "docs" / "images").glob("*"):
        assert picture.stat().st_size < 250_000, picture.name
        assert picture.name in texts, picture.name
