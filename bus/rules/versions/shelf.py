"""The compiled sets of one router process, shared by its threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

import sqlalchemy as sa
import structlog

from bus.rules.ruleset import RuleSet
from bus.rules.versions import store
from bus.rules.versions.folder import compiled
from bus.rules.versions.model import SHORT, Deployed, Files, NothingActiveError
from consortium.errors import PermanentError

log = structlog.get_logger("bus.rules")

KEPT = 4
"""Compiled sets in memory: rolling back to one of them compiles nothing."""
BACK = 20
"""Activations that a start looks back for a set that can be loaded."""
AGAIN = 60.0
"""Seconds after which a set that could not be loaded is tried again."""


NONE_LOADED = (
    "no deployed rule set can be loaded by this version of Yilian; correct the checkout's"
    " (./yilian rules lint) and ./yilian rules deploy it"
)


class NotLoadedError(Exception):
    """The active set is not compiled in this process: end the transaction, `load` it, begin again."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


class Shelf:
    """Gives a transaction the set that is active in it. Safe for threads.

    A set that cannot be loaded, though it was checked before it was deployed, is logged and shown in the
    heartbeat; the process goes on with the last one that it could load.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        compile_set: Callable[[Files], RuleSet] = compiled,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._compile = compile_set
        self._clock = clock
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._sets: OrderedDict[str, Deployed] = OrderedDict()
        self._failed: dict[str, float] = {}
        self._serving: Deployed | None = None

    def open(self) -> None:
        """Load the active set, or else the newest before it that can be loaded.

        Raises NothingActiveError, PermanentError when none can be.
        """
        with self._engine.connect() as connection:
            digests = dict.fromkeys(one.digest for one in store.ledger(connection, BACK))
        if not digests:
            raise NothingActiveError
        for digest in digests:
            self.load(digest)
            if digest in self._sets:
                self._serving = self._sets[digest]
                return
        raise PermanentError(NONE_LOADED)

    def current(self, connection: sa.Connection) -> Deployed:
        """Return the set that is active in the caller's transaction.

        Raises `NotLoadedError`, NothingActiveError, PermanentError when no set at all could be loaded.
        """
        digest = store.active(connection)
        with self._lock:
            known = self._sets.get(digest)
            if known is not None:
                self._sets.move_to_end(digest)
                self._serving = known
                return known
            if self._clock() < self._failed.get(digest, 0.0):
                if self._serving is None:
                    raise PermanentError(NONE_LOADED)
                return self._serving
        raise NotLoadedError(digest)

    def load(self, digest: str) -> None:
        """Compile a stored set, one thread for all; the others wait for it. Raises SQLAlchemy's errors."""
        with self._loading:
            if digest in self._sets or self._clock() < self._failed.get(digest, 0.0):
                return
            began = self._clock()
            with self._engine.connect() as connection:
                files = store.files(connection, digest)
            try:
                rules = self._compile(files)
            except Exception as error:
                # The text of ours names files and lines of rules; of another exception only the type is told.
                reason = str(error) if isinstance(error, PermanentError) else ""
                log.exception("rules_not_loaded", version=digest[:SHORT], reason=reason)
                with self._lock:
                    self._failed[digest] = self._clock() + AGAIN
                return
            log.info("rules_loaded", version=digest[:SHORT], seconds=round(self._clock() - began, 3))
            self._keep(Deployed(digest, rules))

    def _keep(self, deployed: Deployed) -> None:
        with self._lock:
            self._failed.pop(str(deployed.digest), None)
            self._sets[str(deployed.digest)] = deployed
            while len(self._sets) > KEPT:
                self._sets.popitem(last=False)

    def detail(self) -> dict[str, str]:
        """Return what the heartbeat says: the set in use, and those that could not be loaded."""
        with self._lock:
            serving = self._serving.short if self._serving else None
            refused = " ".join(sorted(digest[:SHORT] for digest in self._failed))
        return {"rules": serving or "none", "rules_not_loaded": refused}
