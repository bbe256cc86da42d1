"""Messages of the main campus for the tests of relay and router, and a database that took them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from itertools import count
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.envelope import Arrival
from bus.inbox import accept_in

KEY = "k" * 32
SERIAL = count(1)


def hl7(
    message_type: str,
    patient: str = "M1",
    *,
    sex: str = "F",
    name: str = "王^珅",
    sender: str = "HIS",
    visit: str = "",
    more: Sequence[str] = (),
    other: str | None = None,
    control_id: str | None = None,
) -> Arrival:
    """Return one arrival; a number gives each its own control id."""
    control = control_id or f"C{next(SERIAL)}"
    lines = [
        f"MSH|^~\\&|{sender}|MAIN|YILIAN|GROUP|20261120083000||{message_type}|{control}|P|2.4",
        f"PID|1||{patient}^^^MAIN^MR||{name}||19800101|{sex}",
    ]
    if visit:
        lines.append(f"PV1|1|O|0101||||1001^周明|||0101^心血管内科|||||||||{visit}")
    if other:
        lines.append(f"MRG|{other}^^^MAIN^MR")
    body = "\r".join([*lines, *more, ""]).encode("gb18030")
    return Arrival(
        facility="MAIN",
        sender=sender,
        control_id=control,
        message_type=message_type,
        body=body,
        charset="gb18030",
        protocol="mllp",
        endpoint="test",
        digest=blake2b(body, digest_size=32).digest(),
        patient_number=patient,
        other_patient_number=other,
        visit_number=visit or None,
    )


def lab(patient: str = "M1", number: str = "R1", flag: str = "N", value: str = "4.1") -> Arrival:
    """Return a potassium report."""
    obr = (
        f"OBR|1|O{number}|{number}|LP006^电解质|||20261120090000|||||||||1001^周明||||||20261120100000||LAB|F"
    )
    obx = f"OBX|1|NM|L0601^钾||{value}|mmol/L|3.5-5.3|{flag}|||F|||20261120093000"
    return hl7("ORU^R01", patient, sender="LIS", more=[obr, obx])


def store(url: str, *arrivals: Arrival) -> list[int]:
    """Take them into the inbox; returns their ids."""
    with psycopg.connect(url) as connection:
        receipts = accept_in(connection, arrivals, routing_key=KEY, window=timedelta(days=30))
    return [receipt.id for receipt in receipts]


def engine_of(url: str) -> sa.Engine:
    """Return an engine without a pool, so that nothing is left open behind a test."""
    return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)


def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return what a query gives."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), values).fetchall()


def states(url: str) -> dict[int, int]:
    """Return the state of all work by id."""
    return dict(rows(url, "SELECT id, state FROM bus.work ORDER BY id"))


def steps(url: str, message_id: int) -> list[str]:
    """Return the steps of a message's trace."""
    return [
        step
        for (step,) in rows(url, "SELECT step FROM bus.trace WHERE message_id = %s ORDER BY at", message_id)
    ]
