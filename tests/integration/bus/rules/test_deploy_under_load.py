"""Twenty rule versions deployed while messages flow: none lost, none under two versions, order kept.

Relay and two routers are the real processes, on a real PostgreSQL and a real RabbitMQ.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path

from bus.envelope import Arrival
from bus.rules.versions import service
from bus.rules.versions.folder import digest_of
from runtime import process
from runtime.process import Command
from runtime.waiting import until
from tests.conftest import CHECKOUT
from tests.fault.servers import settings
from tests.integration.bus.clinic import KEY, engine_of, hl7, rows, store
from tests.integration.bus.rules.sets import numbered

VERSIONS = 20
MESSAGES = 4000
PATIENTS = 40
CHUNK = 100
BACKLOG = 400
"""Messages kept under way while versions are deployed."""
PATIENCE = 120.0

EFFECTS = """
SELECT t.detail ->> 'rules', r.conclusion, r.item_code, min(v.unit), max(v.unit), count(*)
FROM bus.trace t JOIN records.report r ON r.message_id = t.message_id AND r.number LIKE 'U%%'
JOIN records.result v ON v.report_id = r.id
WHERE t.step = 'recorded' GROUP BY t.message_id, 1, 2, 3
"""


def report(number: int) -> Arrival:
    """A message with a report of its own, and one that all messages of its patient write again."""
    patient = f"M{number % PATIENTS}"
    more = []
    for report in (f"U{number}", f"S{patient}"):
        more.append(f"OBR|1|O1|{report}|LP006^电解质")
        more.append(f"OBX|1|NM|L0601^钾||{number}")
    return hl7("ORU^R01", patient, sender="LIS", more=more)


def count(url: str, query: str, *values: object) -> int:
    return int(rows(url, query, *values)[0][0])


def feed(url: str, enough: threading.Event) -> int:
    """Keep messages under way until the last version is deployed and all are sent; returns how many."""
    sent = 0
    while sent < MESSAGES or not enough.is_set():
        store(url, *(report(number) for number in range(sent, sent + CHUNK)))
        sent += CHUNK
        assert until(lambda: count(url, "SELECT count(*) FROM bus.work") < BACKLOG, PATIENCE)
    return sent


@contextmanager
def platform(folder: Path, database_url: str, amqp_url: str) -> Iterator[None]:
    chosen = {
        "database_url": database_url,
        "amqp_url": amqp_url,
        "routing_key": KEY,
        "queues": "4",
        "router_threads": "2",
        "router_batch": "16",
    }
    environment = settings(folder, chosen)
    with ExitStack() as running:
        for place, module in enumerate(("bus.router", "bus.router", "bus.relay")):
            command = Command(process.python(module), environment, cwd=CHECKOUT)
            running.enter_context(process.running(command, folder / f"{module}-{place}.log"))
        yield


def used(url: str, digest: str) -> bool:
    query = "SELECT count(*) FROM bus.trace WHERE step = 'recorded' AND detail ->> 'rules' = %s"
    return count(url, query, digest) > 0


def deploy_all(url: str) -> list[str]:
    """Deploy one version after the other, each as soon as a message was decided by the one before."""
    engine = engine_of(url)
    digests = []
    for number in range(1, VERSIONS + 1):
        digest = service.deploy(engine, numbered(number), "chen").digest
        digests.append(digest[:12])
        assert until(lambda: used(url, digests[-1]), PATIENCE), f"version {number} was never used"
    return digests


def test_twenty_versions_under_load(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    service.deploy(engine_of(database_url), numbered(0), "chen")
    enough = threading.Event()
    with platform(tmp_path, database_url, amqp_url), ThreadPoolExecutor(1) as pool:
        feeding = pool.submit(feed, database_url, enough)
        try:
            digests = deploy_all(database_url)
        finally:
            enough.set()
        sent = feeding.result(timeout=PATIENCE)
        assert until(lambda: count(database_url, "SELECT count(*) FROM bus.work") == 0, PATIENCE)

    effects = rows(database_url, EFFECTS)
    assert len(effects) == sent, "a message was lost or recorded twice"
    version = {digest: f"v{number}" for number, digest in enumerate(digests, start=1)}
    version[digest_of(numbered(0))[:12]] = "v0"
    mixed = [row for row in effects if {*row[1:5]} != {version[row[0]]}]
    assert mixed == []
    assert {row[0] for row in effects} >= set(digests)

    last = {f"SM{number % PATIENTS}": str(number) for number in range(sent)}
    assert dict(rows(database_url, SHARED)) == last
    assert rows(database_url, OUT_OF_ORDER) == []
    for patient, decided in groupby(rows(database_url, DECIDED), key=lambda row: row[0]):
        numbers = [int(version[digest][1:]) for _, digest in decided]
        assert numbers == sorted(numbers), f"{patient}: from a newer set back to an older one"


SHARED = """
SELECT r.number, v.value FROM records.report r JOIN records.result v ON v.report_id = r.id
WHERE r.number LIKE 'S%%'
"""
DECIDED = """
SELECT i.patient_number, t.detail ->> 'rules' FROM bus.trace t JOIN bus.inbox i ON i.id = t.message_id
WHERE t.step = 'recorded' ORDER BY i.patient_number, i.id
"""
OUT_OF_ORDER = """
SELECT message_id FROM (
  SELECT t.message_id, lag(t.message_id) OVER (PARTITION BY i.patient_number ORDER BY t.at) AS before
  FROM bus.trace t JOIN bus.inbox i ON i.id = t.message_id WHERE t.step = 'recorded') AS one
WHERE before > message_id
"""
