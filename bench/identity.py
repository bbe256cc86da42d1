"""Who is who: FEBRL 1 to 4 and a Chinese population, ours beside Splink 5 by itself, on the same data.

Both are trained in the run, without being told who is who. `--batch` links so many records on `--processes`
processors and tells time and memory; `--online` registers new records beside so many that are there.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import psutil

from bench import febrl, splink_control
from bench.linkage import Linkage, judged, lowest_ratio
from bench.result import Result
from consortium.identity import decide
from consortium.identity.batch.linking import Linked, link
from consortium.identity.matching import active, comparable
from consortium.identity.model import Facts, SourcePatient
from consortium.identity.training.model import Training, train
from simulators.population.records import Record, population

SEED, TRAINING_SEED = 2026, 7
_MADE = datetime(2026, 11, 1, tzinfo=UTC)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--people", type=int, default=100_000, help="of the Chinese population; 0: none")
    parser.add_argument("--sample", type=int, default=100_000, help="records that our model is trained on")
    parser.add_argument("--processes", type=int, default=2, help="that compare")
    parser.add_argument("--batch", type=int, default=0, metavar="N", help="link N records in one go")
    parser.add_argument("--online", type=int, default=0, metavar="N", help="register beside N identities")
    parser.add_argument("--new", type=int, default=2000, help="registrations that --online measures")


def measure(args: argparse.Namespace) -> Result:
    """Measure what was asked for. The figure is our lowest F1, the ratio the lowest to Splink's."""
    if args.batch:
        from bench import identity_batch

        return identity_batch.measure(args)
    if args.online:
        from bench import identity_online

        return identity_online.measure(args)
    ours, control, details = _febrl()
    conditions: dict[str, Any] = {"febrl": details} | conditions_of()
    if args.people:
        conditions["chinese"] = chinese(args)
    figure = min(min(x.pairs.f1, x.clusters.f1) for x in ours.values())
    worst = min(min(x.pairs.f1, x.clusters.f1) for x in control.values())
    ratio = lowest_ratio(ours, control)
    name = "Splink 5 at its best threshold"
    return Result(
        "identity", round(figure, 5), "lowest F1", round(worst, 5), name, round(ratio, 5), conditions
    )


def patients(records: Iterable[Record]) -> list[SourcePatient]:
    """Return records as source patients that nothing links yet, with their places as ids."""
    made = []
    for place, record in enumerate(records):
        facts = facts_of(record)
        made.append(
            SourcePatient(
                place,
                record.facility,
                record.number,
                place,
                _MADE,
                facts=facts,
                observed=decide.observe(facts),
            )
        )
    return made


def facts_of(record: Record) -> Facts:
    """Return what a campus says of a patient."""
    return Facts(record.name, record.sex, record.birth_date, record.id_card, record.phone, record.address)


def columns_of(records: Sequence[Record]) -> dict[str, list[str | None]]:
    """Return records as columns of text, for Splink."""
    return {
        field: [None if (value := getattr(record, field)) is None else str(value) for record in records]
        for field in ("name", "sex", "birth_date", "id_card", "phone", "address")
    }


def chinese(args: argparse.Namespace) -> dict[str, Any]:
    """Link the Chinese population by ours, trained here and as it is shipped, and by Splink."""
    records = list(population(SEED, args.people))
    truth = [record.person for record in records]
    say(f"{len(records):,} records of {args.people:,} people")
    began = time.monotonic()
    known = patients(records)
    model = train(
        [comparable(p.facts) for p in known[: args.sample]], active(), "bench", Training(1_000_000, 300_000)
    )
    say(f"trained in {time.monotonic() - began:.0f} s")
    report: dict[str, Any] = {"records": len(records), "people": args.people}
    shipped = active()
    sized = shipped.for_numbers(len(records))
    for name, one in (("ours", model), ("shipped", shipped), ("shipped_for_its_size", sized)):
        began = time.monotonic()
        linked = link(known, one, args.processes)
        report[name] = weighed(truth, linked, records) | {"seconds": round(time.monotonic() - began, 1)}
        say(f"{name}: {report[name]}")
    began = time.monotonic()
    columns = columns_of(records)
    pairs = splink_control.link(columns, splink_control.chinese(args.processes))
    best, threshold = splink_control.best(truth, pairs)
    report["splink"] = best.line() | {"threshold": threshold, "seconds": round(time.monotonic() - began, 1)}
    say(f"splink: {report['splink']}")
    return report


def weighed(truth: Sequence[int], linked: Linked, records: Sequence[Record]) -> dict[str, Any]:
    """Return how right a linkage of ours is, and what it asks of people."""
    cluster = [0] * len(truth)
    for place, group in enumerate(linked.groups):
        for member in group:
            cluster[member.id] = place
    links = ((a.id, b.id) for group in linked.groups for a, b in combinations(group, 2))
    questions = {frozenset((cluster[s.pair[0]], cluster[s.pair[1]])) for s in linked.suspects}
    line = judged(truth, links, cluster).line()
    return line | {
        "candidates": linked.candidates,
        "reviews": len(questions),
        "review_load": round(len(questions) / len(records), 5),
    }


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def _febrl() -> tuple[dict[str, Linkage], dict[str, Linkage], dict[str, Any]]:
    ours: dict[str, Linkage] = {}
    control: dict[str, Linkage] = {}
    details: dict[str, Any] = {}
    for name in febrl.FILES:
        data = febrl.load(name)
        links, _ = febrl.link(data)
        ours[name] = judged(data.truth, links)
        columns = {column: [row[column] for row in data.rows] for column in febrl.COLUMNS}
        control[name], threshold = splink_control.best(
            data.truth, splink_control.link(columns, splink_control.febrl())
        )
        details[name] = {
            "ours": ours[name].line(), "splink": control[name].line(), "splink_threshold": threshold,
        }  # fmt: skip
        say(f"{name}: {details[name]}")
    return ours, control, details


def conditions_of() -> dict[str, Any]:
    """Return what one needs to know of the machine."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }
