"""Finds the one system that a person means."""

from __future__ import annotations

from collections.abc import Sequence

from bus.registry.model import Entry
from bus.rules.compile import nearest
from consortium.errors import PermanentError


class UnknownSystemError(PermanentError):
    """No system has that code."""

    code = "unknown_system"


class AmbiguousSystemError(PermanentError):
    """Systems of several campuses have that code."""

    code = "ambiguous_system"


def found(entries: Sequence[Entry], code: str, facility: str | None = None) -> Entry:
    """Return the system of that code, or that one of its senders is; `facility` says of which campus.

    Raises `UnknownSystemError`, `AmbiguousSystemError`.
    """
    mine = [one for one in entries if facility in (None, one.facility)]
    fit = [one for one in mine if one.code == code]
    fit = fit or [one for one in mine if one.declared and code in one.declared.names]
    if not fit:
        near = nearest(code, {one.code for one in mine})
        raise UnknownSystemError(f"there is no system {code!r}; {near}", zh=f"没有系统 {code!r}；{near}")
    if len(fit) > 1:
        campuses = ", ".join(one.facility for one in fit)
        raise AmbiguousSystemError(
            f"{code} is a system of {campuses}: name the campus (--facility, ?facility=)",
            zh=f"{campuses} 均有系统 {code}：请指定院区（--facility、?facility=）",
        )
    return fit[0]
