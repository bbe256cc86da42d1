"""What the benches of searches share: each search beside the same page by primary key."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg

from bench.result import Result


@dataclass(slots=True)
class Searched:
    """The seconds of the searches of one kind, and of the same pages by primary key."""

    ours: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return its figures, in milliseconds."""
        return {
            "p50_ms": round(statistics.median(self.ours) * 1000, 2),
            "p95_ms": round(_p95(self.ours), 2),
            "key_p95_ms": round(_p95(self.control), 2),
        }


def result(name: str, measured: Mapping[str, Searched], server: str, conditions: Mapping[str, Any]) -> Result:
    """Compare all searches with all pages; the machine and each kind are added to the conditions."""
    with psycopg.connect(server) as connection:
        version = connection.execute("SHOW server_version").fetchone()
    ours = _p95([s for one in measured.values() for s in one.ours])
    control = _p95([s for one in measured.values() for s in one.control])
    all_conditions = {
        **conditions,
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "postgres": version[0] if version else None,
        "kinds": {kind: one.told() for kind, one in measured.items()},
    }
    by = "the same page by primary key, p95"
    return Result(
        name, round(ours, 2), "ms p95", round(control, 2), by, round(control / ours, 3), all_conditions
    )


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[18] * 1000 if len(seconds) > 1 else seconds[0] * 1000
