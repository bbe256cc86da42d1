"""The sample users, the patient among them, and tokens on the console."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.access import audit, console, sign_in
from consortium.access.accounts import bind_patient
from consortium.access.errors import NotSignedInError
from consortium.access.passwords import matches
from consortium.access.seed import SAMPLE_USERS, bind_sample_patient, seed_sample_users
from consortium.errors import PermanentError
from tests.integration.api.conftest import PASSWORD, TOKEN_KEY, settings_for
from tests.integration.api.records import ID_CARD, person_of_three_campuses

NAMES = {
    "admin", "engineer", "ops", "coordinator.main", "coordinator.huangpu", "coordinator.huiya", "doctor.main",
    "doctor.huangpu", "doctor.huiya", "doctor.lianmeng", "coordinator.lianmeng", "manager.group",
    "manager.huangpu", "patient.demo", "patient.referral", "system.huangpu",
}  # fmt: skip


def hashes(engine: sa.Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT username, password_hash FROM access.account")).all()
    return {row.username: row.password_hash for row in rows}


def test_the_sample_users_are_there_each_with_a_salt_of_its_own(engine: sa.Engine) -> None:
    known = hashes(engine)
    assert known.keys() == NAMES == {sample.username for sample in SAMPLE_USERS}
    assert len(set(known.values())) == len(NAMES)


def test_seeding_again_changes_nothing_and_another_password_changes_it(engine: sa.Engine) -> None:
    before = hashes(engine)
    with engine.begin() as connection:
        seed_sample_users(connection, PASSWORD)
    assert hashes(engine) == before
    with engine.begin() as connection:
        seed_sample_users(connection, "another password")
    sign_in.by_password(engine, "ops", "another password", "here", "1", datetime.now(UTC))
    with pytest.raises(NotSignedInError):
        sign_in.by_password(engine, "ops", PASSWORD, "here", "2", datetime.now(UTC))


def test_the_sample_patient_becomes_the_person_with_the_card_once_known(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        assert bind_sample_patient(connection, ID_CARD) is None
    wang = person_of_three_campuses(engine)
    with engine.begin() as connection:
        assert bind_sample_patient(connection, ID_CARD) == wang
    assert sign_in.by_name(engine, "patient.demo").person_id == wang


def test_only_a_patient_is_bound_to_a_person(engine: sa.Engine) -> None:
    with pytest.raises(PermanentError, match=r"doctor\.main"), engine.begin() as connection:
        bind_patient(connection, "doctor.main", UUID(int=1))


def test_the_console_prints_a_token_and_nothing_else(
    engine: sa.Engine, seeded_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "load", lambda: settings_for(seeded_url))
    assert console.token_main(["--user", "doctor.main"]) == 0
    token = capsys.readouterr().out.removesuffix("\n")
    assert sign_in.by_token(engine, token, TOKEN_KEY).username == "doctor.main"
    assert console.token_main(["--user", "doctor.main", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["user"], answer["expires_in"]) == ("doctor.main", 900)
    with engine.connect() as connection:
        assert audit.entries(connection, limit=1)[0].entry.reason == "token issued on the console"


def test_the_console_says_what_to_do(
    seeded_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for settings, words in (
        (settings_for(seeded_url), "unknown"),
        (settings_for("postgresql://nobody@127.0.0.1:1/none"), "./yilian up"),
        (settings_for(""), "./yilian up"),
    ):
        monkeypatch.setattr(console, "load", lambda settings=settings: settings)
        assert console.token_main(["--user", "nobody"]) == 1
        seen = capsys.readouterr()
        assert (seen.out, words in seen.err) == ("", True)


def test_a_remembered_password_is_not_hashed_again_and_a_closed_account_is_refused(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counted(encoded: str | None, password: str) -> bool:
        hashed.append(password)
        return matches(encoded, password)

    monkeypatch.setattr("consortium.access.sign_in.matches", counted)
    remembered = sign_in.Remembered()
    for number in range(3):
        remembered.by_password(engine, "system.huangpu", PASSWORD, "here", str(number), datetime.now(UTC))
    assert len(hashed) == 1
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE access.account SET disabled = true"))
    with pytest.raises(NotSignedInError):
        remembered.by_password(engine, "system.huangpu", PASSWORD, "here", "4", datetime.now(UTC))


def test_a_programs_first_calls_all_at_once_are_one_sign_in(engine: sa.Engine) -> None:
    remembered, at = sign_in.Remembered(), datetime.now(UTC)
    together = Barrier(20)

    def call(number: int) -> str:
        together.wait(timeout=30)
        return remembered.by_password(engine, "system.huangpu", PASSWORD, "here", str(number), at).username

    with ThreadPoolExecutor(20) as calls:
        assert {*calls.map(call, range(20))} == {"system.huangpu"}
    with engine.connect() as connection:
        noted = sa.text("SELECT count(*) FROM access.audit WHERE action = 'sign-in'")
        assert connection.execute(noted).scalar_one() == 1
