"""Reads the environment once and stops with one clear line when a value makes no sense.

Secrets come only from the environment. On a developer's or newcomer's machine, where none is set, a key is made
once and kept under ``var/`` with mode 600, so that hashes and sessions survive a restart.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def stop(message: str) -> None:
    """End the process with one line; used for settings that cannot work."""
    sys.exit(f"feedback_crm: {message}")


def var_dir() -> Path:
    """The folder for everything the installation writes itself: database, keys, files, queues."""
    path = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(f"VAR_DIR {path} cannot be written: {error.strerror}")
    return path


def secret(name: str, *, var: Path) -> str:
    """The secret `name` from the environment, else one generated once into ``var/keys``."""
    value: str = env.str(name, default="")
    if value:
        if len(value) < 32:
            stop(f"{name} is too short: at least 32 characters")
        return value
    path = var / "keys" / name.lower()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        # O_EXCL makes two processes that start together agree on one key.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip() or _wait_for(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _wait_for(path: Path) -> str:
    # The file exists but its writer has not finished: a handful of reads is enough.
    for _ in range(1000):
        value = path.read_text().strip()
        if value:
            return value
    stop(f"{path} is empty: delete it to have a new key made")
    return ""


def boolean(name: str, *, default: bool) -> bool:
    """A yes/no setting; anything else than true/false/1/0/yes/no/on/off stops the start."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    lowered = raw.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off"}:
        return False
    stop(f"{name}={raw!r} is neither true nor false")
    return default


def database(name: str, *, var: Path) -> dict[str, Any]:
    """DATABASE_URL as Django settings: PostgreSQL for production, SQLite (WAL, IMMEDIATE) embedded."""
    url = env.str(name, default="") or f"sqlite:///{var / 'db.sqlite3'}"
    scheme = url.split(":", 1)[0]
    if scheme not in {"sqlite", "postgres", "postgresql", "psql"}:
        stop(f"{name} must start with sqlite:// or postgres://, not {scheme}://")
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except Exception:
        stop(f"{name} cannot be read: expected e.g. postgres://user:password@host:5432/name")
    if scheme == "sqlite":
        name_given = config.get("NAME")
        if name_given and name_given != ":memory:" and not Path(name_given).is_absolute():
            config["NAME"] = str(BASE_DIR / name_given)
        # Django's defaults lost 167 of 600 concurrent writes; these lost none (docs/decisions/0001-stack.md).
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
                "PRAGMA busy_timeout=20000;PRAGMA cache_size=-32000;"
            ),
        }
    else:
        config["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
        config["CONN_HEALTH_CHECKS"] = True
    return config


def time_zone(name: str, *, default: str) -> str:
    """An IANA zone name such as Asia/Shanghai."""
    value: str = env.str(name, default=default)
    try:
        ZoneInfo(value)
    except Exception:
        stop(f"{name}={value!r} is not a time zone; example: Asia/Shanghai")
    return value
