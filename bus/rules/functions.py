"""Reviewed Python functions that a rule may call by name (`call`). Each is pure and quotes no value when it
fails.

One is added here, with a meaning for the reference and a test; a rule file never holds Python.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bus.rules.converters import CONVERTERS
from consortium.identity import idcard


@dataclass(frozen=True, slots=True)
class Function:
    """A function of texts: None is no value, ValueError holds the message. Not asked when all are absent."""

    run: Callable[..., Any]
    takes: tuple[str, ...]
    """Names of its arguments."""
    meaning: str


def _card_birth_date(text: str | None) -> date | None:
    card = idcard.normalise(text)
    return None if card is None else idcard.birth_date(card)


def _card_sex(text: str | None) -> str | None:
    card = idcard.normalise(text)
    return None if card is None else idcard.sex(card)


def _half_width(text: str | None) -> str | None:
    return None if text is None else unicodedata.normalize("NFKC", text).strip()


def _yuan(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(CONVERTERS["integer"](text)).scaleb(-2)


FUNCTIONS: Mapping[str, Function] = {
    "id_card_number": Function(
        idcard.normalise,
        ("id_card",),
        "a valid resident ID card number as 18 characters",
    ),
    "id_card_birth_date": Function(
        _card_birth_date,
        ("id_card",),
        "the date of birth in a valid resident ID card number",
    ),
    "id_card_sex": Function(
        _card_sex,
        ("id_card",),
        "`male` or `female` by a valid resident ID card number",
    ),
    "half_width": Function(_half_width, ("text",), "full-width characters (ＡＢ１２) as half-width (AB12)"),
    "yuan": Function(_yuan, ("fen",), "an amount in 分, a whole number, as 元"),
}
"""By the name that `call` gives."""
