"""Ingest beside the questions: batches of effects through the code that records them."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from bench.engines import CHECKOUT
from consortium.records import service
from consortium.records.model import (
    Change,
    Charge,
    Coded,
    Encounter,
    Kind,
    Order,
    Patient,
    Provenance,
    Report,
    Result,
)

BATCH = 200
"""Messages of one transaction, as the router takes them at full load."""
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
PATIENTS = 5000
"""Of the store, whose messages come."""
_NUMBERS = """
SELECT number FROM identity.source_patient WHERE facility = 'MAIN' AND id <= 4 * %(most)s LIMIT %(most)s
"""


@dataclass(slots=True)
class Taken:
    """What was taken in."""

    messages: int = 0
    seconds: float = 0.0
    refused: int = 0

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds if self.seconds else 0.0


def started(url: str, run: int, seconds: float) -> subprocess.Popen[str]:
    """Begin to take in, in a process of its own, which hears the URL, that holds a
    password, by its stdin; what it says is for `told`.
    """
    argv = (sys.executable, "-m", "bench.records.taking_in", "--run", str(run), "--seconds", str(seconds))
    process = subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for; narrows the type
    process.stdin.write(f"{url}\n")
    process.stdin.flush()
    return process


def told(process: subprocess.Popen[str]) -> Taken:
    """Wait for the end and return what was taken in. Raises RuntimeError when it failed."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"taking in ended with {process.returncode}")
    return Taken(**json.loads(said))


def take_in(url: str, run: int, seconds: float) -> Taken:
    """Record batch after batch, of reports and visits that are new, for that long."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    rng, taken, batch = random.Random(run), Taken(), 0
    try:
        with engine.connect() as connection:
            numbers = list(connection.exec_driver_sql(_NUMBERS, {"most": PATIENTS}).scalars())
        began = time.perf_counter()
        while taken.seconds < seconds:
            changes = list(_changes(rng, numbers, run, batch))
            with engine.begin() as connection:
                outcomes = service.apply_many(connection, changes)
            taken.messages += len(changes)
            taken.refused += sum(not isinstance(outcome, service.Applied) for outcome in outcomes)
            taken.seconds = time.perf_counter() - began
            batch += 1
    finally:
        engine.dispose()
    return taken


def _changes(
    rng: random.Random, numbers: Sequence[str], run: int, batch: int
) -> Iterator[tuple[Change, Provenance]]:
    """Give the messages of a batch: of five one ADT, one order, one charge of four lines, two reports of
    twenty results.
    """
    for place in range(BATCH // 5):
        patient = Patient(number=rng.choice(numbers))
        number = f"{run}-{batch}-{place}"
        visit = Encounter(number=f"TV{number}", class_="outpatient", status="arrived", start=NOW)
        order = Order(
            number=f"TO{number}", kind="lab", item=Coded(code="58410-2", name="血常规"), ordered_at=NOW
        )
        charges = tuple(
            Charge(
                number=f"TC{number}-{k}",
                item=Coded(code=f"C000{k}", name="诊查费"),
                amount=Decimal(k),
                charged_at=NOW,
            )
            for k in range(1, 5)
        )
        said = (
            Change(kind=Kind.ENCOUNTER, patient=patient, encounter=visit),
            Change(kind=Kind.ORDER, patient=patient, encounter=visit, orders=(order,)),
            Change(kind=Kind.CHARGE, patient=patient, encounter=visit, charges=charges),
            *(
                Change(
                    kind=Kind.REPORT,
                    patient=patient,
                    encounter=visit,
                    reports=(_report(rng, f"{number}-{k}", order),),
                )
                for k in range(2)
            ),
        )
        for index, change in enumerate(said):
            message = 10**12 + (run * 10**6 + batch) * BATCH + place * 5 + index
            yield change, Provenance(message_id=message, facility="MAIN", received_at=NOW)


def _report(rng: random.Random, number: str, order: Order) -> Report:
    results = tuple(
        Result(
            item=Coded(code=f"{k}-1", name="检验项目", system="http://loinc.org"),
            value=f"{rng.uniform(1, 90):.2f}",
            unit="g/L",
            reference_range="3.5-90",
            flag="normal",
            observed_at=NOW,
        )
        for k in range(20)
    )
    item = Coded(code="58410-2", name="血常规", system="http://loinc.org")
    return Report(
        number=f"TR{number}", kind="lab", item=item, order_number=order.number, issued_at=NOW, results=results
    )


def main() -> int:
    """Take in and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=int, required=True, help="numbers of another run are other numbers")
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    print(json.dumps(asdict(take_in(sys.stdin.readline().strip(), args.run, args.seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
