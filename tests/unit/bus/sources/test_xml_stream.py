"""Cutting elements out of a document of any size."""

from __future__ import annotations

import io

import pytest

from bus.sources.xml_parser import ForbiddenXmlError
from bus.sources.xml_stream import stream_elements


class Endless(io.RawIOBase):
    """A document that goes on for ever, and counts what was read of it."""

    def __init__(self, head: bytes, part: bytes) -> None:
        self.count = 0
        self._head, self._part = head, part

    def read(self, size: int = -1) -> bytes:
        self.count += size
        head, self._head = self._head, b""
        return head or self._part * (size // len(self._part))


def test_an_element_inside_one_of_its_name_is_part_of_it() -> None:
    read = list(stream_elements(io.BytesIO(b"<a><r>1<r>2</r></r><b><r/>tail</b></a>"), "r", limit=1000))
    assert [body for _, body in read] == [b"<r>1<r>2</r></r>", b"<r/>"]


@pytest.mark.parametrize("part", [b"<!-- -->", b"<r>", b"<x/>", b"x"])
def test_what_never_ends_is_refused_before_it_is_held(part: bytes) -> None:
    stream = Endless(b"<a>", part)
    with pytest.raises(Exception, match=r"larger than|depth|line 1"):
        list(stream_elements(stream, "r", limit=200_000))  # type: ignore[arg-type]
    assert stream.count < 1_000_000


@pytest.mark.parametrize("at", range(65530, 65536))
def test_a_doctype_is_found_across_blocks(at: int) -> None:
    body = b"<?xml version='1.0'?>".ljust(at) + b'<!DOCTYPE a [<!ENTITY b "c">]><a><r>&b;</r></a>'
    with pytest.raises(ForbiddenXmlError):
        list(stream_elements(io.BytesIO(body), "r", limit=200_000))


def test_a_doctype_in_an_encoding_that_hides_it_is_found() -> None:
    text = '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a [+ADwAIQ-ENTITY b +ACI-c+ACI->]+AD4-<a/>'
    with pytest.raises(ForbiddenXmlError):
        list(stream_elements(io.BytesIO(text.encode()), "r", limit=200_000))
