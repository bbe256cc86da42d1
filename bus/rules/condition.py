"""What can be proven about two conditions without a message.

A condition is read as a conjunction: `a && b && c`. A conjunct that compares `msg.NAME` or `field("PATH")`,
which are always texts, with texts is understood: `==`, `!=`, `in [...]`. Any other is opaque: equal only to
itself, letter for letter. What is claimed here is proven; what is not claimed may still be so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z_]\w*|\d[\w.]*)|(?P<mark>&&|\|\||[=!<>]=|.))""",
    re.DOTALL,
)
SUBJECT = r'(?P<subject>msg \. \w+|field \( "[^"\\]*" \))'
TEXT = r'"[^"\\]*"'
SAME = re.compile(rf"{SUBJECT} (?P<sign>==|!=) (?P<value>{TEXT})")
TURNED = re.compile(rf"(?P<value>{TEXT}) (?P<sign>==|!=) {SUBJECT}")
AMONG = re.compile(rf"{SUBJECT} in \[ (?P<values>{TEXT}(?: , {TEXT})*) \]")
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
LONG = ('"' * 3, "'" * 3)
COMBINATIONS = 1024
"""Combinations of values that a proof looks at, at most."""


class Token(NamedTuple):
    """A word, text or sign, and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One part of a conjunction."""

    text: str
    """As written, its spaces evened."""
    subject: str | None = None
    """`msg.type`, `field("PID-3.1")`; None: not understood."""
    values: frozenset[str] = frozenset()
    negated: bool = False
    """Whether the subject must be none of the values, rather than one of them."""
    written: str = ""
    """As the rule has it."""

    def implies(self, other: Conjunct) -> bool:
        """Whether the other is true whenever this is."""
        if self.subject is None or self.subject != other.subject:
            return self.text == other.text
        if not other.negated:
            return not self.negated and self.values <= other.values
        return other.values <= self.values if self.negated else self.values.isdisjoint(other.values)


@dataclass(frozen=True, slots=True)
class Condition:
    """A conjunction."""

    conjuncts: tuple[Conjunct, ...]

    def implies(self, other: Condition) -> bool:
        """Whether the other is true whenever this is."""
        return all(any(mine.implies(its) for mine in self.conjuncts) for its in other.conjuncts)

    def possible(self) -> bool:
        """Whether nothing shows that this is never true."""
        return all(self.allowed(subject) != frozenset() for subject in self.subjects())

    def both(self, other: Condition) -> Condition:
        """Return the conjunction of the two."""
        return Condition((*self.conjuncts, *other.conjuncts))

    def subjects(self) -> list[str]:
        """Return what is compared, in order."""
        return list(dict.fromkeys(c.subject for c in self.conjuncts if c.subject is not None))

    def allowed(self, subject: str) -> frozenset[str] | None:
        """Return the values that the subject may have; None where they are not listed."""
        listed = [c for c in self.conjuncts if c.subject == subject and not c.negated]
        if not listed:
            return None
        barred = {v for c in self.conjuncts if c.subject == subject and c.negated for v in c.values}
        return frozenset.intersection(*(c.values for c in listed)) - barred

    def cases(self) -> Iterator[Condition]:
        """Give this condition once for each combination of the values that its subjects are listed with."""
        listed = [(s, sorted(v)) for s in self.subjects() if (v := self.allowed(s)) is not None]
        size = 1
        chosen = []
        for subject, values in listed:
            size *= len(values)
            if size <= COMBINATIONS:
                chosen.append([Conjunct("", subject, frozenset({value})) for value in values])
        for case in itertools.product(*chosen):
            yield Condition((*case, *self.conjuncts))


def never_reached(condition: Condition, earlier: Sequence[Condition]) -> bool:
    """Whether, whenever the condition is true, one of the earlier is, though perhaps not always the same."""
    return all(any(case.implies(other) for other in earlier) for case in condition.cases())


def read_condition(text: str, facility: str) -> Condition:
    """Return a rule's condition: its conjuncts, and that the message is of the rule's campus."""
    return Condition((*conjuncts_of(text), Conjunct("", "msg.facility", frozenset({facility}))))


def conjuncts_of(text: str) -> tuple[Conjunct, ...]:
    """Return the conjuncts of an expression that compiles; an expression that is no conjunction is one."""
    tokens = _tokens(text)
    if _plainly_written(text, [token.text for token in tokens]):
        return tuple(_conjuncts(text, tokens))
    return (Conjunct(text, written=text),)


def _plainly_written(text: str, tokens: Sequence[str]) -> bool:
    """Whether there are neither comments nor long texts, which are not read here."""
    return ("/", "/") not in itertools.pairwise(tokens) and not any(long in text for long in LONG)


def _tokens(text: str) -> list[Token]:
    found = []
    for match in TOKEN.finditer(text.rstrip()):
        bare = match.group().lstrip()
        found.append(Token(_plain(bare) if match["text"] else bare, match.end() - len(bare), match.end()))
    return found


def _plain(text: str) -> str:
    # 'a' and "a" are the same text, as long as nothing in it is escaped.
    inner = text[1:-1]
    return f'"{inner}"' if '"' not in inner and "\\" not in inner else text


def _conjuncts(text: str, tokens: Sequence[Token]) -> Iterator[Conjunct]:
    tokens = _without_parentheses(tokens)
    parts = list(_split(tokens))
    if len(parts) == 1:
        yield _conjunct(" ".join(t.text for t in tokens), text[tokens[0].start : tokens[-1].end])
    else:
        for part in parts:
            yield from _conjuncts(text, part)


def _without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    while len(tokens) > 2 and tokens[0].text == "(":
        if 0 in list(_depths(tokens))[:-1]:
            return tokens
        tokens = tokens[1:-1]
    return tokens


def _depths(tokens: Iterable[Token]) -> Iterator[int]:
    """Give the depth after each token."""
    depth = 0
    for each in tokens:
        depth += (each.text in OPENING) - (each.text in CLOSING)
        yield depth


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    top = [i for i, depth in enumerate(_depths(tokens)) if depth == 0]
    if any(tokens[i].text in ("||", "?") for i in top):
        yield tokens
        return
    start = 0
    for i in top:
        if tokens[i].text == "&&":
            yield tokens[start:i]
            start = i + 1
    yield tokens[start:]


def _conjunct(text: str, written: str) -> Conjunct:
    one = SAME.fullmatch(text) or TURNED.fullmatch(text)
    if one:
        value = frozenset({one["value"][1:-1]})
        return Conjunct(text, one["subject"].replace(" ", ""), value, one["sign"] == "!=", written)
    among = AMONG.fullmatch(text)
    if among:
        values = frozenset(v[1:-1] for v in re.findall(TEXT, among["values"]))
        return Conjunct(text, among["subject"].replace(" ", ""), values, written=written)
    return Conjunct(text, written=written)
