"""`workflows show` has beside Temporal's word what PostgreSQL says of a referral."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa

from activities.database import engine
from activities.projections import Recorded, recorded
from consortium.referral.model import Party, Step
from tests.integration.consortium.referral.applications import Case


def test_the_state_of_a_referral_is_found_by_its_workflow(database_url: str) -> None:
    database: sa.Engine = engine(database_url)
    with database.begin() as connection:
        case = Case(connection).begin()
        case.take(Step.SUBMIT, Party.SENDING_DOCTOR)
        assert recorded(connection, f"referral-{case.id}") == Recorded("submitted", "MAIN", 0)
        assert recorded(connection, f"referral-{uuid4()}") is None
    database.dispose()
