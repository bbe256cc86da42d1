"""The tables of the registry, with their types (migration `0018_documents`)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_TEXTS = ARRAY(sa.Text)
_TIME = sa.DateTime(timezone=True)
_TYPES: dict[str, Any] = {
    "id": sa.Uuid(),
    "patient_id": sa.BigInteger(),
    "size": sa.BigInteger(),
    "source": sa.Uuid(),
    "target": sa.Uuid(),
    "submission_set_id": sa.Uuid(),
    "metadata": JSONB(),
    **dict.fromkeys(
        ("confidentiality_codes", "event_codes", "reference_ids", "author_persons", "codes"), _TEXTS
    ),
    **dict.fromkeys(
        (
            "creation_time",
            "service_start_time",
            "service_stop_time",
            "submission_time",
            "last_update_time",
            "registered_at",
        ),
        _TIME,
    ),
}
"""Of every other column: text."""
_OBJECT = (
    "id",
    "unique_id",
    "patient_id",
    "submitted_patient",
    "status",
    "metadata",
    "registered_at",
    "registered_by",
    "organisation",
)


def _table(name: str, *columns: str) -> sa.TableClause:
    typed = [sa.column(each, _TYPES.get(each, sa.Text())) for each in columns]
    return sa.table(name, *typed, schema="documents")


ENTRY = _table(
    "entry",
    *_OBJECT,
    "object_type",
    "class_code",
    "type_code",
    "format_code",
    "facility_type_code",
    "practice_setting_code",
    "confidentiality_codes",
    "event_codes",
    "reference_ids",
    "author_persons",
    "creation_time",
    "service_start_time",
    "service_stop_time",
    "repository_unique_id",
    "hash",
    "size",
    "submission_set_id",
)
SUBMISSION_SET = _table(
    "submission_set", *_OBJECT, "source_id", "submission_time", "content_type_code", "author_persons"
)
FOLDER = _table("folder", *_OBJECT, "codes", "last_update_time", "submission_set_id")
ASSOCIATION = _table(
    "association", "id", "type", "source", "target", "status", "submission_set_id", "metadata"
)
