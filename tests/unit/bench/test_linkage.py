"""The scores of `bench identity` say what they mean."""

from __future__ import annotations

import pytest

from bench.linkage import connected, judged, lowest_ratio

TRUTH = (1, 1, 1, 2, 2, 3)


def test_links_lead_to_clusters() -> None:
    assert connected(6, [(1, 2), (0, 1), (4, 3)]) == [0, 0, 0, 3, 3, 5]


def test_what_is_right_has_one_everywhere() -> None:
    score = judged(TRUTH, [(0, 1), (0, 2), (1, 2), (3, 4)])
    assert score.pairs.f1 == score.linked.f1 == score.clusters.f1 == 1
    assert score.false_merges == 0


def test_a_pair_that_a_third_record_links_counts_as_linked_and_not_as_a_pair() -> None:
    score = judged(TRUTH, [(0, 1), (1, 2), (3, 4)])
    assert score.pairs.recall == pytest.approx(3 / 4)
    assert score.linked.recall == 1
    assert score.clusters.f1 == 1


def test_a_false_merge_is_a_person_who_is_missing() -> None:
    score = judged(TRUTH, [(0, 1), (0, 2), (1, 2), (3, 4), (2, 3)])
    assert score.false_merges == 1
    assert score.false_merges_per_100_000 == pytest.approx(100_000 / 3)
    assert score.clusters.precision == pytest.approx(1 / 2)
    assert score.pairs.precision == pytest.approx(4 / 5)


def test_a_missed_link_splits_a_person() -> None:
    score = judged(TRUTH, [(3, 4)])
    assert score.pairs.recall == pytest.approx(1 / 4)
    assert score.clusters.recall == pytest.approx(2 / 3)


def test_the_ratio_is_the_lowest_of_pairs_and_clusters() -> None:
    best, worse = judged(TRUTH, [(0, 1), (0, 2), (1, 2), (3, 4)]), judged(TRUTH, [(0, 1), (3, 4)])
    assert lowest_ratio({"a": best}, {"a": best}) == 1
    assert lowest_ratio({"a": best, "b": worse}, {"a": best, "b": best}) == pytest.approx(
        min(worse.pairs.f1, worse.clusters.f1)
    )
