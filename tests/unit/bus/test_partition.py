"""The routing key tells patients apart, and tells nobody who they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.partition import message_key, patient_key
from consortium.errors import PermanentError

KEY = "a routing key of this test"


@given(facility=st.text(), number=st.text())
def test_it_is_a_signed_64_bit_integer_and_always_the_same(facility: str, number: str) -> None:
    key = patient_key(facility, number, KEY)
    assert -(2**63) <= key < 2**63
    assert key == patient_key(facility, number, KEY.encode())


def test_it_is_the_value_that_rows_already_stored_were_given() -> None:
    assert patient_key("MAIN", "P0000001", KEY) == 2717362574043734247


def test_the_same_number_at_two_campuses_is_two_patients() -> None:
    assert patient_key("MAIN", "1", KEY) != patient_key("HP", "1", KEY)


def test_facility_and_number_do_not_run_together() -> None:
    assert patient_key("MAIN1", "2", KEY) != patient_key("MAIN", "12", KEY)


def test_a_patient_and_a_message_of_the_same_number_differ() -> None:
    assert patient_key("MAIN", "1", KEY) != message_key("MAIN", "1", KEY)


def test_another_key_gives_other_hashes() -> None:
    assert patient_key("MAIN", "1", KEY) != patient_key("MAIN", "1", "another")


def test_a_key_longer_than_blake2b_takes_still_counts_to_its_end() -> None:
    assert patient_key("MAIN", "1", "k" * 100 + "a") != patient_key("MAIN", "1", "k" * 100 + "b")


def test_an_empty_key_is_refused_by_the_name_of_its_setting() -> None:
    with pytest.raises(PermanentError, match="routing_key"):
        patient_key("MAIN", "1", "")
