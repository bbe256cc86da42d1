"""ConceptMap, `$translate`, CodeSystem and ValueSet over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from api.fhir.code_maps import MAP
from tests.integration.api.conftest import As
from tests.integration.api.test_codes import MAPPING
from tests.integration.api.test_master_data import imported

MAIN = "urn:oid:1.2.156.10011.99.1.9"
LOINC = "http://loinc.org"


async def got(client: httpx.AsyncClient, as_: As, path: str, **params: str) -> Any:
    answer = await client.get(f"/fhir/{path}", params=params, headers=as_("doctor.main"))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    get_fhir_model_class(body["resourceType"]).model_validate(body)
    return body


def concepts(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    matches = [one["part"] for one in parameters["parameter"] if one["name"] == "match"]
    codings = [part["valueCoding"] for parts in matches for part in parts if part["name"] == "concept"]
    return [(coding["system"], coding["code"]) for coding in codings]


async def test_every_code_table_is_a_concept_map(client: httpx.AsyncClient, as_: As) -> None:
    bundle = await got(client, as_, "ConceptMap")
    assert bundle["total"] == len(bundle["entry"]) > 30
    first = await got(client, as_, "ConceptMap", _count="20")
    assert [link["relation"] for link in first["link"]] == ["self", "next"]
    pages = [first]
    while following := [link["url"] for link in pages[-1]["link"] if link["relation"] == "next"]:
        pages.append((await client.get(following[0], headers=as_("ops"))).json())
    ids = [entry["resource"]["id"] for page in pages for entry in page["entry"]]
    assert ids == [entry["resource"]["id"] for entry in bundle["entry"]]
    one = await got(client, as_, "ConceptMap/main-lab-items")
    assert one["url"] == f"{MAP}main-lab-items"
    for params in ({"url": one["url"]}, {"target-code": "58410-2", "source-code": "LP001"}):
        found = await got(client, as_, "ConceptMap", **params)
        assert [entry["resource"]["id"] for entry in found["entry"]] == ["main-lab-items"]
    assert (await client.get("/fhir/ConceptMap/nothing", headers=as_("ops"))).status_code == 404


async def test_a_code_is_translated_there_and_back(client: httpx.AsyncClient, as_: As) -> None:
    url = f"{MAP}main-lab-items"
    there = await got(client, as_, "ConceptMap/$translate", url=url, code="LP001", system=MAIN)
    assert there["parameter"][0]["valueBoolean"] is True
    assert concepts(there) == [(LOINC, "58410-2")]
    back = await got(
        client, as_, "ConceptMap/main-lab-items/$translate", code="58410-2", system=LOINC, reverse="true"
    )
    assert concepts(back) == [(MAIN, "LP001")]
    every = await got(client, as_, "ConceptMap/$translate", code="58410-2", system=LOINC, reverse="true")
    assert {system for system, _ in concepts(every)} > {MAIN}
    none = await got(client, as_, "ConceptMap/$translate", url=url, code="L9901", system=MAIN)
    assert none["parameter"][0]["valueBoolean"] is False


async def test_a_parameters_resource_is_answered_too(client: httpx.AsyncClient, as_: As) -> None:
    coding = {"name": "coding", "valueCoding": {"system": MAIN, "code": "LP001"}}
    sent = {"resourceType": "Parameters", "parameter": [coding]}
    headers = as_("doctor.main") | {"Content-Type": "application/fhir+json"}
    answer = await client.post("/fhir/ConceptMap/$translate", json=sent, headers=headers)
    assert (LOINC, "58410-2") in concepts(answer.json())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"resourceType": "Parameters", "parameter": [{"name": "x"}]}']
)
async def test_what_is_no_parameters_resource_is_refused(
    client: httpx.AsyncClient, as_: As, body: bytes
) -> None:
    headers = as_("doctor.main") | {"Content-Type": "application/fhir+json"}
    answer = await client.post("/fhir/ConceptMap/$translate", content=body, headers=headers)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


async def test_what_is_mapped_over_the_api_is_translated_at_once(client: httpx.AsyncClient, as_: As) -> None:
    question = {"url": f"{MAP}sex", "code": "X", "system": MAIN}
    before = await got(client, as_, "ConceptMap/$translate", **question)
    assert before["parameter"][0]["valueBoolean"] is False
    await client.post("/api/v1/codes/map", json=MAPPING, headers=as_("engineer"))
    after = await got(client, as_, "ConceptMap/$translate", **question)
    assert concepts(after) == [("urn:yilian:code-system:sex", "unknown")]


async def test_master_data_and_targets_are_code_systems(client: httpx.AsyncClient, as_: As) -> None:
    await imported(client, as_("engineer"))
    own = await got(client, as_, "CodeSystem/department.MAIN")
    assert {"code": "0101", "display": "心血管内科"} in own["concept"]
    sex = await got(client, as_, "CodeSystem", url="urn:yilian:code-system:sex", code="female")
    assert [entry["resource"]["id"] for entry in sex["entry"]] == ["sex"]
    values = await got(client, as_, "ValueSet/main-lab-items")
    assert {include["system"] for include in values["compose"]["include"]} >= {LOINC}


async def test_the_capability_statement_says_so(client: httpx.AsyncClient, as_: As) -> None:
    statement = await got(client, as_, "metadata")
    served = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert [one["name"] for one in served["ConceptMap"]["operation"]] == ["translate"]
    assert served.keys() >= {"CodeSystem", "ValueSet"}


async def test_patients_have_no_part_in_it(client: httpx.AsyncClient, as_: As) -> None:
    for path in ("ConceptMap", "ConceptMap/sex", "ConceptMap/$translate?code=M"):
        assert (await client.get(f"/fhir/{path}", headers=as_("patient.demo"))).status_code == 403


async def test_the_affinity_domain_is_value_sets(client: httpx.AsyncClient, as_: As) -> None:
    types = await got(client, as_, "ValueSet/xds-type")
    includes = {include["system"]: include["concept"] for include in types["compose"]["include"]}
    assert len(includes["urn:oid:2.16.156.10011.2.4"]) == 53
    assert includes["urn:oid:2.16.156.10011.2.4"][52] == {
        "code": "C0053",
        "display": "出院小结",
        "designation": [{"language": "en", "value": "Discharge summary"}],
    }
    assert LOINC in includes
    found = await got(client, as_, "ValueSet", url="urn:yilian:value-set:xds-practice-setting")
    assert [entry["resource"]["title"] for entry in found["entry"]] == ["诊疗科目"]
