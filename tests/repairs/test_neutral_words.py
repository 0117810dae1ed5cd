"""Nothing is given beside an invitation, and neither a first talk nor an offer asks for stars (R26, REV-02)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.compliance.selectors import check
from apps.repairs.selectors.facts import read_offer
from apps.repairs.services import cases
from apps.repairs.services.invites import is_neutral
from apps.repairs.services.moving import GuardFailed
from tests.factories import NOW
from tests.repairs.world import INVITATION, OFFER, Shop, fresh, make_case, make_shop


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


BASE = "如果您愿意，可以更新评价，不更新也没关系。"


@pytest.mark.parametrize(
    "gift",
    [
        "更新了我们送您一份小惊喜。", "送上一点心意。", "另有小礼相赠。", "有红包。", "更新后返您5元。", "会给您补偿。",
        "之后下单有优惠。", "给您一张券。", "加100积分。", "有会员福利。", "有奖励。", "可免单。", "可参加抽奖。", "备了感谢金。",
        "会意思意思的。", "不会亏待您。", "送您小惊 喜。", "有🎁哦。", "请您喝奶茶。", "我们有小小表示。", "下次打八折。", "You get a small gift.",
    ],
)  # fmt: skip
def test_an_invitation_gives_nothing(gift: str) -> None:
    assert is_neutral(BASE)
    assert not is_neutral(BASE + gift)


@pytest.mark.parametrize("lean", ["给个5⭐吧", "麻烦打5分", "点亮满星"])
def test_an_invitation_leans_to_nothing_in_disguise(lean: str) -> None:
    assert not is_neutral(BASE + lean)


@pytest.mark.parametrize(
    "text",
    [
        INVITATION,
        "感谢您确认问题已解决。如果您愿意，可以按真实感受更新或追加评价，好与不好我们都接受；不更新也完全没关系，售后承诺照常有效。",
        "更不更新评价都随您，不影响您的补偿和售后。",
        "更换的杯子已送达。如果您愿意，可以更新评价，不更新也没关系，没有任何奖励。",
        "杯子返修完成了。您愿意的话可以如实更新评价，不更新也没关系。",
    ],
)
def test_neutral_invitations_stay_neutral(text: str) -> None:
    assert is_neutral(text)


def test_the_shipped_invitation_is_neutral() -> None:
    shipped = json.loads(Path("apps/messaging/reference/templates.json").read_text("utf-8"))
    rows = shipped["templates"] if isinstance(shipped, dict) else shipped
    bodies = [row["body"] for row in rows if row["scene"] == "review_update_invite"]
    assert bodies and all(is_neutral(body) for body in bodies)


@pytest.mark.parametrize(
    "text",
    [
        BASE + "更新了我们送您一份小惊喜。",
        "可以更新一下评价，我们给您意思意思",
        BASE + "我们送您一份小礼物。",
        "我们送您一份小礼物，方便的话更新一下评价",
    ],
)
def test_the_law_names_a_benefit_beside_an_invitation(db: None, text: str) -> None:
    assert "REV-02" in {finding.rule for finding in check(text, at=NOW)}


@pytest.mark.parametrize("said", ["您稍后给个五星吧", "处理好了帮我们点个好评", "收到满意的话辛苦给个五星"])
def test_neither_a_first_talk_nor_an_offer_asks_for_stars(shop: Shop, said: str) -> None:
    case = make_case(shop)
    with pytest.raises(GuardFailed) as refused:
        cases.contact(case=case, how="phone", said=f"抱歉给您添麻烦了，{said}", wishes="想换新的", by=shop.agent, now=shop.now)  # fmt: skip
    assert refused.value.params["missing"] == ["not_about_review"]
    assert read_offer(fresh(case), OFFER, now=shop.now)[0] is False
    assert read_offer(fresh(case), OFFER + said, now=shop.now)[0] is True
