"""Metadata as FHIR and back: what is shown says the same as what was registered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.fhir.documents import people, showing, terms
from bus.fhir.documents.people import Contained
from bus.fhir.documents.showing import Places
from bus.fhir.reading.document import check
from consortium.documents.model import (
    Association,
    AssociationType,
    Author,
    Availability,
    Code,
    Folder,
    PatientId,
)
from tests.shared_documents import EPISODE, entry, submission

PATIENT = PatientId("12345678-0000-4000-8000-000000000001", "1.2.156.10011.99.0")
PLACES = Places("http://x/fhir/mhd", "http://x/fhir")
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC).replace(tzinfo=None)
NAMES = st.text("张珅欧阳abcÉ𠮷", min_size=1, max_size=5)
OIDS = st.from_regex(r"1\.2\.[1-9][0-9]{0,5}", fullmatch=True)


@given(st.datetimes(EARLIEST, EARLIEST.replace(year=2100)), st.sampled_from((4, 6, 8, 14)))
def test_a_time_keeps_its_exactness(at: datetime, length: int) -> None:
    dtm = at.strftime("%Y%m%d%H%M%S").rjust(14, "0")[:length]
    assert terms.dtm_of(terms.shown_time(dtm)) == dtm


def test_a_time_is_shown_in_the_hospitals_zone() -> None:
    assert terms.shown_time("20261120093000") == "2026-11-20T17:30:00+08:00"
    assert terms.shown_time("2026112009") == "2026-11-20T17:00:00+08:00"
    assert terms.dtm_of("2026-11-20T17:30:00.5+08:00") == "20261120093000"
    assert [terms.dtm_of(value) for value in (None, 3, "tomorrow", "2026-11-20T17:30")] == [None] * 4


@given(st.builds(Code, NAMES, OIDS | st.just("本院字典"), NAMES))
def test_a_code_keeps_its_scheme(code: Code) -> None:
    assert terms.code_of(terms.concept(code)) == code


@pytest.mark.parametrize(
    ("scheme", "system"),
    [
        ("2.16.840.1.113883.6.1", "http://loinc.org"),
        ("1.2.156.10011.99.0.21", "urn:oid:1.2.156.10011.99.0.21"),
        ("Connect-a-thon classCodes", "Connect-a-thon classCodes"),
    ],
)
def test_the_systems_of_schemes(scheme: str, system: str) -> None:
    assert (terms.system_of(scheme), terms.scheme_of(system)) == (system, scheme)


PERSONS = st.one_of(
    st.builds("D{0}^{0}^{1}^^^^^^&{2}&ISO".format, NAMES, NAMES, OIDS),
    st.builds("^{0}^{1}".format, NAMES, NAMES),
)
PLACES_OF_WORK = st.builds("{0}^^^^^&{1}&ISO^^^^HP".format, NAMES, OIDS) | NAMES


@given(st.builds(Author, PERSONS, st.tuples(PLACES_OF_WORK), st.tuples(NAMES), st.tuples(NAMES)))
def test_an_author_keeps_name_number_place_role_and_specialty(author: Author) -> None:
    contained = Contained()
    references = people.authors([author], contained)
    known = {f"#{one['id']}": one for one in contained.resources}
    read = people.read_authors(
        references, lambda reference: known.get((reference or {}).get("reference", ""))
    )
    assert read == (author,)


def test_a_name_is_no_structure() -> None:
    assert people.xcn({"name": [{"text": "张^珅&|三"}]}) == "^张 珅 三^"


def test_a_document_is_shown_as_r4_has_it() -> None:
    full = replace(
        entry(PATIENT),
        entry_uuid="urn:uuid:12345678-0000-4000-8000-000000000002",
        availability=Availability.DEPRECATED,
        legal_authenticator="D2^李^四",
        hash="aa" * 20,
        size=5,
        reference_ids=("A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",),
        service_start_time="20261110",
    )
    older = "urn:uuid:12345678-0000-4000-8000-000000000003"
    kind = AssociationType.TRANSFORMS_AND_REPLACES
    relation = Association(entry_uuid="a", type=kind, source=full.entry_uuid, target=older)
    shown = showing.document_reference(full, PLACES, [relation, replace(relation, source=older)])
    assert check(shown, "$this") == []
    assert shown["status"] == "superseded"
    assert [(one["code"], one["target"]["reference"][-1]) for one in shown["relatesTo"]] == [
        ("transforms", "3"),
        ("replaces", "3"),
    ]
    assert shown["context"]["related"][0]["identifier"]["value"] == "A1"
    assert shown["subject"]["reference"] == f"http://x/fhir/Patient/{PATIENT.number}"


def test_sets_and_folders_are_shown_as_r4_has_them() -> None:
    said = replace(submission(entry(PATIENT)).submission_set, intended_recipients=("黄埔院区|D1^张^珅",))
    shown = showing.submission_set(said, PLACES, ["urn:uuid:f"], {"urn:uuid:f": "List"})
    assert check(shown, "$this") == []
    assert shown["entry"] == [{"item": {"reference": "List/f"}}]
    at = (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=1)).strftime("%Y%m%d%H%M%S")
    folder = Folder(
        entry_uuid="urn:uuid:f", unique_id="1.2.3", patient_id=PATIENT, codes=(EPISODE,), last_update_time=at
    )
    shown = showing.folder(folder, PLACES, ["urn:uuid:d"], {"urn:uuid:d": "DocumentReference"})
    assert check(shown, "$this") == []
    assert shown["date"] == "2026-11-20T09:00:00+08:00"
