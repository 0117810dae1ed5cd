"""Reading JSON bodies so that no body, however odd, is a fault of ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from apps.core.api.errors import BodyTooLarge

# A thousand reviews with room to spare; larger loads come in several calls or as a file.
MAX_BODY = 8 * 1024 * 1024


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_json(data: bytes) -> Any:
    """The value in a JSON body, which is UTF-8 whatever the header says (RFC 8259). Raises ParseError."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_not_json)
    except RecursionError as error:
        raise ParseError(_("The JSON is nested too deeply.")) from error
    except ValueError as error:
        raise ParseError(_("This is not JSON: %(why)s") % {"why": str(error)[:200]}) from error


class StrictJSONParser(JSONParser):
    """JSON with a bound on size and depth. Leaves the body's SHA-256 on the request for Idempotency-Key."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The parsed body. Raises BodyTooLarge or ParseError."""
        context = parser_context or {}
        limit = getattr(context.get("view"), "max_body", MAX_BODY)
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise BodyTooLarge()
        request = context.get("request")
        if request is not None:
            request.body_digest = hashlib.sha256(data).hexdigest()
        return read_json(data)
