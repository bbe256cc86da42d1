"""What becomes of a record when something is said of it: pure decisions on rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from consortium.records.facts import Row, Said, Word
from consortium.records.tables import Group, Table
from consortium.records.versions import Version

_BOOKKEEPING = frozenset({"at", "version", "message_id", "source_version", "changed_at"})


def created(said: Said, patient_id: int, otherwise_at: datetime | None = None) -> Row:
    """Return the first version of a record; `otherwise_at` is its time where it says none."""
    row: Row = dict.fromkeys(said.table.columns)
    row |= said.first
    row |= {
        "id": said.id,
        "patient_id": patient_id,
        "deleted": bool(said.deleted),
        "version": 1,
        "message_id": said.word.version.message_id,
        "source_version": said.word.version.source,
        "changed_at": said.word.received_at,
    }
    row["at"] = _clinical_time(said.table, row) or otherwise_at or said.word.received_at
    return row


def revised(said: Said, known: Row) -> Row:
    """Return a record after something was said of it: equal to `known` when nothing is new.

    What a newer statement does not speak of stays as it is known; an older one, and one that is about
    something else, only fills what is not known.
    """
    word = said.word
    newer = word.authority and word.version.supersedes(version_of(known))
    row = _replaced(said, known) if newer else _filled(said, known)
    if newer and said.deleted is not None:
        row["deleted"] = said.deleted
    return _stamped(said.table, known, row, word, newer=newer)


def withdrawn(table: Table, known: Row, word: Word) -> Row:
    """Return a record entered in error, because the one that it is a part of says so; an older word changes
    nothing.
    """
    if known["deleted"] or not word.version.supersedes(version_of(known)):
        return known
    return _stamped(table, known, known | {"deleted": True}, word, newer=True)


def differs(known: Row, row: Row) -> bool:
    """Whether two versions say something different; who said it last does not count."""
    return any(known[column] != value for column, value in row.items() if column not in _BOOKKEEPING)


def version_of(row: Row) -> Version:
    """Return where a row's last statement stands."""
    return Version(row["message_id"], row["source_version"])


def _stamped(table: Table, known: Row, row: Row, word: Word, *, newer: bool) -> Row:
    if newer:
        version = word.version.joined(version_of(known))
        row |= {"message_id": version.message_id, "source_version": version.source}
    if differs(known, row):
        row |= {"version": known["version"] + 1, "changed_at": word.received_at}
        row["at"] = _clinical_time(table, row) or known["at"]
    return row


def _replaced(said: Said, known: Row) -> Row:
    row = known | said.partial
    for group in said.table.groups:
        if _about_another(group, said.partial, known):
            row |= {column: said.partial.get(column) for column in (group.lead, *group.others)}
    return row


def _about_another(group: Group, partial: Row, known: Row) -> bool:
    if group.lead in partial:
        return bool(known[group.lead] != partial[group.lead])
    return group.lead_may_lack and any(
        column in partial and known[column] is not None and known[column] != partial[column]
        for column in group.others
    )


def _filled(said: Said, known: Row) -> Row:
    row = known | {column: value for column, value in said.partial.items() if known[column] is None}
    for group in said.table.groups:
        if _about_another(group, said.partial, known) and not _unknown(group, known):
            row |= {column: known[column] for column in (group.lead, *group.others)}
    return row


def _unknown(group: Group, known: Row) -> bool:
    return all(known[column] is None for column in (group.lead, *group.others))


def _clinical_time(table: Table, row: Row) -> Any:
    return row[table.clinical_time] if table.clinical_time is not None else None
