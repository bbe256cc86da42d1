"""Estimating m and u by Splink, on the very comparison that runs online.

Splink draws random pairs (u) and runs expectation maximisation over blocked pairs (m). What it compares is
not SQL: its levels call our `compare`, through a function of DuckDB. So the model that is trained is the
model that runs, and there is no second definition of a level to keep in step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from consortium.identity.matching import MISSING

if TYPE_CHECKING:  # heavy, and needed for training only
    import duckdb

Compare = Callable[[int, int], str]
"""From two places in the sample to the level of a field."""

_RECALL = 0.8
"""Of the certain rules: the share of pairs of one person that they find. A tenth more or less moves the prior
by a fifth of a bit.
"""
_LEAST_LEFT = 0.1
"""Share of a count that is left at least when the pairs of one person, an estimate, are taken off it."""
_BEST_AT_FIRST = 0.9
"""From this m of the best level expectation maximisation starts."""
_REMEMBERED = 10_000
"""Pairs whose level of a field is kept: DuckDB asks for it again for each level, some thousand pairs at a
time.
"""


class SampleError(ValueError):
    """A sample from which no model can be estimated."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is compared."""

    levels: tuple[str, ...]
    """Best first."""
    key: str = ""
    """The key that is the same where the field is on its best level; a pass that blocks on it does not
    estimate the field.
    """


@dataclass(frozen=True, slots=True)
class Plan:
    """What is estimated, and how."""

    fields: Mapping[str, Field]
    passes: tuple[tuple[str, ...], ...]
    """Sets of keys. Pairs that agree on all keys of a set are looked at in one pass of expectation
    maximisation: most should be one person, and every field be left out of some set.
    """
    certain: tuple[tuple[str, ...], ...]
    """Sets of keys by which two records are one person with certainty, for the prior."""
    random_pairs: int = 1_000_000
    pass_pairs: int = 300_000
    seed: int = 20261101


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely a level is. None: it was not seen."""

    m: float | None
    u: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What Splink found."""

    prior: float
    fields: Mapping[str, Mapping[str, Chance]]


def estimate(
    keys: Mapping[str, Sequence[int | None]], compare: Mapping[str, Compare], plan: Plan
) -> Estimate:
    """Estimate the model of a sample: its keys by name, one for each record, and how two records compare by
    field.

    Raises:
        SampleError: no two records agree on the keys of one of the plan's sets.
    """
    for each in (*plan.passes, *plan.certain):
        if not _met(keys, each):
            raise SampleError(
                f"no two records of the sample agree on {' and '.join(each)}: take a larger one"
            )
    import duckdb
    from splink import DuckDBAPI, Linker, block_on

    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # the comparison is Python
        names = _register(connection, compare, plan)
        api = DuckDBAPI(connection)
        linker = Linker(api.register(_table(keys)), _settings(plan, names), log_level="ERROR")
        train = linker.training
        rules: list[Any] = [block_on(*each) for each in plan.certain]
        train.estimate_probability_two_random_records_match(rules, recall=_RECALL)
        train.estimate_u_using_random_sampling(plan.random_pairs, plan.seed, None)
        for each in plan.passes:
            train.estimate_parameters_using_expectation_maximisation(
                block_on(*each), estimate_without_term_frequencies=True, max_pairs=plan.pass_pairs,
                record_sample_proportion=1.0 if len(next(iter(keys.values()))) < 50_000 else 0.05,
            )  # fmt: skip
        return _refined(_read(linker.misc.save_model_to_json(), plan), keys, plan)


def _register(
    connection: duckdb.DuckDBPyConnection, compare: Mapping[str, Compare], plan: Plan
) -> dict[str, str]:
    """Make each field's comparison a function of DuckDB; returns their names by field."""
    from duckdb.func import SPECIAL

    names = {field: f"level_of_{field}" for field in plan.fields}
    for field, what in plan.fields.items():
        connection.create_function(
            names[field], _function(compare[field], what.levels), ["BIGINT"] * 4, "INTEGER",
            null_handling=SPECIAL, side_effects=False,
        )  # fmt: skip
    return names


def _function(compare: Compare, levels: Sequence[str]) -> Callable[[int, int, int | None, int | None], int]:
    """Return a comparison as DuckDB calls it: with places and keys, for the place of the level."""
    place = {MISSING: -1} | {level: n for n, level in enumerate(levels)}
    remembered: dict[tuple[int, int], int] = {}

    def level(left: int, right: int, _one: int | None, _other: int | None) -> int:
        if (found := remembered.get((left, right))) is None:
            if len(remembered) >= _REMEMBERED:
                remembered.clear()
            found = remembered[left, right] = place[compare(left, right)]
        return found

    return level


def _table(keys: Mapping[str, Sequence[int | None]]) -> Any:
    import pyarrow

    places = range(len(next(iter(keys.values()))))
    columns = {"unique_id": places, "place": places} | dict(keys)
    return pyarrow.table({n: pyarrow.array(values, pyarrow.int64()) for n, values in columns.items()})


def _settings(plan: Plan, names: Mapping[str, str]) -> dict[str, Any]:
    from splink import block_on

    return {
        "link_type": "dedupe_only",
        "comparisons": [
            {
                "output_column_name": field,
                "comparison_levels": list(_levels(what, names[field])),
            }
            for field, what in plan.fields.items()
        ],
        "blocking_rules_to_generate_predictions": [block_on(*each) for each in plan.passes],
    }


def _levels(field: Field, name: str) -> Iterator[dict[str, Any]]:
    """Give the levels as Splink has them, the worst first: of random pairs nearly all are on it, and each
    condition is a call. The key is named so that Splink sees what depends on it.
    """
    key = field.key or "place"
    call = f"{name}(place_l, place_r, {key}_l, {key}_r)"
    count = len(field.levels)
    for place in range(count - 1, 0, -1):
        yield {
            "sql_condition": f"{call} = {place}", "label_for_charts": field.levels[place],
            "m_probability": _at_first(count),
        }  # fmt: skip
        if place == count - 1:
            yield {"sql_condition": f"{call} = -1", "label_for_charts": MISSING, "is_null_level": True}
    best = {"label_for_charts": field.levels[0], "m_probability": _BEST_AT_FIRST}
    yield {"sql_condition": "ELSE"} | best


def _read(model: Mapping[str, Any], plan: Plan) -> Estimate:
    fields = {
        comparison["output_column_name"]: {
            level["label_for_charts"]: _chance(level, len(comparison["comparison_levels"]) - 1)
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        }
        for comparison in model["comparisons"]
    }
    prior = float(model["probability_two_random_records_match"])
    return Estimate(prior, {field: fields[field] for field in plan.fields})


def _chance(level: Mapping[str, Any], count: int) -> Chance:
    m = level.get("m_probability")
    return Chance(None if m == _at_first(count) else m, level.get("u_probability"))


def _at_first(count: int) -> float:
    """Return the m from which the levels start that are not the best."""
    return (1 - _BEST_AT_FIRST) / (count - 1)


def _refined(found: Estimate, keys: Mapping[str, Sequence[int | None]], plan: Plan) -> Estimate:
    """Take the pairs of one person off what was counted among random pairs. Where the best level has a key,
    all pairs are counted instead, as few of it are met at random.
    """
    fields = {field: dict(levels) for field, levels in found.fields.items()}
    for field, what in plan.fields.items():
        best = what.levels[0]
        if what.key:
            fields[field][best] = replace(fields[field][best], u=_equal(keys[what.key]) or None)
        for level, chance in fields[field].items():
            if chance.u is not None:
                mine = found.prior * (chance.m or 0.0)
                fields[field][level] = replace(chance, u=max(chance.u - mine, _LEAST_LEFT * chance.u))
    return Estimate(found.prior, fields)


def _met(keys: Mapping[str, Sequence[int | None]], names: Sequence[str]) -> bool:
    """Return whether two records agree on all of some keys."""
    seen: set[tuple[int | None, ...]] = set()
    for values in zip(*(keys[name] for name in names), strict=True):
        if None not in values and values in seen:
            return True
        seen.add(values)
    return False


def _equal(keys: Sequence[int | None]) -> float:
    """Return the share of pairs with the same key, of the pairs that both have one."""
    known = Counter(key for key in keys if key is not None)
    count = known.total()
    return sum(n * (n - 1) for n in known.values()) / max(count * (count - 1), 1)
