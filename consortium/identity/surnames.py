"""Where a name parts into family and given name."""

from __future__ import annotations

import sqlalchemy as sa

from consortium.identity import names

_TWO = (
    "欧阳上官司马诸葛夏侯皇甫尉迟公孙慕容令狐长孙宇文司徒司空东方南宫西门百里端木轩辕独孤拓跋"
    "呼延钟离闻人澹台申屠太史公羊濮阳淳于单于万俟赫连太叔仲孙宗政鲜于闾丘第五欧陽東方諸葛司馬"
)
COMPOUND = tuple(_TWO[at : at + 2] for at in range(0, len(_TWO), 2))
"""Compound surnames (复姓): two characters that are one family name."""


def part(name: str) -> tuple[str, str]:
    """Return family and given name of a name written as one text; the given name may be empty.

    欧阳珅 → 欧阳, 珅; 王珅 → 王, 珅; with dots (买买提·吐尔逊) the first part is the given name and
    the rest the family name; with blanks the first word is the family name.
    """
    if names.DOT in (key := names.key(name)):
        given, _, family = key.partition(names.DOT)
        return family, given
    words = name.split()
    if len(words) > 1:
        return words[0], " ".join(words[1:])
    if name.isascii():
        return name, ""
    length = 2 if name[:2] in COMPOUND and len(name) > 2 else 1
    return name[:length], name[length:]


def family(column: sa.ColumnElement[str], text: str, exact: bool) -> sa.ColumnElement[bool]:
    """Match a family name at the head of a compared name (`names.key`), and behind the dot of a minority
    name; `exact`: 欧 does not find 欧阳.
    """
    key = names.key(text)
    head = column.startswith(key, autoescape=True)
    if exact:
        longer = [one for one in COMPOUND if one.startswith(key) and one != key]
        head = sa.and_(head, *(sa.not_(column.startswith(one)) for one in longer))
    behind = column.endswith(names.DOT + key, autoescape=True) if exact else _behind(column, key)
    return sa.or_(sa.and_(head, sa.not_(column.contains(names.DOT))), behind)


def given(column: sa.ColumnElement[str], text: str, exact: bool) -> sa.ColumnElement[bool]:
    """Match a given name: what follows the family name, or stands before the dot of a minority name."""
    key = names.key(text)
    if key.isascii():  # Latin names lost their blanks when they were made comparable
        return column.endswith(key, autoescape=True) if exact else column.contains(key, autoescape=True)
    rest = sa.case(
        (
            sa.and_(sa.func.left(column, 2).in_(COMPOUND), sa.func.length(column) > 2),
            sa.func.substr(column, 3),
        ),
        else_=sa.func.substr(column, 2),
    )
    follows = rest == key if exact else rest.startswith(key, autoescape=True)
    dotted = column.startswith(key + names.DOT if exact else key, autoescape=True)
    return sa.or_(
        sa.and_(follows, sa.not_(column.contains(names.DOT))),
        sa.and_(dotted, column.contains(names.DOT)),
    )


def _behind(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[bool]:
    return column.contains(names.DOT + key, autoescape=True)
