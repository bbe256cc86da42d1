"""What one message says of a patient, and what is known after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from consortium.identity import decide
from consortium.identity.model import Facts, SourcePatient
from consortium.identity.store import Number
from consortium.records.model import Merge, Patient, Provenance
from consortium.records.versions import Version


@dataclass(frozen=True, slots=True)
class Statement:
    """What one message says of a patient."""

    patient: Patient
    provenance: Provenance
    merge: Merge | None = None
    authority: bool = True
    """False: the message is about something else, and only fills what is not known."""
    versioned: bool = True
    """Whether `source_version` is the patient's own."""
    reconsider: bool = False
    """Load all that the link depends on, though the statement says nothing new."""

    @property
    def numbers(self) -> set[Number]:
        """The numbers that this is about."""
        merged = {self.merge.surviving, self.merge.retired} if self.merge else set()
        return {(self.provenance.facility, number) for number in {self.patient.number, *merged}}

    @property
    def version(self) -> Version:
        """Where this stands among other statements."""
        return Version(self.provenance.message_id, self.provenance.source_version if self.versioned else None)


def facts_of(patient: Patient) -> Facts:
    """Return what is said of a patient."""
    return Facts(**{name: getattr(patient, name) for name in decide.FACTS})


def registered(id_: int, number: str, facts: Facts, statement: Statement) -> SourcePatient:
    """Return a source patient as a statement registers it."""
    provenance = statement.provenance
    return SourcePatient(
        id=id_,
        facility=provenance.facility,
        number=number,
        message_id=provenance.message_id,
        changed_at=provenance.received_at,
        facts=facts,
        observed=decide.observe(facts),
        source_version=statement.version.source,
    )


def as_told(known: SourcePatient, statement: Statement) -> SourcePatient:
    """Return a source patient as a statement leaves it, before its version is counted."""
    facts, version = facts_after(known, statement)
    spoken = replace(known, message_id=version.message_id, source_version=version.source)
    if facts == known.facts:
        return spoken
    former = decide.remember(known.former, known.facts, facts)
    return replace(spoken, facts=facts, observed=decide.observe(facts), former=former)


def facts_after(known: SourcePatient, statement: Statement) -> tuple[Facts, Version]:
    """Return the facts and version of a source patient after a statement: partial, and never older over
    newer.
    """
    patient = statement.patient
    news = {
        n: v for n in decide.FACTS if n in patient.model_fields_set and (v := getattr(patient, n)) is not None
    }
    before = Version(known.message_id, known.source_version)
    if statement.authority and statement.version.supersedes(before):
        return replace(known.facts, **news), statement.version.joined(before)
    return replace(known.facts, **{n: v for n, v in news.items() if getattr(known.facts, n) is None}), before
