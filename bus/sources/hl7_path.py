"""Paths into HL7 v2 segments: those of `bus.hl7` (`PID-3.1`, `PID-3(2).4.2`, `OBX-5`), and a choice by value.

`PID-3[5=NI].1` is component 1 of the repetition whose component 5 is NI, `PID-3[4.2=2.16.156.10011.1.3].1`
asks a
subcomponent. Without a component a path is the whole field with its repetitions on lines of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bus.sources.source import PathError

PATTERN = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})-(?P<field>[1-9]\d*)"
    r"(?:\((?P<index>[1-9]\d*)\)|\[(?P<where>[1-9]\d*)(?:\.(?P<part>[1-9]\d*))?=(?P<value>[^\]]+)\])?"
    r"(?:\.(?P<component>[1-9]\d*)(?:\.(?P<sub>[1-9]\d*))?)?"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Choose the first repetition whose component (and subcomponent) has this value."""

    component: int
    part: int | None
    value: str


@dataclass(frozen=True, slots=True)
class Hl7Path:
    """A parsed path. All numbers count from 1, as HL7 does."""

    segment: str
    field: int
    repetition: int | None
    """None: every repetition."""
    choice: Choice | None
    component: int | None
    sub: int | None
    first: bool
    """Whether a field of one value, without parts, has it at this path."""


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Hl7Path:
    """Parse a path; raises `PathError`."""
    match = PATTERN.fullmatch(text)
    if match is None:
        reason = f"{text!r} is no HL7 path: write it as PID-3, PID-3.1, PID-3(2).1 or PID-3[5=NI].1"
        raise PathError(reason, text)
    numbers = {name: int(text) for name, text in match.groupdict().items() if text and text.isdecimal()}
    choice = None
    if "where" in numbers:
        choice = Choice(numbers["where"], numbers.get("part"), match["value"])
    component = numbers.get("component")
    whole = component is None and choice is None
    repetition, sub = numbers.get("index", None if whole else 1), numbers.get("sub")
    return Hl7Path(
        segment=match["segment"],
        field=numbers["field"],
        repetition=repetition,
        choice=choice,
        component=component,
        sub=sub,
        first=all(number in {None, 1} for number in (repetition, component, sub)),
    )
