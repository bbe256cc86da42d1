"""Taking a source patient apart into what is compared."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache
from itertools import islice, product

from consortium.identity import idcard, names
from consortium.identity.matching import addresses, chinese, readings
from consortium.identity.matching.values import Comparable, Name, Reading
from consortium.identity.model import Facts, Former

_NEXT_PHONE = re.compile(r"[/,;、|]|\s{2,}|或")
_REMARK = re.compile(r"[((\[【][^))\]】]*[))\]】]|(?<=[\u3400-\u9fff])[-_]?\d{1,2}$")
"""What is written behind a name and is not part of it: 张伟(女), 张伟2."""
_NO_DIGIT = re.compile(r"\D+")
_PINYIN_V = str.maketrans({"ü": "v"})


@lru_cache(maxsize=2048)
def comparable(facts: Facts, former: Former | None = None) -> Comparable:
    """Return what of a source patient is compared, now and formerly."""
    then = former or Former()
    card = idcard.normalise(facts.id_card)
    return Comparable(
        name=name(facts.name),
        sex=facts.sex if facts.sex in ("male", "female") else None,
        birth_date=facts.birth_date,
        card=card,
        card_as_sent=None if facts.id_card is None else _as_sent(facts.id_card),
        card_doubted=card is not None and _doubted(card, facts),
        phones=phones(facts.phone),
        address=addresses.address(facts.address),
        former_names=tuple(n for n in map(name, then.name) if n is not None),
        former_birth_dates=frozenset(then.birth_date),
        former_cards=frozenset(c for c in map(idcard.normalise, then.id_card) if c is not None),
        former_phones=frozenset(p for text in then.phone for p in phones(text)),
        former_addresses=tuple(a for a in map(addresses.address, then.address) if a is not None),
        stand_in=facts.name is not None and names.is_placeholder(facts.name),
        vip=is_vip(facts),
    )


def is_vip(facts: Facts) -> bool:
    """Whether this is a VIP, or somebody anonymous by their own wish: a campus says so, else the name."""
    if facts.vip is not None:
        return facts.vip
    return facts.name is not None and names.is_alias(facts.name)


@lru_cache(maxsize=8192)
def name(text: str | None) -> Name | None:
    """Take a name apart; None for a stand-in or none."""
    if text is None or names.is_placeholder(text):
        return None
    folded = chinese.fold(names.key(_REMARK.sub("", text.strip()) or text))
    if folded.isascii() or not any(map(chinese.is_hanzi, folded)):
        return _latin(text, folded)
    if names.DOT in folded:
        *first, last = folded.split(names.DOT)
        surname, given = last, "".join(first)
        read = [readings.given(last), readings.given(given)]
    else:
        length = readings.surname_length(folded)
        surname, given = folded[:length], folded[length:]
        read = [readings.surname(surname), readings.given(given)]
    ways = list(islice(product(*read), readings.MOST))
    return Name(folded, surname, given, frozenset((s, g) for s, g in ways), ((ways[0][0], ways[0][1]),))


@lru_cache(maxsize=2048)
def phones(text: str | None) -> frozenset[str]:
    """Return the telephone numbers in a text: digits without country code and leading zero; what cannot be
    one (all one digit, counted up, too short) is left out.
    """
    if text is None:
        return frozenset()
    narrow = unicodedata.normalize("NFKC", text)
    return frozenset(number for part in _NEXT_PHONE.split(narrow) if (number := _phone(part)) is not None)


def _phone(text: str) -> str | None:
    digits = _NO_DIGIT.sub("", text).removeprefix("00")
    if len(digits) in (12, 13) and digits.startswith("86"):
        digits = digits[2:]
    digits = digits.lstrip("0")
    made_up = len(set(digits)) < 3 or digits in "12345678901234567890"
    return None if made_up or not 7 <= len(digits) <= 15 else digits


def _latin(text: str, folded: str) -> Name:
    """A name in Latin letters: either part may come first, and a pinyin given name may be spaced."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_PINYIN_V).replace("lyu", "lv")
    words = re.findall(
        r"[^\W\d_]+",
        "".join(
            c for c in unicodedata.normalize("NFD", plain) if c.isalpha() or not unicodedata.combining(c)
        ),
    )
    if len(words) < 2:
        return Name(folded, folded, "", frozenset({(folded, "")}), ((folded, ""),))
    ways: tuple[Reading, ...] = (
        (words[-1], "".join(words[:-1])),
        (words[0], "".join(words[1:])),
    )
    joined = " ".join(sorted(words))
    return Name(joined, words[-1], "".join(words[:-1]), frozenset(ways), tuple(dict.fromkeys(ways)))


def _as_sent(text: str) -> str | None:
    return "".join(unicodedata.normalize("NFKC", text).split()).upper() or None


def _doubted(card: str, facts: Facts) -> bool:
    born: date | None = facts.birth_date
    other_sex = facts.sex in ("male", "female") and idcard.sex(card) != facts.sex
    return other_sex or (born is not None and idcard.birth_date(card) != born)
