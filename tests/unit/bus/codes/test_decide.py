"""Whether a code may be mapped as somebody wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bus.codes.decide import checked
from bus.rules.codes import CodeTable, Target
from consortium.errors import ConflictError
from consortium.terminology.errors import UnknownMapError
from consortium.terminology.maps import Mapping

LOINC = "http://loinc.org"
JULY = date(2026, 7, 1)
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


def dated(
    valid_from: date | None = None,
    valid_to: date | None = None,
    *,
    relationship: str | None = None,
    owner: str | None = None,
) -> Mapping:
    return Mapping(
        "items",
        "MAIN",
        "K9",
        "2823-3",
        None,
        None,
        valid_from=valid_from,
        valid_to=valid_to,
        relationship=relationship,
        owner=owner,
    )


def test_dates_relationship_and_owner_are_added_once() -> None:
    asked = dated(JULY, relationship="wider", owner="检验科")
    added = checked(asked, table())
    assert added == replace(asked, name="钾", system=LOINC)
    known = table()
    known.add(("MAIN", "K9"), replace(POTASSIUM, valid_from=JULY, relationship="wider", owner="检验科"))
    assert checked(asked, known) is None


def test_periods_of_a_code_may_not_overlap() -> None:
    known = table()
    known.add(("MAIN", "K9"), replace(POTASSIUM, valid_to=JULY))
    with pytest.raises(UnknownMapError, match="would hold to 2026-07-01"):
        checked(dated(JULY), known)
    assert checked(dated(date(2026, 7, 2)), known) is not None


@pytest.mark.parametrize("bad", [dated(JULY, date(2026, 6, 30)), dated(relationship="alike")])
def test_days_and_words_that_are_none_are_refused(bad: Mapping) -> None:
    with pytest.raises(UnknownMapError, match=r"before it begins|is no relationship"):
        checked(bad, table())


def test_a_file_may_be_added_to_on_other_days_only() -> None:
    ended = replace(POTASSIUM, valid_to=JULY)
    reviewed = CodeTable("items", {}, dated={("MAIN", "K"): (ended,)})
    with pytest.raises(ConflictError, match=r"to 2823-3 \(to 2026-07-01\); change it there"):
        checked(replace(wanted("K", "2951-2", "钠"), valid_to=JULY), reviewed)
    assert checked(replace(wanted("K", "2951-2", "钠"), valid_from=date(2026, 7, 2)), reviewed) is not None
    assert checked(replace(wanted("K", "2823-3"), valid_to=JULY), reviewed) is None
