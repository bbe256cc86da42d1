"""What the bench of referrals says, from loads that are known."""

from __future__ import annotations

import argparse
import json

import pytest

from bench import referral
from bench.referral_load import Load
from bench.referral_stack import Use


def loads(seconds: float, updates: list[float], done: int = 10) -> Load:
    return Load(seconds=seconds, done=done, updates=updates)


def test_medians_of_the_rounds_are_set_beside_the_control() -> None:
    rounds = [(loads(s, [s / 10]), loads(1.0, [0.01])) for s in (1.0, 2.0, 10.0)]
    uses = [{"ours": {"temporal_cpu_ms": float(n)}, "bare": {"temporal_cpu_ms": 1.0}} for n in (1, 9, 2)]
    args = argparse.Namespace(open=3, approvals=10, at_a_time=2)
    told = referral.result(rounds, {"starts_s": 7.0}, uses, 1, args)
    assert (told.figure, told.control, told.ratio) == (5.0, 10.0, 0.5)
    assert told.conditions["faults"] == 1
    assert told.conditions["updates_s"] == 15.0
    assert told.conditions["uses_per_referral"] == {"temporal_cpu_ms": 2.0}
    assert told.conditions["filling"] == {"starts_s": 7.0}
    assert set(told.line()) == {"name", "figure", "unit", "control", "control_name", "ratio", "conditions"}
    assert json.dumps(told.line())


def test_percentiles_are_of_all_updates_in_milliseconds() -> None:
    updates = [number / 1000 for number in range(100, 0, -1)]
    told = referral.milliseconds([loads(1.0, updates[:50]), loads(1.0, updates[50:])])
    assert told == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
    assert referral.milliseconds([loads(1.0, [0.005])]) == {"p50": 5.0, "p95": 5.0, "p99": 5.0}


def test_what_is_used_is_told_for_each_referral() -> None:
    before = Use({"worker": 1.0}, {"temporal": 1000})
    told = Use({"worker": 3.0}, {"temporal": 21000}).since(before, 10)
    assert told == {"worker_cpu_ms": pytest.approx(200.0), "temporal_bytes": 2000}
