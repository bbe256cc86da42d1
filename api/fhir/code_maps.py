"""The code tables as maps between code systems: their rows, and translating a code in both directions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from bus.fhir.systems import Systems
from bus.rules.codes import ANY, EQUIVALENT, INVERSE, CodeTable

MAP = "urn:yilian:concept-map:"
CODES = "urn:yilian:code-system:"
"""Code system of the targets to which a table gives none: the consortium's own, one for each table."""
VALUES = "urn:yilian:value-set:"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a code table, with the systems of both sides."""

    table: str
    facility: str
    source: str
    """The campus's dictionary; for a row of all campuses the consortium's."""
    code: str
    system: str
    target: str
    display: str | None
    equivalence: str
    """Of the target to the code, as the entry says; else wider where other codes of the campus mean it."""
    valid_from: date | None = None
    valid_to: date | None = None
    owner: str | None = None
    """Who answers for the entry, where it says so."""


@dataclass(frozen=True, slots=True)
class Match:
    """A translation."""

    table: str
    equivalence: str
    """Of the target to the source asked for (R4 ConceptMapEquivalence)."""
    system: str
    code: str
    display: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be translated; None: any."""

    code: str
    system: str | None = None
    target: str | None = None
    """Value set, or code system, of the answer."""
    reverse: bool = False


def rows_of(table: CodeTable, systems: Systems, on: date | None = None) -> list[Row]:
    """Return the rows of a table that are in force on a day, files and additions, by campus and code; None:
    of every day.
    """
    found = [(key, target) for key, target in table.entries() if on is None or target.holds(on)]
    if on is not None:  # the file goes before what was mapped
        found = list(dict(reversed(found)).items())
    codes = {(facility, code, target.code) for (facility, code), target in found}
    uses = Counter((facility, target) for facility, _, target in codes)
    return [
        Row(
            table=table.name,
            facility=facility,
            source=source_system(facility, systems),
            code=code,
            system=target.system or CODES + table.name,
            target=target.code,
            display=target.name,
            equivalence=target.relationship or ("wider" if uses[facility, target.code] > 1 else EQUIVALENT),
            valid_from=target.valid_from,
            valid_to=target.valid_to,
            owner=target.owner,
        )
        for (facility, code), target in sorted(found, key=lambda item: item[0])
    ]


def source_system(facility: str, systems: Systems) -> str:
    """Return the code system of a campus's own codes."""
    return systems.dictionary if facility == ANY else systems.of(facility, "dictionary")


def translate(rows: Iterable[Row], question: Question, systems: Systems) -> list[Match]:
    """Translate a campus's code to the consortium's, or back."""
    found = _back(rows, question) if question.reverse else _forth(rows, question, systems)
    return list(dict.fromkeys(found))


def _forth(rows: Iterable[Row], question: Question, systems: Systems) -> Iterator[Match]:
    fitting = [row for row in rows if row.code == question.code and _leads_to(row, question.target)]
    if question.system is not None:
        fitting = _of_system(fitting, question.system, systems)
    for row in fitting:
        yield Match(row.table, row.equivalence, row.system, row.target, row.display)


def _of_system(rows: list[Row], system: str, systems: Systems) -> list[Row]:
    """A campus's own row goes before one for all, table by table, as the rules look codes up."""
    own = {row.table: row for row in rows if row.source == system}
    domain = systems.domain(system)
    everyones: Mapping[str, Row] = {}
    if domain is not None and domain.kind == "dictionary":
        everyones = {row.table: row for row in rows if row.facility == ANY}
    return list({**everyones, **own}.values())


def _leads_to(row: Row, target: str | None) -> bool:
    return target is None or target in (row.system, VALUES + row.table)


def _back(rows: Iterable[Row], question: Question) -> Iterator[Match]:
    for row in rows:
        fits = row.target == question.code and question.system in (None, row.system)
        if fits and question.target in (None, row.source):
            yield Match(row.table, INVERSE[row.equivalence], row.source, row.code, None)
