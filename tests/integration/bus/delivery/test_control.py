"""People and destinations: pause, resume, drain, resend, discard; on the command line too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bus.delivery import control, figures, overview
from bus.delivery.console import destinations_main
from bus.delivery.control import Mode, NoDeliveryError, NotStuckError
from bus.journey import journey
from runtime import settings
from tests.integration.bus.clinic import engine_of, rows, steps
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver, ack, takes
from tests.integration.bus.delivery.rulebook import WARD


def set_mode(url: str, mode: Mode) -> None:
    engine = engine_of(url)
    with engine.begin() as connection:
        control.set_mode(connection, "ward", mode, "chen", "ward system upgrade")


def decide(url: str, id_: int, how: Any) -> None:
    with engine_of(url).begin() as connection:
        how(connection, id_, "chen", "asked the ward by phone")


async def test_a_paused_destination_queues_and_a_resumed_one_sends(database_url: str) -> None:
    set_mode(database_url, Mode.PAUSED)
    async with MllpReceiver() as ward, delivering(database_url, mllp(ward.port)) as line:
        enqueue(database_url, "ward", *messages(3))
        await until(lambda: line.owned)
        enqueue(database_url, "lab", *messages(3, start=10))
        async with MllpReceiver() as lab, delivering(database_url, mllp(lab.port, "lab")):
            await until(lambda: states(database_url, "lab") == ["delivered"] * 3)
        assert states(database_url) == ["queued"] * 3
        assert ward.got == []
        set_mode(database_url, Mode.RUNNING)
        await until(lambda: states(database_url) == ["delivered"] * 3)


async def test_a_drained_destination_sends_what_was_queued_then_pauses_itself(database_url: str) -> None:
    """What stands behind a parked one cannot go, and does not keep the drain from ending."""
    set_mode(database_url, Mode.PAUSED)
    enqueue(database_url, "ward", *messages(6, patients=3))
    picky = {"P1-1": "AR"}
    async with MllpReceiver(lambda control: ack(picky.get(control, "AA"), control)) as ward:
        set_mode(database_url, Mode.DRAINING)
        enqueue(database_url, "ward", *messages(3, patients=3, start=50))
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: rows(database_url, "SELECT mode FROM bus.destination") == [("paused",)])
        drained = ["parked", "delivered", "delivered", "queued", "delivered", "delivered"]
        assert states(database_url) == [*drained, *["queued"] * 3]
        assert sorted(ward.got) == ["P1-1", "P2-1", "P2-2", "P3-1", "P3-2"]


async def test_an_empty_destination_is_drained_at_once(database_url: str) -> None:
    set_mode(database_url, Mode.DRAINING)
    async with MllpReceiver() as ward, delivering(database_url, mllp(ward.port)):
        await until(lambda: rows(database_url, "SELECT mode FROM bus.destination") == [("paused",)])


async def test_a_resent_delivery_goes_first_and_its_patient_follows(database_url: str) -> None:
    async with MllpReceiver(lambda control: ack("AR", control)) as ward:
        ids = enqueue(database_url, "ward", *messages(3))
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: states(database_url)[0] == "parked")
            ward.behaviour = takes
            decide(database_url, ids[0], control.resend)
            await until(lambda: states(database_url) == ["delivered"] * 3)
        assert ward.got == ["P1-1", "P1-1", "P1-2", "P1-3"]
    [(message, by, why)] = rows(
        database_url,
        "SELECT message_id, decided_by, decided_why FROM bus.delivery WHERE decided_at IS NOT NULL",
    )
    assert (by, why) == ("chen", "asked the ward by phone")
    assert steps(database_url, message) == [
        "delivery_queued", "delivery_parked", "delivery_resent", "delivered"
    ]  # fmt: skip


async def test_a_discarded_delivery_lets_its_patient_go_on(database_url: str) -> None:
    async with MllpReceiver() as ward:
        ward.behaviour = lambda control: None if control == "P1-1" else ack("AA", control)
        ids = enqueue(database_url, "ward", *messages(3))
        async with delivering(database_url, mllp(ward.port, timeout_seconds=0.3)):
            await until(lambda: states(database_url)[0] == "ambiguous")
            decide(database_url, ids[0], control.discard)
            await until(lambda: states(database_url) == ["discarded", "delivered", "delivered"])
        assert ward.got == ["P1-1", "P1-2", "P1-3"]
    with engine_of(database_url).connect() as connection:
        [(message,)] = rows(database_url, "SELECT min(message_id) FROM bus.delivery")
        way = journey(connection, str(message))
    assert way is not None
    # Giving up one delivery is not giving up the message.
    assert way.entry.state.value == "stored"
    assert [(o.destination, o.dedupe_key) for o in way.outgoing] == [("ward", f"delivery:{ids[0]}:discarded")]


async def test_what_waits_for_nobody_cannot_be_decided(database_url: str) -> None:
    ids = enqueue(database_url, "ward", *messages(1))
    for how in (control.resend, control.discard):
        with pytest.raises(NotStuckError, match="is queued"):
            decide(database_url, ids[0], how)
        with pytest.raises(NoDeliveryError, match="no delivery 999"):
            decide(database_url, 999, how)


async def test_an_answer_that_comes_after_all_is_better_than_ambiguity(database_url: str) -> None:
    """A second process took the destination over and called the message ambiguous; the first gets its AA."""
    async with MllpReceiver(lambda _control: None) as ward:
        enqueue(database_url, "ward", *messages(1))
        async with delivering(database_url, mllp(ward.port)):
            await until(lambda: ward.got)
            rows(database_url, "UPDATE bus.delivery SET state = 'ambiguous' RETURNING id")
            ward.writers[0].write(b"\x0b" + ack("AA", "P1-1") + b"\x1c\r")
            await until(lambda: states(database_url) == ["delivered"])


@pytest.fixture
def console(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `destinations …` and return what it printed as JSON."""
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "ward.yaml").write_text(WARD.format(port=2576))
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_RULES_DIR", str(tmp_path))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.usefixtures("console")
async def test_the_command_line_shows_pauses_and_decides(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> Any:
        assert destinations_main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    ids = enqueue(database_url, "ward", *messages(4, patients=4))
    rows(
        database_url,
        "UPDATE bus.delivery SET state = 'parked', code = 'AR', reason = 'r', answer = 'MSA|AR'"
        " WHERE id <> %s RETURNING id",
        ids[3],
    )
    [one] = run("list")["destinations"]
    assert (one["name"], one["kind"], one["mode"], one["counts"]) == (
        "ward", "mllp", "running", {"parked": 3, "queued": 1}
    )  # fmt: skip
    assert run("pause", "ward", "--why", "upgrade", "--by", "chen")["mode"] == "paused"
    shown = run("show", "ward")
    assert shown["destination"]["changed_by"] == "chen"
    assert [d["id"] for d in shown["deliveries"]] == ids[:3]
    assert run("show", "ward", str(ids[0]))["answer"] == "MSA|AR"
    decided = run("resend", "ward", str(ids[0]), "--why", "corrected there", "--by", "chen")
    assert decided == {"decided": [ids[0]]}
    assert run("discard", "ward", "--code", "AR", "--why", "test patients", "--by", "chen") == {
        "decided": ids[1:3]
    }
    assert states(database_url) == ["queued", "discarded", "discarded", "queued"]
    assert run("drain", "ward", "--why", "x")["mode"] == "draining"
    assert run("resume", "ward", "--why", "x")["mode"] == "running"
    audited = rows(database_url, "SELECT action, resource, reason FROM access.audit ORDER BY id")
    assert audited[:2] == [
        ("destination.manage", "pause ward", "on the console, by chen: upgrade"),
        ("delivery.decide", f"resend ward {ids[0]}", "on the console, by chen: corrected there"),
    ]
    assert len(audited) == 5


@pytest.mark.usefixtures("console")
async def test_the_command_line_says_what_is_wrong(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = enqueue(database_url, "ward", *messages(1))
    for words, status, said in (
        (("show", "nowhere"), 1, "there is no destination nowhere; the rules in force have ward"),
        (("pause", "nowhere", "--why", "x"), 1, "no destination nowhere"),
        (("pause", "ward"), 2, "--why"),
        (("show", "ward", "999"), 1, "ward has no delivery 999"),
        (("resend", "ward", "--why", "x"), 1, "say which"),
        (("resend", "ward", "999", "--why", "x"), 1, "there is no delivery 999"),
        (("resend", "ward", str(ids[0]), "--why", "x"), 1, "is queued"),
    ):
        assert destinations_main(list(words)) == status
        assert said in capsys.readouterr().err.replace("\n", " ")
    assert rows(database_url, "SELECT 1 FROM access.audit") == []
    assert destinations_main(["list"]) == 0
    assert destinations_main(["show", "ward", "--state", "queued"]) == 0
    assert "ADT^A08" in capsys.readouterr().out


async def test_what_was_delivered_without_going_out_has_no_times(database_url: str) -> None:
    enqueue(database_url, "ward", *messages(1))
    rows(database_url, "UPDATE bus.delivery SET state = 'delivered', done_at = now() RETURNING id")
    with engine_of(database_url).connect() as connection:
        [one] = overview.standings(connection, {"ward": mllp(9)})
        assert one.last_hour is None
        assert figures.read(connection).times["ward"].queued == {}


async def test_times_queued_and_to_the_answer_are_shown_apart(database_url: str) -> None:
    async with MllpReceiver() as ward:
        enqueue(database_url, "ward", *messages(5, patients=5))
        rows(database_url, "UPDATE bus.delivery SET queued_at = queued_at - interval '1 hour' RETURNING id")
        spec = mllp(ward.port)
        async with delivering(database_url, spec):
            await until(lambda: states(database_url) == ["delivered"] * 5)
    with engine_of(database_url).connect() as connection:
        [one] = overview.standings(connection, {"ward": spec})
    assert one.last_hour is not None
    assert one.last_hour.delivered == 5
    assert 3600 <= one.last_hour.queued_median <= one.last_hour.queued_p95
    assert 0 <= one.last_hour.ack_median <= one.last_hour.ack_p95 < 60
