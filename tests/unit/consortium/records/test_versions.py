"""Which of two statements is the newer one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.records.versions import Version

VERSIONS = st.builds(Version, st.integers(1, 9), st.sampled_from(["1", "2", "10"]))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("2026-11-20T08:00:00.010+08:00", "2026-11-20T08:00:00.009+08:00"),
        ("2026-11-20 01:00:00+00:00", "2026-11-20T08:59:00+08:00"),
        ("10", "9"),
        ("b", "a"),
    ],
)
def test_the_sources_order_goes_before_inbox_order(newer: str, older: str) -> None:
    assert Version(1, newer).supersedes(Version(2, older))
    assert not Version(2, older).supersedes(Version(1, newer))


@pytest.mark.parametrize("source", [None, "7"])
def test_without_a_sources_order_inbox_order_rules(source: str | None) -> None:
    assert Version(2, source).supersedes(Version(1))
    assert not Version(1).supersedes(Version(2, source))


@given(VERSIONS, VERSIONS)
def test_one_of_two_supersedes_and_both_do_only_when_equal(left: Version, right: Version) -> None:
    assert left.supersedes(right) or right.supersedes(left)
    assert (left.supersedes(right) and right.supersedes(left)) == (left == right)


@given(VERSIONS, VERSIONS)
def test_joining_keeps_the_newer_whoever_comes_first(left: Version, right: Version) -> None:
    assert left.joined(right) == right.joined(left)


def test_joining_keeps_a_sources_order() -> None:
    assert Version(5).joined(Version(3, "7")) == Version(5, "7")
