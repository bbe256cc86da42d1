"""Answers: an acknowledgement of a feed, the identifiers of a patient, patients that fit; and the notice
that a patient's identifiers changed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from bus.fhir.shapes import Row
from bus.fhir.systems import Systems
from bus.hl7v3.domains import shown
from bus.hl7v3.elements import Element, Id, Problem
from bus.hl7v3.making import (
    Answering,
    acknowledgement,
    control_act,
    id_,
    integer,
    make,
    message,
)
from bus.hl7v3.names import ACKNOWLEDGEMENT, PDQ_ANSWER, PIX_ANSWER, REVISE
from consortium.identity import surnames
from consortium.identity.crossing import Identifier

_GENDERS = {"male": "M", "female": "F", "other": "UN"}
_IMPORTANCE = "2.16.840.1.113883.5.1075"
_CERTAIN = 100
"""Percent: every criterion of the query holds."""


def acknowledged(answering: Answering, type_: str, problems: Sequence[Problem] = ()) -> Element:
    """Make MCCI_IN000002UV01."""
    return message(ACKNOWLEDGEMENT, answering, acknowledgement(type_, answering.to, problems))


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of a result an answer holds."""

    total: int
    current: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query is answered by."""

    query: Element | None
    """queryByParameter as it was asked, which an answer repeats."""
    query_id: Id
    problems: Sequence[Problem] = ()
    counts: Counts | None = None

    @property
    def type(self) -> str:
        """The acknowledgement: AA or AE."""
        return "AE" if self.problems else "AA"

    def code(self, found: bool) -> str:
        """Return the queryResponseCode."""
        return "AE" if self.problems else "OK" if found else "NF"


def pix(answering: Answering, outcome: Outcome, ids: Sequence[Identifier], systems: Systems) -> Element:
    """Make PRPA_IN201310UV02: one registration with every identifier; none where there is none (NF)."""
    subjects = [_registration(_crossed(ids, systems), systems)] if ids else []
    return _answer(PIX_ANSWER, "PRPA_TE201310UV02", answering, outcome, subjects)


def pdq(answering: Answering, outcome: Outcome, rows: Sequence[tuple[Row, Sequence[Identifier]]],
        systems: Systems) -> Element:  # fmt: skip
    """Make PRPA_IN201306UV02: a registration for each patient."""
    subjects = [_registration(_described(row, ids, systems), systems) for row, ids in rows]
    return _answer(PDQ_ANSWER, "PRPA_TE201306UV02", answering, outcome, subjects)


def revised(answering: Answering, ids: Sequence[Identifier], systems: Systems) -> Element:
    """Make PRPA_IN201302UV02 for who is told of changed identifiers: every one that is the patient's now, and
    no name (ITI TF-2 3.46.4.1.2).
    """
    registration = _registration(_crossed(ids, systems), systems)
    return message(REVISE, answering, control_act("PRPA_TE201302UV02", registration), asks=True)


def _answer(
    interaction: str, trigger: str, answering: Answering, outcome: Outcome, subjects: Sequence[Element]
) -> Element:
    ack = make(
        "queryAck",
        id_(outcome.query_id, "queryId"),
        make("queryResponseCode", code=outcome.code(bool(subjects))),
    )
    if counts := outcome.counts:
        ack.append(make("resultTotalQuantity", value=str(counts.total)))
        ack.append(make("resultCurrentQuantity", value=str(counts.current)))
        ack.append(make("resultRemainingQuantity", value=str(counts.remaining)))
    echoed = [] if outcome.query is None else [copy.deepcopy(outcome.query)]
    return message(
        interaction,
        answering,
        acknowledgement(outcome.type, answering.to, outcome.problems),
        control_act(trigger, *subjects, ack, *echoed),
    )


def _registration(patient: Element, systems: Systems) -> Element:
    root = systems.person.removeprefix("urn:oid:")
    custodian = make("assignedEntity", make("id", root=root), classCode="ASSIGNED")
    event = make(
        "registrationEvent",
        make("id", nullFlavor="NA"),
        make("statusCode", code="active"),
        make("subject1", patient, typeCode="SBJ"),
        make("custodian", custodian, typeCode="CST"),
        classCode="REG",
        moodCode="EVN",
    )
    return make("subject", event, typeCode="SUBJ")


def _patient(
    ids: Sequence[Identifier], person: Element, systems: Systems, *more: Element, vip: bool = False
) -> Element:
    root = systems.person.removeprefix("urn:oid:")
    provider = make(
        "providerOrganization",
        make("id", root=root),
        make("contactParty", classCode="CON"),
        classCode="ORG",
        determinerCode="INSTANCE",
    )
    return make(
        "patient",
        *(id_(shown(one, systems)) for one in ids),
        make("statusCode", code="active"),
        *([make("veryImportantPersonCode", code="VIP", codeSystem=_IMPORTANCE)] if vip else []),
        person,
        provider,
        *more,
        classCode="PAT",
    )


def _crossed(ids: Sequence[Identifier], systems: Systems) -> Element:
    """A patient who is known by identifiers alone: who asks for those is told no name."""
    person = make("patientPerson", make("name", nullFlavor="NA"), classCode="PSN", determinerCode="INSTANCE")
    return _patient(ids, person, systems)


def _described(row: Row, ids: Sequence[Identifier], systems: Systems) -> Element:
    own = [one for one in ids if one.domain != "id_card"]
    cards = [one for one in ids if one.domain == "id_card"]
    person = make("patientPerson", *_facts(row), classCode="PSN", determinerCode="INSTANCE")
    person.extend(_other(one, systems) for one in cards)
    observation = make(
        "queryMatchObservation",
        make("code", code="IHE_PDQ"),
        integer("value", _CERTAIN),
        classCode="COND",
        moodCode="EVN",
    )
    match = make("subjectOf1", observation, typeCode="SBJ")
    return _patient(own or ids, person, systems, match, vip=bool(row["vip"]))


def _facts(row: Row) -> list[Element]:
    """The person's facts in the order of PRPA_MT201310UV02."""
    found = [_name(row["name"])]
    if row["phone"]:
        found.append(make("telecom", value=f"tel:{row['phone']}"))
    if row["sex"] in _GENDERS:
        gender = make(
            "administrativeGenderCode", code=_GENDERS[row["sex"]], codeSystem="2.16.840.1.113883.5.1"
        )
        found.append(gender)
    if row["birth_date"]:
        found.append(make("birthTime", value=row["birth_date"].strftime("%Y%m%d")))
    if row["deceased"] is not None:
        found.append(make("deceasedInd", value="true" if row["deceased"] else "false"))
    if row["address"]:
        found.append(make("addr", make("streetAddressLine", text=row["address"])))
    return found


def _name(text: str | None) -> Element:
    if not text:
        return make("name", nullFlavor="UNK")
    family, given = surnames.part(text)
    parts = [make("family", text=family), *([make("given", text=given)] if given else [])]
    return make("name", *parts, use="L")


def _other(one: Identifier, systems: Systems) -> Element:
    id__ = shown(one, systems)
    scope = make(
        "scopingOrganization", make("id", root=id__.root), classCode="ORG", determinerCode="INSTANCE"
    )
    return make("asOtherIDs", id_(id__), scope, classCode="CIT")
