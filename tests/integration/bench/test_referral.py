"""The bench of referrals runs against tables, workflow and worker as they are, loses nothing, and goes on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from bench import referral


def test_a_few_are_opened_and_approved_and_the_store_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    referral.arguments(parser)
    store: Path = tmp_path_factory.mktemp("referral") / "store"
    asked = ["--approvals", "4", "--rounds", "1", "--at-a-time", "2", "--store", str(store)]
    result = referral.measure(parser.parse_args(["--open", "6", *asked]))
    told = result.conditions
    assert (told["faults"], told["filling"]["started"], told["filling"]["not_started"]) == (0, 6, 0)
    assert told["filling"]["open_after"] == 6 + 2 + 4
    assert result.figure > 0
    assert result.control > 0
    assert told["update_ms"]["p50"] > 0
    uses = told["uses_per_referral"]
    assert min(uses["temporal_cpu_ms"], uses["worker_cpu_ms"], uses["generator_cpu_ms"]) > 0
    assert json.dumps(told)
    again = referral.measure(parser.parse_args(["--open", "15", *asked])).conditions["filling"]
    assert (again["open_before"], again["started"]) == (12, 3)
    capsys.readouterr()
