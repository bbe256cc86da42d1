"""What was asked for: search parameters read once, those that are not known set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from api.failures import Failure, FailureError, FieldError
from api.fhir.dates import ALWAYS, Span, span
from api.fhir.wrong import wrong_value

MOST = 200
"""Largest page."""
ORDINARY = 50
CURSOR = "_page"
"""Our own parameter of `next` links; opaque."""
_CONTROLS = ("_count", "_summary", "_total", "_sort", "_format", "_pretty", CURSOR)
_JSON_FORMATS = ("json", "application/json", "application/fhir+json", "text/json")


@dataclass(frozen=True, slots=True)
class Given:
    """One parameter as it was given."""

    name: str
    modifier: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Token:
    """`system|code`; `system` None: none was given, empty: explicitly none."""

    system: str | None
    code: str


@dataclass
class Query:
    """A search, taken apart as its parameters are read."""

    given: list[Given]
    strict: bool = False
    """`Prefer: handling=strict`: what is not known is an error."""
    used: list[tuple[str, str]] = field(default_factory=list)
    """What the answer's self link says."""

    @classmethod
    def of(cls, items: Iterable[tuple[str, str]], prefer: str) -> Query:
        """Read query or form items. Empty values count as not given (R4 section 3.1.1.4.1)."""
        given = [_given(name, value) for name, value in items if value]
        return cls(given, strict=re.search(r"handling\s*=\s*strict", prefer) is not None)

    def take(self, name: str, modifiers: Sequence[str] = ()) -> list[Given]:
        """Return every value of a parameter and mark it as used. Raises FailureError for another modifier."""
        found = [one for one in self.given if one.name == name]
        for one in found:
            if one.modifier is not None and one.modifier not in modifiers:
                raise wrong_value(
                    name, f"the modifier is not served; there are: {', '.join(modifiers) or 'none'}"
                )
        self.given = [one for one in self.given if one.name != name]
        self.used += [(f"{name}:{one.modifier}" if one.modifier else name, one.value) for one in found]
        return found

    def one(self, name: str, modifiers: Sequence[str] = ()) -> Given | None:
        """Return the value of a parameter that may be given once."""
        found = self.take(name, modifiers)
        if len(found) > 1:
            raise wrong_value(
                name, "give it once; several values, any of which will do, are joined by commas"
            )
        return found[0] if found else None

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a parameter that are joined by commas (any of them)."""
        one = self.one(name)
        return tuple(_split(one.value)) if one else ()

    def tokens(self, name: str) -> tuple[Token, ...]:
        """Return the tokens of a parameter."""
        one = self.one(name)
        return tokens_of(one.value) if one else ()

    def span(self, name: str) -> Span:
        """Return what every value of a date parameter leaves."""
        found = ALWAYS
        for one in self.take(name):
            found = found.within(span(name, one.value))
        return found

    def rest(self) -> None:
        """Deal with what nobody took: ignored, or refused under strict handling. Call it last."""
        left = sorted({one.name for one in self.given})
        if left and self.strict:
            errors = [FieldError(name, "not known here; see /fhir/metadata") for name in left]
            raise FailureError(
                Failure(400, "search-parameter", "unknown search parameters under strict handling", errors)
            )


def _given(name: str, value: str) -> Given:
    plain, colon, modifier = name.partition(":")
    return Given(plain, modifier if colon else None, value)


def _split(value: str) -> list[str]:
    """Split at commas; `\\,` is a comma within a value."""
    return [re.sub(r"\\([\\,$|])", r"\1", part) for part in re.split(r"(?<!\\),", value) if part]


def tokens_of(value: str) -> tuple[Token, ...]:
    """Read tokens that are joined by commas."""
    return tuple(_token(part) for part in _split(value))


def _token(value: str) -> Token:
    system, bar, code = value.rpartition("|")
    return Token(system if bar else None, code)


@dataclass(frozen=True, slots=True)
class Control:
    """How the answer shall look."""

    count: int = ORDINARY
    only_count: bool = False
    total: bool = False
    cursor: str | None = None
    sort: str | None = None
    """The value of `_sort`; None: not given, or not served."""


def control(query: Query, sorts: Sequence[str]) -> Control:
    """Read the parameters that every search has. `sorts`: the values of `_sort` that can be served."""
    _json(query.one("_format"))
    query.one("_pretty")
    count = _count(query.one("_count"))
    summary = query.one("_summary")
    total = query.one("_total")
    page = query.one(CURSOR)
    if summary and summary.value not in ("count", "false"):
        _unserved(query, "_summary", "count or false")
    sort = _sort(query, sorts)
    return Control(
        count=count or ORDINARY,
        only_count=count == 0 or (summary is not None and summary.value == "count"),
        total=total is not None and total.value in ("accurate", "estimate"),
        cursor=page.value if page else None,
        sort=sort,
    )


def _json(format_: Given | None) -> None:
    if format_ and format_.value.partition(";")[0] not in _JSON_FORMATS:
        raise FailureError(Failure(406, "not-acceptable", "only application/fhir+json is served"))


def _count(given: Given | None) -> int | None:
    if given is None:
        return None
    if not given.value.isdecimal():
        raise wrong_value("_count", f"give a number from 0 to {MOST}")
    return min(int(given.value), MOST)


def _sort(query: Query, sorts: Sequence[str]) -> str | None:
    sort = query.one("_sort")
    if sort is None:
        return None
    if sort.value not in sorts:
        _unserved(query, "_sort", " or ".join(sorts))
        return None
    return sort.value


def _unserved(query: Query, name: str, known: str) -> None:
    if query.strict:
        raise wrong_value(name, f"only {known} is served")
    query.used = [pair for pair in query.used if pair[0] != name]


def uuid_or_none(text: str) -> UUID | None:
    """Return the logical id as the UUID that ours are, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def reference_id(name: str, kind: str, value: str) -> UUID | None:
    """Return the id of `Kind/id`, `id`, or an address that ends so; None when it cannot be one of ours."""
    head, slash, id_ = value.rpartition("/")
    if slash and head.rpartition("/")[2] != kind:
        raise wrong_value(name, f"give a reference to a {kind}")
    return uuid_or_none(id_)
