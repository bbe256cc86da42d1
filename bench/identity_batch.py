"""`bench identity --batch N`: N records linked in one go, beside Splink predicting the same ones."""

from __future__ import annotations

import argparse
import time
from itertools import islice

from bench import splink_control
from bench.identity import columns_of, conditions_of, patients, say, weighed
from bench.memory import peak
from bench.result import Result
from consortium.identity.batch.linking import link
from consortium.identity.matching import active
from simulators.population.records import population

SEED = 404


def measure(args: argparse.Namespace) -> Result:
    """Link by the model in force, from facts to people; then have Splink train and predict."""
    began = time.monotonic()
    records = list(islice(population(SEED, args.batch), args.batch))
    say(f"made {len(records):,} records in {time.monotonic() - began:.0f} s")
    known = patients(records)
    with peak() as memory:
        began = time.monotonic()
        linked = link(known, active(), args.processes)
        seconds = time.monotonic() - began
    ours = weighed([record.person for record in records], linked, records)
    say(f"ours: {seconds:.0f} s, {ours}")
    columns = columns_of(records)
    truth = [record.person for record in records]
    del known, linked, records
    with peak() as splink_memory:
        began = time.monotonic()
        pairs = splink_control.link(columns, splink_control.chinese(args.processes))
        splink_seconds = time.monotonic() - began
    control, threshold = splink_control.best(truth, pairs)
    conditions = {
        "records": len(truth),
        "processes": args.processes,
        "ours": ours | {"peak_gib": round(memory.size / 2**30, 2)},
        "splink": control.line()
        | {"peak_gib": round(splink_memory.size / 2**30, 2), "threshold": threshold, "trains_first": True},
    } | conditions_of()
    ratio = round(splink_seconds / seconds, 3)
    name = "Splink 5, training and predicting"
    return Result("identity", round(seconds, 1), "s", round(splink_seconds, 1), name, ratio, conditions)
