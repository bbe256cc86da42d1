"""Backfill of Huiya's open tables: one run for each past day, through Airflow's own backfill."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import CronDataIntervalTimetable, TaskGroup, chain, dag, task

SHANGHAI = ZoneInfo("Asia/Shanghai")

DOMAINS = {
    "identity": ("patient",),
    "visits": ("visit",),
    "laboratory": ("lab_order", "lab_result"),
    "examinations": ("exam_report",),
    "charges": ("charge",),
}
"""Domain → open tables, in the order in which they are loaded."""

DOCS = """
### Backfill of Huiya (惠亚院区)

Loads what changed in Huiya's open tables in one day, Asia/Shanghai, by `updated_at`. The rows go through the
inbox as messages with the control ids of the live poller: a row that live polling has brought is a duplicate
without effect, and an older version of a row never overwrites a newer one. Load a day again at any time.

**Re-run a window** (both days are included; name the zone, as Airflow's own is UTC):

    airflow backfill create --dag-id backfill_huiya --reprocess-behavior completed \\
        --from-date 2026-11-01T00:00+08:00 --to-date 2026-11-07T00:00+08:00

One backfill of this DAG runs at a time; a second is refused until the first has ended. Each task returns its
counts: rows read, messages stored, duplicates, conflicts. Conflicts are held: `./yilian messages list`.
"""


@task(
    multiple_outputs=False, retries=3, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(hours=2)
)
def load_table(
    table: str, data_interval_start: datetime | None = None, data_interval_end: datetime | None = None
) -> dict[str, int]:
    """Load one table's window; Airflow gives the interval. Returns the counts."""
    from adapters.tables.backfill import load_window
    from runtime.settings import load

    if data_interval_start is None or data_interval_end is None:
        raise ValueError("this run has no data interval; start it by schedule or by airflow backfill create")
    return asdict(load_window(load(), table, data_interval_start, data_interval_end))


@dag(
    dag_id="backfill_huiya",
    description="Load a past window of Huiya's open tables",
    doc_md=DOCS,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="Asia/Shanghai"),
    start_date=datetime(2026, 1, 1, tzinfo=SHANGHAI),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=1,
    default_args={"owner": "integration"},
    tags=["backfill", "campus:HY", "tables"],
)
def backfill_huiya() -> None:
    """Load the domains one after the other: patients are known before their visits, visits before results."""
    domains = []
    for domain, tables in DOMAINS.items():
        with TaskGroup(domain) as group:
            chain(*(load_table.override(task_id=table)(table) for table in tables))
        domains.append(group)
    chain(*domains)


backfill_huiya()
