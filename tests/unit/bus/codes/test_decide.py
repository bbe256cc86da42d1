"""Whether a code may be mapped as somebody wants."""

from __future__ import annotations

import pytest

from bus.codes.decide import checked
from bus.rules.codes import CodeTable, Target
from consortium.errors import ConflictError
from consortium.terminology.errors import UnknownMapError
from consortium.terminology.maps import Mapping

LOINC = "http://loinc.org"
POTASSIUM = Target("2823-3", "钾", LOINC)


def table(**added: Target) -> CodeTable:
    rows = {("MAIN", "K"): POTASSIUM, ("*", "N"): Target("2951-2", "钠", LOINC)}
    return CodeTable("items", rows, {("MAIN", code): target for code, target in added.items()})


def wanted(code: str, target: str, name: str | None = None, system: str | None = None) -> Mapping:
    return Mapping("items", "MAIN", code, target, name, system)


def test_name_and_system_are_those_of_the_target_that_the_table_has() -> None:
    assert checked(wanted("K9", "2823-3"), table()) == wanted("K9", "2823-3", "钾", LOINC)
    assert checked(wanted("K9", "2823-3", "血清钾"), table()) == wanted("K9", "2823-3", "血清钾", LOINC)


def test_what_stands_so_already_adds_nothing() -> None:
    assert checked(wanted("K", "2823-3"), table()) is None
    assert checked(wanted("N", "2951-2"), table()) is None
    assert checked(wanted("K9", "2823-3"), table(K9=POTASSIUM)) is None


def test_a_campus_may_mean_something_else_than_all() -> None:
    assert checked(wanted("N", "2823-3"), table()) == wanted("N", "2823-3", "钾", LOINC)


def test_an_addition_may_be_corrected_and_a_file_may_not() -> None:
    assert checked(wanted("K9", "2951-2"), table(K9=POTASSIUM)) is not None
    with pytest.raises(
        ConflictError, match=r"rules/codes/items.csv maps K of MAIN to 2823-3; change it there"
    ):
        checked(wanted("K", "2951-2"), table())


def test_a_new_target_needs_a_name_and_an_addition_makes_it_known() -> None:
    with pytest.raises(UnknownMapError, match="it has 2823-3, 2951-2"):
        checked(wanted("CL", "2075-0"), table())
    assert checked(wanted("CL", "2075-0", "氯"), table()) == wanted("CL", "2075-0", "氯", None)
    known = table(CL=Target("2075-0", "氯", LOINC))
    assert checked(wanted("CL2", "2075-0"), known) == wanted("CL2", "2075-0", "氯", LOINC)


@pytest.mark.parametrize(
    ("code", "target"), [("", "2823-3"), ("K9", "  "), ("K\0", "2823-3"), ("K" * 200, "2823-3")]
)
def test_what_is_no_code_is_refused(code: str, target: str) -> None:
    with pytest.raises(UnknownMapError, match="must be a text of 1 to 199 characters"):
        checked(wanted(code, target), table())
