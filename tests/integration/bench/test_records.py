"""The bench of records runs against the tables as they are, finds something by every question, and goes
on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from bench.records import run
from bench.records.questions import QUESTIONS
from consortium.records.tables import TABLES


def test_a_small_store_is_asked(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    run.arguments(parser)
    store: Path = tmp_path_factory.mktemp("records") / "store"
    asked = ["--records", "4000", "--store", str(store), "--people", "3", "--rounds", "1", "--seconds", "0.2"]
    result = run.measure(parser.parse_args(asked))
    conditions = result.conditions
    assert conditions["records"] == pytest.approx(4000, rel=0.1)
    assert (conditions["faults"], conditions["answers_with_nothing"]) == (0, [])
    assert conditions["ingest"]["alone_msg_s"] > 0
    assert set(conditions["questions"]) == set(QUESTIONS)
    assert all(one["warm"]["p95_ms"] > 0 for one in conditions["questions"].values())
    assert result.figure > 0
    assert json.dumps(conditions)
    said = capsys.readouterr().err
    assert "building" in said
    again = run.measure(parser.parse_args(asked))
    assert again.conditions["records"] == conditions["records"]
    assert "building" not in capsys.readouterr().err


def test_every_table_of_records_is_filled() -> None:
    made = (Path(run.__file__).parent / "visits.sql").read_text(encoding="utf-8")
    assert [name for name in TABLES if f"INTO records.{name} " not in made.replace('"', "")] == []
