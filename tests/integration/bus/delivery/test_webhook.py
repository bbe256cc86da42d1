"""A webhook on a real PostgreSQL and a real HTTP server."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from adapters.rest.webhook import WebhookTransport, keys, signature
from bus.delivery.queue import Queued, write
from bus.delivery.transport import Transport
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.destinations import WebhookDestination
from bus.rules.ruleset import RuleSet
from bus.rules.spec import Form
from tests.integration.bus.clinic import engine_of, hl7, rows, store
from tests.integration.bus.delivery.queue import BREAKER, RETRY, delivering, enqueue, messages, states, until
from tests.integration.bus.delivery.receivers import http_receiver
from tests.integration.bus.delivery.rulebook import rulebook

SECRET = "a shared secret"


def webhook(url: str, **more: Any) -> WebhookDestination:
    values: dict[str, Any] = {"retry": RETRY, "breaker": BREAKER, "timeout_seconds": 2.0, **more}
    return WebhookDestination(
        name="hook",
        description="a hook of the test",
        facility="HP",
        kind="webhook",
        address=url,
        secret="hook",
        **values,
    )


def way(spec: WebhookDestination) -> Transport:
    return WebhookTransport(spec, SECRET)


async def test_the_message_is_posted_as_it_came_and_signed(database_url: str) -> None:
    arrivals, patients = messages(3)
    ids = enqueue(database_url, "hook", arrivals, patients)
    with http_receiver() as hook:
        spec = webhook(hook.url)
        async with delivering(database_url, spec, way(spec)):
            await until(lambda: states(database_url, "hook") == ["delivered"] * 3)
    assert [body for _, body in hook.got] == [arrival.body for arrival in arrivals]
    for id_, (headers, body) in zip(ids, hook.got, strict=True):
        assert headers["webhook-id"] == f"delivery-{id_}"
        expected = signature(keys(SECRET), headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == expected
        assert headers["content-type"] == "application/hl7-v2; charset=gb18030"
    assert rows(database_url, "SELECT DISTINCT code, answer FROM bus.delivery") == [("200", b"ok")]


async def test_a_receiver_that_is_not_ready_is_asked_again_under_the_same_id(database_url: str) -> None:
    enqueue(database_url, "hook", *messages(2))
    with http_receiver(lambda number: 503 if number < 2 else 202) as hook:
        spec = webhook(hook.url)
        async with delivering(database_url, spec, way(spec)):
            await until(lambda: states(database_url, "hook") == ["delivered"] * 2)
    sent = [headers["webhook-id"] for headers, _ in hook.got]
    assert sent == [sent[0], sent[0], sent[0], sent[3]]
    assert sent[0] != sent[3]


async def test_a_receiver_that_closes_without_an_answer_leaves_it_ambiguous(database_url: str) -> None:
    enqueue(database_url, "hook", *messages(2))
    with http_receiver(lambda _number: 0) as hook:
        spec = webhook(hook.url)
        async with delivering(database_url, spec, way(spec)):
            await until(lambda: states(database_url, "hook") == ["ambiguous", "queued"])
    assert len(hook.got) == 1


async def test_a_message_the_receiver_cannot_read_is_parked(database_url: str) -> None:
    enqueue(database_url, "hook", *messages(2, patients=2))
    with http_receiver(lambda number: 422 if number == 0 else 200) as hook:
        spec = webhook(hook.url)
        async with delivering(database_url, spec, way(spec)):
            await until(lambda: states(database_url, "hook") == ["parked", "delivered"])


async def test_a_wrong_secret_parks_nobody_and_opens_the_breaker(database_url: str) -> None:
    enqueue(database_url, "hook", *messages(9, patients=9))
    with http_receiver(lambda _number: 401) as hook:
        spec = webhook(hook.url, breaker={"failures": 3, "open_seconds": 60.0, "longest_seconds": 60.0})
        async with delivering(database_url, spec, way(spec)) as line:
            await until(lambda: line.detail()["breaker"] == "open")
            await until(lambda: states(database_url, "hook") == ["queued"] * 9)
    assert len(hook.got) == 3


async def test_a_hook_that_is_not_there_keeps_its_queue(database_url: str) -> None:
    enqueue(database_url, "hook", *messages(2))
    with http_receiver() as gone:
        pass
    spec = webhook(gone.url)
    async with delivering(database_url, spec, way(spec)) as line:
        await until(lambda: line.detail()["breaker"] in ("open", "half_open"))
    assert states(database_url, "hook") == ["queued", "queued"]
    assert rows(database_url, "SELECT DISTINCT code, tried_at FROM bus.delivery WHERE code IS NOT NULL") == [
        ("unreachable", None)
    ]


async def test_the_router_queues_once_in_the_transaction_of_the_effects(
    database_url: str, tmp_path_factory: Any
) -> None:
    """A rule sends the raw message to one destination and, where its condition holds, the change as JSON."""
    rules = RuleSet.load(rulebook(tmp_path_factory.mktemp("rules")))
    engine = engine_of(database_url)
    women, man = hl7("ADT^A28", "M1", sex="F"), hl7("ADT^A28", "M2", sex="M")
    bad, merge = hl7("ADT^A28", "M3", sex="?"), hl7("ADT^A40", "M1", other="M2")
    ids = store(database_url, women, man, bad, merge)
    for _ in range(2):
        Router(engine, rules, Services()).answer(ids)
    found = rows(
        database_url,
        "SELECT destination, message_id, form, other_key IS NOT NULL, body IS NULL FROM bus.delivery"
        " ORDER BY message_id, destination",
    )
    assert found == [
        ("hook", ids[0], "canonical", False, False),
        ("ward", ids[0], "raw", False, True),
        ("ward", ids[1], "raw", False, True),
        ("ward", ids[3], "raw", True, True),
    ]
    [(body,)] = rows(database_url, "SELECT body FROM bus.delivery WHERE destination = 'hook'")
    sent = json.loads(bytes(body))
    assert sent["source"]["message_id"] == ids[0]
    assert sent["source"]["facility"] == "MAIN"
    assert (sent["change"]["kind"], sent["change"]["patient"]["name"]) == ("patient", "王珅")
    engine.dispose()


async def test_what_the_effects_roll_back_is_not_queued(database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28"))
    engine = engine_of(database_url)
    with engine.connect() as connection, connection.begin() as transaction:
        write(connection, [Queued("ward", ids[0], [1], Form.RAW, None)])
        assert connection.execute(sa.text("SELECT count(*) FROM bus.delivery")).scalar_one() == 1
        transaction.rollback()
    assert states(database_url) == []
    engine.dispose()


async def test_a_merge_waits_for_both_patients_and_they_for_it(database_url: str) -> None:
    arrivals, _ = messages(5)
    ids = store(database_url, *arrivals)
    keys_of = ([1], [2], [1, 2], [2], [3])
    engine = engine_of(database_url)
    with engine.begin() as connection:
        write(
            connection,
            [Queued("hook", id_, keys, Form.RAW, None) for id_, keys in zip(ids, keys_of, strict=True)],
        )
    with http_receiver(lambda number: 422 if number == 0 else 200) as hook:
        spec = webhook(hook.url)
        async with delivering(database_url, spec, way(spec)):
            await until(
                lambda: (
                    states(database_url, "hook") == ["parked", "delivered", "queued", "queued", "delivered"]
                )
            )
            with engine.begin() as connection:
                connection.execute(sa.text("UPDATE bus.delivery SET state = 'queued' WHERE state = 'parked'"))
            await until(lambda: set(states(database_url, "hook")) == {"delivered"})
    order = [int(headers["yilian-message-id"]) for headers, _ in hook.got]
    assert order[-3:] == [ids[0], ids[2], ids[3]]
    engine.dispose()
