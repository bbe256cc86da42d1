"""The leaf of a value that the consortium's records have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bus.rules.decision import Hold, HoldingError
from bus.rules.leaves import Convert, converted
from bus.rules.records import Fact
from bus.rules.run import Leaf, Run
from bus.rules.spec import RecordLeaf
from bus.rules.target import target_of
from bus.sources.source import Source
from consortium.records import lookup


def record_leaf(leaf: RecordLeaf, number: Leaf, convert: Convert, name: str) -> Leaf:
    """Return the leaf of a value that the records have."""
    steps = leaf.field.split(".")

    def known(run: Run, source: Source) -> Any:
        asked = number(run, source)
        fact = None if asked is None else run.known(leaf.record, str(asked))
        value = None if fact is None else _at(fact, steps)
        if value is None:
            if leaf.required:
                raise _unknown(leaf, run.facility)
            return leaf.default
        return converted(convert, name, value, leaf.field) if isinstance(value, str) else _plain(value, name)

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


def _unknown(leaf: RecordLeaf, facility: str) -> HoldingError:
    reason = (
        f"{facility} has no {leaf.record} of that number with {leaf.field} yet; when it is there, replay"
        " (./yilian messages replay), or give the rule a default"
    )
    hold = Hold("unknown_record", reason, step=f"record {leaf.record}", field=leaf.field)
    return HoldingError(hold, blocks=False)  # what it waits for may be the patient's next message
