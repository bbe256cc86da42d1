"""The spool: what is in it is in order, once, and stays until it is confirmed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.gateway.codec import Answer, unpacked
from adapters.gateway.pending import OtherHistoryError, Pending
from adapters.gateway.spool import Bounds, Level, Spool, connect, opened, running
from bus.envelope import Arrival, Outcome, Receipt, Refusal
from consortium.errors import PermanentError, RetryableError

BOUNDS = Bounds(free_bytes=0)
DAY = 86_400.0


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Ends:
    """A spool with both its ends."""

    def __init__(self, path: Path, bounds: Bounds, clock: Clock) -> None:
        self.level = Level()
        self.pending = Pending(path, bounds, self.level, clock)
        self.spool = Spool(path, bounds, self.level, clock)

    def close(self) -> None:
        self.pending.close()
        self.spool.close()

    def store(self, *items: Arrival | Refusal) -> list[tuple[int, Outcome]]:
        """Store, and return number and outcome of each."""
        receipts = self.spool.store(items)
        assert all(isinstance(one, Receipt) for one in receipts)
        return [(one.id, one.outcome) for one in receipts if isinstance(one, Receipt)]

    def waiting(self) -> list[str | None]:
        """Return the control ids that are to be sent, in order."""
        return [unpacked(bytes(entry.payload)).control_id for entry in self.pending.next(100, 10**9).entries]

    def confirm(self, seq: int) -> int:
        """Confirm as the hub does."""
        mark = self.spool.connection.execute("SELECT mark FROM entry WHERE seq = ?", (seq,)).fetchone()[0]
        return self.pending.confirm(Answer(seq, mark, []))


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def ends(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Ends]]:
    """Open the spool of this test, as often as asked."""
    with ExitStack() as stack:
        path = stack.enter_context(opened(tmp_path, clock.now))

        def made(bounds: Bounds = BOUNDS) -> Ends:
            return stack.enter_context(closing(Ends(path, bounds, clock)))

        yield made


def arrival(
    control_id: str, digest: bytes = b"d" * 32, body: bytes = b"MSH|", sender: str = "HIS"
) -> Arrival:
    return Arrival("HP", sender, control_id, "ADT^A08", body, "utf-8", "mllp", "mllp", digest)


def refusal(control_id: str) -> Refusal:
    return Refusal("mllp", "mllp", "10.0.0.5:9", "unknown_type", "no such type", b"MSH|", 4, "HP", control_id)


def test_what_was_stored_is_sent_in_order_refusals_too(ends: Callable[..., Ends]) -> None:
    both = ends()
    assert both.store(arrival("C1"), refusal("R1")) == [(1, Outcome.STORED), (2, Outcome.STORED)]
    assert both.store(arrival("C2")) == [(3, Outcome.STORED)]
    assert both.waiting() == ["C1", "R1", "C2"]
    assert both.level.count == 3
    assert [entry.seq for entry in both.pending.next(2, 10**9).entries] == [1, 2]


def test_a_retry_gets_the_same_answer_and_is_sent_once(ends: Callable[..., Ends]) -> None:
    both = ends()
    first = both.store(arrival("C1"), arrival("C1"), arrival("C1", sender="LIS"))
    assert first == [(1, Outcome.STORED), (1, Outcome.DUPLICATE), (2, Outcome.STORED)]
    assert both.store(arrival("C1")) == [(1, Outcome.DUPLICATE)]
    assert both.level.count == 2


def test_other_content_under_a_known_id_is_a_conflict_and_goes_on(ends: Callable[..., Ends]) -> None:
    both = ends()
    both.store(arrival("C1"))
    other = arrival("C1", b"e" * 32)
    assert both.store(other) == [(2, Outcome.CONFLICT)]
    assert both.store(other, arrival("C1")) == [(2, Outcome.DUPLICATE), (1, Outcome.DUPLICATE)]


def test_a_control_id_is_new_after_the_window(ends: Callable[..., Ends], clock: Clock) -> None:
    both = ends()
    both.store(arrival("C1"))
    clock.now += 31 * DAY
    assert both.store(arrival("C1")) == [(2, Outcome.STORED)]


def test_a_control_id_is_known_when_its_message_is_gone(ends: Callable[..., Ends], clock: Clock) -> None:
    both = ends()
    both.store(arrival("C1"))
    both.confirm(1)
    clock.now += 2 * DAY
    assert both.pending.prune() == 1
    assert both.store(arrival("C1")) == [(1, Outcome.DUPLICATE)]
    assert both.waiting() == []
    clock.now += 31 * DAY
    both.pending.prune()
    assert both.spool.connection.execute("SELECT count(*) FROM known").fetchone() == (0,)


def test_nothing_goes_before_it_is_confirmed_and_numbers_are_not_used_again(
    ends: Callable[..., Ends], clock: Clock
) -> None:
    both = ends()
    both.store(arrival("C1"), arrival("C2"))
    clock.now += 400 * DAY
    assert both.pending.prune() == 0
    assert both.confirm(2) == 2
    assert (both.level.count, both.level.bytes) == (0, 0)
    assert both.pending.prune() == 2
    assert both.store(arrival("C3")) == [(3, Outcome.STORED)]


def test_what_waits_is_counted_again_at_the_next_start(ends: Callable[..., Ends]) -> None:
    before = ends()
    before.store(arrival("C1"), arrival("C2"))
    before.confirm(1)
    after = ends()
    assert (after.level.count, after.level.bytes) == (1, before.level.bytes)
    assert after.waiting() == ["C2"]


def test_a_full_spool_takes_nothing_and_takes_again_when_it_was_emptied(ends: Callable[..., Ends]) -> None:
    both = ends(replace(BOUNDS, most_bytes=100))
    both.store(arrival("C1"))
    with pytest.raises(RetryableError, match="not confirmed"):
        both.spool.store([arrival("C2")])
    assert both.level.full
    both.confirm(1)
    assert both.store(arrival("C2")) == [(2, Outcome.STORED)]
    assert not both.level.full


def test_a_disk_that_is_nearly_full_takes_nothing(ends: Callable[..., Ends]) -> None:
    both = ends(replace(BOUNDS, free_bytes=2**62))
    with pytest.raises(RetryableError, match="MiB left"):
        both.spool.store([arrival("C1")])


def test_a_disk_that_is_full_stores_none_of_a_group_and_recovers(ends: Callable[..., Ends]) -> None:
    both = ends()
    both.store(arrival("C1"))
    pages = both.spool.connection.execute("PRAGMA page_count").fetchone()[0]
    both.spool.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(RetryableError, match="full"):
        both.spool.store([arrival("C2"), arrival("C3", body=b"x" * 100_000)])
    assert both.waiting() == ["C1"]
    both.spool.connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert both.store(arrival("C2"), arrival("C3")) == [(2, Outcome.STORED), (3, Outcome.STORED)]


def test_one_that_cannot_be_kept_does_not_take_its_neighbours_along(ends: Callable[..., Ends]) -> None:
    good, bad, other = ends().spool.store([arrival("C1"), arrival("\ud800"), arrival("C2")])
    assert isinstance(bad, PermanentError)
    assert (good, other) == (Receipt(1, Outcome.STORED), Receipt(2, Outcome.STORED))


def test_a_batch_is_bounded_in_bytes_and_has_one_at_least(ends: Callable[..., Ends]) -> None:
    both = ends()
    both.store(*[arrival(f"C{n}", body=b"x" * 5000) for n in range(3)])
    assert len(both.pending.next(100, 10).entries) == 1
    assert len(both.pending.next(100, 12_000).entries) == 2


def test_the_hub_s_answer_must_mean_the_entry_that_is_here(ends: Callable[..., Ends]) -> None:
    both = ends()
    both.store(arrival("C1"))
    for committed in (1, 7):
        with pytest.raises(OtherHistoryError):
            both.pending.confirm(Answer(committed, b"x" * 16, []))
    assert both.waiting() == ["C1"]
    before = both.pending.line().spool
    both.pending.renew()
    assert both.pending.line().spool != before
    assert both.waiting() == ["C1"]


def test_what_the_hub_forgot_is_sent_again_while_it_is_kept(ends: Callable[..., Ends], clock: Clock) -> None:
    both = ends()
    both.store(arrival("C1"), arrival("C2"), arrival("C3"))
    both.confirm(3)
    assert both.pending.rewind(2)
    assert both.waiting() == ["C2", "C3"]
    assert both.level.count == 2
    both.confirm(3)
    clock.now += 2 * DAY
    both.store(arrival("C4"))
    both.pending.prune()
    assert not both.pending.rewind(2)
    assert both.waiting() == ["C4"]


def test_renewing_everything_sends_what_is_kept(ends: Callable[..., Ends]) -> None:
    both = ends()
    both.store(arrival("C1"), arrival("C2"))
    both.confirm(1)
    assert both.pending.renew(everything=True) == 2
    assert both.waiting() == ["C1", "C2"]


def test_confirmed_ones_make_room_before_their_time(ends: Callable[..., Ends]) -> None:
    both = ends(replace(BOUNDS, most_bytes=10, keep=timedelta(days=9)))
    both.store(arrival("C1"))
    both.confirm(1)
    assert both.pending.prune() == 1


def test_two_gateways_do_not_share_a_spool(tmp_path: Path) -> None:
    assert not running(tmp_path)
    with opened(tmp_path, 0.0):
        assert running(tmp_path)
        with pytest.raises(PermanentError, match="another gateway runs"), opened(tmp_path, 0.0):
            pass
    assert not running(tmp_path)


def test_a_file_that_is_no_spool_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"not a database" * 100)
    with opened(tmp_path, 0.0) as found, pytest.raises(PermanentError, match="keep the file"):
        connect(found)
    assert path.read_bytes() == b"not a database" * 100


def test_every_commit_is_on_disk_before_it_is_told(ends: Callable[..., Ends]) -> None:
    connection = ends().spool.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_line_s_state_is_kept_with_the_time_since_which_it_is_so(
    ends: Callable[..., Ends], clock: Clock
) -> None:
    both = ends()
    both.pending.note("unreachable", "refused")
    since = clock.now
    clock.now += 60
    both.pending.note("unreachable", "no route")
    line = both.pending.line()
    assert (line.state, line.detail, line.since) == ("unreachable", "no route", since)


def test_a_spool_that_another_program_locks_is_told_to_be_tried_again(
    ends: Callable[..., Ends], tmp_path: Path
) -> None:
    both = ends()
    both.spool.connection.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "spool.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RetryableError, match="locked"):
            both.spool.store([arrival("C1")])
        other.execute("ROLLBACK")
    assert both.store(arrival("C1")) == [(1, Outcome.STORED)]
