"""`Idempotency-Key` on POSTs that create."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.services import idempotency

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = re.compile(r"[\x21-\x7e]{1,120}")
NOTHING = hashlib.sha256(b"").hexdigest()

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """Honour the header on a view's method: done once for each token and key, answered alike every time.

    Only answers below 400 are kept: a refusal has changed nothing, so the key may be used again at once.
    """

    @wraps(handler)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(self, request, *args, **kwargs)
        if not KEY.fullmatch(key):
            raise ValidationError({HEADER: [_("1 to 120 visible ASCII characters.")]}, code="idempotency_key")
        request.data  # noqa: B018 - parse first: a body that cannot be read must not take the key
        claim = idempotency.claim(
            token=request.user,
            key=key,
            fingerprint=idempotency.fingerprint(
                method=request.method or "",
                path=request.get_full_path(),
                body=getattr(request, "body_digest", NOTHING),
            ),
            now=timezone.now(),
        )
        if claim.kept:
            return Response(claim.row.answer, status=claim.row.status, headers={REPLAYED: "true"})
        try:
            with transaction.atomic():
                response = handler(self, request, *args, **kwargs)
                if response.status_code < 400:
                    answer = json.loads(JSONRenderer().render(response.data))
                    idempotency.keep(row=claim.row, status=response.status_code, answer=answer)
        except BaseException:
            idempotency.release(row=claim.row)
            raise
        if response.status_code >= 400:
            idempotency.release(row=claim.row)
        return response

    return wrapper
