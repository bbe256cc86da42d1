"""The sample day: played once for a home, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.settings import home


def _path() -> Path:
    return home() / "sample.json"


def played() -> Mapping[str, Any] | None:
    """Return what the sample day gave, by campus code, or None when it was not played here."""
    try:
        answer: Mapping[str, Any] = json.loads(_path().read_text(encoding="utf-8"))["campuses"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return answer


def play(report: Callable[[str], None]) -> Mapping[str, Any]:
    """Play the sample day unless it was, and keep what it gave.

    One that was interrupted is played again from its start: messages known already have no second effect.
    """
    if (before := played()) is not None:
        return before
    from simulators.console import play_sample_day

    campuses = play_sample_day(report)
    aside = _path().with_suffix(".new")
    content = {"played_at": datetime.now(UTC).isoformat(), "campuses": campuses}
    aside.write_text(json.dumps(content, ensure_ascii=False, default=dict), encoding="utf-8")
    aside.rename(_path())
    return campuses
