"""The leaf of a value that the consortium's records have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bus.rules.decision import Hold, HoldingError
from bus.rules.leaves import Convert, converted, paths_read, read_by, written_to
from bus.rules.records import Fact
from bus.rules.run import Leaf, Run
from bus.rules.spec import RecordLeaf
from bus.rules.target import target_of
from bus.sources.source import Source
from consortium.records import lookup


def record_leaf(leaf: RecordLeaf, number: Leaf, convert: Convert, name: str, target: str = "") -> Leaf:
    """Return the leaf of a value that the records have."""
    steps = leaf.field.split(".")
    field = read_by(paths_read(leaf), target) or leaf.field

    def known(run: Run, source: Source) -> Any:
        asked = number(run, source)
        fact = None if asked is None else run.known(leaf.record, str(asked))
        value = None if fact is None else _at(fact, steps)
        if value is None:
            if leaf.required:
                raise _unknown(leaf, run.facility, field, target)
            return leaf.default
        if isinstance(value, str):
            return converted(convert, name, value, field, target)
        return _plain(value, name)

    return known


def mistake_in(kind: str, field: str) -> str | None:
    """Say what is wrong with a field that a record is asked for; None: it has that field."""
    model, place = lookup.FACTS.get(kind), kind
    for step in field.split("."):
        if model is None or step not in model.model_fields:
            fields = "none" if model is None else ", ".join(model.model_fields)
            return f"{place} has no field {step!r}; it has {fields}"
        place = f"{place}.{step}"
        model = target_of(model.model_fields[step].annotation).model
    return f"{place} is an object: name one of its fields, {', '.join(model.model_fields)}" if model else None


def _at(fact: Fact, steps: Sequence[str]) -> Any:
    value: Any = fact
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _plain(value: Any, name: str) -> Any:
    if name != "text" or isinstance(value, bool):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _unknown(leaf: RecordLeaf, facility: str, field: str, target: str) -> HoldingError:
    reason = (
        f"{facility} has no {leaf.record} of the number in {field} with {leaf.field}"
        f"{written_to(target, field)} yet; when it is there, replay (./yilian messages replay), or give the"
        " rule a default"
    )
    hold = Hold("unknown_record", reason, step=f"record {leaf.record}", field=field, target=target or None)
    return HoldingError(hold, blocks=False)  # what it waits for may be the patient's next message
