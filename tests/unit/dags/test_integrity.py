"""Every DAG imports in Airflow's own process and is described well enough to be operated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CHECKOUT

DAGS = CHECKOUT / "dags"

DESCRIBE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
def describe(dag):
    dag.topological_sort()  # raises on a cycle
    return {
        "file": dag.fileloc, "tags": sorted(dag.tags), "docs": dag.doc_md or "", "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "start_date": str(dag.start_date),
        "tasks": [{
            "id": t.task_id, "owner": t.owner, "retries": t.retries, "upstream": sorted(t.upstream_task_ids),
            "limited": t.execution_timeout is not None,
        } for t in dag.topological_sort()],
    }
dags = {i: describe(d) for i, d in bag.dags.items()}
print("DESCRIBED" + json.dumps({"errors": bag.import_errors, "dags": dags}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow sees in the DAG folder, read in a process of its own, as its imports warn."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(CHECKOUT),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, str(DAGS)],
        env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("DESCRIBED")]
    described: dict[str, Any] = json.loads(line.removeprefix("DESCRIBED"))
    return described


def test_every_file_imports(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}


def test_every_file_holds_the_dag_of_its_name(bag: dict[str, Any]) -> None:
    files = {f.stem for f in DAGS.glob("*.py") if f.stem != "__init__"}
    assert {Path(d["file"]).stem: i for i, d in bag["dags"].items()} == {name: name for name in files}


def test_every_dag_is_tagged_documented_and_never_catches_up(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert dag["tags"], name
        started = "airflow backfill create" if name.startswith("backfill_") else "airflow dags trigger"
        assert started in dag["docs"], name
        assert dag["catchup"] is False, name
        assert dag["max_active_runs"] == 1, name


def test_every_task_has_an_owner_retries_and_a_time_limit(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        for task in dag["tasks"]:
            assert task["owner"] not in ("", "airflow"), (name, task["id"])
            assert task["retries"] >= 1, (name, task["id"])
            assert task["limited"], (name, task["id"])


def test_huiyas_tables_are_loaded_patients_first(bag: dict[str, Any]) -> None:
    tasks = {t["id"]: t["upstream"] for t in bag["dags"]["backfill_huiya"]["tasks"]}
    assert list(tasks) == [
        "identity.patient",
        "visits.visit",
        "laboratory.lab_order",
        "laboratory.lab_result",
        "examinations.exam_report",
        "charges.charge",
    ]
    assert tasks["identity.patient"] == []
    assert all(len(upstream) == 1 for name, upstream in tasks.items() if name != "identity.patient")


def test_identity_is_trained_before_it_is_linked_anew(bag: dict[str, Any]) -> None:
    tasks = {t["id"]: t["upstream"] for t in bag["dags"]["identity_dedupe"]["tasks"]}
    assert tasks == {"train": [], "link": ["train"]}
