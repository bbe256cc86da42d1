"""Writing sets of rows."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from consortium.records import store
from consortium.records.keys import record_id
from consortium.records.tables import APPOINTMENT

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_number_taken_meanwhile_is_an_integrity_error_that_shows_no_row(connection: sa.Connection) -> None:
    row = dict.fromkeys(APPOINTMENT.columns) | {
        "id": record_id("MAIN", "appointment", "A1"),
        "patient_id": 1,
        "facility": "MAIN",
        "number": "A1",
        "status": "booked",
        "at": NOW,
        "deleted": False,
        "version": 1,
        "message_id": 1,
        "changed_at": NOW,
    }
    connection.execute(sa.text("SELECT 1"))
    store.insert(connection, APPOINTMENT, [row])
    with pytest.raises(sa.exc.IntegrityError) as refused:
        store.insert(connection, APPOINTMENT, [row])
    assert refused.value.orig is not None
    assert not refused.value.connection_invalidated
    connection.rollback()
    assert connection.execute(sa.text("SELECT count(*) FROM records.appointment")).scalar_one() == 0
