"""Mapping a code: the entry in one transaction, then whatever was held for exactly that code is released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bus import held
from bus.codes.decide import checked
from bus.master_data import outbox
from bus.replay.ledger import Who
from bus.replay.one import release
from bus.rules.additions import target_of
from bus.rules.code_files import load_tables
from bus.rules.codes import CodeTable
from bus.rules.marks import RuleError
from bus.rules.versions.deciding import deciding
from consortium.terminology import maps
from consortium.terminology.errors import UnknownMapError
from consortium.terminology.maps import MapEntry, Mapping

PAGE = 500
_WAITING = sa.text(
    "SELECT h.message_id FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.released_at IS NULL AND h.code_table = :code_table AND h.source_code = :code"
    " AND i.facility = :facility AND h.message_id > :after ORDER BY h.message_id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What mapping a code did."""

    entry: MapEntry | None
    """The entry that was added; None when the code meant that already."""
    released: Sequence[int]
    """Messages that were held for it and go on, oldest first; those behind them follow."""


def tables_in_force(connection: sa.Connection, rules_dir: Path) -> dict[str, CodeTable]:
    """Return the code tables of the deployed rule set, and what was mapped since; of the folder before the
    first is deployed. Raises `RuleError`.
    """
    with deciding(connection, rules_dir) as folder:
        tables = _tables(folder)
    for entry in maps.current(connection):
        if table := tables.get(entry.code_table):
            table.add((entry.facility, entry.code), target_of(entry))
    return tables


def _tables(folder: Path) -> dict[str, CodeTable]:
    errors: list[RuleError] = []
    tables = load_tables(folder, errors)
    if errors:
        raise errors[0]
    return tables


def map_code(
    engine: sa.Engine, rules_dir: Path, facilities: Sequence[str], wanted: Mapping, *, by: str, why: str
) -> Mapped:
    """Map a code and release what waited for it. The same again releases what a crash left behind.

    Raises `UnknownMapError`, `ConflictError`, `BusyError`.
    """
    if not why.strip():
        raise UnknownMapError("say why: who decided it, by which source", zh="请填写原因：由谁、依据什么确定")
    if wanted.facility not in facilities:
        known = ", ".join(facilities)
        raise UnknownMapError(
            f"no campus {wanted.facility}: there are {known}", zh=f"没有院区 {wanted.facility}：现有 {known}"
        )
    with engine.begin() as connection:
        # The router reads additions under the same lock: a message that is held without this entry is
        # committed before it, and is found below.
        maps.wait_for_batches(connection)
        tables = tables_in_force(connection, rules_dir)
        table = tables.get(wanted.code_table)
        if table is None:
            known = ", ".join(sorted(tables))
            raise UnknownMapError(
                f"no table {wanted.code_table}: there are {known}",
                zh=f"没有码表 {wanted.code_table}：现有 {known}",
            )
        addition = checked(wanted, table)
        entry = None if addition is None else maps.add(connection, addition, by=by, why=why)
        if entry is not None:
            outbox.publish_map(connection, entry)
    return Mapped(entry, list(_released(engine, wanted, Who(by, f"{wanted.code_table}: {why}"))))


def _released(engine: sa.Engine, wanted: Mapping, who: Who) -> Iterator[int]:
    after = 0
    while True:
        values = {"code_table": wanted.code_table, "code": wanted.code, "facility": wanted.facility}
        with engine.connect() as connection:
            found = connection.execute(_WAITING, {**values, "after": after, "limit": PAGE}).scalars().all()
        for message in found:
            try:
                release(engine, message, who)
            except held.NotHeldError:
                continue  # somebody else released it meanwhile
            yield message
        if len(found) < PAGE:
            return
        after = found[-1]
