"""Rules: 100 of them, 10 of which are for the message's campus and type; beside the same in plain Python.

A message is a report of 20 OBX. Of its ten rules nine ask it a further question and say no, three of those by
scanning a list, and the tenth maps it. The control parses alike, asks the same questions as Python functions
and maps by the same compiled map: the difference is what an expression that engineers can write costs.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench import load
from bench.engines import CHECKOUT
from bench.journey_traffic import report
from bench.result import Result
from bus.rules.decision import Decision, Hold
from bus.rules.records import NOTHING_KNOWN
from bus.rules.ruleset import RuleSet
from bus.rules.run import Run
from bus.sources.opening import open_source
from bus.sources.source import Envelope, Source
from consortium.records.model import Change, Kind

CAMPUS, TYPE, SENDER = "MAIN", "ORU^R01", "LIS"
EVALUATED, LISTS, RULES = 10, 3, 100
LIST_SIZE = load.OBX
"""Codes in each list that is scanned, none of which the message has."""
OTHER_TYPES = ("ADT^A01", "ADT^A08", "ORM^O01", "DFT^P03")
AIM = 2.0
"""Milliseconds a message."""

Question = Callable[[Source], bool]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--messages", type=int, default=1000, help="messages of one round")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of each; medians are told")


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule's further question, as CEL and as Python."""

    cel: str
    python: Question


def questions() -> list[Asked]:
    """Return what the ten rules ask beyond campus and type, in file order; only the last is true."""
    asked = [_compares(n) for n in range(EVALUATED - LISTS - 1)] + [_scans(n) for n in range(LISTS)]
    return [*asked, Asked(f'msg.sender == "{SENDER}"', lambda source: source.cel()["sender"] == SENDER)]


def _compares(number: int) -> Asked:
    path, value = ("OBR-4.1", "OBR-24", "PV1-2")[number % 3], f"NOT-{number}"
    return Asked(f'field("{path}") == "{value}"', lambda source: source.get(path) == value)


def _scans(number: int) -> Asked:
    codes = [f"X{number}{place:03d}" for place in range(LIST_SIZE)]
    written = ", ".join(f'"{code}"' for code in codes)

    def scan(source: Source) -> bool:
        return any((source.get("OBX-3.1") or "").startswith(code) for code in codes)

    return Asked(f'[{written}].exists(code, field("OBX-3.1").startsWith(code))', scan)


def write_rules(folder: Path) -> None:
    """Write the hundred rules, each with the map of the main campus's laboratory reports."""
    for shared in ("shared", "codes"):
        shutil.copytree(CHECKOUT / "rules" / shared, folder / shared)
    written = (CHECKOUT / "rules/campuses/main/30-lab-report.yaml").read_text(encoding="utf-8")
    lab: dict[str, Any] = yaml.safe_load(written)
    del lab["tests"]
    campus = folder / "campuses" / "bench"
    campus.mkdir(parents=True)
    mine = [(CAMPUS, f'msg.type == "{TYPE}" && {asked.cel}') for asked in questions()]
    for number, (facility, match) in enumerate([*_others(), *mine]):
        rule = lab | {"name": f"bench-{number:03d}", "facility": facility, "match": match}
        (campus / f"{number:03d}.yaml").write_text(yaml.safe_dump(rule, allow_unicode=True), encoding="utf-8")


def _others() -> list[tuple[str, str]]:
    """Return campus and condition of the rules that are not for the message: 30 of its campus."""
    pairs = []
    for number in range(RULES - EVALUATED):
        kind = OTHER_TYPES[number // 3 % len(OTHER_TYPES)]
        facility = load.CAMPUSES[1 + number % 3] if number >= 30 else CAMPUS
        pairs.append((facility, f'msg.type == "{kind}" && msg.sender == "S{number}"'))
    return pairs


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds a message."""

    cpu: float
    wall: float
    p99: float
    """Wall."""


def measure(args: argparse.Namespace) -> Result:
    """Decide each message by the rules and by plain Python, in turns."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder:
        write_rules(Path(folder))
        rules = RuleSet.load(Path(folder))
    bodies = [_body(place) for place in range(args.messages)]
    deciders = {"parse": _parse, "rules": _by_rules(rules), "python": _by_python(rules)}
    rounds: dict[str, list[Round]] = {name: [] for name in deciders}
    for repeat in range(args.repeats + 1):
        for name in deciders if repeat % 2 else reversed(deciders):
            one = _round(deciders[name], bodies)
            if repeat:  # the first warms up
                rounds[name].append(one)
                print(f"{repeat}/{args.repeats} {name}: {one}", file=sys.stderr)
    return _result(rounds, args)


def _body(place: int) -> bytes:
    return report("RULES", place)[1].removeprefix(b"\x0b").removesuffix(b"\x1c\r")


def _parse(body: bytes) -> Source:
    return open_source(body, "utf-8", Envelope(CAMPUS, SENDER, TYPE, "mllp"))


def _by_rules(rules: RuleSet) -> Callable[[bytes], Decision]:
    def decide(body: bytes) -> Decision:
        return rules.decide(_parse(body), CAMPUS, TYPE)

    _checked(decide(_body(0)))
    return decide


def _checked(decision: Decision) -> None:
    if isinstance(decision.outcome, Hold) or decision.rule != f"bench-{RULES - 1:03d}":
        raise AssertionError(f"the rules do not decide as they were written to: {decision}")


def _by_python(rules: RuleSet) -> Callable[[bytes], object]:
    asked = [one.python for one in questions()]
    maps = {place: rule.map for place, rule in enumerate(rules.rules[-EVALUATED:])}
    kind = rules.rules[-1].spec.kind

    def decide(body: bytes) -> object:
        source = _parse(body)
        if source.cel()["type"] != TYPE:
            return None
        place = next((place for place, question in enumerate(asked) if question(source)), None)
        return None if place is None else _change(kind, maps[place](Run(CAMPUS, NOTHING_KNOWN), source))

    return decide


def _change(kind: Kind | None, mapped: Any) -> Change:
    return Change.model_validate({"kind": kind, **mapped})


def _round(decide: Callable[[bytes], object], bodies: Sequence[bytes]) -> Round:
    times = []
    began, cpu = time.perf_counter(), time.process_time()
    for body in bodies:
        at = time.perf_counter()
        decide(body)
        times.append(time.perf_counter() - at)
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    p99 = sorted(times)[int(len(times) * 0.99)]
    return Round(*(round(seconds * 1000, 3) for seconds in (spent / len(bodies), wall / len(bodies), p99)))


def _result(rounds: dict[str, list[Round]], args: argparse.Namespace) -> Result:
    rows = {
        name: {
            "cpu_ms": statistics.median(one.cpu for one in of),
            "cpu_ms_least": min(one.cpu for one in of),
            "cpu_ms_most": max(one.cpu for one in of),
            "wall_ms": statistics.median(one.wall for one in of),
            "wall_p99_ms": statistics.median(one.p99 for one in of),
        }
        for name, of in rounds.items()
    }
    ours, control = rows["rules"]["cpu_ms"], rows["python"]["cpu_ms"]
    conditions = {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "rules": RULES,
        "of_campus_and_type": EVALUATED,
        "scanning_lists": f"{LISTS} of {LIST_SIZE} codes",
        "message": f"ORU^R01 of {load.OBX} OBX, parsed, decided and mapped; {len(_body(0))} bytes",
        "messages": args.messages,
        "repeats": args.repeats,
        "aim_ms": AIM,
        "rows": rows,
    }
    name = "the same questions in plain Python, same parser and map"
    return Result("rules", ours, "ms of CPU a message", control, name, round(control / ours, 2), conditions)
