"""Whoever wrote a review is neither threatened nor insulted, nor led into private payment (REV-11, REV-13)."""

from __future__ import annotations

import pytest

from apps.compliance.selectors import check
from apps.compliance.types import Facts
from tests.factories import NOW


def rules(text: str, subject: str) -> set[str]:
    facts = Facts(subject=subject, reward="none", trigger="none", invites_review=False, review_script_required=False)  # type: ignore[arg-type]  # fmt: skip
    return {finding.rule for finding in check(text, facts=facts, at=NOW) if finding.action == "block"}


@pytest.mark.parametrize("subject", ["reply", "public_reply", "message"])
@pytest.mark.parametrize(
    "text",
    [
        "您这种恶意差评我们会起诉你！", "再发差评就去你家找你", "再乱写就报警抓你", "曝光你的信息", "把您的电话住址公开，公布您的手机号",
        "差评是吧，法院见", "不要脸，傻逼买家", "信不信我找人收拾你", "我们会去法院告你", "再给差评别怪我们不客气", "你就是个职业差评师",
        "小心我上你家去", "我知道你住哪，你等着", "我要把你的订单信息发到网上", "再 发 差 评 就 去 你 家 找 你",
    ],
)  # fmt: skip
def test_threats_and_insults_are_stopped(db: None, text: str, subject: str) -> None:
    assert "REV-11" in rules(text, subject)


@pytest.mark.parametrize(
    "text",
    [
        "如有疑问可依法通过平台申诉渠道处理", "我们将依法向平台申诉并提交证据", "师傅会到您家上门维修", "您再发一张照片，我们会上门取件",
        "看到您的差评我们很抱歉，会尽快找您核实", "客服骂您脑残，我们深表歉意", "我们不会起诉您，也不会公开您的信息", "建议您报警处理，我们会配合",
        "现将核实情况告诉您", "快递员打您电话没有接通", "感谢您再次给我们写评价，我们会上门为您调试", "我们不会公开您的个人信息", "这个评价没完整显示，我们正在核实", "我们已教训您反映的员工",
        "如果您再给我们一次机会，我们会上门道歉",
    ],
)  # fmt: skip
def test_calm_words_pass(db: None, text: str) -> None:
    assert "REV-11" not in rules(text, "public_reply")


@pytest.mark.parametrize(
    "text",
    [
        "加微信私聊返钱",
        "私下给您返现",
        "加V信领红包",
        "私信我们给您发红包",
        "这事私下给您补偿",
        "返您20元，私聊",
    ],
)
def test_hints_at_private_payment_are_stopped_in_public(db: None, text: str) -> None:
    assert "REV-13" in rules(text, "public_reply")


@pytest.mark.parametrize(
    "text",
    [
        "请私信客服提供订单信息，我们为您办理退款",
        "请联系官方客服",
        "请加官方微信客服，为您返修",
        "谨防有人冒充客服加微信返现",
    ],
)
def test_ways_to_reach_the_shop_pass(db: None, text: str) -> None:
    assert "REV-13" not in rules(text, "public_reply")
