"""What an export shall hold, and what its files are: pure decisions."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from api.failures import FailureError
from api.fhir.everything import TYPES
from api.fhir.export import files
from api.fhir.export.asked import Asked, address, asked, check_prefer, items
from api.fhir.export.jobs import Job, Part
from api.fhir.export.routes import manifest, progress, takes_gzip
from tests.fhir_requests import Json

JOB = UUID(int=7)
SOMEBODY = UUID(int=8)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACTIVE = Job(
    id=JOB,
    username="admin",
    request="/fhir/$export?_type=Patient",
    types=("Patient", "Encounter"),
    since=None,
    persons=(),
    transaction_time=NOON,
    state="active",
    place=1,
    after=UUID(int=1 << 127),
    parts=3,
    lines=60_000,
    error=None,
    created_at=NOON,
    ended_at=None,
)


def test_without_parameters_it_is_everything_of_everybody() -> None:
    assert asked([], "respond-async") == Asked(TYPES, None, ())


def test_types_come_in_our_order_once_however_they_are_given() -> None:
    given = [("_type", "Encounter,Patient"), ("_type", "Patient")]
    assert asked(given, "").types == ("Patient", "Encounter")


def test_since_is_an_instant() -> None:
    assert asked([("_since", "2026-11-20T12:00:00Z")], "").since == NOON


def test_people_are_named_by_reference_each_once() -> None:
    given = [("patient", f"Patient/{SOMEBODY}"), ("patient", str(SOMEBODY))]
    assert asked(given, "", named=True).persons == (SOMEBODY,)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([("_type", "Patient,Spaceship")], "_type"),
        ([("_since", "yesterday")], "_since"),
        ([("_outputFormat", "application/parquet")], "_outputFormat"),
        ([("_typeFilter", "Encounter?status=finished")], "_typeFilter"),
        ([("patient", f"Patient/{SOMEBODY}")], "patient"),
    ],
)
def test_what_is_not_served_is_refused_by_name(given: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(FailureError) as raised:
        asked(given, "respond-async")
    assert raised.value.failure.status == 400
    assert [one.field for one in raised.value.failure.errors] == [told]


def test_a_reference_to_nobody_of_ours_is_refused() -> None:
    with pytest.raises(FailureError):
        asked([("patient", "Patient/8")], "", named=True)


def test_a_lenient_client_gets_what_there_is() -> None:
    given = [("_type", "Patient,Spaceship"), ("_elements", "id")]
    assert asked(given, "respond-async, handling=lenient").types == ("Patient",)
    with pytest.raises(FailureError):
        asked([("_type", "Spaceship")], "handling=lenient")


@pytest.mark.parametrize("prefer", ["", "handling=lenient", "respond-asynchronously"])
def test_who_does_not_come_back_is_refused(prefer: str) -> None:
    with pytest.raises(FailureError, match="respond-async"):
        check_prefer(prefer)


def test_who_comes_back_is_not() -> None:
    check_prefer("handling=lenient, respond-async")


def test_parameters_are_read_as_pairs() -> None:
    resource: Json = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_since", "valueInstant": "2026-11-20T12:00:00Z"},
            {"name": "patient", "valueReference": {"reference": "Patient/1"}},
        ],
    }
    assert items(resource) == [("_since", "2026-11-20T12:00:00Z"), ("patient", "Patient/1")]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": {}},
        {"resourceType": "Parameters", "parameter": ["_type"]},
        {"resourceType": "Parameters", "parameter": [{"name": "_type"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": 1}]},
        {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": {}}]},
    ],
)
def test_other_bodies_are_refused(resource: Json) -> None:
    with pytest.raises(FailureError):
        items(resource)


def test_the_address_asks_for_the_same() -> None:
    assert address(Asked()) == "/fhir/$export"
    told = address(Asked(("Patient",), NOON))
    assert told == "/fhir/$export?_type=Patient&_since=2026-11-20T12%3A00%3A00%2B00%3A00"


def test_progress_follows_from_the_type_and_the_last_id() -> None:
    assert progress(ACTIVE) == "75%, 60000 resources in 3 files"
    assert progress(replace(ACTIVE, place=0, after=None)).startswith("0%")
    stuck = replace(ACTIVE, state="paused", error="x" * 200)
    assert progress(stuck).startswith("paused, 75%")
    assert len(progress(stuck)) == 100


def test_the_manifest_names_each_file() -> None:
    part = files.name_of(1, "Patient")
    told = manifest("http://yilian.test/fhir", ACTIVE, [Part(1, part, "Patient", 2, 2, 300)])
    assert told == {
        "transactionTime": "2026-11-20T20:00:00+08:00",
        "request": "http://yilian.test/fhir/$export?_type=Patient",
        "requiresAccessToken": True,
        "output": [
            {
                "type": "Patient",
                "url": f"http://yilian.test/fhir/$export-file/{JOB}/00001-Patient.ndjson",
                "count": 2,
            }
        ],
        "error": [],
        "deleted": [],
    }


@pytest.mark.parametrize(
    ("accept", "takes"),
    [("gzip, deflate", True), ("*", True), ("br;q=1, gzip;q=0.5", True), ("gzip;q=0", False), ("", False)],
)
def test_gzip_is_sent_to_who_takes_it(accept: str, takes: bool) -> None:
    assert takes_gzip(accept) is takes


def test_a_part_has_its_name_only_once_it_is_kept(tmp_path: Path) -> None:
    with files.Writing(tmp_path, JOB) as writing:
        writing.add([b"{}", b"[]"])
        size = writing.synced()
        assert not files.place_of(tmp_path, JOB, "a").exists()
        writing.keep("a")
    kept = files.place_of(tmp_path, JOB, "a")
    assert gzip.decompress(kept.read_bytes()) == b"{}\n[]\n" == b"".join(files.plain(kept))
    assert kept.stat().st_size == size
    assert list(kept.parent.iterdir()) == [kept]


def test_what_a_crash_left_of_a_part_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / str(JOB)).mkdir()
    (tmp_path / str(JOB) / "unfinished.1").write_bytes(b"half")
    with files.Writing(tmp_path, JOB):
        pass
    assert list((tmp_path / str(JOB)).iterdir()) == []


def test_only_folders_of_jobs_are_ours(tmp_path: Path) -> None:
    for name in (str(JOB), "notes", str(SOMEBODY).upper().replace("0", "A", 1)):
        (tmp_path / name).mkdir()
    assert files.left(tmp_path) == [JOB]
    assert files.left(tmp_path / "none") == []
    files.remove(tmp_path, JOB)
    files.remove(tmp_path, JOB)
    assert files.left(tmp_path) == []
