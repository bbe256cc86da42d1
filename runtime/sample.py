"""The sample day: played once for a home, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.settings import home, load


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
    _bind_sample_patient()
    aside = _path().with_suffix(".new")
    content = {"played_at": datetime.now(UTC).isoformat(), "campuses": campuses}
    aside.write_text(json.dumps(content, ensure_ascii=False, default=dict), encoding="utf-8")
    aside.rename(_path())
    return campuses


def _bind_sample_patient() -> None:
    """Let the sample user patient.demo see the record of the one person that all three campuses know."""
    from sqlalchemy import create_engine, make_url

    from consortium.access.seed import bind_sample_patient
    from simulators.people import DEMO

    url = make_url(load().database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, hide_parameters=True)
    with engine.begin() as connection:
        bind_sample_patient(connection, str(DEMO.id_card))
    engine.dispose()
