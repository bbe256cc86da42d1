"""Which queues each router process and thread takes."""

from __future__ import annotations

import itertools

import pytest

from bus.router.__main__ import shares
from bus.topology import DEAD_QUEUE, queue_name
from consortium.errors import PermanentError
from runtime.services.own import processes
from runtime.settings import Settings


def test_the_only_router_takes_all() -> None:
    spread = shares(Settings(queues=4, router_processes=2, router_threads=2))
    assert sorted(itertools.chain.from_iterable(spread)) == sorted([DEAD_QUEUE, *map(queue_name, range(4))])


@pytest.mark.parametrize(("queues", "parts", "threads"), [(8, 2, 2), (5, 3, 2), (3, 8, 4), (1, 1, 1)])
def test_the_parts_take_every_queue_once(queues: int, parts: int, threads: int) -> None:
    given = {"queues": queues, "router_processes": parts, "router_threads": threads}
    names = Settings.model_validate(given).routers
    taken = [
        queue
        for part in range(1, len(names) + 1)
        for share in shares(Settings.model_validate(given | {"router_part": part}))
        for queue in share
    ]
    assert sorted(taken) == sorted([DEAD_QUEUE, *map(queue_name, range(queues))])


def test_a_part_beyond_the_last_is_refused_by_its_settings() -> None:
    with pytest.raises(PermanentError, match="router_part is 3, and router_processes and queues make 2"):
        shares(Settings(queues=8, router_processes=2, router_part=3))


def test_the_supervisor_starts_each_part() -> None:
    routers = [one for one in processes(Settings(router_processes=3)) if one.module == "bus.router"]
    assert [one.name for one in routers] == ["router", "router-2", "router-3"]
    assert [dict(one.command().environment)["YILIAN_ROUTER_PART"] for one in routers] == ["1", "2", "3"]
