"""JSON bodies and table rows as a source."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.sources.opening import open_source
from bus.sources.rows import RowSource, parse_rows
from bus.sources.source import Envelope, UnreadableError

ENVELOPE = Envelope("HY", "tables", "table:patient")


def source(text: str) -> RowSource:
    return parse_rows(text, ENVELOPE)


def test_numbers_stay_as_they_were_written() -> None:
    row = source('{"a": 1.10, "b": 12345678901234567890, "c": true, "d": null, "e": "", "f": {}}')
    assert [row.get(key) for key in "abcdef"] == ["1.10", "12345678901234567890", "true", None, None, None]


def test_paths_go_down_and_into_lists() -> None:
    row = source('{"病人": {"姓名": "王珅"}, "项目": [{"码": "1"}, {"码": "2"}]}')
    assert row.get("病人.姓名") == "王珅"
    assert row.get("项目.1.码") == "2"
    assert row.get("项目.7.码") is None
    assert [part.get("码") for part in row.each("项目")] == ["1", "2"]
    assert [part.get("姓名") for part in row.each("病人")] == ["王珅"]
    assert row.each("没有") == []


@given(st.dictionaries(st.text(st.characters(exclude_characters="."), min_size=1), st.text(min_size=1)))
def test_any_text_comes_back_as_it_was(values: dict[str, str]) -> None:
    row = source(json.dumps(values))
    assert {key: row.get(key) for key in values} == values


@pytest.mark.parametrize("body", ["", "[1]", "{", "1", "[" * 100_000])
def test_what_is_no_object_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableError):
        source(body)


def test_the_wrong_charset_is_named() -> None:
    with pytest.raises(UnreadableError) as caught:
        open_source("王".encode("gb18030"), "utf-8", ENVELOPE)
    assert caught.value.code == "wrong_charset"
