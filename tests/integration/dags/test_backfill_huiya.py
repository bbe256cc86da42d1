"""The backfill of Huiya's tables, by a real Airflow on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.waiting import until
from tests.integration.dags.stack import Stack, stack

ROWS = """
INSERT INTO patient VALUES
  ('HY0001', '张珅', '1', '1980-05-06', NULL, '13800000001', '惠亚路1号', '2026-11-01 09:00:00+08'),
  ('HY0002', '王喆', '2', '1991-02-30', NULL, NULL, NULL, '2026-11-02 00:00:00+08'),
  ('HY0003', '李镕', '1', NULL, NULL, NULL, NULL, '2026-11-02 23:59:59.999+08'),
  ('HY0004', '赵堃', '1', NULL, NULL, NULL, NULL, '2026-11-03 00:00:00+08');
INSERT INTO visit (visit_no, patient_no, visit_type, start_time, status, updated_at) VALUES
  ('V1', 'HY0001', 'O', '2026-11-01 09:00', '在诊', '2026-11-01 09:00:01+08'),
  ('V1x', 'HY0003', 'E', '2026-11-02 10:00', '结束', '2026-11-02 10:00:01+08');
"""
"""Four patients: two days of the window, one just after it; an impossible birth date among them."""

INBOX = "SELECT message_type, control_id, generation FROM bus.inbox ORDER BY id"


@pytest.fixture
def airflow(
    postgres_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    with stack(postgres_url, database_url, tmp_path, monkeypatch.setenv) as made:
        with psycopg.connect(made.settings.huiya_url) as huiya:
            huiya.execute(ROWS.encode())
        yield made


def backfill(airflow: Stack, *options: str) -> None:
    """Have Airflow backfill the first two days of November, and wait until it is closed."""
    airflow.run(
        "backfill", "create", "--dag-id", "backfill_huiya",
        "--from-date", "2026-11-01T00:00+08:00", "--to-date", "2026-11-02T00:00+08:00", *options,
    )  # fmt: skip
    done = "SELECT count(*) FROM backfill WHERE completed_at IS NULL"
    assert until(lambda: airflow.metadata(done) == [(0,)], 150, interval=1.0), airflow.metadata(
        "SELECT run_id, state FROM dag_run"
    )


def counts(airflow: Stack, run: str) -> dict[str, dict[str, int]]:
    """Return what each task of a run answered."""
    rows = airflow.metadata(
        "SELECT task_id, value FROM xcom WHERE key = %s AND run_id LIKE %s", "return_value", run + "%"
    )
    return {task: json.loads(value) if isinstance(value, str) else value for task, value in rows}


def states(airflow: Stack) -> list[tuple[Any, ...]]:
    return airflow.metadata(
        "SELECT state, count(*) FROM task_instance WHERE run_id LIKE 'backfill%' GROUP BY state"
    )


@pytest.mark.timeout(280)
def test_a_window_is_loaded_once_however_often_it_is_backfilled(airflow: Stack) -> None:
    with airflow.scheduling():
        backfill(airflow)
        assert states(airflow) == [("success", 12)]
        first = airflow.platform(INBOX)
        assert sorted({kind for kind, _, _ in first}) == ["table:patient", "table:visit"]
        assert len(first) == 5, "three patients and two visits; the fourth patient is of the day after"
        assert airflow.platform("SELECT count(*) FROM bus.work") == [(5,)]
        before = counts(airflow, "backfill__2026-11-02T16")
        assert before["identity.patient"]["stored"] == 2

        backfill(airflow, "--reprocess-behavior", "completed")
        assert airflow.platform(INBOX) == first
        again = counts(airflow, "backfill__2026-11-02T16")
        assert (again["identity.patient"]["stored"], again["identity.patient"]["duplicate"]) == (0, 2)
