"""Where a name parts into family and given name."""

from __future__ import annotations

import sqlalchemy as sa

from consortium.identity import names
from consortium.identity.matching import chinese
from consortium.identity.matching.readings import COMPOUND, DOUBTFUL, surname_length

_SURE = COMPOUND - DOUBTFUL
_WRITTEN = sorted(_SURE | {chinese.traditional(one) for one in _SURE})
"""Compound surnames as names have them: names are compared as they were written, 歐陽 and 欧阳."""


def part(name: str) -> tuple[str, str]:
    """Return family and given name of a name written as one text; the given name may be empty.

    欧阳珅 → 欧阳, 珅; 王珅 → 王, 珅; in traditional characters too. With dots (买买提·吐尔逊) the first
    part is the given name and the rest the family name; with blanks the first word is the family name.
    """
    if names.DOT in (key := names.key(name)):
        given, _, family = key.partition(names.DOT)
        return family, given
    words = name.split()
    if len(words) > 1:
        return words[0], " ".join(words[1:])
    if name.isascii():
        return name, ""
    folded = chinese.fold(name)
    length = surname_length(folded)
    length = 1 if folded[:length] in DOUBTFUL else length
    return name[:length], name[length:]


def family(column: sa.ColumnElement[str], text: str, exact: bool) -> sa.ColumnElement[bool]:
    """Match a family name at the head of a compared name (`names.key`), and behind the dot of a minority
    name; `exact`: 欧 does not find 欧阳.
    """
    key = names.key(text)
    head = column.startswith(key, autoescape=True)
    if exact:
        longer = [one for one in _WRITTEN if one.startswith(key) and one != key]
        head = sa.and_(head, *(sa.not_(column.startswith(one)) for one in longer))
    behind = column.endswith(names.DOT + key, autoescape=True) if exact else _behind(column, key)
    return sa.or_(sa.and_(head, sa.not_(column.contains(names.DOT))), behind)


def given(column: sa.ColumnElement[str], text: str, exact: bool) -> sa.ColumnElement[bool]:
    """Match a given name: what follows the family name, or stands before the dot of a minority name."""
    key = names.key(text)
    if key.isascii():  # Latin names lost their blanks when they were made comparable
        return column.endswith(key, autoescape=True) if exact else column.contains(key, autoescape=True)
    lengths = sorted({len(one) for one in _WRITTEN}, reverse=True)
    rest = sa.case(*(_behind_surname(column, length) for length in lengths), else_=sa.func.substr(column, 2))
    follows = rest == key if exact else rest.startswith(key, autoescape=True)
    dotted = column.startswith(key + names.DOT if exact else key, autoescape=True)
    return sa.or_(
        sa.and_(follows, sa.not_(column.contains(names.DOT))),
        sa.and_(dotted, column.contains(names.DOT)),
    )


def _behind_surname(
    column: sa.ColumnElement[str], length: int
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]:
    """Return whether a name begins with a compound surname of that length, and what follows it."""
    listed = [one for one in _WRITTEN if len(one) == length]
    begins = sa.and_(sa.func.left(column, length).in_(listed), sa.func.length(column) > length)
    return begins, sa.func.substr(column, length + 1)


def _behind(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[bool]:
    return column.contains(names.DOT + key, autoescape=True)
