"""JSON objects and table rows as a source. Paths are keys joined by `.`; a number is an index from 0.

`^.` at the beginning is the source that `each` was asked of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bus.sources.source import Envelope, PathError, UnreadableError

HOLDER = "^."


class RowSource:
    """One JSON object: a REST body, a table row, or an object inside them."""

    __slots__ = ("_envelope", "_holder", "_value")

    def __init__(self, value: Any, envelope: Envelope, holder: RowSource | None = None) -> None:
        self._value = value
        self._envelope = envelope
        self._holder = holder

    def get(self, path: str) -> str | None:
        """Return the value at `path` as text: numbers as they were written, true and false in lower case."""
        if path.startswith(HOLDER):
            return self._held_by().get(path.removeprefix(HOLDER))
        value = _follow(self._value, path)
        if value is None or isinstance(value, (dict, list)):
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) or None

    def each(self, path: str) -> Sequence[RowSource]:
        """Return one source for each element of the list at `path`; an object counts as a list of one."""
        value = _follow(self._value, path)
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        return [RowSource(item, self._envelope, self) for item in items]

    def about(self, kind: str) -> RowSource:
        """Return the same for one change of it: `msg.kind` is what that is about."""
        return RowSource(self._value, replace(self._envelope, kind=kind), self._holder)

    def _held_by(self) -> RowSource:
        if self._holder is None:
            raise PathError(f"{HOLDER} stands outside each: there is nothing around the message", HOLDER)
        return self._holder

    def cel(self) -> Mapping[str, Any]:
        """Return the variables of `msg`."""
        return self._envelope.cel()


def _follow(value: Any, path: str) -> Any:
    for key in path.split(".") if path != "." else ():
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def parse_rows(text: str, envelope: Envelope) -> RowSource:
    """Return the source of a JSON body; raises `UnreadableError` when it is not a JSON object."""
    try:
        value = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("malformed_json", "the body is not well-formed JSON") from error
    if not isinstance(value, dict):
        raise UnreadableError("malformed_json", "the body is not a JSON object")
    return RowSource(value, envelope)
