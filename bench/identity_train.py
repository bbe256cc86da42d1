"""`python -m bench.identity_train`: train the model that is shipped, `rules/identity/model.json`, anew.

It learns from a generated population of a seed of its own: nobody whom a benchmark judges it by is among
them. What the generator has none of (`former`) and the thresholds stay as they are in the model in force.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bench.identity import facts_of, say
from consortium.identity.matching import active, comparable, dump
from consortium.identity.matching.model_file import SHIPPED
from consortium.identity.training.model import Training, train
from simulators.population.records import population

SEED = 20261101


def main(argv: Sequence[str] | None = None) -> int:
    """Train and write; a model that is in the way is replaced."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity_train", description=__doc__)
    parser.add_argument("--records", type=int, default=400_000, help="of whom it learns")
    parser.add_argument("--numbers", type=int, default=20_000_000, help="of the consortium it is for: prior")
    parser.add_argument("--automatic", type=float, default=active().automatic, help="threshold, log2 odds")
    parser.add_argument("--version", default="2026-11-generator-2")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    args = parser.parse_args(argv)
    began = time.monotonic()
    records = islice(population(SEED, args.records), args.records)
    sample = [comparable(facts_of(record)) for record in records]
    say(f"made {len(sample):,} records in {time.monotonic() - began:.0f} s")
    how = Training(random_pairs=4_000_000, pass_pairs=600_000)
    model = train(sample, active(), args.version, how, args.numbers)
    dump(replace(model, automatic=args.automatic), args.out)
    say(f"wrote {args.out} after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
