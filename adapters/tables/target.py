"""The table that a destination writes to, as its database has it, compared with the destination's file."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.exc import NoSuchTableError

from bus.rules.sending.shape import Fixed, Leaf, Value, Whole
from bus.rules.sending.tables import TablesDestination
from consortium.errors import PermanentError


class Family(enum.StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    BYTES = "base64"


TAKES: Mapping[Family, frozenset[str]] = {
    Family.TEXT: frozenset(
        {"text", "name", "staff_name", "date", "datetime", "decimal", "number", "integer", "bool"}
    ),
    Family.INTEGER: frozenset({"integer", "bool"}),
    Family.DECIMAL: frozenset({"decimal", "number", "integer"}),
    Family.BOOL: frozenset({"bool"}),
    Family.DATE: frozenset({"date"}),
    Family.DATETIME: frozenset({"datetime", "date"}),
    Family.BYTES: frozenset({"base64", "bytes"}),
}
"""The converters whose values fit a column; the first thought of a family is its own name."""
_FAMILIES: Sequence[tuple[type[Any], Family]] = (
    (sa.Boolean, Family.BOOL),
    (sa.Numeric, Family.DECIMAL),
    (sa.Float, Family.DECIMAL),
    (sa.Integer, Family.INTEGER),
    (sa.DateTime, Family.DATETIME),
    (sa.Date, Family.DATE),
    (sa.LargeBinary, Family.BYTES),
    (sa.String, Family.TEXT),
)
_CODECS = {
    "AL32UTF8": None,
    "UTF8": None,
    "ZHS16GBK": "gbk",
    "ZHS32GB18030": None,
    "ZHS16CGB231280": "gb2312",
}
"""Character sets of Oracle; None: holds every character."""


class ShapeError(PermanentError):
    """The table is not as the destination's file says. The text says what is to be corrected."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column, and how its value is made."""

    leaf: Leaf
    family: Family
    type: sa.types.TypeEngine[Any]
    nullable: bool
    codec: str | None
    """Codec outside of which the database would keep a question mark; None: there is no such."""


@dataclass(frozen=True, slots=True)
class Target:
    """The table, with what is written to it alone."""

    table: sa.Table
    cells: Mapping[str, Cell]
    key: Sequence[str]


def family_of(type_: sa.types.TypeEngine[Any]) -> Family | None:
    """Return what a column of that type holds; None for a type that is not written to."""
    return next((family for kind, family in _FAMILIES if isinstance(type_, kind)), None)


def read_target(connection: sa.Connection, spec: TablesDestination) -> Target:
    """Look the table up and compare it with the file. Raises ShapeError, or SQLAlchemy's errors."""
    schema, _, name = spec.table.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        columns = {column["name"]: column for column in inspector.get_columns(name, schema or None)}
    except NoSuchTableError as error:
        raise ShapeError(f"there is no table {spec.table}, or we may not see it") from error
    oracle = _oracle_charset(connection)
    backend = connection.dialect.name
    cells = {
        column: _cell(column, leaf, columns, _codec(backend, columns, column, oracle))
        for column, leaf in spec.columns.items()
    }
    written = {*cells, *([spec.status.column] if spec.status else [])}
    _check_columns(spec, columns, written)
    keys = _unique_keys(inspector, name, schema or None)
    _check_key(spec, keys, written, backend)
    _check_engine(inspector, name, schema or None, backend)
    table = sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(column, columns[column]["type"]) for column in columns if column in written),
        schema=schema or None,
    )
    return Target(table, cells, spec.key)


def _cell(name: str, leaf: Leaf, columns: Mapping[str, Any], codec: str | None) -> Cell:
    if name not in columns:
        raise ShapeError(f"there is no column {name}; there are {', '.join(columns)}")
    column = columns[name]
    family = family_of(column["type"])
    if family is None:
        raise ShapeError(f"column {name} is {column['type']!r}: no value of a message fits that type")
    wanted = _converter(leaf, family)
    if wanted not in TAKES[family]:
        raise ShapeError(
            f"column {name} is {column['type']!r} and the file gives {wanted}: write as: {family.value},"
            " or let the column be of that type"
        )
    if isinstance(leaf, Value | str):
        path = leaf if isinstance(leaf, str) else leaf.path
        more = {} if isinstance(leaf, str) else {"default": leaf.default, "needed": leaf.needed}
        leaf = Value.model_validate({"path": path, "as": wanted, **more})
    return Cell(leaf, family, column["type"], bool(column.get("nullable", True)), codec)


def _converter(leaf: Leaf, family: Family) -> str:
    """Return what a leaf gives; where the file does not say, what the column takes."""
    match leaf:
        case Fixed():
            return _given(leaf.const, family)
        case Whole():
            return "text"
        case Value() if leaf.as_ is not None:
            return leaf.as_
    return family.value


def _given(const: object, family: Family) -> str:
    if const is None:
        return family.value
    if isinstance(const, bool):
        return "bool"
    if isinstance(const, int):
        return "integer"
    return "decimal" if isinstance(const, float) else "text"


def _check_columns(spec: TablesDestination, columns: Mapping[str, Any], written: Collection[str]) -> None:
    if spec.status and spec.status.column not in columns:
        raise ShapeError(f"there is no status column {spec.status.column}")
    for name, column in columns.items():
        by_itself = (
            column.get("default") is not None
            or column.get("autoincrement") is True
            or column.get("identity")
            or column.get("computed")
        )
        if name not in written and not column.get("nullable", True) and not by_itself:
            raise ShapeError(f"column {name} needs a value, and the file gives none: add it under columns")


def _unique_keys(inspector: sa.Inspector, name: str, schema: str | None) -> list[frozenset[str]]:
    found = [frozenset(inspector.get_pk_constraint(name, schema)["constrained_columns"])]
    for index in inspector.get_indexes(name, schema):
        partial = any(key.endswith("_where") for key in index.get("dialect_options", {}))
        if index["unique"] and not partial:
            found.append(frozenset(column or "" for column in index["column_names"]))
    try:
        constraints = inspector.get_unique_constraints(name, schema)
    except NotImplementedError:  # SQL Server: its unique constraints are among the indexes
        constraints = []
    found += [frozenset(constraint["column_names"]) for constraint in constraints]
    return [key for key in found if key]


def _check_key(
    spec: TablesDestination, keys: Sequence[frozenset[str]], written: Collection[str], backend: str
) -> None:
    wanted = ", ".join(spec.key)
    if frozenset(spec.key) not in keys:
        raise ShapeError(
            f"{spec.table} has no unique key of ({wanted}): two rows could stand for one;"
            " ask for a unique index"
        )
    others = [key for key in keys if key != frozenset(spec.key) and key <= set(written)]
    if others and backend in ("mysql", "mariadb"):
        shown = ", ".join(sorted(others[0]))
        raise ShapeError(
            f"{spec.table} has another unique key ({shown}), by which {backend} would write over a row"
            f" that is not meant: leave one of its columns out, or let key be ({shown})"
        )


def _check_engine(inspector: sa.Inspector, name: str, schema: str | None, backend: str) -> None:
    if backend not in ("mysql", "mariadb"):
        return
    kind = str(inspector.get_table_options(name, schema).get(f"{backend}_engine", "InnoDB"))
    if kind.lower() in ("myisam", "aria", "memory", "csv"):
        raise ShapeError(f"{name} is a {kind} table, which has no transactions: ask for InnoDB")


def _codec(backend: str, columns: Mapping[str, Any], name: str, oracle: str | None) -> str | None:
    type_ = columns[name]["type"] if name in columns else None
    if not isinstance(type_, sa.String) or isinstance(type_, sa.Unicode | sa.UnicodeText):
        return None
    if backend == "mssql" and not isinstance(type_, mssql.NTEXT | sa.Enum):
        collation = str(type_.collation or "")
        if collation.upper().endswith("_UTF8"):
            return None
        return "gbk" if collation.startswith("Chinese_") else "ascii"
    if backend == "oracle":
        return _CODECS.get(oracle or "", "ascii")
    return None


def _oracle_charset(connection: sa.Connection) -> str | None:
    if connection.dialect.name != "oracle":
        return None
    query = "SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'"
    return str(connection.execute(sa.text(query)).scalar_one())
