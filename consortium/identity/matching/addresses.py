"""Addresses as they are compared: without province and city, numbers in one form."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from consortium.identity.matching import chinese
from consortium.identity.matching.values import Address

_DIGITS = "零一二三四五六七八九"
_UNITS = "号楼|号院|号|栋|幢|座|楼|层|单元|室|房|户|弄|队|组"
_NOISE = re.compile(r"[\s,,。.;;::()()\[\]【】'\"“”]+")
_PROVINCE = re.compile(
    r"^(中国|中华人民共和国)?([^省市区县]{2,8}(省|自治区|特别行政区)"
    r"|(河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海"
    r"|内蒙古|广西|西藏|宁夏|新疆))?"
)
_CITY = re.compile(
    r"^([^市区县]{2,7}市(市辖区)?"
    r"|(北京|上海|天津|重庆|广州|深圳|珠海|佛山|东莞|南京|杭州|武汉|成都|西安|郑州|长沙|沈阳|青岛|济南|大连|苏州|宁波"
    r"|厦门|福州|合肥|南昌|昆明|贵阳|南宁|海口|太原|石家庄|哈尔滨|长春|兰州|西宁|银川|呼和浩特|乌鲁木齐|拉萨)(?=.))"
)
_AREA = re.compile(r"^([^区县旗市]{1,8}?(新区|区|县|旗|市))")
_NUMBER_WORD = re.compile(rf"([{_DIGITS}十百]+)(?={_UNITS})")
_NUMBERED = re.compile(rf"(\d+[a-z]?)(?:{_UNITS}|[-#之])")
_NUMBER = re.compile(r"\d+[a-z]?")


@lru_cache(maxsize=2048)
def address(text: str | None) -> Address | None:
    """Take an address apart; None when nothing is left of it."""
    if text is None:
        return None
    plain = chinese.fold(_NOISE.sub("", unicodedata.normalize("NFKC", text)).casefold())
    local = _CITY.sub("", _PROVINCE.sub("", plain, count=1), count=1)
    if not local:
        return None
    counted = _NUMBER_WORD.sub(lambda found: str(_number(found[1])), local)
    # Twice: in 12栋3单元 the end of one number is the beginning of the next.
    one_form = _NUMBERED.sub(r"\1-", counted).rstrip("-")
    area = _AREA.match(local)
    return Address(one_form, area[1] if area else "", tuple(_NUMBER.findall(one_form)))


def _number(word: str) -> int:
    """Read a Chinese numeral below a thousand, or digits read one by one (五〇二)."""
    if not any(unit in word for unit in "十百"):
        return int("".join(str(_DIGITS.index(c)) for c in word))
    hundreds, _, rest = word.rpartition("百")
    tens, ten, ones = rest.rpartition("十")
    value = 100 * (_DIGITS.index(hundreds[-1]) if hundreds else 0)
    if ten:
        value += 10 * (_DIGITS.index(tens[-1]) if tens and tens[-1] in _DIGITS else 1)
    return value + (_DIGITS.index(ones[-1]) if ones else 0)
