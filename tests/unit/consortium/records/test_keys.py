"""Stable ids."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consortium.records.keys import child_id, child_range, record_id

NUMBERS = st.text(
    st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1, max_size=12
)


def test_an_id_is_the_same_in_every_rebuild() -> None:
    report = record_id("MAIN", "lab_report", "L1")
    assert report == UUID("38d83f1e-8236-5d0d-b90e-46016cc71626")
    assert child_id(report, "2823-3", "0") == UUID("38d83f1e-8236-5d0d-9e6b-460d9cf11075")


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), unique=True, max_size=20))
def test_different_numbers_have_different_ids(keys: list[tuple[str, str, str]]) -> None:
    assert len({record_id(*key) for key in keys}) == len(keys)


@given(NUMBERS, NUMBERS)
def test_a_part_lies_beside_its_record(number: str, name: str) -> None:
    parent = record_id("MAIN", "lab_report", number)
    low, high = child_range(parent)
    child = child_id(parent, name)
    assert low <= child <= high
    assert (child.version, child.variant) == (parent.version, parent.variant)
