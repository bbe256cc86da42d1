"""Master data as CSV: read back as written, and every mistake named by its line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.terminology import csv_form
from consortium.terminology.errors import InvalidFileError
from consortium.terminology.model import FIELDS, Entry, Kind
from runtime.settings import CHECKOUT

HEADER = "owner,code,name,valid_from,valid_to,type\n"
OWNERS = ("MAIN", "HP", "GROUP")
TEXT = (
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40)
    .map(str.strip)
    .filter(bool)
)
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@st.composite
def entries(draw: Callable[..., object], kind: Kind) -> Entry:
    pick: Callable[..., object] = draw
    since = pick(DAYS)
    assert isinstance(since, date)
    length = pick(st.none() | st.integers(0, 5000))
    until = since + timedelta(days=length) if isinstance(length, int) else None
    attributes = {}
    for field in FIELDS[kind]:
        value = pick(st.sampled_from(field.choices) if field.choices else TEXT)
        if field.required or pick(st.booleans()):
            attributes[field.name] = str(value)
    owner, code, name = pick(st.sampled_from(OWNERS)), pick(TEXT), pick(TEXT)
    return Entry(kind, str(owner), str(code), str(name), since, until, attributes)


@pytest.mark.parametrize("kind", Kind)
def test_what_is_written_is_read_again(kind: Kind) -> None:
    @given(st.lists(entries(kind), max_size=5, unique_by=lambda entry: entry.key))
    def round_trip(some: list[Entry]) -> None:
        assert list(csv_form.read(kind, csv_form.write(kind, some), OWNERS).entries) == some

    round_trip()


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """What is wrong with it is an `InvalidFileError`, never another."""
    with suppress(InvalidFileError):
        assert csv_form.read(Kind.DEPARTMENT, HEADER + text, OWNERS).columns == set(HEADER.strip().split(","))
    with suppress(InvalidFileError):
        csv_form.read(Kind.DEPARTMENT, text, OWNERS)


def problems(text: str, kind: Kind = Kind.DEPARTMENT) -> list[str]:
    with pytest.raises(InvalidFileError) as raised:
        csv_form.read(kind, text, OWNERS)
    return [f"{problem.place}: {problem.message}" for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("ZZ,1,内科,2020-01-01,,\n", "line 2, owner: must be one of MAIN, HP, GROUP"),
        ("\nMAIN,,内科,2020-01-01,,\n", "line 3, code: must not be empty"),
        ("MAIN,1,内科,2020-13-01,,\n", "line 2, valid_from: must be a day, written YYYY-MM-DD"),
        ("MAIN,1,内科,20200101,,\n", "line 2, valid_from: must be a day, written YYYY-MM-DD"),
        ("MAIN,1,内科,2020-01-02,2020-01-01,\n", "line 2, valid_to: is before valid_from"),
        ("MAIN,1,内科,2020-01-01,,shop\n", "line 2, type: must be one of clinical, ward"),
        ("MAIN,1,内科,2020-01-01\n", "line 2: 4 columns where there must be 6"),
        ('MAIN,1,"内\n科",2020-01-01,,\n', "name: has a control character"),
        (
            "MAIN,1,内,2020-01-01,,\nMAIN,1,科,2020-01-01,,\n",
            "line 3, code: the same code and valid_from are in line 2",
        ),
        ('MAIN,1,"内"科,2020-01-01,,\n', "line 2: not well-formed CSV"),
    ],
)
def test_a_mistake_is_named_by_line_and_column(rows: str, said: str) -> None:
    assert any(said in found for found in problems(HEADER + rows)), problems(HEADER + rows)


def test_every_mistake_is_listed() -> None:
    assert len(problems(HEADER + "ZZ,,内,x,,\nMAIN,1,内,2020-01-01,,shop\n")) == 4


@pytest.mark.parametrize(
    "header", ["", "code,name\n", "owner,code,name,valid_from,colour\n", HEADER.replace("type", "code")]
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    assert problems(header)[0].startswith("line 1: the first line must name columns of owner,code,name")


def test_a_file_of_another_charset_says_what_to_do() -> None:
    data = "内科".encode("gb18030")
    with pytest.raises(InvalidFileError, match="say its charset, such as gb18030"):
        csv_form.decode(data)
    assert csv_form.decode(data, "gb18030") == "内科"
    assert csv_form.decode("﻿内科".encode()) == "内科"


def test_the_example_of_the_documentation_is_sound() -> None:
    text = (CHECKOUT / "docs/examples/departments.csv").read_text(encoding="utf-8")
    assert len(csv_form.read(Kind.DEPARTMENT, text, OWNERS).entries) == 5
