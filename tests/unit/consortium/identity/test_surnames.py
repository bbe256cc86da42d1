"""Family and given names."""

from __future__ import annotations

import pytest

from consortium.identity.surnames import COMPOUND, part


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("欧阳珅", ("欧阳", "珅")),
        ("王珅", ("王", "珅")),
        ("欧阳", ("欧", "阳")),
        ("诸葛孔明", ("诸葛", "孔明")),
        ("买买提·吐尔逊", ("吐尔逊", "买买提")),
        ("Smith John Paul", ("Smith", "John Paul")),
        ("Smith", ("Smith", "")),
        ("王", ("王", "")),
    ],
)
def test_a_name_parts_into_family_and_given_name(name: str, expected: tuple[str, str]) -> None:
    assert part(name) == expected


def test_compound_surnames_are_two_characters_each() -> None:
    assert {len(one) for one in COMPOUND} == {2}
    assert {"欧阳", "司马", "司徒", "第五"} <= set(COMPOUND)
