"""Binary arrays are what psycopg itself reads back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import Transformer
from psycopg.pq import Format

from bus.inbox.arrays import ARRAY_OF, BIGINT, BYTEA, TEXT, blobs, integers, texts

values = st.text(st.characters(codec="utf-8"))


def read(oid: int, data: bytes) -> Any:
    return Transformer().get_loader(ARRAY_OF[oid], Format.BINARY).load(data)


@given(st.lists(st.none() | values, min_size=1))
def test_texts(given_: list[str | None]) -> None:
    assert read(TEXT, texts(given_)) == given_


@given(st.none() | values, st.integers(1, 50))
def test_texts_that_are_all_the_same(value: str | None, count: int) -> None:
    assert read(TEXT, texts([value] * count)) == [value] * count


@given(st.lists(st.binary(), min_size=1))
def test_blobs(given_: list[bytes]) -> None:
    assert read(BYTEA, blobs(given_)) == given_


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers(given_: list[int | None]) -> None:
    assert read(BIGINT, integers(given_)) == given_


def test_half_a_surrogate_pair_is_an_error_of_the_message() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        texts(["\ud800"])


@pytest.mark.parametrize("make", [texts, integers])
def test_all_of_them_may_be_null(make: Callable[[Sequence[None]], bytes]) -> None:
    assert make([None, None])[4:8] == b"\x00\x00\x00\x01"
