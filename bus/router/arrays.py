"""Lists as PostgreSQL arrays in one join each: the client library quotes element by element."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg.abc import Buffer
from psycopg.types.array import ListDumper

_PLAIN = (frozenset({int}), frozenset({UUID}))
_TEXT = frozenset({str})


class FlatListDumper(ListDumper):
    """Lists of whole numbers, of ids or of texts; any other is left to the client library."""

    def dump(self, obj: list[Any]) -> Buffer | None:
        """Return the array in PostgreSQL's text format (8.15.6)."""
        kinds = frozenset(map(type, obj))
        if kinds in _PLAIN:
            return f"{{{','.join(map(str, obj))}}}".encode()
        if kinds == _TEXT:
            joined = '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in obj])
            if "\0" not in joined:  # no text of PostgreSQL's holds it: the library says so
                return f'{{"{joined}"}}'.encode()
        return super().dump(obj)


def use(engine: sa.Engine) -> None:
    """Let the connections that an engine makes from now on send lists so."""

    @sa.event.listens_for(engine, "connect")
    def register(connection: Any, _record: Any) -> None:
        connection.adapters.register_dumper(list, FlatListDumper)
