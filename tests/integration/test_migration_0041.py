"""Approvals of referrals under way become the one of a list, and are the boolean again on the way back."""

from __future__ import annotations

import psycopg

from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic, taken_back

REVISION = "0041_referral_whole"
REFERRAL = (
    "INSERT INTO referral.referral (id, direction, urgency, sending_facility, receiving_facility, form,"
    " state, owner, owner_facility, deadline_kind, deadline_at, created_by, created_at, changed_at,"
    " approval_needed, approved, bed) VALUES (gen_random_uuid(), 'up', 'routine', 'HY', 'MAIN', '{}',"
    " 'draft', 'sending_doctor', 'HY', 'draft', now(), 'doctor.huiya', now(), now(), %s, %s, %s)"
)
EVENT = (
    "INSERT INTO referral.event (referral_id, number, key, step, from_state, to_state, party, username, at)"
    " SELECT id, 1, 'k', 'approve', 'draft', 'draft', 'sending_coordinator', 'coordinator.huiya', now()"
    " FROM referral.referral WHERE approved"
)
APPROVALS = (
    "SELECT r.bed, a.rank, a.by, a.username, a.at IS NOT NULL FROM referral.approval a"
    " JOIN referral.referral r ON r.id = a.referral_id ORDER BY r.bed"
)
BOOLEANS = "SELECT bed, approval_needed, approved FROM referral.referral ORDER BY bed"


def test_approvals_are_kept_both_ways(postgres_url: str) -> None:
    with taken_back(postgres_url, REVISION) as url:
        with psycopg.connect(url) as connection:
            for bed, needed, approved in (("1", True, True), ("2", True, False), ("3", False, False)):
                connection.execute(REFERRAL.encode(), (needed, approved, bed))
            connection.execute(EVENT.encode())
        alembic(url, "upgrade", REVISION)
        assert rows(url, APPROVALS) == [
            ("1", 1, "coordinator", "coordinator.huiya", True),
            ("2", 1, "coordinator", None, False),
        ]
        alembic(url, "downgrade", f"{REVISION}-1")
        assert rows(url, BOOLEANS) == [("1", True, True), ("2", True, False), ("3", False, False)]
