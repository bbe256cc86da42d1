"""The router's loop: take doorbells, answer them, acknowledge; outlive the broker and the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from bus import held, tracing
from bus.broker import BrokerUnavailableError, Consumer, Delivery
from bus.router.router import Router

log = structlog.get_logger("bus.router")

WAIT_SECONDS = 0.5
LONGEST_BACKOFF = 5.0


class Loop:
    """One thread's consumer and router."""

    def __init__(
        self,
        connect: Callable[[], Consumer],
        engine: sa.Engine,
        router: Router,
        batch: int,
        stop: threading.Event,
    ) -> None:
        self._connect = connect
        self._engine = engine
        self._router = router
        self._batch = batch
        self._stop = stop

    def run(self) -> None:
        """Answer doorbells until `stop` is set."""
        failures = 0
        while not self._stop.is_set():
            try:
                consumer = self._connect()
                try:
                    while not self._stop.is_set():
                        self._once(consumer)
                        failures = 0
                finally:
                    consumer.close()
            except (BrokerUnavailableError, sa.exc.SQLAlchemyError) as error:
                failures = self._pause(failures, error)
            except Exception as error:
                log.exception("router_failed")
                failures = self._pause(failures, error)

    def _pause(self, failures: int, error: Exception) -> int:
        delay = min(0.1 * 2.0 ** (failures + 1), LONGEST_BACKOFF)
        log.warning("router_interrupted", error=type(error).__name__, retry_in=delay)
        self._stop.wait(delay)
        return failures + 1

    def _once(self, consumer: Consumer) -> None:
        deliveries = consumer.receive(self._batch, WAIT_SECONDS)
        if not deliveries:
            return
        self._answer(deliveries)
        consumer.acknowledge(deliveries)

    def _answer(self, deliveries: Sequence[Delivery]) -> None:
        rung = [delivery.id for delivery in deliveries if not delivery.dead]
        with tracing.routing(tracing.parents((d.id, d.headers) for d in deliveries)):
            self._router.answer(sorted(set(rung)))
        dead = [delivery.id for delivery in deliveries if delivery.dead]
        if dead:
            with self._engine.begin() as connection:
                held.hold_dead(connection, dead)
