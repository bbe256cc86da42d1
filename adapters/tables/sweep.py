"""Rows that vanished: keys that were brought to the inbox and are no longer in the source.

The inbox itself is the list of what was brought. One page of it is compared at a time; the place where the
next page begins is kept as a watermark of its own, saved with the deletions found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.tables import codec
from adapters.tables.marks import Mark
from adapters.tables.poll import Counts, count, name
from adapters.tables.rows import Last
from adapters.tables.settings import Campus, Table
from bus.envelope import Arrival, Receipt
from consortium.errors import PermanentError

FEW = 20
"""So many keys may vanish at once in any case."""


class Keys(Protocol):
    """What is compared: `adapters.tables.client.Source`."""

    campus: Campus

    def missing(self, table: Table, keys: Sequence[str]) -> set[str]:
        """Return the keys without a row."""
        ...


class Ledger(Protocol):
    """What was brought: `adapters.tables.store.Store`."""

    def accept(self, arrivals: Sequence[Arrival], mark: Mark | None) -> list[Receipt]:
        """Commit arrivals and watermark together."""
        ...

    def mark(self, poller: str) -> dict[str, Any] | None:
        """Return a poller's watermark."""
        ...

    def known(self, facility: str, sender: str, after: str, limit: int) -> list[str]:
        """Return the next control ids."""
        ...

    def last(self, facility: str, sender: str, control_id: str) -> Last:
        """Return what is kept of a message."""
        ...


class TooManyVanishedError(PermanentError):
    """So many rows are gone at once that the source is taken to be broken; nothing was deleted."""


@dataclass(frozen=True, slots=True)
class _Page:
    """The newest control id of each key in a page of the inbox, and where the next page begins."""

    newest: dict[str, str]
    next_after: str
    """Empty: from the beginning."""


def sweep(source: Keys, ledger: Ledger, table: Table) -> Counts:
    """Compare one page of keys; bring a deletion for each that vanished. Raises TooManyVanishedError."""
    campus = source.campus
    poller = f"{name(campus, table)}/sweep"
    after = (ledger.mark(poller) or {}).get("after", "")
    page = _page(ledger.known(campus.facility, table.name, after, campus.sweep_page), campus.sweep_page)
    living = [key for key, control_id in page.newest.items() if not codec.is_deletion(control_id)]
    vanished = source.missing(table, living) if living else set()
    _refuse_too_many(campus, table, len(vanished), len(living))
    deletions = [_deletion(campus, table, ledger, page.newest[key]) for key in sorted(vanished)]
    if not deletions and page.next_after == after:
        return Counts()
    return count(0, ledger.accept(deletions, Mark(poller, {"after": page.next_after})))


def _page(control_ids: Sequence[str], size: int) -> _Page:
    full = len(control_ids) == size
    keys = [codec.key_of(control_id) for control_id in control_ids]
    # The last key's versions may go on behind the page: it is left for the next, unless it fills this one.
    last = keys[-1] if full and keys[0] != keys[-1] else None
    newest: dict[str, str] = {}
    next_after = ""
    for key, control_id in zip(keys, control_ids, strict=True):
        if key == last:
            break
        newest[key] = max(control_id, newest.get(key, ""))
        next_after = control_id
    return _Page(newest, next_after if full else "")


def _refuse_too_many(campus: Campus, table: Table, vanished: int, living: int) -> None:
    if vanished > max(FEW, living * campus.sweep_most):
        raise TooManyVanishedError(
            f"{vanished} of {living} rows of {campus.facility}'s {table.name} are gone at once: nothing was"
            " deleted; look at the source, and raise sweep_most in its file if they were really removed"
        )


def _deletion(campus: Campus, table: Table, ledger: Ledger, control_id: str) -> Arrival:
    last = ledger.last(campus.facility, table.name, control_id)
    kept = codec.remnant(table, control_id, last) if last.body is None else json.loads(last.body)
    return codec.deletion(campus, table, kept)
