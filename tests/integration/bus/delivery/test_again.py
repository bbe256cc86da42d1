"""What was delivered is sent again on purpose: linked, told to the receiver, each patient in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.mllp.outbound import MllpTransport
from adapters.tables.outbound import TablesTransport
from bus.delivery import again, overview
from bus.delivery.again import NothingToSendError, Wanted
from bus.delivery.building import Building
from bus.delivery.console import destinations_main
from bus.delivery.control import NoDeliveryError
from bus.delivery.recomputing import recomputing
from bus.fhir.systems import Systems
from bus.rules.destinations import MllpDestination, TablesDestination
from bus.sent_forms import How, sent
from consortium.errors import ConflictError, PermanentError
from runtime import settings
from runtime.settings import Settings
from tests.integration.bus.clinic import engine_of, rows, steps
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver, http_receiver
from tests.integration.bus.delivery.rulebook import WARD
from tests.integration.bus.delivery.test_webhook import way, webhook

SYSTEMS = Systems(Settings())
EVERY = Wanted(facility="MAIN")


def ask(url: str, wanted: Wanted = EVERY, name: str = "ward", **more: Any) -> again.Begun:
    with engine_of(url).begin() as connection:
        return again.send(connection, name, wanted, "chen", "the ward restored yesterday's backup", **more)


def look(url: str, wanted: Wanted = EVERY) -> again.Preview:
    with engine_of(url).connect() as connection:
        return again.preview(connection, "ward", wanted)


def over_mllp(spec: MllpDestination) -> Building:
    return Building(MllpTransport(spec), spec, SYSTEMS)


async def test_it_goes_under_a_new_control_id_each_patient_in_order(database_url: str) -> None:
    async with MllpReceiver() as ward:
        spec = mllp(ward.port)
        ids = enqueue(database_url, "ward", *messages(6, patients=2))
        async with delivering(database_url, spec, over_mllp(spec)):
            await until(lambda: states(database_url) == ["delivered"] * 6)
            asked = ask(database_url)
            await until(lambda: states(database_url) == ["delivered"] * 12)
        new = [control for control in ward.got if control.startswith("YL")]
        assert sorted(new) == sorted(f"YL{id_}" for id_ in asked.ids)
        # All but MSH-10 is as it was, and a patient's follow one another as they did.
        first = {body.split(b"|")[9]: body for body in ward.bodies[:6]}
        order = [b"P1-1", b"P2-1", b"P1-2", b"P2-2", b"P1-3", b"P2-3"]
        wanted = [
            first[control].replace(b"|" + control + b"|", f"|YL{id_}|".encode())
            for control, id_ in zip(order, asked.ids, strict=True)
        ]
        assert sorted(ward.bodies[6:]) == sorted(wanted)
        for patient in (0, 1):
            mine = [f"YL{id_}" for id_ in asked.ids[patient::2]]
            assert [control for control in new if control in mine] == mine
    linked = rows(
        database_url,
        "SELECT d.again_of, d.generation, a.by, a.why FROM bus.delivery d"
        " JOIN bus.delivery_again a ON a.id = d.again_id ORDER BY d.id",
    )
    assert linked == [(id_, 1, "chen", "the ward restored yesterday's backup") for id_ in ids]
    [(message,)] = rows(database_url, "SELECT min(message_id) FROM bus.delivery")
    assert steps(database_url, message) == [
        "delivery_queued", "delivered", "delivery_again", "delivered"
    ]  # fmt: skip


async def test_a_receiver_that_wants_the_same_control_id_gets_it(database_url: str) -> None:
    async with MllpReceiver() as ward:
        spec = mllp(ward.port, again_control_id="same")
        enqueue(database_url, "ward", *messages(1))
        async with delivering(database_url, spec, over_mllp(spec)):
            await until(lambda: states(database_url) == ["delivered"])
            ask(database_url)
            await until(lambda: states(database_url) == ["delivered"] * 2)
        assert ward.got == ["P1-1", "P1-1"]
        assert ward.bodies[0] == ward.bodies[1]


async def test_over_http_it_has_a_new_key_and_says_what_it_repeats(database_url: str) -> None:
    with http_receiver() as hook:
        spec = webhook(hook.url)
        [id_] = enqueue(database_url, "hook", *messages(1))
        async with delivering(database_url, spec, way(spec)):
            await until(lambda: states(database_url, "hook") == ["delivered"])
            [new] = ask(database_url, Wanted(id=id_), "hook").ids
            await until(lambda: states(database_url, "hook") == ["delivered"] * 2)
    said = [(headers["webhook-id"], headers.get("yilian-again-of")) for headers, _ in hook.got]
    assert said == [(f"delivery-{id_}", None), (f"delivery-{new}", f"delivery-{id_}")]


async def test_a_row_of_a_table_is_new_again_for_its_reader(database_url: str) -> None:
    spec = TablesDestination(
        name="ward",
        description="a table",
        facility="HY",
        kind="tables",
        database="ward",
        table="arrived",
        key=("control_id",),
        columns={"control_id": "MSH-10", "patient": "PID-3.1"},
        status={"column": "done", "new": 0},
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE arrived (control_id text PRIMARY KEY, patient text, done int)")
    enqueue(database_url, "ward", *messages(1))
    async with delivering(database_url, spec, TablesTransport(spec, database_url)):
        await until(lambda: states(database_url) == ["delivered"])
        assert rows(database_url, "UPDATE arrived SET done = 1 RETURNING control_id, done") == [("P1-1", 1)]
        ask(database_url)
        await until(lambda: states(database_url) == ["delivered"] * 2)
    assert rows(database_url, "SELECT control_id, done FROM arrived") == [("P1-1", 0)]


def done(url: str, ids: list[int]) -> None:
    rows(
        url,
        "UPDATE bus.delivery SET state = 'delivered', done_at = now() WHERE id = ANY(%s) RETURNING 1",
        ids,
    )


def test_it_is_told_before_what_would_go_and_whose_state_would_end_older(database_url: str) -> None:
    ids = enqueue(database_url, "ward", *messages(4, patients=2))
    assert look(database_url).total == 0
    done(database_url, ids)
    assert (look(database_url).total, look(database_url).patients, look(database_url).followed) == (4, 2, 0)
    one = look(database_url, Wanted(control_id="P1-1"))
    assert (one.total, one.patients, one.passed, one.followed) == (1, 1, 0, 1)
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert look(database_url, Wanted(since=soon)).total == 0
    assert look(database_url, Wanted(until=soon, patient_number="M2")).total == 2
    assert look(database_url, Wanted(message_type="ORU^R01")).total == 0
    assert rows(database_url, "SELECT count(*) FROM bus.delivery") == [(4,)], "it was only asked"


def test_what_waits_to_go_again_is_shown_under_its_new_control_id(database_url: str) -> None:
    enqueue(database_url, "ward", *messages(1))
    rows(database_url, "UPDATE bus.delivery SET state = 'delivered', done_at = now() RETURNING id")
    [new] = ask(database_url).ids
    [(message,)] = rows(database_url, "SELECT min(message_id) FROM bus.delivery")
    with engine_of(database_url).connect() as connection:
        *_, shown = sent(connection, message, recomputing({"ward": mllp(2575)}, SYSTEMS))
    assert (shown.id, shown.how) == (new, How.NOT_SENT)
    assert f"|YL{new}|" in (shown.text or "")


def test_what_is_on_its_way_again_is_passed_by_and_what_was_is_a_next_generation(database_url: str) -> None:
    ids = enqueue(database_url, "ward", *messages(2, patients=2))
    done(database_url, ids)
    [first] = ask(database_url, Wanted(id=ids[0])).ids
    with pytest.raises(NothingToSendError, match="on its way again"):
        ask(database_url, Wanted(id=ids[0]))
    begun = ask(database_url)
    assert (len(begun.ids), begun.passed) == (1, 1)
    done(database_url, [first])
    [second] = ask(database_url, Wanted(id=ids[0])).ids
    with engine_of(database_url).connect() as connection:
        one = overview.delivery(connection, "ward", second)
    assert one is not None
    assert (one.generation, one.again_of, one.again_by) == (2, first, "chen")


def test_only_what_is_done_and_still_has_its_bytes(database_url: str) -> None:
    [open_] = enqueue(database_url, "ward", *messages(1))
    with pytest.raises(NothingToSendError, match="is queued"):
        ask(database_url, Wanted(id=open_))
    with pytest.raises(NoDeliveryError, match="has no delivery 999"):
        ask(database_url, Wanted(id=999))
    with pytest.raises(PermanentError, match="say which"):
        ask(database_url, Wanted())
    done(database_url, [open_])
    rows(database_url, "DELETE FROM bus.body RETURNING id")
    assert (look(database_url).total, look(database_url).passed) == (0, 1)
    with pytest.raises(NothingToSendError, match="dropped by retention"):
        ask(database_url, Wanted(id=open_))
    assert rows(database_url, "SELECT count(*) FROM bus.delivery_again") == [(0,)]


def test_too_many_are_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done(database_url, enqueue(database_url, "ward", *messages(3)))
    monkeypatch.setattr(again, "MOST", 2)
    with pytest.raises(PermanentError, match="3 deliveries are more than 2"):
        ask(database_url)


def test_the_same_request_again_sends_nothing_again(database_url: str) -> None:
    done(database_url, enqueue(database_url, "ward", *messages(2)))
    first = ask(database_url, key="K1")
    assert ask(database_url, key="K1").ids == first.ids
    assert rows(database_url, "SELECT count(*) FROM bus.delivery") == [(4,)]
    with pytest.raises(ConflictError, match="another request"):
        ask(database_url, Wanted(control_id="P1-1"), key="K1")


@pytest.fixture
def console(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "ward.yaml").write_text(WARD.format(port=2576))
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_RULES_DIR", str(tmp_path))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.usefixtures("console")
def test_the_command_line_asks_first_and_says_who_and_why(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = enqueue(database_url, "ward", *messages(3))
    done(database_url, ids)
    command = ("send-again", "ward", "--since", "2020-01-01")
    assert destinations_main([*command, "--dry-run"]) == 0
    assert "3 would be sent again, of 1 patients" in capsys.readouterr().out
    assert destinations_main(["send-again", "ward", str(ids[0]), "--dry-run"]) == 0
    assert "older state last" in capsys.readouterr().out.replace("\n", " ")
    assert destinations_main(list(command)) == 1
    assert "--why" in capsys.readouterr().err
    assert destinations_main([*command, "--why", "backup restored", "--by", "chen", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["ids"]) == 3
    assert states(database_url) == ["delivered"] * 3 + ["queued"] * 3
    assert rows(database_url, "SELECT action, resource, reason FROM access.audit") == [
        ("delivery.again", "send-again ward request 1", "on the console, by chen: backup restored")
    ]
