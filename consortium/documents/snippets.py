"""The part of a document's text that shows why it was found. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consortium.documents.phrases import Unit, units

AROUND = 40
"""Characters before and behind the first place that was found."""
LONGEST = 160
_FULLWIDTH = 0xFEE0
"""From an ASCII character to its full-width form."""
_WORD = "A-Za-z0-9\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_SPACES = "[ \u00a0\u3000]*"
_BREAK = r"[\W_]*"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a text."""

    text: str
    match: bool
    """Whether it is what was looked for."""


def snippet(text: str, asked: str) -> tuple[Fragment, ...]:
    """Return a piece of a text around the first place of what was asked, in fragments; from the beginning
    where no place is seen.
    """
    pattern = _pattern(asked)
    first = pattern.search(text)
    start = max(0, first.start() - AROUND) if first else 0
    end = min(len(text), max(first.end() + AROUND if first else 0, start + LONGEST))
    return tuple(_fragments(text[start:end], pattern, before=start > 0, behind=end < len(text)))


def as_html(fragments: Sequence[Fragment]) -> str:
    """Return fragments as HTML: every text escaped, what matches in `mark`."""
    return "".join(
        f"<mark>{html.escape(each.text)}</mark>" if each.match else html.escape(each.text)
        for each in fragments
    )


def _fragments(piece: str, pattern: re.Pattern[str], *, before: bool, behind: bool) -> Iterator[Fragment]:
    place = 0
    if before:
        yield Fragment("…", False)
    for match in pattern.finditer(piece):
        if match.start() > place:
            yield Fragment(_plain(piece[place : match.start()]), False)
        yield Fragment(_plain(match.group()), True)
        place = match.end()
    if place < len(piece):
        yield Fragment(_plain(piece[place:]), False)
    if behind:
        yield Fragment("…", False)


def _plain(piece: str) -> str:
    return re.sub(r"\s+", " ", piece)


def _pattern(asked: str) -> re.Pattern[str]:
    """Return what finds the terms in a text as it was written, the longest first."""
    terms = [list(units(term)) for term in asked.split()]
    written = {_term(term) for term in terms if term}
    return re.compile("|".join(sorted(written, key=lambda each: (-len(each), each))), re.IGNORECASE)


def _term(term: Sequence[Unit]) -> str:
    made = "" if term[0].chinese else f"(?<![{_WORD}])"
    for place, unit in enumerate(term):
        if place:
            made += _SPACES if unit.joined else _BREAK
        made += "".join(map(_character, unit.folded))
    return made if term[-1].chinese else f"{made}(?![{_WORD}])"


def _character(character: str) -> str:
    if "!" <= character <= "~":
        return f"[{re.escape(character)}{chr(ord(character) + _FULLWIDTH)}]"
    return re.escape(character)
