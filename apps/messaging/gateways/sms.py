"""Aliyun and Tencent Cloud SMS. Both send approved templates of their own: our template's code leads to theirs.

Settings: `sign_name` (the signature without brackets), `templates` {our code: theirs}, and for texts without a template
`free_template`, a template of the provider whose only variable is the whole text, where one was approved.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from apps.messaging import wording
from apps.messaging.carrier import signature_problem
from apps.messaging.choices import MessageChannel
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, Reply, call, sent, unreadable


class ProviderTemplates(Adapter):
    """What both providers share: signature and templates."""

    channels = frozenset({MessageChannel.SMS})

    def problems(self, gateway: Any) -> dict[str, Any]:
        """The signature's length, and that `templates` is a table."""
        found = super().problems(gateway)
        if "config" in found:
            return found
        problem = signature_problem(str(gateway.config.get("sign_name", "")))
        if problem is not None:
            found["config"] = wording.sentence(problem)
        elif not isinstance(gateway.config.get("templates", {}), dict):
            found["config"] = 'templates: {"FC_SMS": "SMS_123456789"}'
        return found

    def chosen(self, gateway: Any, outgoing: Outgoing) -> tuple[str, dict[str, str]] | None:
        """(the provider's template, its values), None when it has none for this text."""
        known = gateway.config.get("templates", {}).get(outgoing.template_code)
        if known:
            return str(known), {name: str(value) for name, value in outgoing.values.items()}
        free = gateway.config.get("free_template")
        return (str(free), {"text": outgoing.body}) if free else None


NO_TEMPLATE = Answer("failed", code="no_provider_template")


def percent(text: str) -> str:
    """Aliyun's encoding: RFC 3986, so a blank is %20, * is %2A and ~ stays."""
    return quote(text, safe="-_.~")


def aliyun_signature(params: dict[str, str], *, method: str, secret: str) -> str:
    """RPC signature 1.0: HMAC-SHA1 over METHOD&%2F&(the sorted query, encoded), keyed with the secret and "&"."""
    query = "&".join(f"{percent(name)}={percent(value)}" for name, value in sorted(params.items()))
    text = f"{method}&{percent('/')}&{percent(query)}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()


class AliyunSms(ProviderTemplates):
    """SendSms of 2017-05-25 (dysmsapi), RPC style. OutId carries our key, so that receipts find the message."""

    secrets = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET")
    needed = ("sign_name",)
    optional = ("templates", "free_template", "region", "base_url")
    base_url = "https://dysmsapi.aliyuncs.com"
    later = frozenset(
        {
            "isv.BUSINESS_LIMIT_CONTROL", "isv.OUT_OF_SERVICE", "isv.AMOUNT_NOT_ENOUGH", "isv.DAY_LIMIT_CONTROL",
            "isv.MONTH_LIMIT_CONTROL", "isv.ACCOUNT_ABNORMAL", "isv.RAM_PERMISSION_DENY", "isp.RAM_PERMISSION_DENY",
            "InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive", "SignatureDoesNotMatch", "Throttling",
            "Throttling.User", "Throttling.Api", "ServiceUnavailable", "InvalidTimeStamp.Expired", "SignatureNonceUsed",
            "isv.PRODUCT_UN_SUBSCRIPT",
        }
    )  # fmt: skip
    unknown = frozenset({"isp.SYSTEM_ERROR", "isp.UNKNOWN", "isp.GATEWAY_ERROR", "InternalError"})

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """One number, one message."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        chosen = self.chosen(gateway, outgoing)
        if chosen is None:
            return NO_TEMPLATE
        template, values = chosen
        params = {
            "AccessKeyId": self.secret(gateway, "ACCESS_KEY_ID"),
            "Action": "SendSms",
            "Format": "JSON",
            "OutId": outgoing.idempotency_key,
            "PhoneNumbers": outgoing.address,
            "RegionId": str(gateway.config.get("region", "cn-hangzhou")),
            "SignName": str(gateway.config["sign_name"]),
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": uuid.uuid4().hex,
            "SignatureVersion": "1.0",
            "TemplateCode": template,
            "TemplateParam": json.dumps(values, ensure_ascii=False),
            "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": "2017-05-25",
        }
        params["Signature"] = aliyun_signature(
            params, method="POST", secret=self.secret(gateway, "ACCESS_KEY_SECRET")
        )
        reply = call("POST", f"{self.url(gateway)}/", data=params)
        return reply if isinstance(reply, Answer) else self.read(reply)

    def read(self, reply: Reply) -> Answer:
        """The provider's Code in our words. What it names is surely not sent, unless the fault is its own."""
        code, text = str(reply.data.get("Code", "")), str(reply.data.get("Message", ""))
        if code == "OK":
            return sent(reply.data.get("BizId", ""))
        if not code:
            return unreadable(reply)
        if code in self.unknown:
            return Answer("unknown", code=code, text=text)
        return Answer("later" if code in self.later else "failed", code=code, text=text)


def tencent_authorization(
    *, secret_id: str, secret_key: str, host: str, body: bytes, action: str, timestamp: int
) -> str:
    """TC3-HMAC-SHA256 over method, path, headers and the body's hash; the key is derived from day and service."""
    date = datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d")
    signed = "content-type;host;x-tc-action"
    headers = f"content-type:application/json; charset=utf-8\nhost:{host}\nx-tc-action:{action.lower()}\n"
    canonical = "\n".join(["POST", "/", "", headers, signed, hashlib.sha256(body).hexdigest()])
    scope = f"{date}/sms/tc3_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    key = f"TC3{secret_key}".encode()
    for part in (date, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={signed}, Signature={signature}"


class TencentSms(ProviderTemplates):
    """SendSms of 2021-01-11. The provider's templates count their variables: ours go in the order of our text (`Outgoing.values`)."""

    secrets = ("SECRET_ID", "SECRET_KEY")
    needed = ("sign_name", "sdk_app_id")
    optional = ("templates", "free_template", "region", "base_url")
    base_url = "https://sms.tencentcloudapi.com"
    later = (
        "AuthFailure", "RequestLimitExceeded", "LimitExceeded", "FailedOperation.InsufficientBalanceInSmsPackage",
        "UnauthorizedOperation", "FailedOperation.FailResolvePacket", "ResourceUnavailable", "ResourceInsufficient",
    )  # fmt: skip
    unknown = ("InternalError", "FailedOperation.OtherError")
    refused = ("FailedOperation.PhoneNumberInBlacklist",)

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """One number, one message."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        chosen = self.chosen(gateway, outgoing)
        if chosen is None:
            return NO_TEMPLATE
        template, values = chosen
        body = json.dumps(
            {
                "PhoneNumberSet": [e164(outgoing.address)],
                "SmsSdkAppId": str(gateway.config["sdk_app_id"]),
                "SignName": str(gateway.config["sign_name"]),
                "TemplateId": template,
                "TemplateParamSet": list(values.values()),
                "SessionContext": outgoing.idempotency_key,
            },
            ensure_ascii=False,
        ).encode()
        timestamp, url = int(now.timestamp()), self.url(gateway)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-TC-Action": "SendSms",
            "X-TC-Version": "2021-01-11",
            "X-TC-Region": str(gateway.config.get("region", "ap-guangzhou")),
            "X-TC-Timestamp": str(timestamp),
            "Authorization": tencent_authorization(
                secret_id=self.secret(gateway, "SECRET_ID"),
                secret_key=self.secret(gateway, "SECRET_KEY"),
                host=urlsplit(url).netloc,
                body=body,
                action="SendSms",
                timestamp=timestamp,
            ),
        }
        reply = call("POST", f"{url}/", content=body, headers=headers)
        return reply if isinstance(reply, Answer) else self.read(reply)

    def read(self, reply: Reply) -> Answer:
        """An error of the request, or the state of the one number in it."""
        response = reply.data.get("Response", {})
        if not isinstance(response, dict):
            return unreadable(reply)
        error = response.get("Error")
        if isinstance(error, dict):
            return self._named(str(error.get("Code", "")), str(error.get("Message", "")))
        states = response.get("SendStatusSet") or []
        if not states:
            return unreadable(reply)
        code = str(states[0].get("Code", ""))
        if code == "Ok":
            return sent(states[0].get("SerialNo", ""))
        return self._named(code, str(states[0].get("Message", "")))

    def _named(self, code: str, text: str) -> Answer:
        for outcome, beginnings in (
            ("refused", self.refused),
            ("unknown", self.unknown),
            ("later", self.later),
        ):
            if code.startswith(beginnings):
                return Answer(outcome, code=code, text=text)
        return Answer("failed" if code else "unknown", code=code or "unknown_outcome", text=text)


def e164(phone: str) -> str:
    """+8613812345678 for a mainland number; others keep their own country code."""
    digits = "".join(c for c in phone if c.isdigit())
    if phone.strip().startswith("+"):
        return f"+{digits}"
    if phone.strip().startswith("00"):
        return f"+{digits[2:]}"
    return f"+{digits}" if len(digits) == 13 and digits.startswith("86") else f"+86{digits}"
