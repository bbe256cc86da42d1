"""From what a map gives to a change of the canonical model."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from bus.rules.decision import Hold, HoldingError
from bus.rules.run import Leaf, Run
from bus.sources.source import Source
from consortium.records.model import Change, Kind

MOST = 500
"""Changes of one message: its patients are locked together."""


def change_of(kind: Kind | None, mapped: Any) -> Change:
    """Return the change. Raises HoldingError where the canonical model does not take what was mapped."""
    try:
        return Change.model_validate({"kind": kind, **(mapped or {})})
    except ValidationError as error:
        # Only the place and the demand: the value that failed may be a patient's.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = _place(first["loc"])
        what = "is missing" if first["type"] == "missing" else f"was not accepted ({first['msg']})"
        reason = f"{field} {what}; correct it at the sender, or the rule"
        raise HoldingError(Hold("bad_field", reason, step="check", field=field)) from error


def change_leaf(kind: Kind, leaf: Leaf) -> Leaf:
    """Return the closure of a map as one that gives a change, or None for a part that says nothing."""

    def build(run: Run, source: Source) -> Any:
        made = leaf(run, source)
        return None if made is None else change_of(kind, made)

    return build


def changes_of(parts: list[Change], path: str) -> tuple[Change, ...]:
    """Return the changes of a message that is split at a path. Raises HoldingError for none, or too many."""
    if not parts:
        reason = f"the message has no part {path} that says anything; correct it at the sender, or the rule"
        raise HoldingError(Hold("no_changes", reason, step="map", field=path))
    if len(parts) > MOST:
        reason = f"{len(parts)} parts {path} are more than the {MOST} of one message: let the sender cut it"
        raise HoldingError(Hold("too_many_changes", reason, step="map", field=path))
    return tuple(parts)


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text
