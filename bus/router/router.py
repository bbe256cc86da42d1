"""The router: one transaction for a batch of doorbells, effects once, in inbox order for each patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import sqlalchemy as sa

from bus.router.batch import AgainError, Batch
from bus.router.effects import Effects
from bus.router.failures import is_race
from bus.router.verdicts import Verdicts
from bus.router.work import KeysGrewError, KeysUnknownError, lock_patients, widen
from bus.rules.ruleset import RuleSet
from bus.rules.versions.model import Deployed
from bus.rules.versions.shelf import NotLoadedError

RACES = 5
"""Times a batch is begun again after a deadlock before it is left to the caller."""


def _now() -> datetime:
    return datetime.now(UTC)


class Rules(Protocol):
    """Where the rules of a batch come from; `bus.rules.versions.shelf.Shelf` in a running platform."""

    def current(self, connection: sa.Connection) -> Deployed:
        """Return the set that is active in this transaction. Raises `NotLoadedError`."""
        ...

    def load(self, digest: str) -> None:
        """Make a set ready, outside of any transaction."""
        ...


class Fixed:
    """One set that never changes: a folder's, in tests and measurements."""

    def __init__(self, rules: RuleSet) -> None:
        self._deployed = Deployed(None, rules)

    def current(self, connection: sa.Connection) -> Deployed:
        """Return it."""
        del connection
        return self._deployed

    def load(self, digest: str) -> None:
        """There is nothing to load."""


class Router:
    """Answers doorbells. One for each thread."""

    def __init__(
        self,
        engine: sa.Engine,
        rules: RuleSet | Rules,
        effects: Effects,
        clock: Callable[[], datetime] = _now,
        *,
        routing_key: str = "",
    ) -> None:
        """`routing_key`: the setting, by which the patients of a message that is split are locked."""
        self._routing_key = routing_key
        self._engine = engine
        self._rules: Rules = Fixed(rules) if isinstance(rules, RuleSet) else rules
        self._effects = effects
        self._clock = clock
        self._batch: Batch | None = None
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
        self._batch = None
        races = 0
        while True:
            try:
                verdicts = self._pass(ids)
            except NotLoadedError as error:
                self._rules.load(error.digest)
            except KeysUnknownError as error:
                with self._engine.begin() as connection:
                    widen(connection, error.id, error.keys)
            except (AgainError, KeysGrewError):
                continue
            except sa.exc.DBAPIError as error:
                races += 1
                if not is_race(error) or races > RACES:
                    raise
            else:
                self.recorded += len(verdicts.done)
                self.held += len(verdicts.held)
                self._batch = None
                return

    def _pass(self, ids: Sequence[int]) -> Verdicts:
        """Make one pass in one transaction."""
        with self._engine.begin() as connection:
            keys = lock_patients(connection, ids)
            if not keys:
                return Verdicts()
            # Behind the locks: no patient's message is decided by an older set than the one before.
            deployed = self._rules.current(connection)
            if self._batch is None or self._batch.deployed is not deployed:
                # What another set decided is forgotten: one transaction, one set.
                self._batch = Batch(deployed, self._effects, self._clock, self._routing_key)
            return self._batch.run(connection, keys, max(ids))
