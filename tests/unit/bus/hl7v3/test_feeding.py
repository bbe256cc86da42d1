"""What registry messages say, read without a database."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bus.fhir.systems import Systems
from bus.hl7v3 import feeding
from bus.hl7v3.elements import ProblemError, StructureError
from bus.hl7v3.heading import heading
from consortium.records.model import Change, Kind, Merge, Patient
from runtime.settings import Settings
from tests import hl7v3_messages as v3
from tests.hl7v3_messages import HP, MAIN

SYSTEMS = Systems(Settings())
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co")), min_size=1
)


def read(message: str, facility: str = "HP") -> Change:
    root = etree.fromstring(message)
    return feeding.change(root, heading(root).interaction, facility, SYSTEMS)


def named(names: str) -> str | None:
    person = f"<patientPerson>{names}</patientPerson>"
    return read(v3.registration("PRPA_IN201301UV02", v3.ii(HP, "HP-7"), person)).patient.name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ('<name use="L"><family>欧阳</family><given>珅</given></name>', "欧阳珅"),
        ("<name>欧阳珅</name>", "欧阳珅"),
        (
            '<name use="SYL"><family>Ouyang</family></name><name use="L IDE"><family>欧阳</family></name>',
            "欧阳",
        ),
        ("<name><given>John</given><family>Smith</family></name>", "Smith John"),
        ('<name nullFlavor="UNK"/>', None),
    ],
)
def test_a_name_is_read_as_people_write_it(names: str, expected: str | None) -> None:
    assert named(names) == expected


@given(family=TEXT, given_=TEXT)
def test_no_name_is_lost_or_made_up(family: str, given_: str) -> None:
    found = named(f"<name><family>{escape(family)}</family><given>{escape(given_)}</given></name>") or ""
    assert found.replace(" ", "") == f"{family.strip()}{given_.strip()}".replace(" ", "")


def test_the_number_is_that_of_the_campus_among_all_ids() -> None:
    ids = (
        v3.ii(MAIN, "M1")
        + v3.ii("1.2.3", "other")
        + v3.ii(HP, "HP-7")
        + v3.ii(v3.CARDS, "11010519491231002X")
    )
    patient = read(v3.registration("PRPA_IN201302UV02", ids, v3.person())).patient
    assert (patient.number, patient.id_card) == ("HP-7", "11010519491231002X")


def test_a_merge_says_nothing_else() -> None:
    assert read(v3.merge("HP-7", "HP-8")) == Change(
        kind=Kind.MERGE, patient=Patient(number="HP-7"), merge=Merge(surviving="HP-7", retired="HP-8")
    )


def test_two_numbers_of_one_campus_are_refused() -> None:
    ids = v3.ii(HP, "HP-7") + v3.ii(HP, "HP-8")
    with pytest.raises(ProblemError, match="merge them first"):
        read(v3.registration("PRPA_IN201301UV02", ids, v3.person()))


@pytest.mark.parametrize(
    ("telecom", "expected"),
    [
        ('<telecom value="mailto:a@b.c"/><telecom value="tel:138"/>', "138"),
        ('<telecom value="138"/>', "138"),
        ('<telecom value="fax:138"/>', None),
        ("<telecom/>", None),
    ],
)
def test_a_telephone_number_is_told_from_other_addresses(telecom: str, expected: str | None) -> None:
    assert read(v3.add("HP-7", more=telecom)).patient.phone == expected


def test_whoever_has_a_time_of_death_is_dead() -> None:
    assert read(v3.add("HP-7", more='<deceasedTime value="20261120"/>')).patient.deceased is True


@pytest.mark.parametrize("gone", ["interactionId", "id", "sender"])
def test_a_message_without_its_wrapper_is_told_by_its_place(gone: str) -> None:
    root = etree.fromstring(v3.add("HP-7"))
    element = root.find(f"v:{gone}", v3.V3)
    assert element is not None
    root.remove(element)
    with pytest.raises(StructureError, match=gone):
        heading(root)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('<veryImportantPersonCode code="VIP"/>', True),
        ('<veryImportantPersonCode code="GOVT"/>', True),
        ('<veryImportantPersonCode nullFlavor="NA"/>', False),
        ('<veryImportantPersonCode nullFlavor="UNK"/>', None),
        ("", None),
    ],
)
def test_a_very_important_person_is_a_vip(said: str, expected: bool | None) -> None:
    person = f"{said}<patientPerson><name>贵宾3</name></patientPerson>"
    message = v3.registration("PRPA_IN201301UV02", v3.ii(HP, "HP-7"), person)
    assert read(message).patient.vip is expected
