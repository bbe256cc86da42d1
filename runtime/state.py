"""The supervisor's record of what runs, read by `up`, `status` and `down`, also after a kill."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runtime.plan import Condition
from runtime.process import Identity, alive, family, marked, table
from runtime.settings import home


def path() -> Path:
    """Return where the record lies."""
    return home() / "run" / "state.json"


def boot() -> str:
    """Return the id of the machine's running boot: process ids and start times count within one boot only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(slots=True)
class State:
    """What the supervisor wrote last."""

    supervisor: Identity
    mark: str
    """Random word that every process of this start carries in its environment."""
    boot: str = field(default_factory=boot)
    stopping: bool = False
    written: float = 0.0
    """Unix time."""
    conditions: dict[str, Condition] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether that supervisor lives."""
        return self.boot == boot() and alive(self.supervisor)

    @property
    def ready(self) -> bool:
        """Whether all is healthy or done, but for what is optional."""
        return bool(self.conditions) and all(c.ready or c.optional for c in self.conditions.values())

    def leftovers(self) -> set[Identity]:
        """Return the recorded processes that still run, their families, and others that carry the mark."""
        if self.boot != boot():
            return set()
        rows = table()
        recorded = {Identity(*member) for c in self.conditions.values() for member in c.members}
        living = {identity for identity in recorded if alive(identity)}
        found = family((identity.pid for identity in living), rows) | marked(self.mark, rows)
        return {identity for identity in found if identity not in (self.supervisor, _self())}


def _self() -> Identity:
    return table()[os.getpid()].identity


def write(state: State) -> None:
    """Replace the record in one step."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.written = time.time()
    aside = target.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(asdict(state), ensure_ascii=False), encoding="utf-8")
    aside.rename(target)


def read() -> State | None:
    """Return the record, or None when nothing was ever started. A torn or foreign record counts as none."""
    try:
        raw = json.loads(path().read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return State(
        supervisor=Identity(**raw["supervisor"]),
        mark=raw["mark"],
        boot=raw["boot"],
        stopping=raw["stopping"],
        written=raw["written"],
        conditions=_conditions(raw["conditions"]),
    )


def _conditions(raw: Mapping[str, Mapping[str, object]]) -> dict[str, Condition]:
    return {name: Condition(**values) for name, values in raw.items()}  # type: ignore[arg-type] # as asdict wrote them
