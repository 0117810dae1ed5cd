"""Pushes of providers in their own formats: WeChat official account, Aliyun SMS."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.messaging.choices import GatewayKind, MessageChannel
from apps.messaging.gateways.base import secret_name
from apps.messaging.models import Gateway
from apps.messaging.services.inbound import IncomingMessage, receive

LARGEST = 256 * 1024
CLOCKS_DIFFER = timedelta(minutes=5)
CHINA = ZoneInfo("Asia/Shanghai")
WECHAT = (GatewayKind.WECHAT_TEMPLATE, GatewayKind.WECHAT_SERVICE)


def _push_token(gateway: Gateway | None) -> str:
    return os.environ.get(secret_name(gateway.code, "PUSH_TOKEN"), "").strip() if gateway is not None else ""


def _body(request: HttpRequest) -> bytes | None:
    body = request.read(LARGEST + 1)
    return None if len(body) > LARGEST else body


# -- WeChat ----------
def wechat_signature(token: str, timestamp: str, nonce: str) -> str:
    """SHA-1 over token, timestamp and nonce, sorted and joined."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce))).encode()).hexdigest()  # noqa: S324


def _is_wechat(request: HttpRequest, token: str, now: datetime) -> bool:
    timestamp, nonce = request.GET.get("timestamp", ""), request.GET.get("nonce", "")
    expected = wechat_signature(token, timestamp, nonce)
    if not token or not hmac.compare_digest(expected, request.GET.get("signature", "")):
        return False
    # The signature does not cover the body: one that was overheard must not work for long.
    return timestamp.isdigit() and abs(now.timestamp() - int(timestamp)) <= CLOCKS_DIFFER.total_seconds()


def read_xml(body: bytes) -> dict[str, str] | None:
    """The fields of a push; None when it is no plain XML. Document types, and with them entities, are refused."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError:
        return None
    return {child.tag: (child.text or "").strip() for child in root}


def of_wechat(fields: dict[str, str]) -> IncomingMessage | None:
    """A text, or the report on a template message; None for what is neither."""
    seconds = fields.get("CreateTime", "")
    at = datetime.fromtimestamp(int(seconds), tz=UTC) if seconds.isdigit() and len(seconds) < 12 else None
    sender = fields.get("FromUserName", "")
    if fields.get("MsgType") == "text" and sender:
        return IncomingMessage(
            channel=MessageChannel.WECHAT,
            address=sender,
            text=fields.get("Content", ""),
            external_id=fields.get("MsgId", ""),
            at=at,
        )
    if fields.get("Event") == "TEMPLATESENDJOBFINISH":
        status = fields.get("Status", "")
        return IncomingMessage(
            channel=MessageChannel.WECHAT,
            address=sender,
            at=at,
            receipt="delivered" if status == "success" else "failed",
            provider_id=fields.get("MsgID", "") or fields.get("MsgId", ""),
            code=status[:40],
            error=status,
        )
    return None


@csrf_exempt
@require_http_methods(["GET", "POST"])
def wechat(request: HttpRequest, code: str) -> HttpResponse:
    """GET: WeChat asks whether the address is ours. POST: a message or event; answered “success” once it is kept."""
    now = timezone.now()
    gateway = Gateway.objects.filter(code=code, kind__in=WECHAT).first()
    if not _is_wechat(request, _push_token(gateway), now):
        return HttpResponse(status=403)
    if request.method == "GET":
        return HttpResponse(request.GET.get("echostr", "")[:200], content_type="text/plain; charset=utf-8")
    body = _body(request)
    fields = read_xml(body) if body is not None else None
    if fields is None:
        return HttpResponse(status=400)
    item = of_wechat(fields)
    if item is not None and receive([item], gateway_code=code, now=now)[0].state == "error":
        # WeChat delivers again what was not taken.
        return HttpResponse(status=500)
    return HttpResponse("success", content_type="text/plain; charset=utf-8")


# -- Aliyun ----------
def _china_time(text: Any) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return None


def of_aliyun(entry: dict[str, Any]) -> IncomingMessage | None:
    """A delivery report (SmsReport) or an answer (SmsUp)."""
    if "success" in entry:
        ok = entry["success"] in (True, "true")
        return IncomingMessage(
            channel=MessageChannel.SMS,
            address=str(entry.get("phone_number", "")),
            at=_china_time(entry.get("report_time")),
            receipt="delivered" if ok else "failed",
            provider_id=str(entry.get("biz_id", "")),
            idempotency_key=str(entry.get("out_id") or ""),
            code=str(entry.get("err_code", "")),
            error=str(entry.get("err_msg", "")),
        )
    if "content" in entry:
        return IncomingMessage(
            channel=MessageChannel.SMS,
            address=str(entry.get("phone_number", "")),
            text=str(entry["content"]),
            external_id=str(entry.get("sequence_id") or ""),
            at=_china_time(entry.get("send_time")),
            payload={"dest_code": str(entry.get("dest_code", ""))[:40]},
        )
    return None


@csrf_exempt
@require_http_methods(["POST"])
def aliyun(request: HttpRequest, code: str, token: str) -> HttpResponse:
    """Reports and answers as a JSON list. Aliyun signs nothing: the last part of the address is the secret."""
    gateway = Gateway.objects.filter(code=code, kind=GatewayKind.ALIYUN_SMS).first()
    expected = _push_token(gateway)
    if not expected or not hmac.compare_digest(expected.encode(), token.encode()):
        return HttpResponse(status=403)
    body = _body(request)
    try:
        entries = json.loads(body or b"")
    except ValueError:
        return JsonResponse({"code": 1, "msg": "not JSON"}, status=400)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return JsonResponse({"code": 1, "msg": "not a list of objects"}, status=400)
    items = [item for entry in entries if (item := of_aliyun(entry)) is not None]
    found = receive(items, gateway_code=code, now=timezone.now())
    if any(outcome.state == "error" for outcome in found):
        # Delivered again; what was taken is known by its number then.
        return JsonResponse({"code": 1, "msg": "not all were taken"}, status=500)
    return JsonResponse({"code": 0, "msg": "OK"})
