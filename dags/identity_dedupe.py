"""Who is who, anew: train a model on what is stored, show what it would change, link by the one in force."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import CronTriggerTimetable, dag, task

SHANGHAI = ZoneInfo("Asia/Shanghai")

DOCS = """
### Identity (去重): train, compare, link anew

**train** estimates the matching model from a sample of the stored source patients, without anybody saying who
is who, and writes it beside a report of what it would change: the weight of every level, and how many pairs
of the sample would be linked, looked at or left otherwise. The task's result names both files. *Nothing is in
force by that*: read the report, put the model in the place of `rules/identity/model.json`, restart.

**link** goes through all pairs of two persons that stand in one block, by the model in force: certain ones
are linked, doubtful ones go to the review queue. What people decided stands. Run it after a new model came
into force, or at any time; a second run changes nothing.

    airflow dags trigger identity_dedupe

It looks at all that is stored, not at a window: there is nothing to `airflow backfill create`.
"""


@task(multiple_outputs=False, retries=1, execution_timeout=timedelta(hours=3))
def train() -> dict[str, Any]:
    """Train a model on what is stored. Returns its files and what it would change."""
    from consortium.identity.matching import active
    from consortium.identity.training.model import Training
    from consortium.identity.training.stored import train_stored
    from runtime.settings import home, load

    settings = load()
    size, folder = settings.identity_sample, home() / "identity"
    return asdict(train_stored(settings.database_url, active(), folder, size, Training()))


@task(
    multiple_outputs=False,
    trigger_rule="all_done",  # a sample that is too small to train on keeps nobody from being linked
    retries=3,
    retry_delay=timedelta(minutes=5),
    execution_timeout=timedelta(hours=12),
)
def link() -> dict[str, int]:
    """Link what is stored anew, by the model in force. Returns the counts."""
    from consortium.identity.batch.stored import link_stored
    from consortium.identity.matching import active
    from runtime.settings import load

    return asdict(link_stored(load().database_url, active()))


@dag(
    dag_id="identity_dedupe",
    description="Train the matching model, and link what is stored by the one in force",
    doc_md=DOCS,
    schedule=CronTriggerTimetable("0 2 * * 0", timezone="Asia/Shanghai"),
    start_date=datetime(2026, 1, 1, tzinfo=SHANGHAI),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=1,
    default_args={"owner": "integration"},
    tags=["identity"],
)
def identity_dedupe() -> None:
    """Train first: the report is there when the night is over, whatever linking does."""
    train() >> link()


identity_dedupe()
