"""Names as they are compared: characters count, how they were typed does not. Homophones stay different."""

from __future__ import annotations

import re
import unicodedata

DOTS = "·・•‧∙⋅･᛫．.●"
"""Characters that stand between the parts of a minority name (买买提·吐尔逊), as keyboards and converters
write them.
"""
DOT = "·"

_HIDDEN = re.compile(r"[\s\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\u3164]+")
_DOTS = re.compile(f"[{re.escape(DOTS)}]+")
_BRACKETS = re.compile(r"[((\[【].*?[))\]】]")

_PLACEHOLDER = re.compile(
    r"(无(姓)?名(氏|男|女|尸)?.*"
    r"|未知.*|未命名|不详|不明|姓名不详|待查|未提供|佚名|测试.*"
    r"|路人.*|患者.*|病人.*|三无.*|流浪.*|(男|女)(性)?(患者)?[一二三四甲乙0-9]*|(急诊|抢救)[0-9a-z]+"
    r"|.*(之|的)(子|女|婴|儿|幼|男|女婴|男婴|婴儿|长子|次子|长女|次女|大宝|小宝|大|小|双胞胎)[一二三四甲乙大小0-9a-z]?"
    r"|.+[子女男儿][0-9a-z]"
    r"|.*(男|女|新生)婴(儿)?[一二三四甲乙大小0-9a-z]?|.+婴(儿)?[一二三四甲乙大小0-9a-z]?|弃婴.*"
    r"|.*新生儿.*|.*双胞胎.*|.*宝宝|毛毛|小毛头"
    r"|某某.*|.*某某?"
    r"|.*[*×?□■○_#].*|.*[\u3400-\u9fff]x{1,3}"
    r"|(unknown|noname|test|n/?a|x+)\d*|(john|jane) ?doe\d*)"
)

_ALIAS = re.compile(r"(vip(?![a-z])|贵宾|要客|首长|特需|匿名|隐名|保密|化名|anonymous).*")


def key(name: str) -> str:
    """Return the name as it is compared.

    Composed (NFC) and narrowed (full-width forms), without spaces and invisible characters, with one kind of
    dot between the parts of a minority name, Latin letters in one case. `""` when nothing is left.
    """
    text = unicodedata.normalize("NFC", name)
    text = "".join(_narrow(character) for character in text)
    text = _HIDDEN.sub("", text)
    return _DOTS.sub(DOT, text).strip(DOT).casefold()


def is_placeholder(name: str) -> bool:
    """Whether this is no name but a stand-in: of a newborn (某某之子, 李红之婴, 李红女B), somebody unknown
    (无名氏, 未知, 路人甲), or somebody who must not be known (张**, 保密). It says nothing of who this is.
    """
    bare = _BRACKETS.sub("", key(name))
    return not bare or _PLACEHOLDER.fullmatch(bare) is not None or _ALIAS.fullmatch(bare) is not None


def is_alias(name: str) -> bool:
    """Whether this is what a VIP or somebody anonymous is registered by: 贵宾3, VIP-0012, 匿名, 保密, 化名.
    Not 无名氏, whom nobody knows, nor 张**, which is a name that the campus's software masked.
    """
    bare = _BRACKETS.sub("", key(name))
    return _ALIAS.fullmatch(bare) is not None


def _narrow(character: str) -> str:
    """Full-width Latin and punctuation to their usual form; a Chinese character is never replaced by
    another.
    """
    if "\uff00" <= character <= "\uffef" or character == "\u3000":
        return unicodedata.normalize("NFKC", character)
    return character
