"""The bench of delivery runs against the tables as they are, and loses nothing."""

from __future__ import annotations

import argparse
import json

import pytest

from bench import delivery


def test_a_small_backlog_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    delivery.arguments(parser)
    asked = ["--messages", "40", "--patients", "10", "--connections", "2", "--outage", "0"]
    result = delivery.measure(parser.parse_args(asked))
    [row] = result.conditions["rows"]
    assert (row["lost"], row["disordered"]) == (0, 0)
    assert result.figure > 0
    assert json.dumps(result.conditions)
    capsys.readouterr()
