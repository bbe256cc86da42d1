"""Replaying many: a query's messages, oldest first, each in a transaction of its own; it can be stopped and
goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from bus import held
from bus.finding import Filters, State, Window, find_ids, inbox
from bus.journal import select_messages
from bus.replay import ledger, one
from bus.replay.ledger import Who
from consortium.errors import PermanentError

PAGE = 500
"""Messages looked up at a time."""
MOST = 100_000
"""Messages in one replay; more are asked for in parts, by time."""
PASSED = frozenset({State.STORED, State.PUBLISHED, State.WAITING})
"""What a replay passes by: it goes on by itself, or with the one that it waits behind."""

BEGIN = sa.text("INSERT INTO bus.replay_run (replay_id, upto, total) VALUES (:id, :upto, :total)")
SHOW = sa.text(
    "SELECT r.id, r.at, r.by, r.reason, r.request, s.state, s.upto, s.position, s.total, s.done, s.skipped,"
    " s.error FROM bus.replay r JOIN bus.replay_run s ON s.replay_id = r.id WHERE r.id = :id"
)
NEWEST = sa.text(
    "SELECT r.id FROM bus.replay r JOIN bus.replay_run s ON s.replay_id = r.id ORDER BY r.id DESC LIMIT :n"
)
TURN = sa.text(
    "SELECT position FROM bus.replay_run WHERE replay_id = :id AND state = 'running' FOR UPDATE SKIP LOCKED"
)
MOVE = sa.text(
    "UPDATE bus.replay_run SET position = :to, done = done + :done, skipped = skipped + :skipped,"
    " moved_at = clock_timestamp() WHERE replay_id = :id"
)
END = sa.text(
    "UPDATE bus.replay_run SET state = :state, error = :error WHERE replay_id = :id AND state = 'running'"
)
LEFT = sa.text(
    "SELECT replay_id FROM bus.replay_run WHERE state = 'running'"
    " AND moved_at < clock_timestamp() - interval '30 seconds' ORDER BY replay_id LIMIT 1"
)
TOP = sa.text("SELECT coalesce(max(id), 0) FROM bus.inbox")


class TooManyError(PermanentError):
    """More messages than one replay takes, or filters that would let everything go again."""

    code = "too_many"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would let go."""

    total: int
    by_state: dict[str, int]
    by_code: dict[str, int]
    """Of the held ones, by the reason's code."""
    passed: int
    """How many would be passed by: on their way, or waiting behind a held one and released with it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A replay of many and how far it is."""

    id: int
    at: datetime
    by: str
    reason: str
    request: dict[str, Any]
    """The filters."""
    state: str
    """running, stopped, done or failed."""
    upto: int
    position: int
    total: int
    done: int
    skipped: int
    error: str | None


def preview(connection: sa.Connection, filters: Filters) -> Preview:
    """Say how many messages a replay would let go, and which. Raises `TooManyError`."""
    states: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for page in _pages(connection, filters, 0, connection.execute(TOP).scalar_one()):
        for _, state, code in page:
            states[state] += 1
            if code is not None:
                codes[code] += 1
        if states.total() > MOST:
            raise TooManyError(
                f"more than {MOST} messages fit: narrow it, for example by time",
                zh=f"命中的消息超过 {MOST} 条：请缩小范围，例如限定时间",
            )
    passed = sum(states[state.value] for state in PASSED)
    return Preview(states.total(), dict(states), dict(codes), passed)


def start(engine: sa.Engine, filters: Filters, who: Who) -> Run:
    """Note a replay of all messages that fit now; `drive` does it. Raises as `preview` and `ledger.begin`."""
    if filters.empty:
        raise TooManyError(
            "say which messages: a replay without filters would let everything go again",
            zh="请指明哪些消息：不带筛选条件会重放全部消息",
        )
    if filters.state is State.REFUSED:
        raise TooManyError(
            "a refused message was never taken; its sender has to send it again",
            zh="被拒收的消息从未接收；需由发送方重新发送",
        )
    request = {name: str(value) for name, value in asdict(filters).items() if value is not None}
    with engine.begin() as connection:
        upto = connection.execute(TOP).scalar_one()
        replay_id, new = ledger.begin(connection, who, "query", request)
        if new:
            total = preview(connection, filters).total
            connection.execute(BEGIN, {"id": replay_id, "upto": upto, "total": total})
        found = show(connection, replay_id)
    if found is None:
        raise PermanentError("this key was used for a replay of another kind")
    return found


def show(connection: sa.Connection, replay_id: int) -> Run | None:
    """Return a replay of many; None when there is none of that number."""
    row = connection.execute(SHOW, {"id": replay_id}).mappings().one_or_none()
    return None if row is None else Run(**row)


def newest(connection: sa.Connection, limit: int) -> list[Run]:
    """Return the newest replays of many first."""
    ids = connection.execute(NEWEST, {"n": limit}).scalars().all()
    return [run for id_ in ids if (run := show(connection, id_)) is not None]


def stop(connection: sa.Connection, replay_id: int) -> None:
    """End a replay after the message it is at; what is done stays done."""
    connection.execute(END, {"id": replay_id, "state": "stopped", "error": None})


def left(connection: sa.Connection) -> int | None:
    """Return a replay that runs and that nobody drives; None when there is none."""
    found: int | None = connection.execute(LEFT).scalar_one_or_none()
    return found


def drive(engine: sa.Engine, replay_id: int, routing_key: str) -> Iterator[Sequence[int]]:
    """Do a replay, page by page; gives the ids made ready by each. Ends when it is done or stopped.

    Two that drive the same one do no harm: each message is taken under the row's lock.
    """
    while True:
        with engine.connect() as connection:
            run = show(connection, replay_id)
            if run is None or run.state != "running":
                return
            page = next(_pages(connection, _filters(run.request), run.position, run.upto), [])
        ready: list[int] = []
        for id_, state, _ in page:
            if not _one(engine, run, id_, routing_key, ready, passed=State(state) in PASSED):
                return
        if len(page) < PAGE:
            with engine.begin() as connection:
                connection.execute(END, {"id": replay_id, "state": "done", "error": None})
        yield ready


def _one(engine: sa.Engine, run: Run, id_: int, routing_key: str, ready: list[int], *, passed: bool) -> bool:
    """Let one message go and move on, together; False when the replay was stopped or is another's."""
    with engine.begin() as connection:
        position = connection.execute(TURN, {"id": run.id}).scalar_one_or_none()
        if position is None or position >= id_:
            return False
        done = False
        if not passed:
            try:
                ready += one.put_back(connection, run.id, id_, run.by, routing_key).ready
                done = True
            except held.NotHeldError:
                pass  # somebody else let it go meanwhile
        connection.execute(MOVE, {"id": run.id, "to": id_, "done": int(done), "skipped": int(not done)})
    return True


def fail(connection: sa.Connection, replay_id: int, error: str) -> None:
    """End a replay that cannot go on."""
    connection.execute(END, {"id": replay_id, "state": "failed", "error": error})


def _filters(request: dict[str, str]) -> Filters:
    values: dict[str, Any] = dict(request)
    for name in ("since", "until"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if "state" in values:
        values["state"] = State(values["state"])
    return Filters(**values)


def _pages(
    connection: sa.Connection, filters: Filters, after: int, upto: int
) -> Iterator[list[tuple[int, str, str | None]]]:
    """Give (id, state, code of the hold) of what fits, oldest first."""
    while True:
        ids = find_ids(connection, filters, Window(after, upto + 1, newest_first=False), PAGE)
        if not ids:
            return
        query = select_messages().where(inbox.c.id == sa.func.any(sa.cast(ids, ARRAY(sa.BigInteger))))
        rows = connection.execute(query.order_by(inbox.c.id)).all()
        yield [(row.id, row.state, row.code) for row in rows]
        after = ids[-1]
