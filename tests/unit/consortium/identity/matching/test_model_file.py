"""The model as a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from consortium.identity.matching import Level, active, dump, load
from consortium.identity.matching.model_file import SHIPPED, ModelError


def test_the_model_in_force_weighs_agreement_up_and_disagreement_down() -> None:
    for field, levels in active().fields.items():
        assert levels["exact"].weight > 0, field
        assert levels["differs"].weight < 0, field


def test_the_levels_of_a_field_are_a_whole() -> None:
    for field, levels in active().fields.items():
        assert sum(level.m for level in levels.values()) == pytest.approx(1, abs=0.02), field
        assert sum(level.u for level in levels.values()) == pytest.approx(1, abs=0.02), field


def test_a_model_is_written_and_read(tmp_path: Path) -> None:
    dump(active(), tmp_path / "model.json")
    assert load(tmp_path / "model.json") == active()
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def broken(**changes: Any) -> str:
    return json.dumps({**json.loads(SHIPPED.read_text("utf-8")), **changes})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ("{}", "fields"),
        (broken(prior=1.0), "prior"),
        (broken(review=99.0), "threshold"),
        (broken(frequencies={}), "surname"),
        (broken(fields={**json.loads(broken())["fields"], "sex": {"exact": {"m": 1, "u": 1}}}), "sex"),
    ],
)
def test_what_is_no_model_is_refused_with_the_place(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=why) as refused:
        load(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="put the file of a trained one there"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(("m", "u"), [(0, 0.5), (0.5, 0), (1.5, 0.5)])
def test_a_level_needs_probabilities(m: float, u: float) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Level(m, u)


def test_a_model_for_fewer_numbers_says_more_by_each_agreement(tmp_path: Path) -> None:
    shipped = active()
    small = shipped.for_numbers(shipped.numbers // 64)
    assert small.prior_weight == pytest.approx(shipped.prior_weight + 6, abs=1e-4)
    assert (small.numbers, small.version) == (312_500, f"{shipped.version}/312500")
    dump(small, tmp_path / "model.json")
    assert load(tmp_path / "model.json") == small
    with pytest.raises(ValueError, match="one source patient"):
        shipped.for_numbers(0)
