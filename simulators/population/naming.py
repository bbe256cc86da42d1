"""How people are named: surnames by their share, given names by sex and decade of birth.

Calibrated so that the most frequent names are borne by two or three people in ten thousand each, as
in the register.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pypinyin import lazy_pinyin

from simulators.hazards import hazardous_ideographs
from simulators.names import COMPOUND_SURNAMES
from simulators.population.drawing import Draw, load

_RARE_SHARE, _COMPOUND_SHARE, _MINORITY_SHARE, _RARE_CHARACTER_SHARE = 0.155, 0.003, 0.012, 0.004
_COMMON_SHARE = 0.22
"""Of given names of two characters: those that the decade gives again and again."""
_FASHION_SHARE = 0.6
"""Of given names of one character: those of the time; the others are any."""


def _falling(things: Sequence[str], power: float) -> Draw:
    """Earlier ones are likelier, as in Zipf's law with that power."""
    return Draw(things, [1 / (place + 4) ** power for place in range(len(things))])


def _shares(lines: Sequence[str]) -> Draw:
    pairs = [pair.split() for line in lines for pair in line.split(", ")]
    return Draw([surname for surname, _ in pairs], [float(share) for _, share in pairs])


_DATA = load("names.yaml")
_SURNAME = _shares(_DATA["surnames"])
_RARE_SURNAMES = "".join(_DATA["rare_surnames"])
_RARE_CHARACTERS: str = _DATA["rare_characters"]
_SINGLE_SHARE: dict[int, float] = _DATA["single_share"]
_ERAS: dict[int, str] = _DATA["eras"]
_SEXES = ("male", "female")
_SINGLE = {(sex, era): _falling(_DATA["single"][sex][era], 0.35) for sex in _SEXES for era in _ERAS.values()}
_COMMON = {(s, d): _falling(_DATA["common"][s][d].split(), 0.3) for s in _SEXES for d in _ERAS}
_FIRST = {sex: _falling("".join(_DATA["first"][sex]), 0.35) for sex in _SEXES}
_SECOND = {sex: _falling("".join(_DATA["second"][sex]), 0.3) for sex in _SEXES}
_MINORITY = {sex: " ".join(_DATA["minority"][sex]).split() for sex in _SEXES}


def surname(rng: random.Random) -> str:
    """Return a surname."""
    chance = rng.random()
    if chance < _COMPOUND_SHARE:
        return rng.choice(COMPOUND_SURNAMES)
    return rng.choice(_RARE_SURNAMES) if chance < _COMPOUND_SHARE + _RARE_SHARE else _SURNAME(rng)


def is_minority(rng: random.Random) -> bool:
    """Return whether a family bears names with dots."""
    return rng.random() < _MINORITY_SHARE


def given(rng: random.Random, sex: str, year: int) -> str:
    """Return a given name as those born in that year bear it."""
    decade = min(max(year // 10 * 10, min(_ERAS)), max(_ERAS))
    if rng.random() < _RARE_CHARACTER_SHARE:
        return _rare(rng) + (_SECOND[sex](rng) if rng.random() < 0.6 else "")
    if rng.random() < _SINGLE_SHARE[decade]:
        return _SINGLE[sex, _ERAS[decade]](rng) if rng.random() < _FASHION_SHARE else _SECOND[sex](rng)
    if rng.random() < _COMMON_SHARE:
        return _COMMON[sex, decade](rng)
    return _FIRST[sex](rng) + _SECOND[sex](rng)


def minority(rng: random.Random, sex: str, father: str | None) -> str:
    """Return a name with a dot: one's own and the father's."""
    return f"{rng.choice(_MINORITY[sex])}·{father or rng.choice(_MINORITY['male'])}"


def twin_of(rng: random.Random, sex: str, first: str) -> str:
    """Return the given name of a twin: of two characters, one is the first twin's. It sounds otherwise, as
    parents see to.
    """
    sound = lazy_pinyin(first[-1])
    while lazy_pinyin(other := _SECOND[sex](rng)) == sound:
        pass
    return first[0] + other if len(first) > 1 else other


def _rare(rng: random.Random) -> str:
    return rng.choice(_RARE_CHARACTERS) if rng.random() < 0.7 else rng.choice(hazardous_ideographs())
