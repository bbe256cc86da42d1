"""Files of referrals, and hospitals that are not integrated (联盟医院)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from consortium.documents.upkeep import check, sweep
from consortium.referral import attachments
from runtime.contents import opened_store
from tests.integration.api import test_referrals as referring
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.test_referrals import PATH, Users

app, users, wang = referring.app, referring.users, referring.wang
PDF = b"%PDF-1.7\n" + b"x" * 2_000_000
FORM = {
    "name": "李强",
    "sex": "male",
    "birth_date": "1980-01-02",
    "preliminary_diagnosis": "胸痛待查",
    "reason": "本院无导管室",
}


class Files:
    """Attaches and reads files over the API."""

    def __init__(self, client: httpx.AsyncClient, as_: As, users: Users) -> None:
        self._client, self._as, self._users = client, as_, users

    async def add(
        self,
        user: str,
        data: bytes = PDF,
        kind: str = "application/pdf",
        name: str = "心电图.pdf",
        key: str = "f",
    ) -> httpx.Response:
        headers = self._as(user) | {"Idempotency-Key": key, "Content-Type": kind}
        path = f"{PATH}/{self._users.id}/attachments?name={quote(name)}"
        return await self._client.post(path, content=data, headers=headers)

    async def get(self, user: str, path: str = "") -> httpx.Response:
        return await self._client.get(f"{PATH}/{self._users.id}/attachments{path}", headers=self._as(user))


@pytest.fixture
def files(client: httpx.AsyncClient, as_: As, users: Users) -> Files:
    return Files(client, as_, users)


async def from_the_partner(users: Users, **said: Any) -> httpx.Response:
    body = {
        "direction": "up",
        "receiving_facility": "MAIN",
        "form": FORM,
        "criteria": ["beyond_scope"],
    } | said
    answer = await users.ask("doctor.lianmeng", "POST", "", body, "begin")
    users.id = answer.json().get("id", "")
    return answer


async def test_a_hospital_that_is_not_integrated_refers_by_form_and_files(users: Users, files: Files) -> None:
    begun = (await from_the_partner(users)).json()
    assert (begun["state"], begun["missing"], begun["person_id"]) == ("draft", [], None)
    added = await files.add("doctor.lianmeng")
    assert added.status_code == 201, added.text
    assert (added.json()["name"], added.json()["size"]) == ("心电图.pdf", len(PDF))
    assert (await files.add("doctor.lianmeng")).json() == added.json()
    consent = {"given": True}
    assert (
        await users.ask("doctor.lianmeng", "POST", f"/{users.id}/consent", consent, "c")
    ).status_code == 204
    for user, step in (("coordinator.lianmeng", "submit"), ("coordinator.main", "take")):
        assert (await users.step(user, step)).status_code == 200, step
    (one,) = (await files.get("coordinator.main")).json()
    read = await files.get("coordinator.main", f"/{one['id']}")
    assert (read.content, read.headers["content-type"]) == (PDF, "application/pdf")
    assert "sandbox" in read.headers["content-security-policy"]
    assert (await files.get("coordinator.huiya")).status_code == 403
    assert (await files.get("coordinator.huiya", f"/{one['id']}")).status_code == 403
    assert (await files.get("coordinator.main", "/6f1c2d9e-3a52-5d8e-9a63-0c0f6f3f2a11")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/html", b"<script>alert(1)</script>"),
        ("application/pdf", b"<html>"),
        ("image/png", b"\xff\xd8\xff\xe0"),
        ("", b"%PDF-1.7"),
    ],
)
async def test_a_file_is_what_it_says_or_is_refused(
    users: Users, files: Files, kind: str, data: bytes
) -> None:
    await from_the_partner(users)
    refused = await files.add("doctor.lianmeng", data, kind)
    assert refused.status_code == 400
    assert refused.json()["type"] == "urn:yilian:problem:unfit-attachment"
    assert (await files.get("doctor.lianmeng")).json() == []


async def test_too_large_too_many_and_bad_names_are_refused(
    users: Users, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await from_the_partner(users)
    large = await files.add("doctor.lianmeng", b"%PDF-" + bytes(attachments.LARGEST))
    assert large.status_code == 413
    for name in ("../a.pdf", "a\nb.pdf", ""):
        assert (await files.add("doctor.lianmeng", name=name)).status_code == 422, name
    monkeypatch.setattr(attachments, "MOST", 1)
    assert (await files.add("doctor.lianmeng", key="1")).status_code == 201
    assert (await files.add("doctor.lianmeng", key="2")).status_code == 409


async def test_nothing_is_added_once_it_is_over(users: Users, files: Files) -> None:
    await from_the_partner(users)
    assert (await users.step("doctor.lianmeng", "discard")).status_code == 200
    assert (await files.add("doctor.lianmeng")).status_code == 409


async def test_a_referral_to_a_hospital_that_nobody_knows_is_refused(users: Users) -> None:
    refused = await from_the_partner(users, receiving_facility="NOWHERE")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:yilian:problem:unknown-hospital")
    back = await users.ask(
        "doctor.main", "POST", "", {"direction": "down", "receiving_facility": "LM"}, "back"
    )
    assert back.status_code == 201


async def test_upkeep_knows_files_for_what_they_are(
    users: Users, files: Files, engine: sa.Engine, seeded_url: str
) -> None:
    await from_the_partner(users)
    assert (await files.add("doctor.lianmeng")).status_code == 201
    store = opened_store(settings_for(seeded_url))
    report = check(engine, store, "1.2.3", lambda _done, _total: None)
    assert (report.contents, report.sound) == (1, True)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert sweep(engine, store, later, remove=True).orphans == 0
    (one,) = (await files.get("doctor.lianmeng")).json()
    assert (await files.get("doctor.lianmeng", f"/{one['id']}")).content == PDF
