"""Values of messages are shown masked unless the person asks for them: they may be a patient's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Show = Callable[[Any], Any]


def masked(value: Any) -> Any:
    """Return what may be shown of a value: that there is one, and how long."""
    if value is None or value in ("", [], {}):
        return value
    if isinstance(value, (list, dict)):
        return f"‹{len(value)} parts›"
    if isinstance(value, bytes):
        return f"‹{len(value)} bytes›"
    length = len(str(value))
    return f"‹{length} character{'' if length == 1 else 's'}›"


def plain(value: Any) -> Any:
    """Return the value itself."""
    return value
