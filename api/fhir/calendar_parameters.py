"""Search parameters of calendars, for the routes and the CapabilityStatement."""

from __future__ import annotations

from collections.abc import Mapping

Parameter = tuple[str, str, str]
"""Name, type, documentation."""

PARAMETERS: Mapping[str, tuple[Parameter, ...]] = {
    "Schedule": (("_id", "token", "logical id"), ("active", "token", "true")),
    "Slot": (
        ("_id", "token", "logical id"),
        ("schedule", "reference", "whose time"),
        ("start", "date", "when it begins: eq, ge, gt, sa, le, lt, eb"),
        ("status", "token", "free, busy, busy-tentative (held), busy-unavailable (the expert is away)"),
    ),
}
