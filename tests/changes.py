"""Changes as campuses might say them, for the properties of what is built of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from consortium.records.model import (
    Allergy,
    Appointment,
    Change,
    Charge,
    Coded,
    Document,
    Encounter,
    Kind,
    Merge,
    Order,
    Patient,
    Practitioner,
    Procedure,
    Provenance,
    Report,
    Result,
)

WITHOUT_V2_MESSAGE = (Kind.PROCEDURE, Kind.ALLERGY)
"""What HL7 v2 has no message for that would say all of it."""
PROVENANCE = Provenance(
    message_id=7, facility="HP", received_at=datetime(2026, 11, 20, 2, 0, tzinfo=UTC), source_version=None
)
ALPHABET = "王珅欧阳慜镕𠮷体检a Z0|^~\\&.-'\"<>=;,，。\n"
LOINC, ICD, OTHER = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10", "urn:oid:1.2.3"


def _sound(text: str) -> bool:
    """Whether the rule language keeps a text as it is: it strips blanks, and `""` is HL7's null."""
    return text == text.strip() and bool(text) and text != '""'


def texts(most: int = 12) -> st.SearchStrategy[str]:
    return st.text(ALPHABET, min_size=1, max_size=most).map(str.strip).filter(_sound)


def lines(most: int = 12) -> st.SearchStrategy[str]:
    """Text on one line."""
    return texts(most).map(lambda text: text.replace("\n", "")).map(str.strip).filter(_sound)


NUMBERS = st.text("ABC0123456789-^&", min_size=1, max_size=10).filter(lambda text: text != "-")
TIMES = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda time: time.replace(microsecond=0))
DECIMALS = st.decimals(-10000, 10000, places=2)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def facts(model: Callable[..., Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Facts whose fields are left unsaid where the strategy gives None."""
    said = st.fixed_dictionaries(fields)
    return said.map(lambda values: model(**{k: v for k, v in values.items() if v is not None}))


CODED = facts(Coded, code=NUMBERS, name=maybe(lines()), system=st.sampled_from([None, LOINC, ICD, OTHER]))
STAFF = st.one_of(facts(Practitioner, number=NUMBERS, name=maybe(lines())), facts(Practitioner, name=lines()))
PATIENT = facts(
    Patient,
    number=NUMBERS,
    name=maybe(lines()),
    sex=maybe(st.sampled_from(["male", "female", "other", "unknown"])),
    birth_date=maybe(st.dates(date(1900, 1, 1), date(2026, 1, 1))),
    id_card=maybe(st.text("0123456789X", min_size=15, max_size=18)),
    phone=maybe(st.text("0123456789+-", min_size=3, max_size=12).filter(lambda text: text.strip("+-"))),
    address=maybe(lines()),
    deceased=maybe(st.booleans()),
    vip=maybe(st.booleans()),
)
ENCOUNTER = facts(
    Encounter,
    number=NUMBERS,
    class_=maybe(st.sampled_from(["outpatient", "emergency", "inpatient", "checkup"])),
    status=maybe(st.sampled_from(["planned", "arrived", "in_progress", "finished", "cancelled"])),
    department=maybe(CODED),
    doctor=maybe(STAFF),
    bed=maybe(lines()),
    start=maybe(TIMES),
    end=maybe(TIMES),
    diagnoses=st.lists(CODED, max_size=3).map(tuple),
)
ORDER = facts(
    Order,
    number=NUMBERS,
    filler_number=maybe(NUMBERS),
    kind=st.sampled_from(["lab", "exam", "procedure", "other"]),
    status=st.sampled_from(["active", "completed", "cancelled"]),
    item=CODED,
    priority=st.sampled_from(["routine", "urgent", "stat"]),
    ordered_at=maybe(TIMES),
    doctor=maybe(STAFF),
    department=maybe(CODED),
)
DAYS = (0, 1, 7, 30)
AMOUNTS = st.decimals(0, 10000, places=2)
MEDICINE = facts(
    Order,
    number=NUMBERS,
    kind=st.just("medication"),
    status=st.sampled_from(["active", "completed", "cancelled"]),
    item=CODED,
    priority=st.sampled_from(["routine", "urgent", "stat"]),
    ordered_at=maybe(TIMES),
    doctor=maybe(STAFF),
    department=maybe(CODED),
    prescription=maybe(NUMBERS),
    dose=maybe(AMOUNTS),
    dose_unit=maybe(lines()),
    route=maybe(CODED),
    frequency=maybe(CODED),
    days=maybe(st.sampled_from(DAYS)),
    quantity=maybe(AMOUNTS),
    quantity_unit=maybe(lines()),
    instructions=maybe(lines()),
)
FLAGS = ["normal", "low", "high", "abnormal", "critical_low", "critical_high", "critical"]
STATUSES = st.sampled_from(["preliminary", "final", "corrected", "cancelled"])


def _numeric(value: Decimal) -> dict[str, Any]:
    return {"value": f"{value:f}", "number": value}


VALUES = st.one_of(
    DECIMALS.map(_numeric), texts().filter(lambda text: not text[-1].isdigit()).map(lambda v: {"value": v})
)
RESULT = st.tuples(
    VALUES,
    st.fixed_dictionaries(
        {
            "item": CODED,
            "sub_id": maybe(NUMBERS),
            "unit": maybe(lines()),
            "reference_range": maybe(lines()),
            "flag": maybe(st.sampled_from(FLAGS)),
            "status": STATUSES,
            "observed_at": maybe(TIMES),
        }
    ),
).map(lambda parts: Result(**parts[0], **{k: v for k, v in parts[1].items() if v is not None}))
REPORT = facts(
    Report,
    number=NUMBERS,
    kind=st.sampled_from(["lab", "nursing", "midwifery", "checkup"]),
    item=CODED,
    specimen=maybe(CODED),
    status=STATUSES,
    order_number=maybe(NUMBERS),
    issued_at=maybe(TIMES),
    author=maybe(STAFF),
    doctor=maybe(STAFF),
    findings=maybe(texts()),
    conclusion=maybe(texts()),
    results=st.lists(RESULT, max_size=3, unique_by=lambda one: one.item.code).map(tuple),
)
EXAM = st.tuples(REPORT, maybe(st.sampled_from(["CT", "MR", "US", "DX", "ECG"]))).map(
    lambda parts: parts[0].model_copy(update={"kind": "exam", "modality": parts[1]})
)
DOCUMENT = st.tuples(
    facts(
        Document,
        number=NUMBERS,
        type=CODED,
        title=lines(),
        status=st.sampled_from(["current", "superseded", "cancelled"]),
        replaces=maybe(NUMBERS),
        author=maybe(STAFF),
        created_at=maybe(TIMES),
    ),
    st.one_of(
        st.just({}),
        texts(40).map(lambda text: {"content": text.encode()}),
        st.tuples(
            st.sampled_from(["application/pdf", "text/html; charset=gb18030"]), st.binary(min_size=1)
        ).map(lambda pair: {"mime_type": pair[0], "content": pair[1]}),
    ),
).map(lambda parts: parts[0].model_copy(update=parts[1]))
CHARGE = facts(
    Charge,
    number=NUMBERS,
    item=CODED,
    amount=DECIMALS,
    quantity=st.decimals(1, 100, places=1),
    charged_at=maybe(TIMES),
    payer=maybe(lines()),
)
APPOINTMENT = facts(
    Appointment,
    number=NUMBERS,
    status=st.sampled_from(["booked", "cancelled", "fulfilled", "no_show"]),
    item=maybe(CODED),
    department=maybe(CODED),
    doctor=maybe(STAFF),
    start=maybe(TIMES),
    minutes=maybe(st.integers(1, 600)),
)


PROCEDURE = facts(
    Procedure,
    number=NUMBERS,
    kind=st.sampled_from(["surgery", "anaesthesia", "other"]),
    status=st.sampled_from(["planned", "in_progress", "completed", "cancelled"]),
    item=CODED,
    site=maybe(CODED),
    start=maybe(TIMES),
    end=maybe(TIMES),
    doctor=maybe(STAFF),
    department=maybe(CODED),
    order_number=maybe(NUMBERS),
    part_of=maybe(NUMBERS),
    level=maybe(lines()),
    incision=maybe(lines()),
    note=maybe(texts()),
)
ALLERGY = facts(
    Allergy,
    number=NUMBERS,
    item=CODED,
    category=maybe(st.sampled_from(["medication", "food", "environment", "biologic"])),
    criticality=maybe(st.sampled_from(["low", "high"])),
    status=st.sampled_from(["active", "inactive", "refuted"]),
    reaction=maybe(lines()),
    noted_at=maybe(TIMES),
    author=maybe(STAFF),
)


def _unique(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, min_size=1, max_size=3, unique_by=lambda fact: fact.number).map(tuple)


def change(kind: Kind) -> st.SearchStrategy[Change]:
    """A change of a kind, and nothing else beside its patient and visit."""
    sections: dict[Kind, tuple[str, st.SearchStrategy[Any]]] = {
        Kind.ORDER: ("orders", st.one_of(_unique(ORDER), _unique(MEDICINE))),
        Kind.REPORT: ("reports", _unique(st.one_of(REPORT, EXAM))),
        Kind.CHARGE: ("charges", _unique(CHARGE)),
        Kind.DOCUMENT: ("documents", DOCUMENT.map(lambda one: (one,))),
        Kind.APPOINTMENT: ("appointments", APPOINTMENT.map(lambda one: (one,))),
        Kind.PROCEDURE: ("procedures", _unique(PROCEDURE)),
        Kind.ALLERGY: ("allergies", _unique(ALLERGY)),
    }
    fields: dict[str, st.SearchStrategy[Any]] = {"kind": st.just(kind), "patient": PATIENT}
    if kind in sections:
        name, strategy = sections[kind]
        fields |= {name: strategy, "encounter": maybe(ENCOUNTER)}
    elif kind is Kind.ENCOUNTER:
        fields["encounter"] = ENCOUNTER
    made = facts(Change, **fields)
    if kind is Kind.MERGE:
        return st.tuples(made, NUMBERS).filter(lambda pair: pair[0].patient.number != pair[1]).map(_merged)
    return made


def _merged(pair: tuple[Change, str]) -> Change:
    made, retired = pair
    return made.model_copy(update={"merge": Merge(surviving=made.patient.number, retired=retired)})
