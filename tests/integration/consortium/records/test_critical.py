"""Critical values: opened once, told, acknowledged, withdrawn."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.records import critical
from consortium.records.critical import UnknownCriticalValueError
from consortium.records.model import Practitioner
from consortium.records.service import apply, apply_many
from tests.integration.consortium.records.messages import NOW, lab, order, provenance, results

CRITICAL = results(value="6.8", flag="critical_high")


def opened(connection: sa.Connection) -> UUID:
    return UUID(
        apply(connection, lab(results=CRITICAL), provenance(1)).events[0].payload["critical_value_id"]
    )


def test_a_critical_result_opens_one_and_tells_by_reference_only(connection: sa.Connection) -> None:
    applied = apply(connection, lab(results=CRITICAL), provenance(1))
    (event,) = applied.events
    id_ = UUID(event.payload["critical_value_id"])
    assert event.dedupe_key == f"critical:{id_}"
    assert event.payload == {"event": "critical_value", "critical_value_id": str(id_), "facility": "MAIN"}
    row = critical.get_critical(connection, id_)
    assert row is not None
    assert (row["state"], row["value"], row["doctor_number"], row["item_name"]) == (
        "open",
        "6.8",
        "D7",
        "项目0",
    )
    assert row["person_id"] == applied.person_id


def test_the_ordering_doctor_is_taken_from_the_order_when_the_report_names_none(
    connection: sa.Connection,
) -> None:
    apply(connection, order(doctor=Practitioner(number="D9", name="陈医生")), provenance(1))
    applied = apply(connection, lab(results=CRITICAL, doctor=None), provenance(2))
    row = critical.get_critical(connection, UUID(applied.events[0].payload["critical_value_id"]))
    assert row is not None
    assert (row["doctor_number"], row["doctor_name"]) == ("D9", "陈医生")


def test_a_correction_withdraws_and_becoming_critical_again_opens_anew(connection: sa.Connection) -> None:
    first = opened(connection)
    told = apply(connection, lab(results=results(value="4.8", status="corrected")), provenance(2)).events
    assert [(e.dedupe_key, e.payload["reason"]) for e in told] == [
        (f"critical-withdrawn:{first}", "corrected")
    ]
    row = critical.get_critical(connection, first)
    assert row is not None
    assert row["state"] == "withdrawn"
    again = apply(connection, lab(results=CRITICAL), provenance(3)).events
    assert [e.payload["event"] for e in again] == ["critical_value"]
    assert [r["state"] for r in critical.critical_values(connection).rows] == ["open"]


def test_a_deleted_report_withdraws_as_cancelled(connection: sa.Connection) -> None:
    opened(connection)
    told = apply(connection, lab(results=(), deleted=True), provenance(2)).events
    assert [e.payload["reason"] for e in told] == ["cancelled"]


def test_what_is_opened_and_corrected_in_one_batch_is_told_to_nobody(connection: sa.Connection) -> None:
    outcomes = apply_many(connection, [(lab(results=CRITICAL), provenance(1)), (lab(), provenance(2))])
    assert [getattr(o, "events", None) for o in outcomes] == [(), ()]
    assert critical.critical_values(connection).rows == []


def test_the_way_to_an_acknowledgement(connection: sa.Connection) -> None:
    id_ = opened(connection)
    assert critical.notify(connection, id_, NOW)["state"] == "notified"
    assert critical.escalate(connection, id_, 1, "心内科", NOW)["escalation_level"] == 1
    assert critical.escalate(connection, id_, 1, "another", NOW)["escalated_to"] == "心内科"
    assert critical.notify(connection, id_, NOW + timedelta(1))["notified_at"] == NOW
    done = critical.acknowledge(connection, id_, "doctor.main", NOW, "已处理")
    assert (done["state"], done["note"]) == ("acknowledged", "已处理")
    assert critical.acknowledge(connection, id_, "another", NOW)["acknowledged_by"] == "doctor.main"
    assert critical.escalate(connection, id_, 2, "medical affairs", NOW)["state"] == "acknowledged"
    assert critical.critical_values(connection).rows == []


def test_an_acknowledged_one_is_not_withdrawn(connection: sa.Connection) -> None:
    critical.acknowledge(connection, opened(connection), "doctor.main", NOW)
    assert apply(connection, lab(), provenance(2)).events == ()


def test_an_unknown_one_is_named_as_such(connection: sa.Connection) -> None:
    assert critical.get_critical(connection, UUID(int=0)) is None
    with pytest.raises(UnknownCriticalValueError):
        critical.acknowledge(connection, UUID(int=0), "doctor.main", NOW)


def test_the_list_is_paged_and_narrowed(connection: sa.Connection) -> None:
    people = [
        apply(connection, lab(f"R{i}", f"P{i}", f"V{i}", results=CRITICAL), provenance(i)).person_id
        for i in range(5)
    ]
    first = critical.critical_values(connection, facility="MAIN", limit=3)
    rest = critical.critical_values(connection, facility="MAIN", limit=3, after=first.after)
    assert [len(first.rows), len(rest.rows), rest.after] == [3, 2, None]
    assert len({row["id"] for row in first.rows + rest.rows}) == 5
    assert len(critical.critical_values(connection, person=people[0]).rows) == 1
    assert critical.critical_values(connection, facility="HP").rows == []
