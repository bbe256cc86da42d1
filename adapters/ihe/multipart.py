"""multipart/related (RFC 2046, RFC 2387) on bytes: parts with their headers, their content as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

HEADERS_LIMIT = 16 * 1024
"""Bytes of one part's headers."""


class MultipartError(ValueError):
    """The body is not the multipart that its Content-Type announces. The text quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers by lower-case name, and its bytes."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def content_id(self) -> str:
        """Content-ID without its angle brackets (RFC 2392)."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Return the media type in lower case, and the parameters of a Content-Type."""
    kind, found = parse_options_header(content_type.encode("latin-1", "replace"))
    return kind.decode("latin-1").lower(), {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found.items()
    }


def parse(body: bytes, boundary: str, parts_limit: int) -> list[Part]:
    """Split a body at its boundary. Raises MultipartError."""
    if not 0 < len(boundary) <= 70:
        raise MultipartError("the boundary must have 1 to 70 characters")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    whole = b"\r\n" + body  # the first delimiter may stand at the very beginning
    parts: list[Part] = []
    at = _delimiter(whole, delimiter, 0)
    while not whole.startswith(b"--", at):
        if len(parts) == parts_limit:
            raise MultipartError(f"there are more than {parts_limit} parts")
        line_end = whole.find(b"\r\n", at)
        end = _start(whole, delimiter, line_end)
        parts.append(_part(whole, line_end + 2, end))
        at = end + len(delimiter)
    return parts


def _delimiter(whole: bytes, delimiter: bytes, after: int) -> int:
    """Return where the text behind the next delimiter begins."""
    return _start(whole, delimiter, after) + len(delimiter)


def _start(whole: bytes, delimiter: bytes, after: int) -> int:
    """Return where the next delimiter begins: one that stands alone on its line, or closes."""
    at = whole.find(delimiter, after)
    while at >= 0:
        end = at + len(delimiter)
        if whole.startswith(b"--", end) or not whole[end : whole.find(b"\r\n", end)].strip(b" \t"):
            return at
        at = whole.find(delimiter, at + 1)
    raise MultipartError("the body ends before the closing boundary")


def _part(whole: bytes, start: int, end: int) -> Part:
    if whole.startswith(b"\r\n", start):
        return Part({}, whole[start + 2 : end])
    headers_end = whole.find(b"\r\n\r\n", start, min(end, start + HEADERS_LIMIT))
    if headers_end < 0:
        raise MultipartError("a part has no end of its headers")
    return Part(_headers(whole[start:headers_end]), whole[headers_end + 4 : end])


def _headers(raw: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    unfolded = raw.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in unfolded.split(b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise MultipartError("a line of a part's headers has no colon")
        headers[name.strip().lower()] = value.strip()
    return headers


def render(parts: Iterable[Part], boundary: str) -> bytes:
    """Return the body; the caller chose a boundary that occurs in no part."""
    mark = b"--" + boundary.encode("ascii")
    pieces: list[bytes] = []
    for part in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in part.headers.items())
        pieces += [mark, b"\r\n", lines.encode("latin-1"), b"\r\n", part.content, b"\r\n"]
    return b"".join([*pieces, mark, b"--\r\n"])
