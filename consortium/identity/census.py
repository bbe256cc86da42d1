"""One pass over what messages say of patients, in the caller's transaction (READ COMMITTED).

A `Census` loads and locks the numbers that some statements are about, takes the statements in order, and
writes what they change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import blocks, decide, store, survivorship
from consortium.identity.agenda import agenda
from consortium.identity.cause import Cause
from consortium.identity.matching import Model, active
from consortium.identity.model import Facts, Golden, Link, MergeError, SourcePatient, own_person
from consortium.identity.neighbours import Neighbours
from consortium.identity.pairs import Suspect, evidence, keys, prepared
from consortium.identity.pipeline import Answer, ask, pipelined
from consortium.identity.reach import Reach
from consortium.identity.standing import open_reviews, question, standing, withdraw
from consortium.identity.statement import Statement, as_told, facts_after, facts_of, registered
from consortium.identity.store import Number
from consortium.records.model import Merge, Patient
from consortium.records.versions import Version

__all__ = ["Census", "Statement"]


class Census:
    """One pass over some statements; see the module."""

    def __init__(
        self,
        connection: sa.Connection,
        statements: Sequence[Statement],
        *,
        reconsider: Collection[int] = (),
        model: Model | None = None,
    ) -> None:
        """Load and lock what the statements are about, and the source patients to look at anew."""
        self._connection = connection
        self._model = model or active()
        self._patients: dict[int, SourcePatient] = {}
        self._ids: dict[Number, int] = {}
        self._closed: set[int] = set()
        self._locked: set[tuple[str, ...]] = set()
        self._fresh: Sequence[int] = ()
        self._reconsider = set(reconsider)
        self._standing = standing(Answer())
        self._stands: frozenset[int] = frozenset()
        self._neighbours = Neighbours(connection, self._model)
        numbers = sorted({number for s in statements for number in s.numbers})
        self._remember(store.by_number(connection, numbers))
        if self._reconsider:
            self._remember(store.by_id(connection, sorted(self._reconsider)))
        self._follow_merges()
        changing = [s for s in statements if self._changes(s)]
        if changing or self._reconsider:
            self._close(changing)
        missing = [n for n in numbers if n not in self._ids]  # some may have come while a lock was waited for
        self._reserved: dict[Number, int] = dict(zip(missing, self._fresh, strict=False))
        self._loaded = dict(self._patients)
        self._replaced: list[tuple[SourcePatient, SourcePatient]] = []
        self._causes: dict[int, Cause] = {}
        self._last: Cause | None = None

    def current(self, facility: str, number: str) -> SourcePatient:
        """Return a source patient that is registered, as the statements taken so far leave it."""
        return self._patients[self._ids[facility, number]]

    def get(self, facility: str, number: str) -> SourcePatient | None:
        """Return a source patient as the statements taken so far leave it."""
        id_ = self._ids.get((facility, number))
        return None if id_ is None else self._patients[id_]

    def root(self, facility: str, number: str) -> int | None:
        """Return the id of the number that stands for this one after all merges; None: not known."""
        patient = self.get(facility, number)
        return None if patient is None else decide.root(patient, self._patients)

    def root_of(self, id_: int) -> int:
        """Return the id of the number that stands for a source patient after all merges."""
        if id_ not in self._patients:
            id_ = store.survivor_of(self._connection, id_)
        patient = self._patients.get(id_)
        return id_ if patient is None else decide.root(patient, self._patients)

    def check(self, statement: Statement) -> None:
        """Raise MergeError when the statement cannot be taken; changes nothing."""
        merge = statement.merge
        if merge is None:
            return
        if merge.surviving == merge.retired:
            raise MergeError(
                "merge_with_itself", "the surviving and the retired number are the same: correct the sender"
            )
        facility = statement.provenance.facility
        retired = self.get(facility, merge.retired)
        if retired is not None and self.root(facility, merge.surviving) == retired.id:
            raise MergeError(
                "merge_cycle",
                "the surviving number was itself merged into the retired one: undo that merge first",
            )

    def take(self, statement: Statement) -> SourcePatient:
        """Take what a message says; returns the source patient it is about.

        Raises:
            MergeError: see `check`.
        """
        self.check(statement)
        self._last = Cause.of(statement.provenance)
        patient = self._state(statement, statement.patient)
        if statement.merge is not None:
            self._merge(statement, statement.merge)
        return self._patients[patient.id]

    def release(self, statement: Statement) -> None:
        """Undo the merge of the number that the statement is about.

        Raises:
            MergeError: the number is not merged.
        """
        self._last = Cause.of(statement.provenance)
        patient = self.current(statement.provenance.facility, statement.patient.number)
        if patient.merged_into is None:
            raise MergeError("not_merged", "the number is not merged into another")
        version = Version(statement.provenance.message_id, patient.source_version)
        self._replace(patient, statement, version, merged_into=None)

    def reconsider(self, cause: Cause) -> None:
        """Say why the source patients of `reconsider` are looked at anew."""
        self._last = cause

    def finish(self) -> dict[str, int]:
        """Write everything; returns how many source patients were written and links moved."""
        touched = [p for p in self._patients.values() if p != self._loaded.get(p.id)]
        new = [p for p in touched if p.id not in self._loaded]
        changed = [p for p in touched if p.id not in self._loaded or p.version != self._loaded[p.id].version]
        compared = {p.id for p in touched if decide.relevant(self._loaded.get(p.id), p)} | self._reconsider
        links, suspects = self._relink(compared) if compared else ({}, [])
        with pipelined(self._connection):
            store.insert(self._connection, new)
            store.update(self._connection, [p for p in touched if p.id in self._loaded])
            store.keep(self._connection, self._replaced)
            if changed or links:
                store.write_persons(self._connection, self._goldens(changed, links))
            self._move(links)
            if compared:
                self._write_blocks(compared)
                self._write_reviews(suspects, compared)
        return {what: n for what, n in (("patient", len(changed)), ("link", len(links))) if n}

    def _remember(self, patients: Iterable[SourcePatient]) -> None:
        for patient in patients:
            self._patients[patient.id] = patient
            self._ids[patient.facility, patient.number] = patient.id

    def _follow_merges(self) -> None:
        """Lock survivors too: whoever writes in one chart holds one lock, under whichever number."""
        while beyond := {p.merged_into for p in self._patients.values() if p.merged_into is not None} - set(
            self._patients
        ):
            self._remember(store.by_id(self._connection, sorted(beyond)))

    def _changes(self, statement: Statement) -> bool:
        """Whether the statement may change more than who spoke last, so that others must be looked at."""
        if statement.reconsider or any(number not in self._ids for number in statement.numbers):
            return True
        facility = statement.provenance.facility
        if statement.merge is not None:
            retired, surviving = (
                self.get(facility, n) for n in (statement.merge.retired, statement.merge.surviving)
            )
            if retired is None or surviving is None or retired.merged_into != surviving.id:
                return True
        patient = self.get(facility, statement.patient.number)
        return patient is None or facts_after(patient, statement)[0] != patient.facts

    def _close(self, statements: Sequence[Statement]) -> None:
        """Lock and load all that the statements' links may depend on, until nothing more comes to light."""
        numbers = sorted({n for s in statements for n in s.numbers})
        prospects = self._prospects(statements)
        first = {("number", *n) for n in numbers if n not in self._ids} | _names(prospects)
        known = [self._patients[self._ids[n]] for n in numbers if n in self._ids]
        known += [self._patients[id_] for id_ in self._reconsider]
        reach = Reach.of([*known, *prospects]) | Reach(people=frozenset(own_person(*n) for n in numbers))
        reach |= Reach(ids=frozenset(p.id for p in known))
        asked, closure = None, known
        while reach != asked:
            asked = reach
            closure = self._load(numbers, first | asked.locks, asked, prospects)
            reach |= Reach.of(closure) | self._beyond
            if reach == asked:
                reach |= self._decided(closure)
        self._remember(closure)
        self._closed = {p.id for p in closure}

    def _load(
        self,
        numbers: Sequence[Number],
        locks: set[tuple[str, ...]],
        asked: Reach,
        prospects: Sequence[SourcePatient],
    ) -> list[SourcePatient]:
        """Lock and load in one round trip, with what stands between those of whom is known by now. The first
        time search the blocks and reserve ids in it too.
        """
        questions = [
            store.lock(locks - self._locked),
            store.related(numbers, sorted(asked.ids), sorted(asked.cards), sorted(asked.people)),
            question(asked.ids),
        ]
        self._locked |= locks
        self._stands = asked.ids
        if self._neighbours.searched:
            _, found, stands = ask(self._connection, questions)
            self._standing = standing(stands)
            return store.patients(found)
        missing = sum(n not in self._ids for n in numbers)
        questions += [self._neighbours.question(prospects), store.next_ids(missing)]
        _, found, stands, seen, fresh = ask(self._connection, questions)
        self._standing = standing(stands)
        self._fresh = [row[0] for row in fresh.rows]
        closure = store.patients(found)
        self._neighbours.answered(prospects, closure, seen)
        return closure

    @property
    def _beyond(self) -> Reach:
        """Return on whom else the links depend by what the model finds alike."""
        alike = self._neighbours.alike
        return Reach.of(alike) | Reach(ids=frozenset(p.id for p in alike))

    def _decided(self, closure: Sequence[SourcePatient]) -> Reach:
        """Return on whom else the links depend by what people decided, or are asked."""
        here = frozenset(p.id for p in closure)
        if here != self._stands:
            [stands] = ask(self._connection, [question(here)])
            self._standing, self._stands = standing(stands), here
        return Reach(ids=frozenset(self._standing.partners(here)))

    def _prospects(self, statements: Sequence[Statement]) -> list[SourcePatient]:
        """Return the source patients as the statements will leave them, if all are taken."""
        prospects: dict[Number, SourcePatient] = {
            (p.facility, p.number): p for p in map(self._patients.__getitem__, sorted(self._reconsider))
        }
        for statement in statements:
            number = (statement.provenance.facility, statement.patient.number)
            known = prospects.get(number) or self.get(*number)
            prospects[number] = (
                registered(0, number[1], facts_of(statement.patient), statement)
                if known is None
                else as_told(known, statement)
            )
        return list(prospects.values())

    def _state(self, statement: Statement, said: Patient) -> SourcePatient:
        """Register the number or change what is known of it."""
        facility = statement.provenance.facility
        known = self.get(facility, said.number)
        if known is None:
            return self._new(statement, said.number, facts_of(said))
        told = as_told(known, statement)
        if told.facts != known.facts:
            changes = {"facts": told.facts, "observed": told.observed, "former": told.former}
            version = Version(told.message_id, told.source_version)
            return self._replace(known, statement, version, **changes)
        self._patients[known.id] = told
        return told

    def _new(self, statement: Statement, number: str, facts: Facts) -> SourcePatient:
        id_ = self._reserved.pop((statement.provenance.facility, number))
        patient = registered(id_, number, facts, statement)
        self._remember([patient])
        self._closed.add(patient.id)
        self._causes[patient.id] = Cause.of(statement.provenance)
        return patient

    def _replace(
        self, known: SourcePatient, statement: Statement, version: Version, **changes: Any
    ) -> SourcePatient:
        new = replace(
            known,
            version=known.version + 1,
            message_id=version.message_id,
            source_version=version.source,
            changed_at=statement.provenance.received_at,
            **changes,
        )
        self._replaced.append((known, new))
        self._causes[known.id] = Cause.of(statement.provenance)
        self._patients[known.id] = new
        return new

    def _merge(self, statement: Statement, merge: Merge) -> None:
        facility = statement.provenance.facility
        for number in (merge.surviving, merge.retired):
            if self.get(facility, number) is None:
                self._new(statement, number, Facts())
        surviving, retired = (
            self._patients[self._ids[facility, merge.surviving]],
            self._ids[facility, merge.retired],
        )
        if not surviving.survivor:
            self._patients[surviving.id] = replace(surviving, survivor=True)
        known = self._patients[retired]
        if known.merged_into != surviving.id:
            version = Version(statement.provenance.message_id, known.source_version)
            self._replace(known, statement, version, merged_into=surviving.id)

    def _relink(self, compared: set[int]) -> tuple[Mapping[int, Link], Sequence[Suspect]]:
        """Return the links that move, and the pairs that a person should look at."""
        members = [self._patients[id_] for id_ in sorted(self._closed)]
        resolved = decide.resolve(members, self._standing.verdicts, self._model)
        moves = {id_: link for id_, link in resolved.links.items() if _moves(self._patients[id_], link)}
        changed = [self._patients[id_] for id_ in sorted(compared)]
        beyond = self._neighbours.suspects(changed, self._closed)
        overlaid = decide.overlays(self._replaced, members, self._model)
        return moves, [*resolved.suspects, *beyond, *overlaid]

    def _move(self, moves: Mapping[int, Link]) -> None:
        rows = [
            self._ledger_row(id_, link, self._causes.get(id_) or self._cause()) for id_, link in moves.items()
        ]
        store.write_links(self._connection, rows)
        for id_, link in moves.items():
            self._patients[id_] = replace(self._patients[id_], link=link)

    def _write_blocks(self, compared: set[int]) -> None:
        known = compared - self._reconsider  # of the others nobody knows whether their keys were ever written
        before = {id_: keys(p) for id_ in known if (p := self._loaded.get(id_)) is not None}
        after = {id_: keys(self._patients[id_]) for id_ in compared}
        blocks.change(self._connection, before, after)
        crowded = {(key, id_) for id_, mine in after.items() for key in mine & self._neighbours.crowded}
        blocks.note_crowded(self._connection, crowded)

    def _write_reviews(self, suspects: Sequence[Suspect], compared: set[int]) -> None:
        linked = {id_: link.person_id for id_ in self._closed if (link := self._patients[id_].link)}
        persons = {**self._standing.persons, **self._neighbours.persons, **linked}
        judged = {id_ for id_ in compared if self._number(id_) in self._neighbours.searched}
        asked = agenda(suspects, persons, self._standing.reviews, self._standing.verdicts, judged)
        withdraw(self._connection, asked.withdrawn)
        open_reviews(self._connection, asked.opened, self._model.version, self._cause().message_id)

    def _number(self, id_: int) -> Number:
        return self._patients[id_].facility, self._patients[id_].number

    def _cause(self) -> Cause:
        if self._last is None:
            raise ValueError("nothing was taken: say why links are looked at anew")
        return self._last

    def _goldens(self, changed: Sequence[SourcePatient], moves: Mapping[int, Link]) -> list[Golden]:
        """Return the golden records of everybody whom a change or a move touches."""
        after = {id_: moves.get(id_, self._patients[id_].link) for id_ in self._closed}
        members: dict[UUID, list[SourcePatient]] = {}
        for id_ in (*(p.id for p in changed), *moves):
            for link in (self._patients[id_].link, after[id_]):
                if link is not None:
                    members[link.person_id] = []
        for id_, link in sorted(after.items()):
            if link is not None and link.person_id in members:
                members[link.person_id].append(self._patients[id_])
        return [survivorship.golden(id_, linked, self._cause().at) for id_, linked in members.items()]

    def _ledger_row(self, id_: int, link: Link, cause: Cause) -> dict[str, Any]:
        patient, score = self._patients[id_], link.score
        return {
            "source_patient_id": id_,
            "from_person": patient.link.person_id if patient.link else None,
            "to_person": link.person_id,
            "origin": link.origin,
            "rule": link.rule,
            "rule_version": link.rule_version,
            "at": cause.at,
            "message_id": cause.message_id,
            "by_user": cause.by_user,
            "reason": cause.reason,
            "weight": score.weight if score else None,
            "model_version": score.model_version if score else None,
            "evidence": evidence(score.evidence) if score else None,
        }


def _moves(patient: SourcePatient, link: Link) -> bool:
    return patient.link is None or patient.link.person_id != link.person_id


def _names(patients: Iterable[SourcePatient]) -> set[tuple[str, ...]]:
    """Return the locks of who is registered: of name and birth date, so that the same person, new at two
    campuses at one moment, waits for themselves, and namesakes do not wait for each other.
    """
    found = ((prepared(p).name, p.facts.birth_date) for p in patients)
    return {
        ("name", *reading, str(born)) for name, born in found if name is not None for reading in name.read
    }
