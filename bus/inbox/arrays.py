"""PostgreSQL arrays in its binary format, made in one join a column: the inbox sends fourteen with each
group.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

TEXT, BYTEA, BIGINT = 25, 17, 20
"""OIDs of the elements."""
ARRAY_OF = {TEXT: 1009, BYTEA: 1001, BIGINT: 1016}
"""OIDs of the arrays."""

_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i").pack
_NULL = _LENGTH(-1)
_INTEGER = struct.Struct("!iq").pack


def _array(oid: int, elements: bytes, count: int, *, nulls: bool) -> bytes:
    return _HEAD.pack(1, int(nulls), oid, count, 1) + elements


def texts(values: Sequence[str | None]) -> bytes:
    """Return a text[]. Raises UnicodeEncodeError for half of a surrogate pair."""
    first, count = values[0], len(values)
    if values.count(first) == count:  # one campus, one type, one endpoint: the common case
        return _array(TEXT, _text(first) * count, count, nulls=first is None)
    return _array(TEXT, b"".join([_text(value) for value in values]), count, nulls=None in values)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return _LENGTH(len(data)) + data


def blobs(values: Sequence[bytes]) -> bytes:
    """Return a bytea[]."""
    return _array(BYTEA, b"".join([_LENGTH(len(v)) + v for v in values]), len(values), nulls=False)


def integers(values: Sequence[int | None]) -> bytes:
    """Return a bigint[]."""
    parts = [_NULL if value is None else _INTEGER(8, value) for value in values]
    return _array(BIGINT, b"".join(parts), len(values), nulls=None in values)
