"""Resident ID card numbers (公民身份号码), GB 11643-1999.

Area 6 digits, birth date 8, serial 3 (odd: male), check character.
"""

from __future__ import annotations

from datetime import date

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"

AREAS = ("440199", "440299", "440699", "441399", "441999", "450199", "430199", "360199", "510199", "652999")
"""County 99 is assigned nowhere, so nobody real has such a card."""


def check_character(seventeen: str) -> str:
    """Return the 18th character for the first seventeen digits (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(seventeen, WEIGHTS, strict=True))
    return CHECK_CHARACTERS[total % 11]


def make(area: str, birth_date: date, serial: int) -> str:
    """Return the card of that area (6 digits), birth date and serial (0-999, odd for a man)."""
    seventeen = f"{area}{birth_date:%Y%m%d}{serial:03d}"
    return seventeen + check_character(seventeen)


def is_valid(card: str) -> bool:
    """Return whether form and check character are right. Says nothing of whose card it is."""
    return len(card) == 18 and card[:17].isdecimal() and check_character(card[:17]) == card[17]


def spoil(card: str) -> str:
    """Return the card with a wrong check character, as a slip at the desk makes it."""
    place = CHECK_CHARACTERS.index(card[17])
    return card[:17] + CHECK_CHARACTERS[(place + 1) % len(CHECK_CHARACTERS)]
