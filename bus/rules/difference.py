"""What two decisions on the same message differ in, field by field."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_jsonable_python

from bus.rules.decision import Decision, Hold
from bus.rules.masking import Show
from consortium.records.model import Change

MISSING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. Of `added` there is no before, of `removed` no after."""

    field: str
    """`decision.…` for what becomes of the message, else a field of the change: `reports[1].status`."""
    what: str
    """added, removed or changed."""
    before: Any
    after: Any

    @property
    def of_nobody(self) -> bool:
        """Whether nothing in it is a patient's: it is about what becomes of the message."""
        return self.field.startswith("decision.") and self.field != "decision.version"

    def shown(self, show: Show) -> Difference:
        """Return it as values may be shown."""
        return replace(self, before=show(self.before), after=show(self.after))


def differences(before: Decision, after: Decision) -> list[Difference]:
    """Return what differs, first what becomes of the message, then the change by field."""
    found = list(_compared(_fate(before), _fate(after)))
    return found + list(_compared(_fields(before), _fields(after)))


def change_as_json(change: Change) -> dict[str, Any]:
    """Return a change as JSON: what a document holds as text, or as base64 where it is none."""
    made: dict[str, Any] = to_jsonable_python(_texts(change.model_dump()))
    return made


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _texts(one) for key, one in value.items()}
    return [_texts(one) for one in value] if isinstance(value, (list, tuple)) else value


def _fate(decision: Decision) -> dict[str, Any]:
    hold = decision.outcome if isinstance(decision.outcome, Hold) else None
    values = {
        "outcome": "held" if hold else "recorded",
        "rule": decision.rule,
        "order": decision.order.value,
        "waits": decision.waits,
        "blocks": decision.blocks,
        "version": decision.version,
        "unmapped": [f"{miss.table}: {miss.code}" for miss in decision.misses] or None,
        "hold.code": hold.code if hold else None,
        "hold.step": hold.step if hold else None,
        "hold.field": hold.field if hold else None,
        "hold.reason": hold.reason if hold else None,
        "warnings": [f"{warned.id} at {warned.path}" for warned in decision.warnings] or None,
        **{f"destinations.{one.to}": one.send.value for one in decision.sendings if not hold},
    }
    return {f"decision.{name}": value for name, value in values.items() if value is not None}


def _fields(decision: Decision) -> dict[str, Any]:
    changes = [change_as_json(change) for change in decision.changes]
    return dict(_flat("", changes if decision.split else changes[0])) if changes else {}


def _flat(at: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{at}.{key}" if at else key, one)
    elif isinstance(value, list):
        for number, one in enumerate(value, start=1):
            yield from _flat(f"{at}[{number}]", one)
    elif value is not None:
        yield at, value


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field, MISSING), after.get(field, MISSING)
        if old is MISSING:
            yield Difference(field, "added", None, new)
        elif new is MISSING:
            yield Difference(field, "removed", old, None)
        elif old != new:
            yield Difference(field, "changed", old, new)
