"""The numbers by which a message is found."""

from __future__ import annotations

from bus.router.numbers import numbers
from consortium.records.model import Change, Coded, Kind, Order, Patient, Report

K = Coded(code="L0601", name="钾")


def test_every_record_of_a_message_is_found_by_its_numbers() -> None:
    change = Change(
        kind=Kind.REPORT,
        patient=Patient(number="P1"),
        orders=(
            Order(kind="lab", item=K, number="O1", filler_number="F1"),
            Order(kind="lab", item=K, number="O2"),
        ),
        reports=(
            Report(kind="lab", item=K, number="R1", order_number="O1"),
            Report(kind="lab", item=K, number="R2"),
        ),
    )
    assert numbers(change) == {"O1", "F1", "O2", "R1", "R2"}


def test_a_patients_number_is_none_of_them() -> None:
    assert numbers(Change(kind=Kind.PATIENT, patient=Patient(number="P1"))) == set()
