"""Masking of personal data for display, export and logs (R-privacy; PIPL art. 6 and 51; domain.md 2.2).

Two kinds of function:

* ``mask_phone`` and its sisters take the value of a *known field*. They never give the value back whole: what
  does not look as expected is masked harder, since a mistyped phone is still somebody's phone.
* ``mask_text`` takes *free text*, where the opposite holds: prices, dates and quantities must stay readable,
  so only what is recognised as personal is masked. Applying it twice changes nothing more.

Kept digits come out as plain ASCII, also from full-width input, so that masked texts search alike.
Conventions (3+4 for mobiles, surname kept, and so on) follow the table in domain.md 2.2. Plain Python.
"""

from __future__ import annotations

import re

_STARS = "****"
_FULL_WIDTH = str.maketrans("０１２３４５６７８９＋－＠．＊Ｘｘ　", "0123456789+-@.*Xx ")
_D = "[0-9０-９]"  # \d would also take Arabic-Indic and other digits that no phone here is written in
_GAP = r"[ \u00a0\u3000\-‐‑–—－]"

# Family names of two characters that are still met; without them 欧阳娜娜 would show as 欧***.
_COMPOUND = frozenset(
    re.findall(
        "..",
        "欧阳司马上官诸葛夏侯司徒东方皇甫尉迟公孙慕容令狐长孙宇文轩辕端木百里南宫东郭西门独孤"
        "呼延闻人澹台公冶宗政濮阳淳于单于太叔申屠仲孙钟离鲜于闾丘拓跋赫连万俟第五纳兰完颜",
    )
)


def _ascii(text: str) -> str:
    return text.translate(_FULL_WIDTH)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", _ascii(text))


# -- known fields --------------------------------------------------------------------------------------------
def _is_masked(value: str) -> bool:
    """Stars where the middle was; a value with more digits than any masked form keeps is not masked."""
    return "***" in value and len(_digits(value)) <= 9


def _mobile_parts(value: str) -> tuple[str, str] | None:
    """(country prefix as written, 11 digits) of a mainland mobile number, else None."""
    plain = _ascii(value).strip()
    prefix = re.match(r"\(?(?:\+|00)?86\)?[ -]*(?=1)", plain)
    head = plain[: prefix.end()] if prefix else ""
    number = re.sub(r"[ \u00a0\-‐‑–—]", "", plain[len(head) :])
    return (head, number) if re.fullmatch(r"1[3-9]\d{9}", number) else None


def mask_phone(value: str) -> str:
    """Mobile: first three and last four stay, ``138****5678``; a +86 stays in front. Others: see below.

    Landlines go to ``mask_landline``. Anything else (foreign, mistyped) keeps its last two digits at most.
    """
    if not value or _is_masked(value):
        return value
    mobile = _mobile_parts(value)
    if mobile:
        return f"{mobile[0]}{mobile[1][:3]}{_STARS}{mobile[1][-4:]}"
    return mask_landline(value)


def mask_shipping_phone(value: str) -> str:
    """Phone on a shipping label: at least six digits hidden, ``138******78`` (e-waybill practice)."""
    masked = re.fullmatch(r"(.*1\d{2})\*+\d*(\d{2})", value)
    if masked and _is_masked(value):
        return f"{masked[1]}******{masked[2]}"
    mobile = _mobile_parts(value)
    if mobile:
        return f"{mobile[0]}{mobile[1][:3]}******{mobile[1][-2:]}"
    return mask_phone(value)


def mask_landline(value: str) -> str:
    """Landline: area code and last two digits stay, ``010-******66``; an extension is hidden."""
    if not value or _is_masked(value):
        return value
    plain = _ascii(value).strip()
    match = re.fullmatch(r"(\(?0(?:10|2\d|[3-9]\d{2})\)?[ -]*)(\d{7,8})(.*)", plain) or re.fullmatch(
        r"()(\d{7,8})(\D.*)?", plain
    )
    if not match:
        digits = _digits(value)
        return _STARS + digits[-2:] if len(digits) >= 7 else _STARS
    area, number, extension = match.groups()
    hidden = "*" * (len(number) - 2)
    return f"{area}{hidden}{number[-2:]}" + ("-****" if extension and re.search(r"\d", extension) else "")


def mask_name(value: str) -> str:
    """The family name stays: 张三 → 张*, 欧阳娜娜 → 欧阳**; of each Latin word the initial: T** L**.

    A name written with dots (阿卜杜拉·买买提) keeps the first character only. A single character is family
    name or nickname and gets one star, so that nobody reads it as complete.
    """
    name = value.strip()
    if not name:
        return ""
    if re.search(r"[A-Za-z]", name) and not re.search(r"[\u3400-\u9fff]", name):
        return " ".join(word[0] + "*" * max(len(word) - 1, 1) for word in name.split())
    if re.search(r"[·•・‧.]", name):
        return name[0] + re.sub(r"[^·•・‧.]", "*", name[1:])
    name = re.sub(r"\s+", "", name)
    if len(name) > 2 and name[:2] in _COMPOUND:
        return name[:2] + "*" * (len(name) - 2)
    return name[0] + "*" * max(len(name) - 1, 1)


def mask_id_card(value: str, strict: bool = False) -> str:
    """Identity card: region and last four stay, the birth date is hidden; ``strict`` leaves only both ends.

    Old cards of 15 digits keep the last three (the serial), since the fourth belongs to the birth date.
    """
    number = re.sub(r"[\s-]", "", _ascii(value)).upper()
    if not number:
        return ""
    if not re.fullmatch(r"[\d*]{17}[\dX*]|[\d*]{15}", number):
        return _STARS
    if strict:
        return number[0] + "*" * (len(number) - 2) + number[-1]
    tail = 4 if len(number) == 18 else 3
    return number[:6] + "*" * (len(number) - 6 - tail) + number[-tail:]


# A district is a short run without digits or street words; 小区, 校区, 园区 and the like are no district.
_ADDRESS = re.compile(
    r"(?:[^\W\d_区县路街号村]{2,8}?(?:省|自治区|特别行政区))?"
    r"(?:[^\W\d_区县路街号村]{2,10}?(?:自治州|地区|盟|市))?"
    r"(?:[^\W\d_镇乡街道路号村弄栋]{1,10}?"
    r"(?:自治县|自治旗|(?<![小社校园景厂街片营库牧])区|县|旗|市(?![场民政区集里])))?"
)


def mask_address(value: str) -> str:
    """Down to the district, the rest hidden: 浙江省杭州市西湖区文三路1号 → 浙江省杭州市西湖区****."""
    address = re.sub(r"\s+", "", value)
    if not address:
        return ""
    match = _ADDRESS.match(address)
    kept = match.group(0) if match else ""
    return kept + _STARS


def mask_email(value: str) -> str:
    """First character and domain stay: zhang@qq.com → z****@qq.com. Without a domain nothing stays."""
    plain = _ascii(value).strip()
    if not plain:
        return ""
    local, at, domain = plain.rpartition("@")
    # What only resembles a domain may be a phone somebody glued on.
    sound = re.fullmatch(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}", domain) and not re.search(r"\d{7}", domain)
    return f"{local[0]}{_STARS}@{domain}" if at and local and sound else _STARS


def mask_bank_card(value: str) -> str:
    """Last four stay: ``**** **** **** 1234``."""
    digits = _digits(value)
    if not value.strip():
        return ""
    shown = digits[-4:] if len(digits) >= 12 or (digits and _is_masked(value)) else _STARS
    return f"{_STARS} {_STARS} {_STARS} {shown}"


def mask_order_no(value: str) -> str:
    """Last four stay: ``****5689``; a number of four or fewer is hidden whole."""
    plain = _ascii(value).strip()
    if not plain:
        return ""
    bare = re.sub(r"[^0-9A-Za-z]", "", plain)
    return _STARS + (bare[-4:] if len(bare) > 4 or "*" in plain else "")


# -- free text -----------------------------------------------------------------------------------------------
# Nothing personal can be written without a digit, an @ or a WeChat word (微信, vx, wx, weixin, wechat).
_MAYBE = re.compile("[0-9０-９@＠信xXＸｘ]|[wW]e[cC]hat")
_LONG_NUMBER = re.compile(rf"{_D}(?:{_GAP}{{0,3}}[)）]?{_GAP}{{0,3}}{_D}){{4}}")
_WECHAT_WORD = re.compile("[微薇威]信|[vVｖＶwWｗＷ][xXｘＸ]|[wW]ei[xX]in|[wW]e[cC]hat")

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9*])([A-Za-z0-9])[A-Za-z0-9._%+\-]{0,63}[@＠]((?:[A-Za-z0-9\-]{1,63}\.){1,4}[A-Za-z]{2,24})"
)
_ORDER_HINT = re.compile("[号单]|[rR][dD][eE][rR]")
_ORDER_WORD = re.compile(
    r"(?P<word>(?:订单|单|运单|快递|物流|流水|交易|退款|售后)(?:编?号码?)|订单(?=\s*[:：#＃])"
    r"|(?<![A-Za-z])[oO](?:rder|RDER)(?:\s*(?:[nN][oO]|[nN]umber|[iI][dD]|#)\.?)?)"
    rf"(?P<link>[\s:：#＃.是为]{{0,4}})"
    rf"(?P<number>(?:[A-Za-z]{{0,6}}-?){_D}(?:-?(?:{_D}|[A-Za-z])){{4,39}})(?![0-9０-９A-Za-z])"
    rf"(?P<more>(?:\s?[和、,，/与及]\s?{_D}{{6,20}}(?!{_D}))*)"
)
_WECHAT = re.compile(
    r"(?P<word>[微薇威]信|(?<![A-Za-z])(?:[vVｖＶwWｗＷ][xXｘＸ]|[wW]ei[xX]in|[wW]e[cC]hat))"
    r"(?P<link>(?:号码?|[iI][dD])?[\s:：=是为加_]{0,4})"
    # Not money and not a year: 微信20000元.
    rf"(?P<id>[A-Za-z][A-Za-z0-9_\-]{{5,19}}|{_D}{{5,11}})(?![0-9０-９A-Za-z_\-]|\s*[元块万年月])"
)
_QQ = re.compile(
    r"(?P<word>(?<![A-Za-z])[qQｑＱ][qQｑＱ]|扣扣|企鹅)"
    rf"(?P<link>(?:群?号?码?)?[\s:：=是为加]{{0,4}})(?P<id>[1-9１-９]{_D}{{4,11}})(?!{_D})"
)
# One pass over all kinds of number; alternatives run from the most to the least specific. A number is taken
# whole or not at all: it may not touch further digits nor follow "12.".
_NUMBER = re.compile(
    rf"(?<![0-9０-９])(?<![0-9０-９][.．])(?:"
    rf"(?P<id>[1-8１-８]{_D}{{5}}{_GAP}?(?:[1１][8-9８-９]|[2２][0０]){_D}{{2}}(?:[0０][1-9１-９]|[1１][0-2０-２])"
    rf"(?:[0０][1-9１-９]|[12１２]{_D}|[3３][01０１]){_GAP}?{_D}{{3}}[0-9０-９xXｘＸ](?![A-Za-z]))"
    rf"|(?P<card>[3-9３-９]{_D}{{3}}(?:{_GAP}?{_D}{{4}}){{3}}(?:{_GAP}?{_D}{{1,3}})?)"
    rf"|(?P<mobile>(?P<prefix>(?:(?:[+＋]|[0０]{{2}})?[8８][6６][)）]?|[0０]){_GAP}{{0,2}})?"
    rf"[1１][3-9３-９](?:{_D}{_GAP}{{0,3}}{_D}{{4}}{_GAP}{{0,3}}{_D}{{4}}|{_D}{{2}}{_GAP}{_D}{{3}}{_GAP}{_D}{{4}}"
    rf"|{_D}{{2}}{_GAP}{_D}{{4}}{_GAP}{_D}{{3}}))"
    rf"|(?P<spelled>[1１](?:{_GAP}{_D}){{10}})"
    rf"|(?P<area>[0０](?:[1１][0０]|[2２]{_D}|[3-9３-９]{_D}{{2}}))(?P<join>[)）]?{_GAP}{{0,2}})"
    rf"(?P<landline>[2-9２-９]{_D}{{6,7}})"
    rf"|(?P<long>{_D}{{15,}})"
    rf")(?![0-9０-９])"
)


def _luhn(digits: str) -> bool:
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char)
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _mask_number(match: re.Match[str]) -> str:
    whole = match.group(0)
    digits = _digits(whole)
    if len(set(digits)) == 1:
        return whole  # 666666… and 888888… are exclamations
    if match.group("id"):
        return mask_id_card(whole)
    if match.group("card"):
        if _luhn(digits):
            return f"{_STARS} {_STARS} {_STARS} {digits[-4:]}"
        if re.fullmatch(rf"(?:{_D}{{4}}{_GAP}){{4}}{_D}{{1,3}}", whole) and _luhn(digits[:16]):
            # Four groups of four and a stray number behind them.
            return f"{_STARS} {_STARS} {_STARS} {digits[12:16]}{whole[19:]}"
        if re.fullmatch(rf"{_D}+", whole):
            return _STARS + digits[-4:]  # a long order number that happens to have a card's length
        return whole
    if match.group("mobile"):
        prefix = _ascii(match.group("prefix") or "")
        return f"{prefix}{digits[-11:-8]}{_STARS}{digits[-4:]}"
    if match.group("spelled"):
        return f"{digits[:3]}{_STARS}{digits[-4:]}" if digits[1] in "3456789" else whole
    if match.group("landline"):
        number = _digits(match.group("landline"))
        area = _ascii(match.group("area") + match.group("join")).replace("）", ")")
        return f"{area}{'*' * (len(number) - 2)}{number[-2:]}"
    return _STARS + digits[-4:]


def _mask_order(match: re.Match[str]) -> str:
    number = _ascii(match.group("number"))
    if re.fullmatch(r"(?:19|20)\d{2}-\d{1,2}-\d{1,2}", number):
        return match.group(0)
    bare = re.sub(r"[^0-9A-Za-z]", "", number)
    more = re.sub(rf"{_D}+", lambda each: _STARS + _ascii(each.group(0))[-4:], match.group("more"))
    return f"{match.group('word')}{match.group('link')}{_STARS}{bare[-4:]}{more}"


def _mask_contact(match: re.Match[str]) -> str:
    found = match.group("id")
    # "微信official": plain letters are an account only after a colon or 号; with digits they always are.
    if found.isalpha() and not re.search("[号:：=是为加]|[iI][dD]", match.group("link")):
        return match.group(0)
    return f"{match.group('word')}{match.group('link')}{_STARS}"


def mask_text(text: str) -> str:
    """Free text with phones, landlines, identity and bank cards, e-mails, order and account numbers masked.

    Left alone: years, dates, prices, quantities, short service numbers (12315, 400-…), eleven digits that do
    not start like a mobile, and any run of digits too short to identify someone. Most reviews hold nothing at
    all, and leave after one scan. Idempotent.
    """
    if not _MAYBE.search(text):
        return text
    while True:
        masked = _mask_once(text)
        if masked == text:
            return masked
        # What was masked can lay bare a shape the boundary rules refused before. Every round takes letters
        # or digits away, so this ends; in practice after one more look.
        text = masked


def _mask_once(text: str) -> str:
    if "@" in text or "＠" in text:
        text = _EMAIL.sub(rf"\1{_STARS}@\2", text)
    if _WECHAT_WORD.search(text):
        text = _WECHAT.sub(_mask_contact, text)
    if _ORDER_HINT.search(text):
        text = _ORDER_WORD.sub(_mask_order, text)
    if not _LONG_NUMBER.search(text):
        return text
    text = _QQ.sub(_mask_contact, text)
    return _NUMBER.sub(_mask_number, text)


# -- addresses in free text ----------------------------------------------------------------------------------
_N = "[0-9一二三四五六七八九十百]"
_ROOM = (
    # 3单元502, 2栋, 5幢1201室, 5号楼, 3楼302, 502室, 房号502
    rf"(?:{_N}{{1,4}}(?:单元|栋|幢|号楼|楼|室|房)|[a-z](?:座|栋|幢)|(?:房号|室号|房间号?|门牌号?){_N}{{1,5}})"
)
_STREET = re.compile(
    # A road and its number, then the flat: 建国路88号3单元502. A word of a few characters may name the estate.
    rf"(?:路|街|巷|弄|道|胡同|里|村|小区|社区|花园|家园|公寓|苑){_N}{{1,5}}(?:弄{_N}{{1,4}})?(?:号院?|弄)"
    rf"(?:[^0-9，,。！？!?;；\n]{{0,10}}?)(?<!到)(?<!在){_ROOM}"
    # An estate, then the flat: 阳光小区3栋2单元501.
    rf"|(?:小区|社区|花园|家园|公寓|苑|城|府|里|村){_N}{{1,4}}(?:号楼|栋|幢|座|单元)[^0-9，,。！？!?;；\n]{{0,3}}{_N}{{1,5}}",
    re.IGNORECASE,
)


def street_address(text: str) -> bool:
    """Whether a text tells where a person lives: a road or an estate, and the flat in it.

    A shop's own address names no flat ("门店在人民路12号") and is none.
    """
    plain = re.sub(r"[ \u00a0\u3000\-‐‑–—、#]", "", _ascii(text))
    return _STREET.search(plain) is not None
