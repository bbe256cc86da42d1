"""The patient of a demonstration: from a seed, new with each, and one person to both hospitals."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.settings import Settings
from simulators import id_card
from simulators.demos.referred import Hospitals, patient


def test_the_same_seed_is_the_same_person_and_another_is_another() -> None:
    assert patient(7) == patient(7)
    assert len({(patient(seed).id_card, patient(seed).numbers["HP"]) for seed in range(200)}) == 200


def test_both_hospitals_write_the_same_valid_card() -> None:
    for seed in range(50):
        person = patient(seed)
        assert person.id_card == person.at("MAIN").id_card == person.at("HP").id_card
        assert person.id_card is not None
        assert id_card.is_valid(person.id_card)
        assert person.at("MAIN").number != person.at("HP").number


def test_the_patient_does_not_change_with_the_time_of_the_demonstration() -> None:
    settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/none")
    early, late = (Hospitals(settings, 7, datetime(2026, 11, 25, hour, tzinfo=UTC)) for hour in (1, 9))
    assert early.patient == late.patient
