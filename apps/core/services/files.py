"""Taking a file in: type and size checked, hashed, stored once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.core.models import StoredFile, User

# What a file begins with decides its type; its name decides nothing.
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"GIF87a", "image/gif", ".gif"),
    (b"GIF89a", "image/gif", ".gif"),
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"ID3", "audio/mpeg", ".mp3"),
    (b"\xff\xfb", "audio/mpeg", ".mp3"),
    (b"OggS", "audio/ogg", ".ogg"),
)
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
AUDIO = frozenset({"audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4"})
MAX_BYTES = 10 * 1024 * 1024
# Brands of pictures in the container that .m4a shares.
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def detect(head: bytes) -> tuple[str, str]:
    """(content type, suffix) by the first bytes; ("", "") when unknown."""
    for signature, content_type, suffix in SIGNATURES:
        if head.startswith(signature):
            return content_type, suffix
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp", ".webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav", ".wav"
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return "image/heic", ".heic"
    if head[4:8] == b"ftyp":
        return "audio/mp4", ".m4a"
    return "", ""


def store_file(
    *,
    upload: File,
    by: User | None,
    now: datetime,
    allowed: frozenset[str] = IMAGES,
    max_bytes: int = MAX_BYTES,
) -> StoredFile:
    """Keep `upload` if its true type is in `allowed` and it is not too large. Raises InvalidInput."""
    name = PurePath(upload.name or "file").name[:200]
    if upload.size > max_bytes:
        raise InvalidInput(
            _("%(name)s is larger than %(limit)d MB.") % {"name": name, "limit": max_bytes // 1024 // 1024},
            field="file",
        )
    upload.seek(0)
    content_type, suffix = detect(upload.read(16))
    if content_type not in allowed:
        raise InvalidInput(
            _("%(name)s is not of a type that can be kept here.") % {"name": name}, field="file"
        )
    return keep(upload=upload, by=by, now=now, content_type=content_type, suffix=suffix)


def keep(*, upload: File, by: User | None, now: datetime, content_type: str, suffix: str) -> StoredFile:
    """Keep a file whose type and size the caller has checked. Read in pieces, never whole into memory."""
    name = PurePath(upload.name or "file").name[:200]
    upload.seek(0)
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    stored = StoredFile(
        name=name,
        content_type=content_type,
        suffix=suffix,
        size=upload.size,
        sha256=digest.hexdigest(),
        uploaded_by=by,
        created_at=now,
    )
    stored.file.save(name, upload, save=False)
    stored.save()
    return stored


def drop(stored: StoredFile) -> None:
    """Forget a file nobody refers to any more; its content goes when the deletion is committed."""
    content = stored.file
    stored.delete()
    transaction.on_commit(lambda: content.storage.delete(content.name))


@contextmanager
def local_path(stored: StoredFile) -> Iterator[Path]:
    """The file as a path on this machine, copied here for the while if the storage lies elsewhere."""
    try:
        path = Path(stored.file.path)
    except NotImplementedError:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "file"
            with stored.file.open("rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            yield copy
        return
    yield path
