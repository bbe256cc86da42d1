"""A watch that notes what each leaf read and gave, while one message goes through a rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bus.rules.codes import Target
from bus.rules.decision import HoldingError
from bus.rules.masking import Show
from bus.rules.paths import fields_in
from bus.rules.run import Leaf, Run
from bus.rules.spec import Entry, FirstLeaf, PathLeaf
from bus.rules.watch import Part, Spot, written
from bus.sources.source import PathError, Source

VALUE, ABSENT, DEFAULT, MISS, HELD = "value", "absent", "default", "miss", "held"
MET, LEFT_OUT = "met", "left out"
VARIABLE = re.compile(r"\bmsg\.(\w+)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one leaf, or one condition, came to."""

    field: str
    """Field of the canonical model; `reports[1].results[2].flag` is of the second part that was read."""
    part: str
    """Repeated part of the message that it was asked of, such as `OBR[1]/OBX[2]`; empty: the message."""
    reads: str
    """Path, constant or expression, as written."""
    file: str
    line: int
    column: int
    outcome: str
    """value, absent, default, miss (of a code table), held; of a condition: met, left out, held."""
    sent: str | None
    """Text of the message at the path."""
    value: Any
    table: str | None
    from_message: bool
    """Whether `value` comes from the message, rather than from the rule."""
    values: dict[str, Any]
    """What a condition read: `msg.type`, `field("OBX-11")`."""
    reason: str | None = None
    """Code of the hold, or the condition."""
    entry: str | None = None
    """Of a lookup: what its entry says beside the code, such as its days; of one that missed, the days on
    which the table does know the code, and the message's.
    """


def values_read(text: str, source: Source) -> dict[str, Any]:
    """Return what an expression asks of a message, by how it is written there; `field(…)` may be a patient's.

    What it cannot be asked for is left out: the expression itself says why.
    """
    values: dict[str, Any] = {f"msg.{name}": source.cel().get(name) for name in VARIABLE.findall(text)}
    for path in fields_in(text):
        with suppress(PathError):
            values[f'field("{path}")'] = source.get(path) or ""
    return values


def shown_values(values: Mapping[str, Any], show: Show) -> dict[str, Any]:
    """Return what was read as values may be shown."""
    return {name: show(value) if name.startswith("field(") else value for name, value in values.items()}


@dataclass(slots=True)
class _Frame:
    """An `each` that is under way."""

    entry: Entry | None
    path: str
    field: str
    number: int = 0


class Recorder:
    """Notes in `readings`, in the order in which things happen. For one message at a time."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._frames: list[_Frame] = []

    def leaf(self, spot: Spot, leaf: Leaf) -> Leaf:
        """Return the closure, noting."""
        if spot.part is Part.EACH:
            return self._each(spot, leaf)
        if spot.part is Part.OBJECT:
            return self._object(spot, leaf)
        if spot.part is Part.WHEN:
            return self._condition(spot, leaf)
        if spot.part is Part.LEAF and not isinstance(spot.entry, FirstLeaf):
            return self._value(spot, leaf)
        return leaf

    def _each(self, spot: Spot, leaf: Leaf) -> Leaf:
        def noted(run: Run, source: Source) -> Any:
            self._frames.append(_Frame(spot.entry, spot.text, spot.field))
            try:
                return leaf(run, source)
            finally:
                self._frames.pop()

        return noted

    def _object(self, spot: Spot, leaf: Leaf) -> Leaf:
        def noted(run: Run, source: Source) -> Any:
            if self._frames and self._frames[-1].entry is spot.entry:
                self._frames[-1].number += 1
            return leaf(run, source)

        return noted

    def _condition(self, spot: Spot, leaf: Leaf) -> Leaf:
        def noted(run: Run, source: Source) -> Any:
            read = values_read(spot.text, source)
            try:
                value = leaf(run, source)
            except HoldingError as error:
                self._note(spot, HELD, None, None, f"when {spot.text}: {error.hold.code}", read)
                raise
            self._note(spot, MET if value else LEFT_OUT, None, None, f"when {spot.text}", read)
            return value

        return noted

    def _value(self, spot: Spot, leaf: Leaf) -> Leaf:
        entry = spot.entry
        path = entry if isinstance(entry, str) else entry.path if isinstance(entry, PathLeaf) else None

        def noted(run: Run, source: Source) -> Any:
            before = len(run.misses)
            try:
                value = leaf(run, source)
            except HoldingError as error:
                sent = source.get(path) if path else None
                told = _of_miss(run) if len(run.misses) > before else None
                self._note(spot, HELD, sent, None, error.hold.code, entry=told)
                raise
            sent = source.get(path) if path else None
            outcome = _outcome(entry, sent, value, missed=len(run.misses) > before)
            self._note(spot, outcome, sent, value, entry=_looked_up(entry, outcome, run))
            return value

        return noted

    def _note(
        self,
        spot: Spot,
        outcome: str,
        sent: str | None,
        value: Any,
        reason: str | None = None,
        read: Mapping[str, Any] | None = None,
        entry: str | None = None,
    ) -> None:
        self.readings.append(
            Reading(
                field=self._field(spot.field),
                part="/".join(f"{frame.path}[{frame.number}]" for frame in self._frames),
                reads=written(spot.entry) if spot.entry is not None else spot.text,
                file=spot.file,
                line=spot.place.line,
                column=spot.place.column,
                outcome=outcome,
                sent=sent,
                value=value,
                table=spot.entry.lookup if isinstance(spot.entry, PathLeaf) else None,
                from_message=outcome != DEFAULT and not written(spot.entry).startswith("const "),
                values=dict(read or {}),
                reason=reason,
                entry=entry,
            )
        )

    def _field(self, field: str) -> str:
        for frame in reversed(self._frames):
            rest = field.removeprefix(frame.field)
            field = f"{frame.field}[{frame.number}]{rest if frame.field else f'.{rest}'}"
        return field


def _looked_up(entry: Entry | None, outcome: str, run: Run) -> str | None:
    """Return what is to be said of a lookup beside the code that it gave."""
    if not isinstance(entry, PathLeaf) or entry.lookup is None or outcome not in (VALUE, MISS):
        return None
    return _of_miss(run) if outcome == MISS else _of_hit(run.target)


def _of_hit(target: Target | None) -> str | None:
    if target is None:
        return None
    owner = f"owner {target.owner}" if target.owner else ""
    days = target.period() if target.dated else ""
    return ", ".join(filter(None, (target.relationship, days, owner))) or None


def _of_miss(run: Run) -> str | None:
    return f"holds {run.other_days}, not on {run.day()}" if run.other_days else None


def _outcome(entry: Entry | None, sent: str | None, value: Any, *, missed: bool) -> str:
    if missed:
        return MISS
    if value is None:
        return ABSENT
    return DEFAULT if isinstance(entry, PathLeaf) and sent is None else VALUE
