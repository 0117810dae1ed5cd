"""Adapters: one class a kind of gateway, each speaking one provider's documented protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.messaging.choices import GatewayKind
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, secret_name
from apps.messaging.gateways.http import SignedHttp
from apps.messaging.gateways.local import Assisted, Console
from apps.messaging.gateways.mail import Mail
from apps.messaging.gateways.robots import DingtalkRobot, FeishuRobot, WecomRobot
from apps.messaging.gateways.sms import AliyunSms, TencentSms
from apps.messaging.gateways.wechat import WechatService, WechatTemplate

if TYPE_CHECKING:
    from apps.messaging.models import Gateway

ADAPTERS: dict[str, Adapter] = {
    GatewayKind.CONSOLE: Console(),
    GatewayKind.ASSISTED: Assisted(),
    GatewayKind.EMAIL: Mail(),
    GatewayKind.ALIYUN_SMS: AliyunSms(),
    GatewayKind.TENCENT_SMS: TencentSms(),
    GatewayKind.WECHAT_TEMPLATE: WechatTemplate(),
    GatewayKind.WECHAT_SERVICE: WechatService(),
    GatewayKind.SIGNED_HTTP: SignedHttp(),
    GatewayKind.WECOM_ROBOT: WecomRobot(),
    GatewayKind.DINGTALK_ROBOT: DingtalkRobot(),
    GatewayKind.FEISHU_ROBOT: FeishuRobot(),
}


def adapter_of(gateway: Gateway) -> Adapter:
    """The adapter of a gateway."""
    return ADAPTERS[gateway.kind]


def problems(gateway: Gateway) -> dict[str, Any]:
    """What is wrong with a gateway's settings, by field; {} when it can work."""
    adapter = ADAPTERS.get(gateway.kind)
    return adapter.problems(gateway) if adapter is not None else {}


def secrets_of(gateway: Gateway) -> list[tuple[str, bool]]:
    """The environment variables a gateway reads, and whether each is set. Never their values."""
    adapter = ADAPTERS.get(gateway.kind)
    if adapter is None:
        return []
    return [
        (secret_name(gateway.code, name), bool(adapter.secret(gateway, name))) for name in adapter.secrets
    ]


__all__ = ("ADAPTERS", "Adapter", "Answer", "Outgoing", "adapter_of", "problems", "secrets_of")
