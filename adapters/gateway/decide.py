"""What the hub does with a batch, by what it has committed of the same spool. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.gateway.codec import Received, Taken


@dataclass(frozen=True, slots=True)
class Position:
    """How far a spool is committed."""

    seq: int
    mark: bytes
    """Of the entry of that number."""


class GapError(Exception):
    """Entries are missing before this batch: it is not taken."""

    def __init__(self, expected: int) -> None:
        super().__init__(expected)
        self.expected = expected


class HistoryError(Exception):
    """The same number means another entry here: the gateway's spool is an older copy of itself."""


def fresh(position: Position | None, batch: Received) -> Sequence[Taken]:
    """Return what is new of a batch. Raises GapError, HistoryError.

    A spool that is not known may begin at any number, unless the gateway knows of an entry before it: then it
    is we who have forgotten.
    """
    entries = batch.entries
    if not entries:
        return []
    if position is None:
        if batch.after:
            raise GapError(1)
        return entries
    first, last = entries[0].seq, entries[-1].seq
    if first > position.seq + 1:
        raise GapError(position.seq + 1)
    if first == position.seq + 1:
        if batch.after and batch.after != position.mark:
            raise HistoryError
    elif position.seq <= last and entries[position.seq - first].mark != position.mark:
        raise HistoryError
    return [entry for entry in entries if entry.seq > position.seq]
