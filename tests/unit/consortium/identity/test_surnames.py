"""Family and given names."""

from __future__ import annotations

import pytest

from consortium.identity.matching.chinese import fold, traditional
from consortium.identity.matching.preparing import name as compared
from consortium.identity.matching.readings import COMPOUND, DOUBTFUL
from consortium.identity.surnames import part


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("欧阳珅", ("欧阳", "珅")),
        ("王珅", ("王", "珅")),
        ("欧阳", ("欧", "阳")),
        ("诸葛孔明", ("诸葛", "孔明")),
        ("諸葛孔明", ("諸葛", "孔明")),
        ("公冶长", ("公冶", "长")),
        ("爱新觉罗玄烨", ("爱新觉罗", "玄烨")),
        ("贺兰英", ("贺", "兰英")),
        ("买买提·吐尔逊", ("吐尔逊", "买买提")),
        ("Smith John Paul", ("Smith", "John Paul")),
        ("Smith", ("Smith", "")),
        ("王", ("王", "")),
    ],
)
def test_a_name_parts_into_family_and_given_name(name: str, expected: tuple[str, str]) -> None:
    assert part(name) == expected


@pytest.mark.parametrize("surname", sorted(COMPOUND - DOUBTFUL))
def test_names_part_as_they_are_compared_however_they_are_written(surname: str) -> None:
    found = compared(f"{surname}明")
    assert found is not None
    assert (found.surname, found.given) == part(f"{surname}明") == (surname, "明")
    written = traditional(surname)
    assert (part(f"{written}明"), fold(written)) == ((written, "明"), surname)


def test_what_is_doubtful_is_of_the_list() -> None:
    assert DOUBTFUL < COMPOUND
