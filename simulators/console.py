"""Plays a sample day of the consortium and reckons up what became of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

import psycopg

from runtime.settings import Settings, load
from simulators import reckoning
from simulators.delivery import Delivery, Progress, SimulatorError
from simulators.huangpu.play import play as play_huangpu
from simulators.huiya.play import play as play_huiya
from simulators.main_campus.play import play as play_main
from simulators.people import Campus
from simulators.plan import Plan, sample_day

CAMPUSES: tuple[Campus, ...] = get_args(Campus)
PATIENCE = 90.0
"""Seconds without any progress after which waiting ends."""
PAUSE = 0.25


def play_sample_day(
    report: Progress, scale: float = 1.0, day: date | None = None, campuses: Sequence[Campus] = CAMPUSES
) -> dict[str, dict[str, Any]]:
    """Play a day of those campuses and wait until the bus has drained.

    Returns for each campus how many messages were sent, acknowledged and refused, and of the acknowledged,
    how many are recorded, held (by reason) or duplicates: sent = refused + recorded + held + duplicates.
    Beside it stands what was expected. Playing the same day again gives the same report.

    Raises SimulatorError when a setting is empty, a receiver does not answer or the bus stands still.
    """
    settings = _complete(load())
    plan = Plan(day or sample_day(datetime.now(UTC).date()), scale=scale)
    played = asyncio.run(_Day(settings, plan, report).play(campuses))
    with psycopg.connect(settings.database_url, autocommit=True) as bus:
        _drain(bus, report)
        return {campus: reckon(bus, campus, deliveries) for campus, deliveries in played.items()}


class _Day:
    """One playing of a day: who sends, and how far they have come."""

    def __init__(self, settings: Settings, plan: Plan, report: Progress) -> None:
        self._settings = settings
        self._plan = plan
        self._report = report
        self._told: Counter[Campus] = Counter()

    async def play(self, campuses: Sequence[Campus]) -> dict[Campus, list[Delivery]]:
        """Play the campuses side by side."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {campus: group.create_task(self._campus(campus)) for campus in campuses}
                while not all(task.done() for task in tasks.values()):
                    await asyncio.wait(tasks.values(), timeout=2)
                    self._report("sent " + ", ".join(f"{name} {self._told[name]}" for name in campuses))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return {campus: task.result() for campus, task in tasks.items()}

    async def _campus(self, campus: Campus) -> list[Delivery]:
        if campus == "MAIN":
            return await play_main(self._settings, self._plan, self._teller(campus))
        if campus == "HP":
            return await asyncio.to_thread(play_huangpu, self._settings, self._plan, self._teller(campus))
        return await asyncio.to_thread(play_huiya, self._settings, self._plan, self._read)

    def _teller(self, campus: Campus) -> Callable[[Delivery], None]:
        def told(_delivery: Delivery) -> None:
            self._told[campus] += 1

        return told

    def _read(self, messages: Sequence[tuple[str, str]]) -> None:
        """Wait until the poller has brought those of Huiya's messages."""
        with psycopg.connect(self._settings.database_url, autocommit=True) as bus:

            def missing() -> int:
                self._told["HY"] = reckoning.fate(bus, "HY", messages).stored
                return len(messages) - self._told["HY"]

            for _ in _until_none(missing, "Huiya's rows were not read", "./yilian logs tables"):
                time.sleep(PAUSE)


def _complete(settings: Settings) -> Settings:
    for name in ("database_url", "huiya_url", "sample_password"):
        if not getattr(settings, name):
            raise SimulatorError(
                f"the setting {name} is empty; start the platform by ./yilian up, which fills it"
            )
    return settings


def reckon(bus: psycopg.Connection, campus: str, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Add up a campus's day from the answers and from the bus."""
    accepted = [d for d in deliveries if d.answer.accepted]
    refused = [d for d in deliveries if not d.answer.accepted]
    # HL7 before v2.5 has no field for a receiver's own code, so the list of refusals is asked first.
    codes = reckoning.refusal_codes(bus, (d.control_id for d in refused))
    refusals = Counter(codes.get(d.control_id, d.answer.code) for d in refused)
    found = reckoning.fate(bus, campus, [(d.sender, d.control_id) for d in accepted])
    result = {
        "sent": len(deliveries),
        "acknowledged": len(accepted),
        "refused": refusals.total(),
        "refusals": dict(sorted(refusals.items())),
        "recorded": found.recorded,
        "ready": found.ready,
        "held": dict(sorted(found.held.items())),
        "duplicates": len(accepted) - found.stored,
    }
    return result | {"expected": expected(deliveries)}


def expected(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return what must become of the day, as the simulators know it beforehand."""
    wanted = Counter(d.expect for d in deliveries)
    refusals, held = (
        {name.partition(":")[2]: count for name, count in sorted(wanted.items()) if name.startswith(kind)}
        for kind in ("refused:", "held:")
    )
    return {
        "sent": len(deliveries),
        "refused": sum(refusals.values()),
        "refusals": refusals,
        "recorded": wanted["recorded"],
        "held": held,
        "duplicates": wanted["duplicate"],
    }


def as_expected(result: dict[str, Any]) -> bool:
    """Tell whether a campus's day came out as the simulators know it must."""
    wanted: dict[str, Any] = result["expected"]
    return result["ready"] == 0 and all(result[key] == value for key, value in wanted.items())


def _drain(bus: psycopg.Connection, report: Progress) -> None:
    last = -1
    for count in _until_none(lambda: reckoning.left(bus), "the bus stands still", "./yilian logs router"):
        if count != last:
            report(f"{count} messages on their way")
            last = count
        time.sleep(PAUSE)


def _until_none(count: Callable[[], int], complaint: str, look: str) -> Iterator[int]:
    """Yield the count until it is none. Raises SimulatorError when it does not go down for `PATIENCE`."""
    least, since = None, time.monotonic()
    while current := count():
        if least is None or current < least:
            least, since = current, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            raise SimulatorError(
                f"{complaint}: {current} left for {PATIENCE:.0f} s; see ./yilian status and {look}"
            )
        yield current
