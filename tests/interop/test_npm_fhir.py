"""fhir-kit-client, from npm, against the whole API: the second FHIR client that nobody here wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.fhir_requests import bundle, entry, patient, visit
from tests.integration.api.conftest import As
from tests.integration.api.conftest import as_ as as_
from tests.integration.api.records import person_of_three_campuses, somebody_else
from tests.integration.api.xds import patient as shared_patient
from tests.interop.node_peers import install, run
from tests.provide_bundles import TEXT
from tests.provide_bundles import bundle as provide_bundle
from tests.provide_bundles import document as provided

pytestmark = pytest.mark.timeout(300)  # the first one installs

MAIN = "urn:oid:1.2.156.10011.99.1"
REFUSED = ["OperationOutcome"]
EVERYTHING = {
    "Patient": 1,
    "Encounter": 3,
    "Condition": 3,
    "ServiceRequest": 3,
    "DiagnosticReport": 6,
    "Observation": 6,
    "DocumentReference": 3,
}
"""What $everything has of 王珅."""


@pytest.fixture(scope="module")
def client() -> Path:
    """The client's folder."""
    return install()


def token(as_: As, user: str) -> str:
    return as_(user)["Authorization"].removeprefix("Bearer ")


def written(folder: Path, name: str, resource: Any) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(resource, default=float), encoding="utf-8")
    return path


async def test_it_reads_searches_pages_and_takes_everything(
    client: Path, origin: str, engine: sa.Engine, as_: As
) -> None:
    wang = person_of_three_campuses(engine)
    said = await run(client, "reading.mjs", f"http://{origin}/fhir", token(as_, "doctor.main"), wang)
    assert said == [
        ["capabilities", "CapabilityStatement", "4.0.1"],
        ["read", 200, "王珅"],
        ["paged", [2, 2, 2], 6],
        ["resolved", "Patient", True],
        ["posted", 3, "钾"],
        ["along", ["Encounter match"] * 3 + ["DiagnosticReport include"] * 6],
        ["everything", 4, EVERYTHING, sum(EVERYTHING.values())],
        ["versions", "history", True],
        ["unknown", 404, *REFUSED, "not-found", []],
        ["wrong value", 400, *REFUSED, "invalid", []],
        ["strict", 400, *REFUSED, "invalid", []],
        ["nobody", 401, *REFUSED, "login", []],
    ]


async def test_it_feeds_and_asks_by_pixm_and_pdqm(
    client: Path, origin: str, engine: sa.Engine, as_: As
) -> None:
    person_of_three_campuses(engine)
    said = await run(client, "identity.mjs", f"http://{origin}/fhir", token(as_, "system.huangpu"))
    assert said == [
        ["fed", 201, 200],
        ["pix", [f"{MAIN}|M1"]],
        ["pix", [f"{MAIN}|M1"]],
        ["pix", 404, *REFUSED, "not-found", []],
        ["pix", 400, *REFUSED, "code-invalid", []],
        ["pix", 403, *REFUSED, "code-invalid", []],
        ["searched", ["王珅"]],
        ["matched", [["王珅", "certain"]]],
        ["match", 400, *REFUSED, "invalid", []],
    ]


async def test_it_writes_in_a_transaction_conditionally_and_against_a_version(
    client: Path, origin: str, as_: As, tmp_path: Path
) -> None:
    both = bundle(entry(patient(), "urn:uuid:p"), entry(visit(), "urn:uuid:v"))
    files = written(tmp_path, "transaction", both), written(tmp_path, "encounter", visit("V-8"))
    said = await run(client, "writing.mjs", f"http://{origin}/fhir", token(as_, "system.huangpu"), *files)
    assert said == [
        ["transaction", "transaction-response", ["201", "201"]],
        ["created", 201, 200],
        ["created", 409, *REFUSED, "duplicate", ["Encounter"]],
        ["updated", 200, 'W/"1"', 'W/"2"'],
        ["stale", 412, *REFUSED, "conflict", ["Encounter"]],
        ["invalid", 400, *REFUSED, "structure", ["Encounter.period.start"]],
    ]


async def test_it_provides_finds_and_retrieves_documents(
    client: Path, origin: str, engine: sa.Engine, as_: As, tmp_path: Path
) -> None:
    who = shared_patient(engine)
    wrong = provide_bundle(who, provided(who, 1, minimal=True))
    files = (
        written(tmp_path, "right", provide_bundle(who, provided(who, 1))),
        written(tmp_path, "wrong", wrong),
    )
    base, by = f"http://{origin}/fhir/mhd", token(as_, "system.huangpu")
    said = await run(client, "sharing.mjs", base, by, who.number, *files)
    assert said == [
        ["provided", 400, *REFUSED, "invalid", ["Bundle.entry[1].resource"]],
        ["provided", "transaction-response", ["List", "DocumentReference", "Binary"]],
        ["sets", [["出院资料", 1]]],
        ["documents", 1, "出院小结：欧阳珅"],
        ["binary", "text/xml", TEXT.decode()],
        ["unknown", 404, *REFUSED, "not-found", []],
        ["no patient", 400, *REFUSED, "invalid", []],
    ]


async def test_it_kicks_off_an_export_and_waits_for_the_manifest(
    client: Path, origin: str, engine: sa.Engine, as_: As
) -> None:
    person_of_three_campuses(engine)
    somebody_else(engine)
    tokens = [token(as_, user) for user in ("manager.group", "doctor.main")]
    said = await run(client, "exporting.mjs", f"http://{origin}/fhir", *tokens)
    assert said == [
        ["begun", 202, True],
        ["ended", 200, [["Patient", 2]]],
        ["removed", 202],
        ["gone", 404, *REFUSED, "not-found", []],
        ["not permitted", 403, *REFUSED, "forbidden", []],
    ]
