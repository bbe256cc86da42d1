"""Duties and absences on a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from consortium.scheduling import absences
from consortium.scheduling.absence import Absence, Acting, CoverCycleError, Nobody
from consortium.scheduling.errors import OverlapError, UnknownError
from tests.integration.consortium.scheduling.conftest import NINE

DUTY = "referral-review"


def day(number: float) -> datetime:
    return NINE + timedelta(days=number)


def away(who: str, since: float, until: float, cover: str | None = None, duty: str = "") -> Absence:
    return Absence(who, day(since), day(until), cover, duty)


@pytest.fixture
def duty(engine: sa.Engine) -> sa.Engine:
    """`chen` has the duty, then `zhao`."""
    with engine.begin() as connection:
        absences.set_holders(connection, "MAIN", DUTY, ["li", "wang"])
        absences.set_holders(connection, "MAIN", DUTY, ["chen", "zhao"])
    return engine


def acting(engine: sa.Engine, at: float) -> Acting | Nobody:
    with engine.connect() as connection:
        return absences.acting(connection, "MAIN", DUTY, day(at))


def record(engine: sa.Engine, absence: Absence) -> None:
    with engine.begin() as connection:
        absences.record(connection, absence, by="zhao")


def test_who_acts_is_what_was_recorded(duty: sa.Engine) -> None:
    record(duty, away("chen", 0, 2, "li"))
    record(duty, away("li", 1, 2, "wang"))
    record(duty, away("chen", 5, 6))
    found = [acting(duty, at) for at in (-1, 0, 1, 2, 5)]
    assert [one.username for one in found if isinstance(one, Acting)] == [
        "chen",
        "li",
        "wang",
        "chen",
        "zhao",
    ]
    with duty.connect() as connection:
        assert absences.acting(connection, "HP", DUTY, day(0)) == Nobody(())


def test_an_absence_that_is_withdrawn_is_none(duty: sa.Engine) -> None:
    with duty.begin() as connection:
        id_ = absences.record(connection, away("chen", 0, 2, "li"), by="zhao")
        assert absences.record(connection, away("chen", 0, 2, "li"), by="zhao") == id_
        absences.withdraw(connection, id_, by="zhao")
        absences.withdraw(connection, id_, by="zhao")
        with pytest.raises(UnknownError):
            absences.withdraw(connection, uuid4(), by="zhao")
    assert acting(duty, 1) == Acting("chen", ("chen",))
    record(duty, away("chen", 0, 2, "wang"))
    assert acting(duty, 1) == Acting("wang", ("chen", "wang"))


def test_what_cannot_be_is_refused(duty: sa.Engine) -> None:
    record(duty, away("chen", 0, 2, "li"))
    with pytest.raises(CoverCycleError, match="li → chen → li"):
        record(duty, away("li", 1, 3, "chen"))
    with pytest.raises(OverlapError, match="already"):
        record(duty, away("chen", 1, 3, "wang"))
    with pytest.raises(UnknownError, match="nobody"):
        record(duty, away("chen", 4, 5, "nobody"))
    with pytest.raises(ValueError, match="themself"):
        record(duty, away("chen", 4, 5, "chen"))
    with pytest.raises(ValueError, match="later end"):
        record(duty, away("chen", 5, 5))
    with duty.begin() as connection, pytest.raises(ValueError, match="once"):
        absences.set_holders(connection, "MAIN", DUTY, ["chen", "chen"])


def test_two_at_once_make_no_circle(duty: sa.Engine) -> None:
    def once(absence: Absence) -> str:
        try:
            record(duty, absence)
        except CoverCycleError:
            return "refused"
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(once, [away("chen", 0, 2, "li"), away("li", 0, 2, "chen")]))
    assert sorted(done) == ["refused", "taken"]
