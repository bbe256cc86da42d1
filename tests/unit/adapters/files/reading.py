"""Sources for the tests, and reading bytes by them."""

from __future__ import annotations

import io
import json
from typing import Any

from adapters.files.codec import Reading, read
from adapters.files.records import Bad, Record
from adapters.files.settings import Source

CSV = {
    "name": "ns_lab",
    "facility": "NS",
    "sender": "LIS",
    "pattern": "*.csv",
    "message_type": "csv:lab",
    "key": ["no"],
    "patient": "patient",
}


def csv_source(told: dict[str, Any] | None = None, **more: Any) -> Source:
    """A CSV source with the columns no, patient and whatever else."""
    return Source.model_validate({**CSV, "csv": told or {}, **more})


def found(source: Source, body: bytes, *, limit: int = 100_000, codec: str = "utf-8") -> list[Record | Bad]:
    """Read a whole file."""
    return list(read(io.BytesIO(body), Reading(source, codec, limit)))


def bodies(source: Source, body: bytes) -> list[dict[str, Any]]:
    """Return the JSON bodies of a file of which all records are taken."""
    records = found(source, body)
    assert [one for one in records if isinstance(one, Bad)] == []
    return [json.loads(one.arrival.body) for one in records if isinstance(one, Record)]


def told(source: Source, body: bytes, *, limit: int = 100_000) -> list[tuple[int, str]]:
    """Return (line, code) of each record; the code of one that is taken is its control id."""
    return [
        (one.line, one.code if isinstance(one, Bad) else one.arrival.control_id)
        for one in found(source, body, limit=limit)
    ]
