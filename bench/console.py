"""`./yilian bench NAME`: each benchmark measures ours and its control in the same run."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence

from bench import delivery, documents, endurance, identity, ingest, journey, referral, rules, search
from bench.records import run as records
from bench.result import MissingError, Result

_NAMES: dict[
    str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Result]]
] = {
    "delivery": (delivery.arguments, delivery.measure),
    "documents": (documents.arguments, documents.measure),
    "endurance": (endurance.arguments, endurance.measure),
    "identity": (identity.arguments, identity.measure),
    "ingest": (ingest.arguments, ingest.measure),
    "journey": (journey.arguments, journey.measure),
    "records": (records.arguments, records.measure),
    "referral": (referral.arguments, referral.measure),
    "rules": (rules.arguments, rules.measure),
    "search": (search.arguments, search.measure),
}


def bench_main(argv: Sequence[str]) -> int:
    """Run one benchmark. With `--json` the last line of stdout is its result. Exit 3: something needed is
    missing.
    """
    parser = argparse.ArgumentParser(prog="yilian bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (arguments, _) in _NAMES.items():
        one = names.add_parser(name)
        one.add_argument("--json", action="store_true", help="end with one line of JSON")
        arguments(one)
    args = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):  # unwinds, so that no engine or server is left behind
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        result = _NAMES[args.name][1](args)
    except MissingError as error:
        print(f"bench {args.name}: {error}", file=sys.stderr)
        return 3
    if args.json:
        print(json.dumps(result.line(), ensure_ascii=False))
    else:
        ours, control = f"{result.figure} {result.unit}", f"{result.control_name} {result.control}"
        print(f"{result.name}: {ours}; {control}; ratio {result.ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(bench_main(sys.argv[1:]))
