"""Characters as they are compared: one form for a traditional and a simplified one, and for what GB 18030 had
in private use.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from opencc import OpenCC

_SIMPLIFY = OpenCC("t2s")
_TRADITIONAL = OpenCC("s2t")

_PRIVATE = dict(
    zip(
        (
            *(0xE816, 0xE817, 0xE818, 0xE831, 0xE83B, 0xE855),
            *(0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864),
        ),
        (0x20087, 0x20089, 0x200CC, 0x215D7, 0x2298F, 0x241FE, *range(0x9FB4, 0x9FBC)),
        strict=True,
    )
)
"""Private code points of the GB 18030 mapping of 2000 for ideographs that Unicode has since (GB 18030-2022,
annex). A number that came before a campus changed its software still has them.
"""

_VARIANTS = str.maketrans("靑淸戶髙昻黃溫呂吳産內彥峯羣勲綉徳恵珎", "青清户高昂黄温吕吴产内彦峰群勋绣德惠珍")
"""Variants that people and input methods write for one another in names."""


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Return the text with every character in the form that is compared."""
    if text.isascii():
        return text
    standard = unicodedata.normalize("NFC", text.translate(_PRIVATE))
    return "".join(map(_fold, standard))


def traditional(text: str) -> str:
    """Return a simplified text as it is written in traditional characters."""
    return str(_TRADITIONAL.convert(text))


def is_hanzi(character: str) -> bool:
    """Whether this is a Chinese character, private and supplementary ones included."""
    return (
        "\u3400" <= character <= "\u9fff"
        or "\ue000" <= character <= "\uf8ff"
        or "\U00020000" <= character <= "\U0003ffff"
        or character == "〇"
    )


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    radical = unicodedata.normalize("NFKC", character) if "\u2e80" <= character <= "\u2fdf" else character
    return str(_SIMPLIFY.convert(radical.translate(_VARIANTS)))
