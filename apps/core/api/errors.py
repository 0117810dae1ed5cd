"""Errors as RFC 9457 problem details with a stable `code`.

400: the message itself cannot be read (JSON, a field's type); `code` is "invalid" and `errors` names every
field. 401, 403, 404, 405, 409, 413, 429: as HTTP means them. 422: a rule of the shop says no (`code` names
the rule).
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import exception_handler
from drf_standardized_errors.types import Error, ErrorResponse
from rest_framework import status as http
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.settings import api_settings

from apps.core.exceptions import DomainError

PROBLEM = "application/problem+json"


class RefusedByRule(APIException):
    """Carries a DomainError through DRF's machinery; `field` is the field it speaks of, if any."""

    def __init__(self, error: DomainError) -> None:
        self.status_code = error.status
        self.field = error.params.get("field") or None
        super().__init__(detail=str(error.message), code=error.code)


class BodyTooLarge(APIException):
    """The body has more bytes than this address takes."""

    status_code = http.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The message is too large.")
    default_code = "body_too_large"


class NotVisible(APIException):
    """There is no such record, or this token may not see it; which of the two is not told."""

    status_code = http.HTTP_404_NOT_FOUND
    default_detail = _("Not found.")
    default_code = "not_found"


class ProblemFormatter(ExceptionFormatter):
    """{"type", "title", "status", "detail", "code", "errors": [{"code", "detail", "attr"}]}"""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        status = getattr(self.exc, "status_code", http.HTTP_500_INTERNAL_SERVER_ERROR)
        field = getattr(self.exc, "field", None)
        errors = as_list(error_response.errors)
        if field:
            errors = [error | {"attr": field} for error in errors]
        first = errors[0]
        if str(error_response.type) == "validation_error":
            code = "invalid"
        elif status >= http.HTTP_500_INTERNAL_SERVER_ERROR:
            code = first["code"] = "server_error"
        else:
            code = first["code"]
        named = first["attr"] is not None and field is None
        return {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": f"{first['attr']}: {first['detail']}" if named else first["detail"],
            "code": code,
            "errors": errors,
        }


def as_list(errors: Iterable[Error]) -> list[dict[str, Any]]:
    """Errors as problem documents carry them; an error of a whole object names the object, or nothing."""
    marker = api_settings.NON_FIELD_ERRORS_KEY
    out: list[dict[str, Any]] = []
    for error in errors:
        attr = error.attr
        if attr is not None and attr.split(".")[-1] == marker:
            attr = attr[: -len(marker)].rstrip(".") or None
        out.append({"code": error.code, "detail": str(error.detail), "attr": attr})
    return out


def problem_details(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: domain errors become 4xx, everything is a problem document."""
    if isinstance(exc, DomainError):
        exc = RefusedByRule(exc)
    elif isinstance(exc, RequestDataTooBig):
        # DATA_UPLOAD_MAX_MEMORY_SIZE: Django stops reading before our own limit is asked.
        exc = BodyTooLarge()
    response = exception_handler(exc, context)
    if response is not None:
        response.content_type = PROBLEM
    return response
