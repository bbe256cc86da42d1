"""The router: one transaction for a batch of doorbells, effects once, in inbox order for each patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from bus.router.batch import AgainError, Batch
from bus.router.effects import Effects
from bus.router.failures import is_race
from bus.router.work import KeysGrewError
from bus.rules.ruleset import RuleSet

RACES = 5
"""Times a batch is begun again after a deadlock before it is left to the caller."""


def _now() -> datetime:
    return datetime.now(UTC)


class Router:
    """Answers doorbells. One for each thread."""

    def __init__(
        self, engine: sa.Engine, rules: RuleSet, effects: Effects, clock: Callable[[], datetime] = _now
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._effects = effects
        self._clock = clock
        self.recorded = 0
        """Messages whose effects are committed, since the start."""
        self.held = 0
        """Messages held, since the start."""

    def answer(self, ids: Sequence[int]) -> None:
        """Handle all work of the patients of these messages, up to the last of them.

        When it returns, that is committed, and the doorbells can be acknowledged: an id without work was done
        before. Raises SQLAlchemy's errors when the database is away; then nothing is changed.
        """
        if not ids:
            return
        batch = Batch(self._rules, self._effects, self._clock)
        races = 0
        while True:
            try:
                with self._engine.begin() as connection:
                    verdicts = batch.run(connection, ids)
            except (AgainError, KeysGrewError):
                continue
            except sa.exc.DBAPIError as error:
                races += 1
                if not is_race(error) or races > RACES:
                    raise
            else:
                self.recorded += len(verdicts.done)
                self.held += len(verdicts.held)
                return
