"""Which pairs stand in one block, for more source patients than memory holds pairs of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow

Longs = npt.NDArray[np.int64]

_ROWS = 1_000_000
"""Rows that are handed over together."""
_SMALL = "CREATE TABLE small AS SELECT key FROM block GROUP BY key HAVING count(*) BETWEEN 2 AND $most"
_PAIRS = """
SELECT DISTINCT one.id, other.id
  FROM small JOIN block AS one USING (key) JOIN block AS other ON other.key = small.key AND one.id < other.id
  LEFT JOIN person AS p ON p.id = one.id LEFT JOIN person AS q ON q.id = other.id
 WHERE p.person IS NULL OR q.person IS NULL OR p.person <> q.person
 ORDER BY ALL
"""


class Blocks:
    """The index of blocks in a file, in a form that finds all pairs; use it as a context."""

    def __init__(self, folder: Path, memory: str = "2GB", threads: int = 2) -> None:
        """Begin an empty one in a folder, which takes what `memory` does not hold."""
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(folder),
        }
        self._connection = duckdb.connect(folder / "blocks.duckdb", config=settings)
        self._connection.execute("CREATE TABLE block (key BIGINT, id BIGINT)")
        self._connection.execute("CREATE TABLE person (id BIGINT, person BIGINT)")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, rows: Iterable[tuple[int, int]]) -> None:
        """Add hashed keys, each with the source patient that stands in that block."""
        self._insert("block", rows)

    def already(self, rows: Iterable[tuple[int, int]]) -> None:
        """Say who is which person already; pairs of one person are left out. Persons are any numbers."""
        self._insert("person", rows)

    def pairs(self, most: int, chunk: int = 50_000) -> Iterator[tuple[Longs, Longs]]:
        """Give all pairs in order, a chunk at a time, each once, the smaller id first. A block with more than
        `most` is left out.
        """
        self._connection.execute(_SMALL, {"most": most})
        for batch in self._connection.sql(_PAIRS).to_arrow_reader(chunk):
            left, right = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            yield left, right

    def without(self) -> list[int]:
        """Return those of `already` who stand in no block, in order."""
        found = self._connection.execute("SELECT id FROM person ANTI JOIN block USING (id) ORDER BY id")
        return [id_ for (id_,) in found.fetchall()]

    def _insert(self, table: str, rows: Iterable[tuple[int, int]]) -> None:
        for first, second in _columns(rows):
            values = pyarrow.table([pyarrow.array(first), pyarrow.array(second)], names=["a", "b"])
            self._connection.register("added", values)
            self._connection.table("added").insert_into(table)
            self._connection.unregister("added")


def _columns(rows: Iterable[tuple[int, int]]) -> Iterator[tuple[Longs, Longs]]:
    """Give rows as columns, so many at a time."""
    left: list[int] = []
    right: list[int] = []
    for one, other in rows:
        left.append(one)
        right.append(other)
        if len(left) >= _ROWS:
            yield np.array(left, np.int64), np.array(right, np.int64)
            left.clear()
            right.clear()
    if left:
        yield np.array(left, np.int64), np.array(right, np.int64)
