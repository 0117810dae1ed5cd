"""Asking for stars or praise is speaking of the review; thanking for them is not (REV-10, REV-12)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.compliance.selectors import check
from apps.compliance.types import Facts, worst
from apps.feedback.services.replies import asks_for_review
from tests.factories import NOW

ASKING = (
    "您稍后给个五星吧",
    "方便的话点个五星",
    "收到满意的话辛苦给个五星",
    "麻烦给个五星好评",
    "帮我们点个好评",
    "给个好评呗",
    "评个5星",
    "打个好评",
    "好评一下",
    "给个5⭐呗",
    "麻烦点个五⭐",
    "给我们五颗星吧",
    "给个 hp 呗",
    "给个5x吧",
    "给 个 好 坪 呗",
    "麻烦您给小店五星好评",
    "满意的话五星好评哦",
    "期待您的五星好评",
    "请五星支持一下",
    "问题解决了您给我们来个好评",
    "求好评",
    "记得五星好评哦亲",
    "亲亲给小店点亮五颗星",
    "能不能给我们个好评",
)
TELLING = (
    "您给的五星好评我们收到了，谢谢",
    "看到您的差评我们很抱歉",
    "感谢您的好评",
    "五星级酒店",
    "我们的五星售后团队",
    "感谢您给我们打五星好评",
    "谢谢您给小店五星好评，祝您生活愉快",
    "感谢您的五星好评，期待您再次光临",
    "您的五星鼓励是我们前进的动力",
    "本店好评率98%",
    "要求好评的客服已被处罚，向您道歉",
    "您说客服让您给个五星，这是我们的错",
    "我们不求好评，只求您用得放心",
    "请5分钟后再试",
    "给个准信，我们五星售后团队马上联系您",
    "您的好评一下子让我们有了干劲",
    "请回复1-5为本次服务打分,5为非常满意。",
)


@pytest.mark.parametrize("text", ASKING)
def test_asking_for_praise_is_speaking_of_the_review(db: None, text: str) -> None:
    assert asks_for_review(text)
    # "Check a text" shows it, a reply before the remedy is stopped.
    assert "REV-12" in {finding.rule for finding in check(text, facts=Facts(subject="text"), at=NOW)}
    early = Facts(
        subject="reply", reward="none", trigger="none", review_script_required=False, invites_review=asks_for_review(text),
        review_invites_before=0, refused_review_contact=False, remedy_executed=False, local_hour=12,
    )  # fmt: skip
    assert worst(check(text, facts=early, at=NOW)) == "block"


@pytest.mark.parametrize("text", TELLING)
def test_telling_of_praise_is_no_request(db: None, text: str) -> None:
    assert not asks_for_review(text)
    assert "REV-12" not in {finding.rule for finding in check(text, at=NOW)}


@pytest.mark.parametrize("text", ["给个五星吧，给您补10元", "帮我们点个好评，送您一张券"])
def test_praise_beside_a_benefit_is_stopped(db: None, text: str) -> None:
    for subject in ("reply", "public_reply"):
        facts = Facts(subject=subject, reward="none", trigger="none", invites_review=False, review_script_required=False)  # type: ignore[arg-type]  # fmt: skip
        assert worst(check(text, facts=facts, at=NOW)) == "block"


def test_no_shipped_template_asks_for_praise(db: None) -> None:
    shipped = json.loads(Path("apps/messaging/reference/templates.json").read_text("utf-8"))
    rows = shipped["templates"] if isinstance(shipped, dict) else shipped
    assert len(rows) > 20
    found = {
        row["code"]: rules
        for row in rows
        if (rules := {f.rule for f in check(row["body"], at=NOW)} & {"REV-02", "REV-11", "REV-12", "REV-13"})
    }
    assert not found
    assert {row["code"] for row in rows if asks_for_review(row["body"])} <= {"RV_INVITE", "CB_PHONE", "CB_INVITE", "RV_INVITE_EN"}  # fmt: skip
