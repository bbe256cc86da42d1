"""Which workflows are asked for, in Temporal's list filter language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.api.failure.v1 import (
    ApplicationFailureInfo,
    Failure,
    ServerFailureInfo,
    TimeoutFailureInfo,
)
from temporalio.api.workflow.v1 import PendingActivityInfo

from activities.overview import QueryError, Wanted, _pending
from activities.projections import recorded

NOW = datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "query"),
    [
        (Wanted(), "ExecutionStatus = 'Running'"),
        (Wanted(open=False), ""),
        (
            Wanted("MAIN", "critical_value", "escalated"),
            "YilianFacility = 'MAIN' AND WorkflowType = 'critical_value' AND YilianState = 'escalated'"
            " AND ExecutionStatus = 'Running'",
        ),
        (
            Wanted(open=False, late=True),
            "ExecutionStatus = 'Running' AND YilianDeadline < '2026-11-25T08:00:01Z'",
        ),
    ],
)
def test_what_is_wanted_becomes_a_filter(wanted: Wanted, query: str) -> None:
    assert wanted.query(NOW) == query


@pytest.mark.parametrize("word", ["' OR '1' = '1", "MAIN'", "张珅", "", "a b"])
def test_what_is_no_code_is_refused(word: str) -> None:
    for wanted in (Wanted(facility=word), Wanted(type=word), Wanted(state=word)):
        with pytest.raises(QueryError):
            wanted.query(NOW)


@pytest.mark.parametrize("workflow", ["critical-value-", "critical-value-x", "other", "", "x" * 36])
def test_a_workflow_of_no_known_kind_has_no_projection(workflow: str) -> None:
    assert recorded(None, workflow) is None  # type: ignore[arg-type] # no connection is needed to say so


def failed(failure: Failure) -> str | None:
    return _pending(PendingActivityInfo(last_failure=failure)).failure


def test_what_failed_is_told_though_the_server_cut_its_failure_short() -> None:
    short = Failure(application_failure_info=ApplicationFailureInfo(type="DatabaseError"))
    long = Failure(server_failure_info=ServerFailureInfo(), cause=short)
    alone = Failure(server_failure_info=ServerFailureInfo())
    timeout = Failure(timeout_failure_info=TimeoutFailureInfo(), cause=short)
    told = [failed(one) for one in (short, long, alone, timeout)]
    assert told == ["DatabaseError", "DatabaseError", "server_failure", "timeout_failure"]
    assert _pending(PendingActivityInfo()).failure is None
