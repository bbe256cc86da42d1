"""What comes along with what was found: `_include` and `_revinclude` (R4 section 3.1.1.5.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from api.fhir import people
from api.fhir.kinds import KINDS, Kind
from api.fhir.parameters import Query
from api.fhir.wrong import wrong_value
from bus.fhir.extensions import ENCOUNTER, value_of
from bus.fhir.reading.issues import Issue, outcome
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.records.query import Search

MOST = 1000
"""Resources that come along with one page; where there are more, the Bundle says so."""
PATIENT = ("patient", "subject")
Follow = Callable[[Resource], Iterable[Any]]


def _subject(resource: Resource) -> Iterator[Any]:
    yield resource.get("subject") or resource.get("patient")
    yield from (one.get("actor") for one in resource.get("participant", ()))


def _visit(resource: Resource) -> Iterator[Any]:
    context = resource.get("context")
    yield resource.get("encounter") or value_of(resource, ENCOUNTER, "Reference")
    yield from context.get("encounter", ()) if isinstance(context, dict) else ()
    yield context


FOLLOWED: Mapping[str, tuple[str, Follow]] = {
    "patient": ("Patient", _subject),
    "subject": ("Patient", _subject),
    "encounter": ("Encounter", _visit),
    "result": ("Observation", lambda resource: resource.get("result", ())),
    "based-on": ("ServiceRequest", lambda resource: resource.get("basedOn", ())),
}
"""Search parameter → to which type it leads, and by which elements."""
_NARROWED: Mapping[str, Callable[[UUID, UUID], Search]] = {
    "encounter": lambda person, id_: Search(person=person, encounter=id_),
    "based-on": lambda person, id_: Search(person=person, order=id_),
}
"""Parameters that a search of records narrows by: the search of what leads to a person's record."""
_ONLY = {"result": ("DiagnosticReport",), "based-on": ("DiagnosticReport",)}


def _parameters(kind: str) -> list[str]:
    """Return the parameters of a type that can be followed."""
    if kind not in KINDS:
        return []
    names = [name for name in FOLLOWED if kind in _ONLY.get(name, (kind,))]
    return [name for name in names if kind != name.capitalize()]


def forward(kind: str) -> list[str]:
    """Return the values of `_include` that a search of a type takes."""
    return [f"{kind}:{name}" for name in _parameters(kind)]


def reverse(kind: str) -> list[str]:
    """Return the values of `_revinclude` that a search of a type takes."""
    return [f"{one}:{name}" for one in KINDS for name in _parameters(one) if FOLLOWED[name][0] == kind]


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall come along."""

    forward: tuple[str, ...] = ()
    """Parameters to follow."""
    reverse: tuple[tuple[str, str], ...] = ()
    """Type and its parameter that leads to what is found."""


def wish(kind: str, query: Query) -> Wish:
    """Read `_include` and `_revinclude`. Raises FailureError (400) for what is not served."""
    along = [one.value for one in query.take("_include")]
    back = [one.value for one in query.take("_revinclude")]
    served, returning = forward(kind), reverse(kind)
    if "*" in along or f"{kind}:*" in along:
        along = served
    for name, values, known in (("_include", along, served), ("_revinclude", back, returning)):
        wrong = [value for value in values if value not in known]
        if wrong:
            raise wrong_value(name, f"served are: {', '.join(known) or 'none'}")
    pairs = [value.split(":")[:2] for value in back]
    return Wish(
        tuple(dict.fromkeys(_plain(value.split(":")[1]) for value in along)),
        tuple(dict.fromkeys((one[0], _plain(one[1])) for one in pairs)),
    )


def _plain(name: str) -> str:
    """Return one name for the two of the patient's reference."""
    return "patient" if name == "subject" else name


@dataclass
class Along:
    """Fetches what comes along with one page."""

    connection: Connection
    systems: Systems
    cut: bool = False
    """Not everything that belongs here was fetched."""

    def of(self, found: Sequence[Resource], wish: Wish) -> list[Resource]:
        """Return what is wished for, each once and none that is a match itself; an OperationOutcome at the
        end says where it was too much.
        """
        matches = {_key(one): one for one in found}
        persons = {_person(one) for one in found}
        unique: dict[tuple[str, str], Resource] = {}
        for fetched in self._fetched(found, wish, unique):
            for one in fetched:
                # A reference may lead to another person's visit, where a number was separated later.
                if _key(one) not in matches and _person(one) in persons:
                    unique[_key(one)] = one
            if len(unique) > MOST:
                self.cut = True
                break
        kept = list(unique.values())[:MOST]
        return [*kept, _cut()] if self.cut else kept

    def _fetched(
        self, found: Sequence[Resource], wish: Wish, so_far: Mapping[tuple[str, str], Resource]
    ) -> Iterator[list[Resource]]:
        """Give what is fetched, search by search, so that it ends when it is enough."""
        for name in wish.forward:
            yield self._forward(found, name)
        for kind, name in wish.reverse:
            yield from self._reverse(found, KINDS[kind], name, so_far)

    def _forward(self, found: Sequence[Resource], name: str) -> list[Resource]:
        target, follow = FOLLOWED[name]
        ids = tuple(dict.fromkeys(_ids(found, target, follow)))
        self.cut |= len(ids) > MOST
        if target == "Patient":
            patients = (people.read(self.connection, id_, self.systems) for id_ in ids[:MOST])
            return [one for one in patients if one is not None]
        return self._shown(KINDS[target], Search(ids=ids[:MOST], deleted=True, limit=MOST)) if ids else []

    def _reverse(
        self,
        found: Sequence[Resource],
        kind: Kind,
        name: str,
        so_far: Mapping[tuple[str, str], Resource],
    ) -> Iterator[list[Resource]]:
        follow, targets = FOLLOWED[name][1], {one["id"] for one in found}
        for search in _searches(found, name):
            room = max(1, MOST + 1 - len(so_far))
            shown = self._shown(kind, replace(search, categories=kind.default_categories, limit=room))
            yield [one for one in shown if targets & {str(id_) for id_ in _ids([one], None, follow)}]

    def _shown(self, kind: Kind, search: Search) -> list[Resource]:
        page = kind.find(self.connection, search)
        self.cut |= page.after is not None
        return kind.show(self.connection, page.rows, self.systems)


def _key(resource: Resource) -> tuple[str, str]:
    return resource["resourceType"], resource["id"]


def _searches(found: Sequence[Resource], name: str) -> Iterator[Search]:
    """Give searches that together find everything that leads to what was found."""
    people_of = {_key(one): _person(one) for one in found}
    narrowed = _NARROWED.get(name)
    if narrowed is None:
        yield from (Search(person=person) for person in sorted(set(people_of.values())))
        return
    for (_, id_), person in people_of.items():
        yield narrowed(person, UUID(id_))


def _person(resource: Resource) -> UUID:
    if resource["resourceType"] == "Patient":
        return UUID(resource["id"])
    return next(_ids([resource], "Patient", _subject))


def _ids(found: Sequence[Resource], target: str | None, follow: Follow) -> Iterator[UUID]:
    """Give the ids of ours that references lead to."""
    for resource in found:
        for reference in follow(resource):
            kind, slash, id_ = str((reference or {}).get("reference", "")).rpartition("/")
            if slash and target in (kind, None):
                yield UUID(id_)


def _cut() -> Resource:
    text = f"more than {MOST} resources belong here, and the rest was left out: search for them by themselves"
    return outcome([Issue("Bundle", text, "too-costly", "warning")])
