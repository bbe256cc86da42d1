"""Rows that travel together."""

from __future__ import annotations

import pytest

from adapters.files.records import FileError
from tests.unit.adapters.files.reading import bodies, csv_source, found, told

SOURCE = csv_source({"group": {"by": ["no"], "as": "rows"}})


def test_consecutive_rows_are_one_record() -> None:
    read = bodies(SOURCE, b"no,patient,item\nR1,P1,K\nR1,P1,Na\nR2,P2,K\n")
    assert [[row["item"] for row in body["rows"]] for body in read] == [["K", "Na"], ["K"]]
    assert read[0]["patient"] == "P1"


def test_a_row_that_cannot_be_read_takes_the_records_beside_it_along() -> None:
    rows = b"no,patient\nR0,P0\nR1,P1\nR1\nR2,P2\nR3,P3\n"
    expected = [
        (2, "R0"),
        (4, "wrong_number_of_fields"),
        (3, "damaged_record"),
        (5, "damaged_record"),
        (6, "R3"),
    ]
    assert told(SOURCE, rows) == expected


def test_scattered_rows_are_refused_whole() -> None:
    with pytest.raises(FileError, match="line 4") as refused:
        found(SOURCE, b"no,patient\nR1,P1\nR2,P2\nR1,P1\n")
    assert refused.value.code == "scattered_rows"


def test_a_record_of_too_many_rows_is_refused() -> None:
    rows = b"no,patient\n" + b"R1,P1\n" * 50 + b"R2,P2\n"
    assert told(SOURCE, rows, limit=200) == [(2, "too_large"), (52, "R2")]
