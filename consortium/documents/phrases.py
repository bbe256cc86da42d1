"""How text is taken apart for search, the same for documents and for what is asked. Pure.

A unit is one Chinese character, or one word of letters and digits, folded (NFKC, no case). A document is
found by its words, its Chinese characters and each two that follow each other; that they stand together as
asked is then seen by its `folded` text, in which adjacent characters have nothing between them, and
everything else one space.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consortium.errors import PermanentError

MOST_TERMS = 8
LONGEST_QUERY = 200
"""Characters."""
LONGEST_WORD = 64
"""Characters of a word that are looked at."""

_CHINESE = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(f"[{_CHINESE}]|(?:(?![{_CHINESE}_])\\w)+")
_SPACES = frozenset(" \u00a0\u3000")
"""What may stand between two characters of a word: `姓　名`."""


class QueryError(PermanentError):
    """A text that nothing can be searched by."""

    code = "text"
    field = "text"


@dataclass(frozen=True, slots=True)
class Unit:
    """A character or a word, and where it stands in the text."""

    folded: str
    start: int
    end: int
    chinese: bool
    joined: bool
    """Whether it is a Chinese character directly behind another."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: every term must be there; a document that has the whole text goes before others."""

    tokens: tuple[str, ...]
    """Of all terms."""
    terms: tuple[str, ...]
    """Each as a part of a folded text."""
    whole_tokens: tuple[str, ...]
    whole: tuple[str, ...]
    """The whole text, in the ways in which it may be folded."""

    @property
    def single(self) -> bool:
        """Whether it is one term, which is then the whole."""
        return len(self.terms) == 1


def units(text: str) -> Iterator[Unit]:
    """Take a text apart."""
    end, chinese = -1, False
    for match in _UNIT.finditer(text):
        start, before, was = match.start(), end, chinese
        folded = unicodedata.normalize("NFKC", match.group()).casefold()[:LONGEST_WORD]
        end, chinese = match.end(), re.match(f"[{_CHINESE}]", match.group()) is not None
        near = before >= 0 and all(each in _SPACES for each in text[before:start])
        yield Unit(folded, start, end, chinese, chinese and was and near)


def folded(found: Sequence[Unit]) -> str:
    """Return a text as phrases are compared, with a space at either end."""
    return "".join([*(each.folded if each.joined else f" {each.folded}" for each in found), " "])


def tokens(found: Sequence[Unit]) -> list[str]:
    """Return what a document is found by, in order and without doubles."""
    made = {each.folded: None for each in found}
    for left, right in itertools.pairwise(found):
        if left.chinese and right.chinese:
            made[left.folded + right.folded] = None
    return sorted(made)


def query(text: str) -> Query:
    """Read what is asked: terms with spaces between them. Raises QueryError."""
    if len(text) > LONGEST_QUERY:
        raise QueryError(
            f"the text is longer than {LONGEST_QUERY} characters: search by a part of it",
            zh=f"检索内容超过 {LONGEST_QUERY} 个字符：请缩短",
        )
    terms = [list(units(each)) for each in text.split()]
    terms = [each for each in terms if each]
    if not terms:
        raise QueryError(
            "the text has neither a character nor a word to search by", zh="检索内容中没有可检索的字或词"
        )
    if len(terms) > MOST_TERMS:
        raise QueryError(
            f"more than {MOST_TERMS} terms: leave the less telling ones out", zh=f"检索词超过 {MOST_TERMS} 个"
        )
    every = [unit for term in terms for unit in term]
    return Query(
        tokens=tuple(sorted({token for term in terms for token in _telling(term)})),
        terms=tuple(dict.fromkeys(_sought([term]) for term in terms)),
        whole_tokens=tuple(_telling(every)),
        whole=tuple(dict.fromkeys((_sought(terms), _sought(terms, apart="")))),
    )


def _sought(terms: Sequence[Sequence[Unit]], apart: str = " ") -> str:
    """Return terms behind each other as a part of a folded text; a word begins and ends where it does there.

    `apart`: what stands between Chinese characters of two terms.
    """
    made = folded(terms[0]).strip()
    for before, term in itertools.pairwise(terms):
        chinese = before[-1].chinese and term[0].chinese
        made += (apart if chinese else " ") + folded(term).strip()
    return f"{'' if terms[0][0].chinese else ' '}{made}{'' if terms[-1][-1].chinese else ' '}"


def _telling(term: Sequence[Unit]) -> list[str]:
    """Return the tokens that say most: pairs, words, and characters that stand alone."""
    pairs = [
        (index, left.folded + right.folded)
        for index, (left, right) in enumerate(itertools.pairwise(term))
        if left.chinese and right.chinese
    ]
    paired = {place for index, _ in pairs for place in (index, index + 1)}
    alone = [each.folded for place, each in enumerate(term) if place not in paired]
    return sorted({*alone, *(pair for _, pair in pairs)})
