"""The search for a word finds it however it is spelled."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canary import sightings

WORD = "金丝雀𠮷安珅"


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_it_is_found_among_other_bytes_in_base64(before: bytes, after: bytes) -> None:
    held = base64.b64encode(before + WORD.encode() + after)
    assert [one.split(",")[0] for one in sightings(WORD, [("place", held)])] == ["place: Base64"]


@pytest.mark.parametrize(
    "held",
    [
        WORD.encode(),
        WORD.encode("gb18030"),
        WORD.encode("utf-16-le"),
        json.dumps({"note": WORD}).encode(),
        quote(WORD).encode(),
        WORD.encode().hex().encode(),
    ],
)
def test_it_is_found_in_each_spelling(held: bytes) -> None:
    assert len(sightings(WORD, [("place", b"before " + held + b" after")])) == 1


def test_what_is_not_there_is_not_found() -> None:
    assert sightings(WORD, [("place", "金丝 𠮷安 张珅".encode())]) == []
