"""multipart/related as clients write it, and as none should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ihe.multipart import MultipartError, Part, parameters, parse, render

BOUNDARY = "uuid-1"


def test_the_parameters_of_a_content_type_may_be_quoted() -> None:
    kind, found = parameters(
        'Multipart/Related; type="application/xop+xml"; start="<a;b@x>"; boundary=uuid-1; action="urn:x"'
    )
    assert kind == "multipart/related"
    assert found == {
        "type": "application/xop+xml",
        "start": "<a;b@x>",
        "boundary": "uuid-1",
        "action": "urn:x",
    }


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_what_is_rendered_is_parsed_again_to_the_byte(contents: list[bytes]) -> None:
    parts = [Part({"content-id": f"<{n}@x>"}, content) for n, content in enumerate(contents)]
    boundary = "a-boundary-that-occurs-in-no-content"
    assert parse(render(parts, boundary), boundary, 5) == parts


def test_a_longer_boundary_inside_a_part_is_content() -> None:
    content = b"a\r\n--uuid-1-and-more\r\nb\r\n--uuid-12--"
    assert parse(render([Part({}, content)], BOUNDARY), BOUNDARY, 1) == [Part({}, content)]


def test_preamble_padding_and_epilogue_are_passed_over() -> None:
    body = b"preamble\r\n--uuid-1 \t\r\nA: b\r\n c\r\n\r\nx\r\n--uuid-1--\r\nepilogue"
    assert parse(body, BOUNDARY, 1) == [Part({"a": "b c"}, b"x")]


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", BOUNDARY),
        (b"--uuid-1\r\n\r\nx", BOUNDARY),
        (b"--uuid-1\r\nno colon\r\n\r\nx\r\n--uuid-1--", BOUNDARY),
        (b"--uuid-1\r\nA: b\r\n--uuid-1--", BOUNDARY),
        (b"--uuid-1\r\nA: " + b"b" * 20_000 + b"\r\n\r\nx\r\n--uuid-1--", BOUNDARY),
        (b"--\r\n\r\nx\r\n----", ""),
        (b"--uuid-1\r\n\r\nx\r\n--uuid-1\r\n\r\ny\r\n--uuid-1--", BOUNDARY),
    ],
)
def test_what_is_no_multipart_is_refused(body: bytes, boundary: str) -> None:
    with pytest.raises(MultipartError):
        parse(body, boundary, 1)
