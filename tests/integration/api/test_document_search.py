"""Documents found by their text: of one patient, and across patients for those permitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from bus.fulltext.indexer import Indexer
from consortium.documents.content import FolderStore
from consortium.documents.model import AssociationType, Code
from consortium.identity import reading, stewardship
from consortium.records.model import Change, Coded, Document, Kind, Patient
from consortium.records.query import STORE
from simulators.cda.samples import document
from tests.integration.api.conftest import As
from tests.integration.api.records import DAY, write
from tests.integration.api.xds import patient, person_of, provided
from tests.shared_documents import entry, related, submission

SAMPLE = document(20261120, DAY.date(), "discharge").body
ACROSS = "/api/v1/documents/search"


@pytest.fixture
def store(documents: Path) -> FolderStore:
    return FolderStore(documents)


def indexed(engine: sa.Engine, store: FolderStore) -> None:
    indexer = Indexer(engine.execution_options(**{STORE: store}), store)
    while indexer.once():
        continue


def kept(engine: sa.Engine, number: str, text: str, campus: str = "HP", **said: Any) -> UUID:
    """Record a document; returns the person."""
    made = Document(
        number=number,
        type=Coded(code="C0053"),
        title="出院小结",
        mime_type="text/plain",
        content=text.encode(),
        **{name: value for name, value in said.items() if name != "of"},
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number=said.get("of", "P1")), documents=(made,))
    return write(engine, campus, 1, change)


async def found(
    client: httpx.AsyncClient, headers: dict[str, str], url: str, text: str, **more: Any
) -> dict[str, Any]:
    answer = await client.get(url, params={"text": text, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def of(person: UUID) -> str:
    return f"/api/v1/patients/{person}/documents"


async def test_a_doctor_finds_a_patients_documents_by_chinese_words(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    person = kept(engine, "D1", "既往<高血压>病史十年，2型糖尿病。")
    kept(engine, "D2", "血压高，无糖尿病。")
    kept(engine, "D3", "高血压病史", of="P2")
    indexed(engine, store)
    doctor = as_("doctor.main")
    page = await found(client, doctor, of(person), "高血压")
    assert (page["total"], page["more"], page["next"]) == (1, False, None)
    [one] = page["documents"]
    assert one["person"] == str(person)
    assert one["html"] == "出院小结 既往&lt;<mark>高血压</mark>&gt;病史十年，2型糖尿病。"
    assert [each["text"] for each in one["snippet"] if each["match"]] == ["高血压"]
    assert (await found(client, doctor, of(person), "糖尿病"))["total"] == 2
    assert (await found(client, doctor, of(person), "高血压 糖尿病"))["total"] == 1
    assert (await found(client, doctor, of(person), "压高血"))["total"] == 0
    with engine.connect() as connection:
        told = connection.execute(
            sa.text("SELECT DISTINCT username, outcome, persons, reason FROM access.audit")
        ).all()
    assert [(row.username, row.outcome, row.persons) for row in told] == [
        ("doctor.main", "allowed", [person])
    ]
    assert "高血压" not in told[0].reason


async def test_a_clinical_document_is_found_by_what_its_page_shows(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    made = Document(
        number="D1", type=Coded(code="C0053"), title="出院小结", mime_type="text/xml", content=SAMPLE
    )
    person = write(
        engine, "HP", 1, Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=(made,))
    )
    indexed(engine, store)
    page = await found(client, as_("doctor.main"), of(person), "出院诊断")
    assert page["total"] == 1


async def test_what_is_replaced_cancelled_or_changed_is_found_no_more(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    person = kept(engine, "D1", "高血压一级")
    kept(engine, "D2", "高血压二级", replaces="D1")
    kept(engine, "D3", "高血压三级")
    indexed(engine, store)
    doctor = as_("doctor.main")
    assert (await found(client, doctor, of(person), "高血压"))["total"] == 2
    assert (await found(client, doctor, of(person), "一级"))["total"] == 0
    assert (await found(client, doctor, of(person), "一级", replaced=True))["total"] == 1
    write(
        engine,
        "HP",
        2,
        Change(
            kind=Kind.DOCUMENT,
            patient=Patient(number="P1"),
            documents=(
                Document(
                    number="D3",
                    type=Coded(code="C0053"),
                    title="出院小结",
                    mime_type="text/plain",
                    content="低血压".encode(),
                ),
            ),
        ),
    )
    assert (await found(client, doctor, of(person), "三级"))["total"] == 0, "the text is of an older content"
    indexed(engine, store)
    assert (await found(client, doctor, of(person), "低血压"))["total"] == 1
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE records.document SET deleted = true WHERE number = 'D3'"))
    assert (await found(client, doctor, of(person), "低血压"))["total"] == 0
    indexed(engine, store)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM documents.text")).scalar_one() == 2


async def test_a_merge_and_a_split_change_what_is_found_at_once(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    one = kept(engine, "D1", "高血压", "HP", of="P1")
    two = kept(engine, "D2", "高血压", "HY", of="Y1")
    indexed(engine, store)
    doctor = as_("doctor.main")
    assert [(await found(client, doctor, of(each), "高血压"))["total"] for each in (one, two)] == [1, 1]
    with engine.begin() as connection:
        numbers = [reading.find(connection, *number) for number in (("HP", "P1"), ("HY", "Y1"))]
        ids = [each.patient.id for each in numbers if each]
        decision = stewardship.decide(connection, (ids[0], ids[1]), "same", "证件一致", "lin")
    totals = sorted([(await found(client, doctor, of(each), "高血压"))["total"] for each in (one, two)])
    assert totals == [0, 2]
    with engine.begin() as connection:
        verdict = stewardship.verdict(connection, decision)
        assert verdict is not None
        stewardship.revoke(connection, verdict, "误并", "lin")
    assert [(await found(client, doctor, of(each), "高血压"))["total"] for each in (one, two)] == [1, 1]


async def test_shared_documents_are_found_and_deprecated_ones_are_not(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    somebody = patient(engine)
    first = entry(somebody, mime_type="text/plain", title="会诊记录")
    await provided(client, [(first, "建议冠脉造影".encode())])
    indexed(engine, store)
    url, doctor = of(person_of(somebody)), as_("doctor.main")
    [one] = (await found(client, doctor, url, "冠脉造影"))["documents"]
    assert (one["source"], one["title"], one["type"]) == ("shared", "会诊记录", "C0053")
    assert (await found(client, doctor, url, "会诊"))["total"] == 1, "by its title"
    with engine.connect() as connection:
        id_ = connection.execute(sa.text("SELECT id FROM documents.entry")).scalar_one()
    second = entry(somebody, mime_type="text/plain", title="会诊记录")
    more = (related(second, id_.urn, AssociationType.REPLACES),)
    await provided(client, [(second, "无需造影".encode())], submission(second, more=more))
    indexed(engine, store)
    assert (await found(client, doctor, url, "冠脉造影"))["total"] == 0
    assert (await found(client, doctor, url, "造影"))["total"] == 1


@pytest.mark.parametrize("user", ["engineer", "manager.group", "patient.demo", "coordinator.main"])
async def test_who_may_not_read_a_patient_does_not_search_in_them(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore, user: str
) -> None:
    person = kept(engine, "D1", "高血压")
    indexed(engine, store)
    answer = await client.get(of(person), params={"text": "高血压"}, headers=as_(user))
    assert answer.status_code == (200 if user == "coordinator.main" else 403)


async def test_across_patients_only_those_permitted_with_a_reason_in_the_audit(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    one = kept(engine, "D1", "高血压", "HP", of="P1")
    two = kept(engine, "D2", "高血压", "HY", of="Y1")
    indexed(engine, store)
    asked = {"text": "高血压", "reason": "病案质控"}
    for user in ("doctor.main", "admin", "engineer", "patient.demo", "manager.huangpu", "system.huangpu"):
        assert (await client.get(ACROSS, params=asked, headers=as_(user))).status_code == 403, user
    assert (
        await client.get(ACROSS, params={"text": "高血压"}, headers=as_("manager.group"))
    ).status_code == 422
    page = await found(client, as_("manager.group"), ACROSS, **asked)
    assert {each["person"] for each in page["documents"]} == {str(one), str(two)}
    only = await found(client, as_("manager.group"), ACROSS, facility="HY", **asked)
    assert [each["facility"] for each in only["documents"]] == ["HY"]
    with engine.connect() as connection:
        told = connection.execute(
            sa.text("SELECT reason, persons FROM access.audit WHERE outcome = 'allowed' ORDER BY id")
        ).all()
    assert [(row.reason, set(row.persons)) for row in told] == [
        ("documents searched: 病案质控", {one, two}),
        ("documents searched: 病案质控", {two}),
    ]


async def test_a_campuss_own_search_stays_in_its_campus(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    kept(engine, "D1", "高血压", "HP", of="P1")
    kept(engine, "D2", "高血压", "HY", of="Y1")
    indexed(engine, store)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE access.account SET permissions = '{document-search}'"
                " WHERE username = 'doctor.huangpu'"
            )
        )
    asked, doctor = {"text": "高血压", "reason": "教学查房"}, as_("doctor.huangpu")
    page = await found(client, doctor, ACROSS, **asked)
    assert [each["facility"] for each in page["documents"]] == ["HP"]
    refused = await client.get(ACROSS, params={**asked, "facility": "HY"}, headers=doctor)
    assert refused.status_code == 403


async def test_restricted_documents_are_not_found_across_patients(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    somebody = patient(engine)
    restricted = Code("R", "2.16.840.1.113883.5.25", "限制")
    one = entry(somebody, mime_type="text/plain", confidentiality_codes=(restricted,))
    await provided(client, [(one, "精神科会诊".encode())])
    indexed(engine, store)
    across = await found(client, as_("manager.group"), ACROSS, "精神科", reason="质控")
    assert (across["total"], across["documents"]) == (0, [])
    own = await found(client, as_("doctor.main"), of(person_of(somebody)), "精神科")
    assert own["total"] == 1


async def test_documents_of_vips_are_not_found_across_patients(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    kept(engine, "D1", "高血压", "HP", of="P1")
    kept(engine, "D2", "高血压", "HP", of="P2")
    indexed(engine, store)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE identity.person SET vip = true WHERE id ="
                " (SELECT person_id FROM identity.link JOIN identity.source_patient s"
                " ON s.id = source_patient_id WHERE s.number = 'P1') RETURNING id"
            )
        ).one()
    page = await found(client, as_("manager.group"), ACROSS, "高血压", reason="质控")
    assert page["total"] == 1


async def test_what_most_documents_say_is_found_in_their_order_page_by_page(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    for number in range(90):
        kept(engine, f"D{number}", "高血压" if number % 2 else "血压高", of=f"P{number % 7}")
    indexed(engine, store)
    seen: list[str] = []
    after: str | None = None
    while after is not None or not seen:
        more: dict[str, Any] = {"after": after} if after else {}
        page = await found(client, as_("manager.group"), ACROSS, "高血压", reason="质控", limit=20, **more)
        assert page["total"] == (None if after else 45)
        seen += [each["id"] for each in page["documents"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 45


async def test_a_document_reference_is_found_by_its_content(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    person = kept(engine, "D1", "高血压病史，ＣＴ平扫")
    kept(engine, "D2", "血压高")
    indexed(engine, store)

    async def numbers(text: str, **more: str) -> list[str]:
        asked = {"patient": str(person), "_content": text, **more}
        answer = await client.get("/fhir/DocumentReference", params=asked, headers=as_("doctor.main"))
        assert answer.status_code == 200, answer.text
        return [each["resource"]["masterIdentifier"]["value"] for each in answer.json().get("entry", [])]

    assert await numbers("高血压") == ["D1"]
    assert await numbers("ct 高血压") == ["D1"]
    assert await numbers("高血压", status="superseded") == []
    assert sorted(await numbers("血压")) == ["D1", "D2"]
    asked = {"patient": str(person), "_content": "，"}
    wrong = await client.get("/fhir/DocumentReference", params=asked, headers=as_("doctor.main"))
    assert (wrong.status_code, wrong.json()["resourceType"]) == (400, "OperationOutcome")


async def test_pages_the_whole_text_first_then_the_newest(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, store: FolderStore
) -> None:
    texts = ["高血压 糖尿病" if number % 3 == 0 else "糖尿病，无高血压" for number in range(7)]
    [person] = {
        kept(engine, f"D{number}", text, created_at=DAY.replace(day=number + 1))
        for number, text in enumerate(texts)
    }
    indexed(engine, store)
    doctor, seen, after = as_("doctor.main"), [], None
    while True:
        more: dict[str, Any] = {"after": after} if after else {}
        page = await found(client, doctor, of(person), "高血压 糖尿病", limit=2, **more)
        assert page["total"] == (None if after else 7)
        seen += [(each["whole"], each["id"]) for each in page["documents"]]
        after = page["next"]
        if after is None:
            break
    assert [whole for whole, _ in seen] == [True] * 3 + [False] * 4
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id FROM records.document ORDER BY at DESC")).scalars()
        newest = [str(id_) for id_ in rows]
    assert [id_ for _, id_ in seen] == [newest[place] for place in (0, 3, 6, 1, 2, 4, 5)]
    wrong = await client.get(of(person), params={"text": "高血压", "after": "x"}, headers=doctor)
    assert wrong.status_code == 400
    empty = await client.get(of(person), params={"text": "，"}, headers=doctor)
    assert (empty.status_code, empty.json()["type"]) == (400, "urn:yilian:problem:text")
