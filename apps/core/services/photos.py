"""Photos from people we do not know: looked at, turned upright, made anew without what the camera wrote into them."""

from __future__ import annotations

import io
import threading
import warnings
from typing import IO

import pi_heif
from django.core.files.base import ContentFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from apps.core.exceptions import InvalidInput
from apps.core.services.files import detect

pi_heif.register_heif_opener()

# Type by content → how it is written again. HEIC becomes JPEG, since browsers do not show it.
WRITTEN_AS = {
    "image/jpeg": ("JPEG", "jpg"),
    "image/png": ("PNG", "png"),
    "image/webp": ("WEBP", "webp"),
    "image/heic": ("JPEG", "jpg"),
}
READERS = ("JPEG", "PNG", "WEBP", "HEIF")
LONGEST_SIDE = 2560
# A 100-megapixel telephone passes: its JPEG decodes straight to about the size that is kept.
MOST_PIXELS = 120_000_000
# Everything else is unpacked whole, up to a dozen bytes a pixel: half a megabyte may become gigabytes.
MOST_UNPACKED = 26_500_000
# Several at once would need their memory at once.
ONE_AT_A_TIME = threading.Lock()
MAX_BYTES = 10 * 1024 * 1024


def clean_photo(upload: IO[bytes], *, size: int, number: int) -> ContentFile:
    """The photo in `upload` made anew: upright, at most 2560 pixels long, no EXIF, GPS, comment or name of its own.

    `number` is its place among the photos, for messages and the new name. Raises InvalidInput (field "photos").
    """
    if size > MAX_BYTES:
        raise InvalidInput(
            _("Photo %(number)d is larger than %(limit)d MB.")
            % {"number": number, "limit": MAX_BYTES // 1024 // 1024},
            field="photos",
        )
    upload.seek(0)
    content_type, _suffix = detect(upload.read(32))
    upload.seek(0)
    if content_type not in WRITTEN_AS:
        raise InvalidInput(
            _("Photo %(number)d is no JPEG, PNG, WebP or HEIC picture.") % {"number": number}, field="photos"
        )
    written_as, suffix = WRITTEN_AS[content_type]
    try:
        with ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _made_anew(upload, written_as, name=f"photo-{number}.{suffix}")
    except _TooLarge as error:
        raise InvalidInput(
            _("Photo %(number)d has more pixels than can be handled here. Send it in a smaller size.")
            % {"number": number},
            field="photos",
        ) from error
    except Exception as error:  # A picture made to harm may raise anything.
        raise InvalidInput(
            _("Photo %(number)d cannot be read. Take it again or leave it out.") % {"number": number},
            field="photos",
        ) from error


class _TooLarge(Exception):
    """More pixels than memory is given for."""


def _made_anew(upload: IO[bytes], written_as: str, *, name: str) -> ContentFile:
    with Image.open(upload, formats=READERS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise _TooLarge
        if not picture.info.get("progressive"):
            share = min(1.0, LONGEST_SIDE / max(picture.size))
            picture.draft("RGB", (max(1, int(picture.width * share)), max(1, int(picture.height * share))))
        # The size it will have once it is unpacked.
        if picture.width * picture.height > MOST_UNPACKED:
            raise _TooLarge
        # Smaller first: turning copies it.
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(picture)
        mode = "RGB" if written_as == "JPEG" or not upright.has_transparency_data else "RGBA"
        pixels = upright.convert(mode)
    # Writers copy comments and EXIF from what they find here.
    pixels.info = {}
    buffer = io.BytesIO()
    pixels.save(buffer, written_as, quality=85)
    return ContentFile(buffer.getvalue(), name=name)
