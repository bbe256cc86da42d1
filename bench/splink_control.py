"""Splink 5 by itself, as its documentation configures it: the control of `bench identity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.linkage import Linkage, Pair, judged

THRESHOLDS = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Match probabilities; the control is Splink at the best of them."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What is told to Splink."""

    comparisons: Sequence[Any]
    blocking: Sequence[Any]
    """Rules for predictions."""
    certain: Sequence[Any]
    passes: Sequence[Any]
    """Of expectation maximisation."""
    random_pairs: float = 1e7
    threads: int = 2


def febrl() -> Configured:
    """Return the configuration of Splink's own examples with FEBRL."""
    from splink import block_on
    from splink import comparison_library as cl

    return Configured(
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison(
                "date_of_birth", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("suburb", [0.9, 0.7]),
        ],
        blocking=[
            block_on("soc_sec_id"),
            block_on("date_of_birth"),
            block_on("given_name", "surname"),
            block_on("given_name", "postcode"),
            block_on("surname", "postcode"),
            block_on("street_number", "suburb"),
        ],
        certain=[
            block_on("soc_sec_id", "date_of_birth"),
            block_on("soc_sec_id", "surname"),
            block_on("given_name", "surname", "postcode"),
        ],
        passes=[block_on("date_of_birth"), block_on("postcode"), block_on("soc_sec_id")],
    )


def chinese(threads: int = 2) -> Configured:
    """Return its defaults for the fields that campuses send."""
    from splink import block_on
    from splink import comparison_library as cl

    return Configured(
        comparisons=[
            cl.NameComparison("name").configure(term_frequency_adjustments=True),
            cl.ExactMatch("sex"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.DamerauLevenshteinAtThresholds("id_card", [1, 2]),
            cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address", [0.9, 0.7]),
        ],
        blocking=[
            block_on("id_card"),
            block_on("name", "birth_date"),
            block_on("phone", "name"),
            block_on("phone", "birth_date"),
            block_on("address"),
        ],
        certain=[block_on("id_card", "name"), block_on("name", "birth_date", "phone")],
        passes=[block_on("id_card"), block_on("name", "birth_date")],
        threads=threads,
    )


def link(columns: Mapping[str, Sequence[str | None]], told: Configured) -> dict[Pair, float]:
    """Train Splink on columns of equal length and return its pairs with their match probabilities."""
    import duckdb
    import pyarrow
    from splink import DuckDBAPI, Linker

    count = len(next(iter(columns.values())))
    table = pyarrow.table(
        {"unique_id": pyarrow.array(range(count))} | {k: pyarrow.array(v) for k, v in columns.items()}
    )
    with duckdb.connect(config={"threads": told.threads}) as connection:
        api = DuckDBAPI(connection)
        settings = {
            "link_type": "dedupe_only",
            "comparisons": list(told.comparisons),
            "blocking_rules_to_generate_predictions": list(told.blocking),
        }
        linker = Linker(api.register(table), settings, log_level="ERROR")
        linker.training.estimate_probability_two_random_records_match(list(told.certain), recall=0.8)
        linker.training.estimate_u_using_random_sampling(told.random_pairs, seed=1)
        for each in told.passes:
            linker.training.estimate_parameters_using_expectation_maximisation(each)
        found = linker.inference.predict(threshold_match_probability=THRESHOLDS[0])
        rows = found.as_duckdbpyrelation().project("unique_id_l, unique_id_r, match_probability").fetchall()
    return {(min(left, right), max(left, right)): probability for left, right, probability in rows}


def best(truth: Sequence[int], pairs: Mapping[Pair, float]) -> tuple[Linkage, float]:
    """Return Splink's linkage at the threshold that suits it best, by pairs and clusters together."""
    linkages = {
        threshold: judged(truth, (pair for pair, p in pairs.items() if p >= threshold))
        for threshold in THRESHOLDS
    }
    threshold = max(linkages, key=lambda t: linkages[t].pairs.f1 + linkages[t].clusters.f1)
    return linkages[threshold], threshold
