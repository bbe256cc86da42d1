"""What goes wrong when a person is written down: each slip makes another value of the true one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from simulators import id_card
from simulators.population.confusable import IN_SHAPE, IN_SOUND, TRADITIONAL
from simulators.population.drawing import Draw

_NAME_SLIPS = Draw(
    ("homophone", "traditional", "shape", "spaced", "dropped", "turned", "remark", "unreadable"),
    (45, 18, 12, 8, 4, 4, 5, 40),
)
"""What a variant of a name is, by how often. Few names have what is unreadable: rare characters."""
_DOTS = "•・‧. "
"""What is written for the dot of a minority name."""


def name(rng: random.Random, true: str) -> tuple[str, str]:
    """Return another way of writing a name, and which slip it is."""
    if "·" in true and rng.random() < 0.8:
        if rng.random() < 0.25:
            return true.split("·")[0], "shortened"
        return true.replace("·", rng.choice(_DOTS)), "dot"
    for _ in range(8):
        slip = _NAME_SLIPS(rng)
        if (written := _NAME[slip](rng, true)) is not None and written != true:
            return written, slip
    return f"{true[0]} {true[1:]}", "spaced"


def birth_date(rng: random.Random, true: date) -> tuple[date, str]:
    """Return a wrong date of birth, and which slip it is."""
    chance = rng.random()
    if chance < 0.35 and true.day <= 12 and true.day != true.month:
        return true.replace(month=true.day, day=true.month), "birth_swapped"
    if chance < 0.55:
        return _safe(true.year + rng.choice((-1, 1, -10, 10)), true.month, true.day), "birth_year"
    if chance < 0.7:
        return true - timedelta(days=rng.randrange(18, 52)), "birth_lunar"
    if chance < 0.8:
        return date(true.year, 1, 1), "birth_first_of_january"
    return _safe(true.year, true.month, (true.day + rng.choice((1, 2, 10, 20)) - 1) % 28 + 1), "birth_day"


def card(rng: random.Random, true: str) -> tuple[str, str]:
    """Return a card with a wrong digit or two neighbours swapped: its check character tells."""
    place = rng.randrange(6, 17)
    if rng.random() < 0.3 and true[place - 1] != true[place]:
        return f"{true[: place - 1]}{true[place]}{true[place - 1]}{true[place + 1 :]}", "card_swapped"
    digit = (int(true[place]) + rng.randrange(1, 10)) % 10
    return f"{true[:place]}{digit}{true[place + 1 :]}", "card_digit"


def card_form(rng: random.Random, true: str) -> str:
    """Return the card as some systems write it: small x, 15 digits (first generation), or spaces."""
    if true[-1] == "X" and rng.random() < 0.3:
        return true.lower()
    if true[6:8] == "19" and int(true[8:10]) < 85 and rng.random() < 0.01:
        return true[:6] + true[8:17]
    return f"{true[:6]} {true[6:14]} {true[14:]}" if rng.random() < 0.003 else true


def phone(rng: random.Random, true: str) -> str:
    """Return a phone with a wrong digit."""
    place = rng.randrange(3, 11)
    return f"{true[:place]}{(int(true[place]) + rng.randrange(1, 10)) % 10}{true[place + 1 :]}"


def stranger_card(rng: random.Random, born: date) -> str:
    """Return the card of somebody of about that age who does not visit."""
    other = born + timedelta(days=rng.randrange(-1500, 1500))
    return id_card.make(f"44{rng.randrange(1, 100):02d}89", other, rng.randrange(1000))


def _replaced(rng: random.Random, true: str, alike: Mapping[str, str]) -> str | None:
    places = [n for n, c in enumerate(true) if c in alike]
    if not places:
        return None
    # the surname is asked for, and seldom wrong
    place = rng.choice(places[1:]) if len(places) > 1 and rng.random() < 0.8 else rng.choice(places)
    return true[:place] + rng.choice(alike[true[place]]) + true[place + 1 :]


def _is_rare(character: str) -> bool:
    """Whether an old system lacks the character: it is not in GB 2312."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return character != "·"
    return False


def _safe(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, 28) if month == 2 else min(day, 30))


_NAME: Mapping[str, Callable[[random.Random, str], str | None]] = {
    "homophone": lambda rng, true: _replaced(rng, true, IN_SOUND),
    "shape": lambda rng, true: _replaced(rng, true, IN_SHAPE),
    "traditional": lambda _rng, true: true.translate(TRADITIONAL),
    "spaced": lambda _rng, true: f"{true[0]}{' ' if len(true) > 2 else '　'}{true[1:]}",
    "dropped": lambda _rng, true: true[:-1] if len(true) > 2 else None,
    "turned": lambda _rng, true: true[0] + true[:0:-1] if len(true) > 2 else None,
    "remark": lambda rng, true: true + rng.choice(("(女)", "(医保)", "1", "(重)", "-2")),
    "unreadable": lambda _rng, true: "".join("?" if _is_rare(c) else c for c in true),
}
