"""Which queues a worker process serves, and how much of each at a time."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from activities.queues import Offer, Queue, size
from runtime.schedules import WorkflowSchedule
from runtime.schedules import check as check_schedules
from runtime.worker import WorkerSettings


def step() -> None:
    """Do nothing."""


def test_a_queue_with_nothing_to_do_has_no_worker() -> None:
    assert Offer({"a": object}).queues == (Queue.WORKFLOWS,)
    assert Offer({}, {Queue.DOCUMENTS: [step], Queue.CAMPUS: []}).queues == (Queue.DOCUMENTS,)
    both = {Queue.DOCUMENTS: [step], Queue.CAMPUS: [step]}
    assert Offer({"a": object}, both).queues == (Queue.WORKFLOWS, Queue.CAMPUS, Queue.DOCUMENTS)


def test_each_queue_has_a_size_of_its_own() -> None:
    sizes = WorkerSettings(steps=3, campus_calls=4, documents=5)
    assert [size(queue, sizes) for queue in Queue] == [3, 4, 5]


def test_names_of_queues_stay_as_open_workflows_know_them() -> None:
    assert [*Queue] == ["yilian", "yilian-campus", "yilian-documents"]


def test_a_schedule_is_checked_where_it_is_written() -> None:
    good = {"name": "daily", "workflow": "follow_up", "cron": "30 7 * * MON-FRI"}
    assert WorkflowSchedule.model_validate(good).time_zone == "Asia/Shanghai"
    for wrong in ({"cron": "30 7 * *"}, {"cron": "@daily"}, {"time_zone": "Mars/Base"}, {"name": "张珅"}):
        with pytest.raises(ValidationError):
            WorkflowSchedule.model_validate(good | wrong)
    with pytest.raises(ValueError, match="two are named daily"):
        check_schedules([WorkflowSchedule.model_validate(good)] * 2)
