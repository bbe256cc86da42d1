"""The pairs of an index of blocks."""

from __future__ import annotations

from pathlib import Path

from consortium.identity.batch.candidates import Blocks


def _pairs(index: Blocks, most: int) -> list[tuple[int, int]]:
    return [
        pair
        for left, right in index.pairs(most, chunk=2)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    ]


def test_who_stands_in_one_block_is_a_pair_once(tmp_path: Path) -> None:
    with Blocks(tmp_path) as index:
        index.add([(7, 1), (7, 2), (8, 1), (8, 2), (8, 3), (9, 4), (-5, 9), (-5, 4)])
        assert _pairs(index, 200) == [(1, 2), (1, 3), (2, 3), (4, 9)]


def test_a_crowded_block_is_left_out(tmp_path: Path) -> None:
    with Blocks(tmp_path) as index:
        index.add([(7, 1), (7, 2), (7, 3), (8, 1), (8, 4)])
        assert _pairs(index, 2) == [(1, 4)]


def test_who_stands_in_no_block_is_told(tmp_path: Path) -> None:
    with Blocks(tmp_path) as index:
        index.add([(7, 2)])
        index.already([(3, 100), (2, 100), (1, 300)])
        assert index.without() == [1, 3]


def test_who_is_one_person_already_is_no_pair(tmp_path: Path) -> None:
    with Blocks(tmp_path) as index:
        index.add([(7, 1), (7, 2), (7, 3)])
        index.already([(1, 100), (2, 100), (3, 300)])
        assert _pairs(index, 200) == [(1, 3), (2, 3)]
