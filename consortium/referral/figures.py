"""Figures of referrals: how many come how far, why, and how long each state takes. No patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

_MINE = (
    "WITH mine AS (SELECT id, created_at, criteria FROM referral.referral"
    " WHERE created_at >= :since AND created_at < :before AND (CAST(:facility AS text) IS NULL"
    " OR sending_facility = :facility OR receiving_facility = :facility))"
)
_REACHED = sa.text(
    f"{_MINE} SELECT e.to_state, count(DISTINCT e.referral_id) FROM referral.event e"  # noqa: S608 - constants
    " JOIN mine ON mine.id = e.referral_id WHERE e.from_state <> e.to_state GROUP BY e.to_state"
)
_BEGUN = sa.text(f"{_MINE} SELECT count(*) FROM mine")  # noqa: S608 - constants
_REASONS = sa.text(
    f"{_MINE} SELECT c, count(*) FROM mine CROSS JOIN unnest(criteria) AS c GROUP BY c"  # noqa: S608
)
_SPANS = sa.text(
    f"{_MINE}, spans AS (SELECT e.from_state, extract(epoch FROM e.at - coalesce("  # noqa: S608 - constants
    " lag(e.at) OVER (PARTITION BY e.referral_id ORDER BY e.number), mine.created_at)) AS seconds"
    " FROM referral.event e JOIN mine ON mine.id = e.referral_id WHERE e.from_state <> e.to_state)"
    " SELECT from_state, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),"
    " percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FROM spans GROUP BY from_state"
)


@dataclass(frozen=True, slots=True)
class Span:
    """How long referrals stayed in one state."""

    count: int
    median: float
    """Seconds."""
    p95: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the referrals that were begun in a time."""

    begun: int
    reached: Mapping[str, int]
    """How many ever came to a state."""
    reasons: Mapping[str, int]
    """How many gave a criterion."""
    spans: Mapping[str, Span]
    """By state; a referral that still is in it does not count."""

    @property
    def acceptance(self) -> float | None:
        """Share of the accepted among those decided; None when none was."""
        accepted = self.reached.get("accepted", 0)
        decided = accepted + self.reached.get("rejected", 0) + self.reached.get("referred_onward", 0)
        return accepted / decided if decided else None

    @property
    def closed_loops(self) -> float | None:
        """Share of those with an outcome among the accepted; None when none was."""
        accepted = self.reached.get("accepted", 0)
        return self.reached.get("outcome_returned", 0) / accepted if accepted else None


def figures(connection: sa.Connection, facility: str | None, since: datetime, before: datetime) -> Figures:
    """Return the figures of one hospital's referrals, sent and received; None: of all."""
    asked: dict[str, object] = {"facility": facility, "since": since, "before": before}
    return Figures(
        begun=connection.execute(_BEGUN, asked).scalar_one(),
        reached=_counted(connection, _REACHED, asked),
        reasons=_counted(connection, _REASONS, asked),
        spans={
            state: Span(count, float(median), float(p95))
            for state, count, median, p95 in connection.execute(_SPANS, asked)
        },
    )


def _counted(
    connection: sa.Connection, question: sa.TextClause, asked: Mapping[str, object]
) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(question, asked)}
