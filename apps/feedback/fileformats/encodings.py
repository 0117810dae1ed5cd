"""Which encoding is this? BOM, then strict UTF-8, then GB18030 (peers.md 4.6).

GB18030 accepts almost any bytes, so it must be asked last; UTF-8 accepts hardly any by accident. A file may
be plain ASCII for its first megabytes (order numbers) and Chinese below, so the decision is taken where the
first non-ASCII byte stands, however deep that is.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

#: Marks an undecodable byte while a line is on its way; a lone surrogate no decoder returns for valid input.
UNDECODABLE = "\udfff"
_HANDLER = "feedback.fileformats.mark"
_WINDOW = 1024 * 1024


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_HANDLER, _mark)


def marking_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Incremental decoder that puts ``UNDECODABLE`` where bytes make no sense."""
    return codecs.getincrementaldecoder(encoding)(errors=_HANDLER)


def detect_encoding(head: bytes, more: Callable[[int], bytes]) -> str:
    """Encoding of a text that begins with ``head`` and continues with ``more(size)``.

    Reads to the first non-ASCII byte and a megabyte on from there. Damaged text is given to the encoding
    that explains it better, so that one broken byte in a UTF-8 file costs one row, not the file.
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    chunk = head
    while chunk.isascii():
        chunk = more(_WINDOW)
        if not chunk:
            return "utf-8"
    window = chunk + more(_WINDOW)
    window = window[: window.rfind(b"\n") + 1] or window  # do not cut a character in two
    if window.isascii():
        window = chunk
    if _decodes(window, "utf-8"):
        return "utf-8"
    good, bad = _utf8_score(window)
    if good >= 10 * bad:
        return "utf-8"
    return "gb18030"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        # Not final: the end of the window may fall into a character.
        codecs.getincrementaldecoder(encoding)().decode(data, False)
    except UnicodeDecodeError:
        return False
    return True


def _utf8_score(data: bytes) -> tuple[int, int]:
    """(multi-byte characters that are valid UTF-8, places that are not)."""
    text = marking_decoder("utf-8").decode(data, False)
    bad = text.count(UNDECODABLE)
    return len(text) - bad - len(text.encode("ascii", "ignore")), bad
