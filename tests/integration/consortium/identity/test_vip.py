"""VIPs and whoever is anonymous by their own wish, on a real PostgreSQL: linked by people alone, and found by
number, or by those who may find them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.identity import candidates, service
from consortium.identity.batch.stored import link_stored
from consortium.identity.finding import find
from consortium.identity.matching import active
from consortium.identity.model import Facts
from consortium.identity.search import Held, PersonSearch, search
from consortium.records.model import Merge
from tests.integration.consortium.identity.test_matching import (
    BORN,
    CARD,
    WHO,
    persons,
    provenance,
    register,
    reviews,
    together,
)

VIP = {**WHO, "id_card": CARD, "vip": True}
ALIAS = {**WHO, "id_card": CARD, "name": "贵宾3"}


def found(connection: sa.Connection, **wanted: Any) -> list[UUID]:
    return [row["id"] for row in search(connection, PersonSearch(**wanted)).rows]


@pytest.mark.parametrize("who", [VIP, ALIAS], ids=["said by the campus", "by an alias"])
def test_a_vip_is_linked_with_nobody_and_nobody_is_asked(
    connection: sa.Connection, who: dict[str, object]
) -> None:
    register(connection, 1, "MAIN.a", **WHO, id_card=CARD)
    register(connection, 2, "HP.b", **who)
    register(connection, 3, "HY.c", **who)
    assert together(connection) == {frozenset({"MAIN.a"}), frozenset({"HP.b"}), frozenset({"HY.c"})}
    assert reviews(connection) == []


def test_the_batch_leaves_vips_alone(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for message, number in enumerate(("MAIN.a", "HP.b", "HY.c"), 1):
            register(connection, message, number, **(WHO if number == "MAIN.a" else VIP))
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    counts = link_stored(url, replace(active(), automatic=1.0, review=0.5))
    assert (counts.automatic, counts.review, counts.moved) == (0, 0, 0)
    with engine.connect() as connection:
        assert len(together(connection)) == 3


def test_a_person_links_a_vip_and_that_stays(connection: sa.Connection) -> None:
    first = register(connection, 1, "MAIN.a", **WHO)
    second = register(connection, 2, "HP.b", **VIP)
    service.decide(connection, first, second, "same", "本人确认", "lin")
    register(connection, 3, "HP.b", phone="13900139002")
    assert together(connection) == {frozenset({"MAIN.a", "HP.b"})}
    assert found(connection, name=WHO["name"]) == []
    assert found(connection, name=WHO["name"], vips=True) == [persons(connection)[first]]


def test_a_campus_merges_its_own_numbers_of_a_vip(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN.a", **VIP)
    register(connection, 2, "MAIN.b", **VIP)
    service.merge(connection, "MAIN", Merge(surviving="a", retired="b"), provenance(3, "MAIN"))
    assert together(connection) == {frozenset({"MAIN.a", "MAIN.b"})}


def test_whoever_becomes_a_vip_leaves_the_others_and_comes_back(connection: sa.Connection) -> None:
    for message, number in enumerate(("MAIN.a", "HP.b"), 1):
        register(connection, message, number, **WHO)
    register(connection, 3, "HP.b", vip=True)
    assert together(connection) == {frozenset({"MAIN.a"}), frozenset({"HP.b"})}
    assert reviews(connection) == []
    register(connection, 4, "HP.b", vip=False)
    assert together(connection) == {frozenset({"MAIN.a", "HP.b"})}


def test_the_question_about_whoever_becomes_a_vip_is_withdrawn(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN.a", **WHO)
    second = register(connection, 2, "HP.b", **{**WHO, "name": "欧阳文博"})
    assert len(reviews(connection)) == 1
    register(connection, 3, "HP.b", vip=True)
    assert reviews(connection) == []
    assert candidates.candidates(connection, [second])[second].linked.patient.facts.vip is True


def test_a_vip_is_found_by_number_and_by_nothing_that_others_know(connection: sa.Connection) -> None:
    number = register(connection, 1, "HP.b", **VIP)
    person = persons(connection)[number]
    own = Held(facility="HP", number="b")
    hidden: tuple[dict[str, Any], ...] = (
        {"name": WHO["name"]}, {"id_card": CARD}, {"phone": WHO["phone"]}, {"birth_since": BORN}, {},
        {"facility": "HP"}, {"number": "b"}, {"held": ((Held(id_card=CARD),),)},
        {"held": ((Held(facility="HP"),),)}, {"held": ((own, Held(id_card=CARD)),)},
    )  # fmt: skip
    shown: tuple[dict[str, Any], ...] = (
        {"ids": (person,)}, {"facility": "HP", "number": "b"}, {"held": ((own,),)},
        {"held": ((Held(person=person),), (Held(id_card=CARD),))},
    )  # fmt: skip
    assert [found(connection, **one) for one in hidden] == [[]] * len(hidden)
    assert [found(connection, **one) for one in shown] == [[person]] * len(shown)
    assert [found(connection, **one, vips=True) for one in hidden] == [[person]] * len(hidden)
    described = Facts(str(WHO["name"]), "male", date(1990, 3, 7), CARD, str(WHO["phone"]))
    assert find(connection, described) == []
