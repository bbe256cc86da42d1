"""`python -m simulators --day 2026-11-20 --scale 1 --campus main`: play a day to the running platform."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date

from simulators.console import CAMPUSES, as_expected, play_sample_day
from simulators.delivery import SimulatorError
from simulators.people import Campus

NAMES: dict[str, Campus] = {"main": "MAIN", "huangpu": "HP", "huiya": "HY"}


def main(arguments: list[str] | None = None) -> int:
    """Play a day; 0: all came out as it must, 1: it did not, 2: it could not be played."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD; default: the sample day")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is some 1,500 messages in all")
    parser.add_argument("--campus", choices=NAMES, help="default: all three")
    wanted = parser.parse_args(arguments)
    campuses = (NAMES[wanted.campus],) if wanted.campus else CAMPUSES
    try:
        result = play_sample_day(_say, wanted.scale, wanted.day, campuses)
    except SimulatorError as error:
        _say(str(error))
        return 2
    sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    return 0 if all(as_expected(campus) for campus in result.values()) else 1


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
