"""Days of the campuses that push, against the real listener, API and inbox."""

import asyncio
from collections import Counter
from datetime import date

import psycopg

from simulators.console import reckon
from simulators.huangpu.day import day as huangpu_day
from simulators.huangpu.play import play as play_huangpu
from simulators.main_campus.day import day as main_day
from simulators.main_campus.play import play as play_main
from simulators.plan import Plan

PLAN = Plan(date(2026, 11, 20), scale=0.2)
WHOLE = Plan(date(2026, 11, 20))


def stored(settings, facility):
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(
            "SELECT control_id, patient_number, body FROM bus.message WHERE facility = %s ORDER BY id",
            (facility,),
        ).fetchall()


async def test_the_main_campus_is_answered_as_it_expects(listener, settings):
    deliveries = await play_main(settings, PLAN, lambda _: None)
    messages = main_day(PLAN.seed, PLAN.day, PLAN.scale)
    assert len(deliveries) == len(messages)
    for delivery in deliveries:
        assert delivery.answer.accepted != delivery.expect.startswith("refused"), delivery
    accepted = {m.body for m in messages if not m.expect.startswith(("refused", "duplicate"))}
    assert {bytes(body) for _, _, body in stored(settings, "MAIN")} == accepted
    with psycopg.connect(settings.database_url) as connection:
        result = reckon(connection, "MAIN", deliveries)
    assert result["refusals"] == result["expected"]["refusals"]
    assert result["duplicates"] == result["expected"]["duplicates"]
    assert result["held"] == {"control_id_conflict": 1}
    assert result["ready"] == result["acknowledged"] - result["duplicates"] - 1


async def test_the_inbox_has_each_patients_messages_in_the_order_of_the_day(listener, settings):
    await play_main(settings, PLAN, lambda _: None)
    order: dict[str, list[str]] = {}
    for message in main_day(PLAN.seed, PLAN.day, PLAN.scale):
        if not message.expect.startswith(("refused", "duplicate")):
            order.setdefault(message.patients[0], []).append(message.control_id)
    found: dict[str, list[str]] = {}
    for control_id, number, _ in stored(settings, "MAIN"):
        found.setdefault(number, []).append(control_id)
    assert found == order


async def test_the_same_day_twice_is_answered_alike_and_stored_once(listener, settings):
    first = await play_main(settings, PLAN, lambda _: None)
    before = stored(settings, "MAIN")
    assert await play_main(settings, PLAN, lambda _: None) == first
    assert stored(settings, "MAIN") == before


async def test_huangpu_is_answered_as_it_expects_by_soap_and_rest_and_twice_alike(api, settings):
    first = await asyncio.to_thread(play_huangpu, settings, WHOLE, lambda _: None)
    for delivery in first:
        if delivery.expect.startswith("refused:"):
            assert delivery.answer.code == delivery.expect.removeprefix("refused:")
        else:
            assert delivery.answer.accepted, delivery
    before = stored(settings, "HP")
    uploads = huangpu_day(WHOLE.seed, WHOLE.day)
    accepted = Counter(u.control_id for u in uploads if not u.expect.startswith(("refused", "duplicate")))
    assert Counter(control_id for control_id, _, _ in before) == accepted
    second = await asyncio.to_thread(play_huangpu, settings, WHOLE, lambda _: None)
    assert [(d.control_id, d.answer.accepted, d.answer.code) for d in second] == [
        (d.control_id, d.answer.accepted, d.answer.code) for d in first
    ]
    assert stored(settings, "HP") == before
