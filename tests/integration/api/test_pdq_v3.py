"""HL7 v3 over SOAP: patients by what is known of them (ITI-47), checklist line 15."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from lxml import etree

from consortium.access import audit
from consortium.records.model import Change, Kind, Patient
from tests import hl7v3_messages as v3
from tests.hl7v3_messages import CARDS, CONSORTIUM, HP, MAIN
from tests.integration.api.conftest import As
from tests.integration.api.records import ID_CARD, person_of_three_campuses, write

SCOPES = "/PRPA_IN201305UV02/controlActProcess/queryByParameter/parameterList/otherIDsScopingOrganization"
PARAMETERS = "/PRPA_IN201305UV02/controlActProcess/queryByParameter/parameterList"


class Asker:
    """A program that asks for patients."""

    def __init__(self, client: httpx.AsyncClient, as_: As, user: str = "system.huangpu") -> None:
        self.client = client
        self.headers = {"Content-Type": "application/soap+xml"} | as_(user)

    async def send(self, payload: str, action: str = "") -> v3.Element:
        content = v3.envelope(payload, v3.addressed(action) if action else "")
        answer = await self.client.post("/pdq/v3", content=content, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return v3.payload(answer.content)

    async def names(self, parameters: str) -> set[str]:
        return names(await self.send(v3.pdq(parameters)))


@pytest.fixture
def asker(client: httpx.AsyncClient, as_: As, engine: sa.Engine) -> Asker:
    person_of_three_campuses(engine)
    for place in range(5):
        patient = Patient(
            number=f"HP-{20 + place}", name=f"欧阳{'甲乙丙丁戊'[place]}", sex="female",
            birth_date=date(1980, 1, 1 + place), phone=f"1391111000{place}",
        )  # fmt: skip
        write(engine, "HP", 300 + place, Change(kind=Kind.PATIENT, patient=patient))
    return Asker(client, as_)


def names(answer: v3.Element) -> set[str]:
    found = answer.iterfind(".//v:patientPerson/v:name", v3.V3)
    return {"".join(part.text or "" for part in one) for one in found}


def counts(answer: v3.Element) -> tuple[int, ...]:
    """Return total, current and remaining."""
    said = (answer.xpath(f"string(.//v:result{one}Quantity/@value)", namespaces=v3.V3)
            for one in ("Total", "Current", "Remaining"))  # fmt: skip
    return tuple(int(str(one)) for one in said)


def birth(value: str) -> str:
    return (
        f"<livingSubjectBirthTime><value {value}</value>"
        "<semanticsText>LivingSubject.birthTime</semanticsText></livingSubjectBirthTime>"
    )


OUYANG = v3.named("<family>欧阳</family>")


FOUND: list[tuple[str, set[str]]] = [
    (v3.named("<family>欧阳</family><given>甲</given>"), {"欧阳甲"}),
    (v3.named("欧阳甲"), {"欧阳甲"}),
    (v3.named("<family>欧</family>"), set()),
    (v3.named("<family>欧</family>", "SRCH") + birth('value="19800102">'), {"欧阳乙"}),
    (OUYANG + birth('><low value="19800103"/><high value="19800104"/>'), {"欧阳丙", "欧阳丁"}),
    (OUYANG + '<livingSubjectAdministrativeGender><value code="M"/><semanticsText/>'
     "</livingSubjectAdministrativeGender>", set()),
    (f"<livingSubjectId>{v3.ii(HP, 'HP-20', 'value')}<semanticsText/></livingSubjectId>", {"欧阳甲"}),
    (f"<livingSubjectId>{v3.ii(CARDS, ID_CARD, 'value')}<semanticsText/></livingSubjectId>", {"王珅"}),
    (f"<livingSubjectId>{v3.ii(CONSORTIUM, 'none', 'value')}<semanticsText/></livingSubjectId>", set()),
    ('<patientTelecom><value value="tel:13911110004"/><semanticsText/></patientTelecom>', {"欧阳戊"}),
    ("<patientAddress><value><city>广州市</city></value><semanticsText/></patientAddress>", {"王珅"}),
]  # fmt: skip


async def test_15_iti_47_finds_by_every_parameter(asker: Asker) -> None:
    found = [(parameters, await asker.names(parameters)) for parameters, _ in FOUND]
    assert found == FOUND


async def test_15_a_hit_says_who_it_is(asker: Asker) -> None:
    answer = await asker.send(v3.pdq(v3.named("<family>王</family><given>珅</given>")))
    assert v3.codes(answer) == ("AA", "OK")
    [ids] = v3.ids(answer)
    assert {(HP, "HP-1"), (MAIN, "M1")} < set(ids)
    assert ids[0][0] == CONSORTIUM
    said = {
        path: answer.xpath(f"string(.//v:patientPerson/{path})", namespaces=v3.V3)
        for path in (
            "v:name/v:family", "v:name/v:given", "v:administrativeGenderCode/@code", "v:birthTime/@value",
            "v:telecom/@value", "v:addr/v:streetAddressLine", "v:asOtherIDs/v:id/@extension",
        )
    }  # fmt: skip
    assert list(said.values()) == [
        "王", "珅", "M", "19491231", "tel:13800138000", "广州市越秀区中山二路1号", ID_CARD
    ]  # fmt: skip
    match = answer.xpath("string(.//v:queryMatchObservation/v:value/@value)", namespaces=v3.V3)
    assert (match, counts(answer)) == ("100", (1, 1, 0))


async def test_15_nobody_is_nf(asker: Asker) -> None:
    answer = await asker.send(v3.pdq(v3.named("<family>赵</family>")))
    assert (v3.codes(answer), v3.ids(answer), counts(answer)) == (("AA", "NF"), [], (0, 0, 0))


async def test_15_scoping_organisations_limit_the_ids(asker: Asker) -> None:
    answer = await asker.send(v3.pdq(v3.named("<family>王</family>") + v3.scope(MAIN) + v3.scope(CARDS)))
    assert v3.ids(answer) == [[(MAIN, "M1")]]
    one = await asker.send(v3.pdq(OUYANG + v3.scope(MAIN)))
    assert v3.codes(one) == ("AA", "NF")


async def test_15_an_unknown_scoping_organisation_is_ae_with_204_and_its_place(asker: Asker) -> None:
    answer = await asker.send(v3.pdq(OUYANG + v3.scope("1.2.3") + v3.scope(MAIN) + v3.scope("4.5.6")))
    assert (v3.codes(answer), v3.ids(answer)) == (("AE", "AE"), [])
    assert v3.details(answer) == [("204", f"{SCOPES}[1]/value"), ("204", f"{SCOPES}[3]/value")]
    single = await asker.send(v3.pdq(OUYANG + v3.scope("1.2.3")))
    assert v3.details(single) == [("204", f"{SCOPES}/value")]


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ("", ""),
        (v3.scope(MAIN), ""),
        (OUYANG + "<mothersMaidenName><value/><semanticsText/></mothersMaidenName>", "/mothersMaidenName"),
    ],
)
async def test_15_what_cannot_be_looked_for_is_told(asker: Asker, parameters: str, place: str) -> None:
    answer = await asker.send(v3.pdq(parameters))
    assert v3.codes(answer) == ("AE", "AE")
    assert [location for _, location in v3.details(answer)] == [PARAMETERS + place]


async def test_15_pages_to_the_end(asker: Asker) -> None:
    first = await asker.send(v3.pdq(OUYANG, quantity=2))
    second = await asker.send(v3.go_on(quantity=2))
    third = await asker.send(v3.go_on(quantity=2))
    assert [counts(one) for one in (first, second, third)] == [(5, 2, 3), (5, 2, 1), (5, 1, 0)]
    assert len(names(first) | names(second) | names(third)) == 5
    assert etree.QName(second).localname == "PRPA_IN201306UV02"
    over = await asker.send(v3.go_on(quantity=2))
    assert v3.codes(over) == ("AE", "AE")


async def test_15_cancel_ends_it(asker: Asker) -> None:
    await asker.send(v3.pdq(OUYANG, quantity=2))
    ended = await asker.send(v3.go_on(status="aborted"))
    assert (etree.QName(ended).localname, v3.codes(ended)[0]) == ("MCCI_IN000002UV01", "AA")
    again = await asker.send(v3.go_on(status="aborted"))
    assert (v3.codes(again)[0], v3.details(again)[0][0]) == ("AE", "204")
    assert v3.codes(await asker.send(v3.go_on())) == ("AE", "AE")


async def test_15_continue_and_cancel_come_by_their_actions(asker: Asker) -> None:
    await asker.send(v3.pdq(OUYANG, quantity=2), "PRPA_IN201305UV02")
    second = await asker.send(v3.go_on(), "QUQI_IN000003UV01_Continue")
    assert counts(second) == (5, 2, 1)
    ended = await asker.send(v3.go_on(status="aborted"), "QUQI_IN000003UV01_Cancel")
    assert (etree.QName(ended).localname, v3.codes(ended)[0]) == ("MCCI_IN000002UV01", "AA")


async def test_15_an_expired_query_is_told_and_forgotten(
    asker: Asker, app: FastAPI, engine: sa.Engine
) -> None:
    await asker.send(v3.pdq(OUYANG, quantity=2))
    parts = app.state.platform
    object.__setattr__(parts, "now", lambda: datetime.now(UTC) + timedelta(minutes=11))
    assert v3.codes(await asker.send(v3.go_on())) == ("AE", "AE")
    await asker.send(v3.pdq(OUYANG, "Q2", quantity=2))
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT query_id FROM identity.continuation")).scalars().all()
    assert kept == [f"{HP}.8^Q2"]


async def test_15_nobody_goes_on_with_anothers_query(
    asker: Asker, client: httpx.AsyncClient, as_: As
) -> None:
    await asker.send(v3.pdq(OUYANG, quantity=2))
    other = Asker(client, as_, "doctor.main")
    assert v3.codes(await other.send(v3.go_on())) == ("AE", "AE")
    assert v3.codes(await asker.send(v3.go_on())) == ("AA", "OK")


async def test_41_iti_47_is_audited_with_everybody_shown(asker: Asker, engine: sa.Engine) -> None:
    await asker.send(v3.pdq(OUYANG))
    await asker.send(v3.pdq(OUYANG + v3.scope("1.2.3")))
    with engine.connect() as connection:
        failed, found = audit.entries(connection, limit=2)
    assert (found.entry.action, len(found.entry.persons)) == ("patient.query", 5)
    assert found.entry.resource == "POST /pdq/v3 PRPA_IN201305UV02"
    assert failed.entry.reason.startswith("not answered")
