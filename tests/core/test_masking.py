"""Vectors and edge cases of domain.md 2.2, and the promise that masking twice changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.masking import (
    mask_address,
    mask_bank_card,
    mask_email,
    mask_id_card,
    mask_landline,
    mask_name,
    mask_order_no,
    mask_phone,
    mask_shipping_phone,
    mask_text,
    street_address,
)


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        # domain.md 2.2
        (mask_phone, "13812345678", "138****5678"),
        (mask_phone, "+86 13812345678", "+86 138****5678"),
        (mask_shipping_phone, "13812345678", "138******78"),
        (mask_landline, "010-88886666", "010-******66"),
        (mask_name, "张三", "张*"),
        (mask_name, "张小明", "张**"),
        (mask_name, "欧阳娜娜", "欧阳**"),
        (mask_name, "Tom Lee", "T** L**"),
        (mask_id_card, "110101199003071234", "110101********1234"),
        (mask_address, "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区****"),
        (mask_email, "zhang@qq.com", "z****@qq.com"),
        (mask_bank_card, "6222021234567891234", "**** **** **** 1234"),
        (mask_order_no, "1234567895689", "****5689"),
        # phones
        (mask_phone, "+8613812345678", "+86138****5678"),
        (mask_phone, "(+86)13812345678", "(+86)138****5678"),
        (mask_phone, "138 1234 5678", "138****5678"),
        (mask_phone, "138-1234-5678", "138****5678"),
        (mask_phone, "１３８１２３４５６７８", "138****5678"),
        (mask_phone, "010-88886666", "010-******66"),
        (mask_phone, "23812345678", "****78"),
        (mask_phone, "+1 415 555 2671", "****71"),
        (mask_phone, "12345", "****"),
        (mask_phone, "13812345678***", "****78"),
        (mask_phone, "", ""),
        (mask_shipping_phone, "138****5678", "138******78"),
        (mask_shipping_phone, "+86 13812345678", "+86 138******78"),
        (mask_shipping_phone, "010-88886666", "010-******66"),
        (mask_landline, "0571-8888666", "0571-*****66"),
        (mask_landline, "01088886666", "010******66"),
        (mask_landline, "88886666", "******66"),
        (mask_landline, "010-88886666-8001", "010-******66-****"),
        (mask_landline, "010-88886666转8001", "010-******66-****"),
        (mask_landline, "总机", "****"),
        # names
        (mask_name, "张", "张*"),
        (mask_name, "欧阳", "欧*"),
        (mask_name, "阿卜杜拉·买买提", "阿***·***"),
        (mask_name, "  王 五 ", "王*"),
        (mask_name, "J", "J*"),
        (mask_name, "", ""),
        # identity cards
        (mask_id_card, "11010119900307123x", "110101********123X"),
        (mask_id_card, "110101900307123", "110101******123"),
        (mask_id_card, "1101", "****"),
        (mask_id_card, "", ""),
        # addresses
        (mask_address, "北京市朝阳区建国路88号", "北京市朝阳区****"),
        (mask_address, "上海市浦东新区世纪大道100号", "上海市浦东新区****"),
        (mask_address, "内蒙古自治区呼和浩特市新城区北街1号", "内蒙古自治区呼和浩特市新城区****"),
        (mask_address, "江苏省苏州市昆山市玉山镇1号", "江苏省苏州市昆山市****"),
        (mask_address, "广东省东莞市长安镇市民广场", "广东省东莞市****"),
        (mask_address, "江西省景德镇市珠山区瓷都大道", "江西省景德镇市珠山区****"),
        (mask_address, "深圳市阳光小区3栋", "深圳市****"),
        (mask_address, "西湖区文三路1号", "西湖区****"),
        (mask_address, "文三路1号", "****"),
        (mask_address, "", ""),
        # e-mail, cards, orders
        (mask_email, "not an address", "****"),
        (mask_email, "zhang@qq.com13812345678", "****"),
        (mask_email, "", ""),
        (mask_bank_card, "6222 0212 3456 7891 234", "**** **** **** 1234"),
        (mask_bank_card, "1234", "**** **** **** ****"),
        (mask_bank_card, "", ""),
        (mask_order_no, "5689", "****"),
        (mask_order_no, "250901-123456789015689", "****5689"),
        (mask_order_no, "", ""),
    ],
)
def test_fields(mask, value: str, shown: str) -> None:  # type: ignore[no-untyped-def]
    assert mask(value) == shown
    if mask is not mask_order_no or len(value) > 4:
        assert mask(shown) == shown, "masking a masked value must change nothing"


def test_id_card_for_stricter_roles() -> None:
    assert mask_id_card("110101199003071234", strict=True) == "1****************4"
    assert mask_id_card("110101********1234", strict=True) == "1****************4"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我的电话13812345678，快联系我", "我的电话138****5678，快联系我"),
        ("电话+86 138-1234-5678。", "电话+86 138****5678。"),
        ("电话+8613812345678", "电话+86138****5678"),
        ("8613812345678", "86138****5678"),
        ("（+86）13812345678", "（+86）138****5678"),
        ("１３８１２３４５６７８", "138****5678"),
        ("１３８ １２３４　５６７８", "138****5678"),
        ("打1381 234 5678或1391 2345 678", "打138****5678或139****5678"),
        ("1 3 8 1 2 3 4 5 6 7 8", "138****5678"),
        ("tel13812345678", "tel138****5678"),
        ("013812345678", "0138****5678"),
        ("两个号13812345678/13987654321", "两个号138****5678/139****4321"),
        ("13812345678,13987654321", "138****5678,139****4321"),
        ("隐私号13812345678转1234", "隐私号138****5678转1234"),
        ("座机010-88886666找我", "座机010-******66找我"),
        ("座机(0571)88886666", "座机(0571)******66"),
        ("02188886666", "021******66"),
        ("身份证110101199003071234", "身份证110101********1234"),
        ("身份证11010119900307123x.", "身份证110101********123X."),
        ("身份证110101 19900307 1234", "身份证110101********1234"),
        ("卡号6222021234567890128", "卡号**** **** **** 0128"),
        ("卡号4111 1111 1111 1111转错", "卡号**** **** **** 1111转错"),
        ("卡号4111 1111 1111 1111 12元", "卡号**** **** **** 1111 12元"),
        ("邮箱zhang.san+1@mail.qq.com谢谢", "邮箱z****@mail.qq.com谢谢"),
        ("13812345678@163.com", "1****@163.com"),
        ("a@b.cn", "a****@b.cn"),
        ("订单号：123456789", "订单号：****6789"),
        ("订单编号 JD0123456789 没到", "订单编号 ****6789 没到"),
        ("订单250901-123456789015689催", "订单250901-****5689催"),
        ("快递单号SF1234567890123", "快递单号****0123"),
        ("单号13812345678", "单号****5678"),
        ("订单号50778795174和59671095217，差价", "订单号****5174和****5217，差价"),
        ("order no. 20250901778", "order no. ****1778"),
        ("1234567890123456789", "****6789"),
        ("123456789012345", "****2345"),
        ("微信：zhangsan_88", "微信：****"),
        ("加微信号zhangsan", "加微信号****"),
        ("vx 1234567", "vx ****"),
        ("wxid_abc123456", "wxid_****"),
        ("加我VX:abc123", "加我VX:****"),
        ("QQ：123456789", "QQ：****"),
        ("qq群12345678退款", "qq群****退款"),
    ],
)
def test_free_text(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert mask_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "很好，下次还来",
        "2025-09-01下单，2025年9月3日才到",
        "2025-09-01 10:30:00",
        "20250901",
        "20250901123456",
        "花了315元，打12315投诉",
        "价格1999.00，优惠200.50",
        "客服400-820-8820没人接",
        "23812345678",  # eleven digits, but no mobile starts with 2
        "12812345678",
        "138123456789",  # twelve digits
        "9138123456780",  # a mobile inside a longer number
        "6901234567892",  # barcode
        "3.1415926535897932384626",
        "买了3件，5星，第2次买，100个好评",
        "用了1000-2000毫安时，15-20天",
        "2019 2020 2021 2022",
        "微信支付很方便",
        "微信official",
        "微信20000元",
        "iPhone XS Max 256GB",
        "订单 2025-09-01 下的",
        "order 2025-09-01",
        "QQ音乐2023版",
        "@官方客服 看看",
        "1 2 3 4 5 6 7 8 9 10 11",
        "08:30-21:00营业",
        "1000 2000 3000 4000",
        "好好6666666666666666",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert mask_text(text) == text


_PIECES = (
    "13812345678|+86|0571|88886666|110101199003071234|4111 1111 1111 1111|6222021234567890128|订单号|微信|vx"
    "|QQ|zhang@qq.com|*|****| |-|：|1|138|5678|2025-09-01|abc123|wxid_|号|order|@|.|转|元|１３８|０|x|X|(|）"
)
PIECES = st.sampled_from(_PIECES.split("|"))


@given(
    st.one_of(
        st.lists(PIECES, max_size=12).map("".join), st.text("0123456789０１ -*@.xXa微信单号订：", max_size=60)
    )
)
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.from_regex(r"\A[^0-9０-９@＠信xXＸｘ]{0,20}(?:\+86 ?)?1[3-9][0-9]{9}[^0-9０-９@＠.*]{0,20}\Z"))
def test_no_mobile_survives(text: str) -> None:
    import re

    assert not re.search(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])", mask_text(text))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_field_masks_are_total_and_never_reveal(value: str) -> None:
    for mask in (
        mask_phone,
        mask_shipping_phone,
        mask_landline,
        mask_name,
        mask_id_card,
        mask_address,
        mask_email,
    ):
        assert "13812345678" not in mask(value)
        assert "110101199003071234" not in mask(value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("寄往朝阳区建国路88号3单元502", True),
        ("已寄往 建国路 88 号 3 单元 502 室", True),
        ("文三路１２号２栋３０１", True),
        ("中山南街5号院7号楼1203", True),
        ("南京西路1266弄8号602室", True),
        ("幸福巷三号二单元四零一", True),
        ("您在阳光小区3栋2单元501收货", True),
        ("人民路12号阳光小区3号楼2单元", True),
        ("万科城市花园5-2-301，建设路9号房号301", True),
        ("门店在人民路12号", False),
        ("欢迎到解放大道688号本店换货", False),
        ("人民路12号，3楼有休息区", False),
        ("小区门口2号快递柜", False),
        ("88号工单已处理，3单元测试", False),
        ("路上耽搁了3天，12号到货", False),
        ("我们已在12号换新，5号前寄出", False),
        ("", False),
    ],
)
def test_an_address_with_a_flat_is_found_in_free_text(text: str, found: bool) -> None:
    assert street_address(text) is found
