"""Lists as arrays: byte for byte what PostgreSQL reads back to the same list."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import DataError, adapt
from psycopg.types.array import ListDumper

from bus.router.arrays import FlatListDumper

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def dumped(dumper: type[ListDumper], values: list[object]) -> bytes:
    """Return the array as a statement sends it."""
    made = dumper(list, adapt.Transformer()).upgrade(values, adapt.PyFormat.TEXT)
    return bytes(made.dump(values) or b"")


def elements(array: bytes) -> list[str]:
    """Read back a flat array of quoted texts (PostgreSQL 8.15.6)."""
    found, current, escaped, inside = [], "", False, False
    for character in array.decode()[1:-1]:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            if inside:
                found.append(current)
            inside, current = not inside, ""
        elif inside:
            current += character
    return found


@given(st.lists(TEXTS, min_size=1))
def test_texts_come_back_as_they_were(values: list[object]) -> None:
    assert elements(dumped(FlatListDumper, values)) == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1)) | st.lists(st.uuids()))
def test_numbers_and_ids_are_as_the_library_writes_them(values: list[object]) -> None:
    made = dumped(FlatListDumper, values).decode().replace("-", "") if values else "{}"
    assert made == dumped(ListDumper, values).decode().replace("-", "")


@pytest.mark.parametrize("values", [["a", None], [1, None], [[1], [2]], [True, False], [b"x", b"y"]])
def test_other_lists_are_left_to_the_library(values: list[object]) -> None:
    assert dumped(FlatListDumper, values) == dumped(ListDumper, values)


def test_a_text_that_no_column_takes_is_refused() -> None:
    with pytest.raises(DataError):
        dumped(FlatListDumper, ["a\0b"])


def test_ids_are_written_whole() -> None:
    assert dumped(FlatListDumper, [UUID(int=1)]) == b"{00000000-0000-0000-0000-000000000001}"
