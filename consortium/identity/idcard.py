"""The resident ID card number (公民身份号码, GB 11643-1999): checked, normalised, and what it says of its
owner.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Literal

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
OLD_LENGTH = 15
LENGTH = 18


def check_character(first_17: str) -> str:
    """Return the 18th character that belongs to 17 digits (ISO 7064, MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, first_17, strict=True))
    return CHECK_CHARACTERS[total % 11]


def normalise(text: str | None) -> str | None:
    """Return the number as 18 characters with capital X, or None when it is not a valid number.

    Takes full-width characters, spaces, a small x, and the 15 digits of the first generation, whose owners
    were born in the 1900s. The province, the date of birth and the check character must be right.
    """
    if text is None:
        return None
    card = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    if len(card) == OLD_LENGTH and card.isascii() and card.isdigit():
        card = f"{card[:6]}19{card[6:]}"
        card += check_character(card)
    if len(card) != LENGTH or not card.isascii() or not card[:17].isdigit():
        return None
    if check_character(card[:17]) != card[17] or not "11" <= card[:2] <= "91" or _date(card) is None:
        return None
    return card


def birth_date(card: str) -> date:
    """Return the date of birth in a normalised number."""
    born = _date(card)
    if born is None:
        raise ValueError("not a normalised ID card number")
    return born


def sex(card: str) -> Literal["male", "female"]:
    """Return the sex in a normalised number: odd is male."""
    return "male" if int(card[16]) % 2 else "female"


def _date(card: str) -> date | None:
    try:
        return date(int(card[6:10]), int(card[10:12]), int(card[12:14]))
    except ValueError:
        return None
