"""A store that fails is left alone for a while, and told of."""

from __future__ import annotations

import hashlib

import pytest
from obstore.store import MemoryStore

from consortium.documents.content import StoreAwayError
from consortium.documents.guarded import FORGOTTEN, MOST, Guarded, Trouble
from consortium.documents.objects import BucketStore

TEXT = b"text"
NAME = hashlib.sha256(TEXT).digest()


class Unsteady(BucketStore):
    """A store that can be away or full, and takes its time to say so."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "x")
        self.now = 0.0
        self.takes = 0.0
        self.full = self.away = False
        self.asked = 0

    def put(self, sha256: bytes, data: bytes) -> None:
        self._fail_if(self.full or self.away)
        super().put(sha256, data)

    def get(self, sha256: bytes) -> bytes | None:
        self._fail_if(self.away)
        return super().get(sha256)

    def _fail_if(self, failing: bool) -> None:
        self.asked += 1
        if failing:
            self.now += self.takes
            raise StoreAwayError("no room")


@pytest.fixture
def store() -> Unsteady:
    return Unsteady()


@pytest.fixture
def guarded(store: Unsteady) -> Guarded:
    return Guarded(store, clock=lambda: store.now)


def test_what_the_store_takes_goes_through(guarded: Guarded) -> None:
    guarded.put(NAME, TEXT)
    assert (guarded.get(NAME), guarded.has(NAME), guarded.trouble()) == (TEXT, True, None)
    assert [one.sha256 for one in guarded.all()] == [NAME]
    guarded.remove(NAME)
    assert not guarded.has(NAME)


@pytest.mark.parametrize(("takes", "pause"), [(0.0, 1.0), (2.0, 20.0), (30.0, MOST)])
def test_the_longer_the_failing_takes_the_longer_it_is_left_alone(
    store: Unsteady, guarded: Guarded, takes: float, pause: float
) -> None:
    store.full, store.takes = True, takes
    with pytest.raises(StoreAwayError, match="no room"):
        guarded.put(NAME, TEXT)
    store.now += pause - 0.1
    with pytest.raises(StoreAwayError, match="no room"):
        guarded.put(NAME, TEXT)
    assert store.asked == 1
    store.full = False
    store.now += 0.1
    guarded.put(NAME, TEXT)
    assert guarded.trouble() is None


def test_the_trouble_is_told_since_it_began_and_forgotten_where_nobody_asks(
    store: Unsteady, guarded: Guarded
) -> None:
    store.full = True
    for _ in range(3):
        with pytest.raises(StoreAwayError):
            guarded.put(NAME, TEXT)
        store.now += 20
    assert guarded.trouble() == Trouble(60.0, "no room")
    store.now += FORGOTTEN
    assert guarded.trouble() is None


def test_a_full_store_can_still_be_read_and_one_that_cannot_be_read_is_no_trouble_of_putting(
    store: Unsteady, guarded: Guarded
) -> None:
    guarded.put(NAME, TEXT)
    store.full = True
    with pytest.raises(StoreAwayError):
        guarded.put(NAME, TEXT)
    assert guarded.get(NAME) == TEXT
    store.full, store.away = False, True
    store.now += 1
    with pytest.raises(StoreAwayError):
        guarded.get(NAME)
    with pytest.raises(StoreAwayError):
        guarded.has(NAME)
    assert guarded.trouble() == Trouble(1.0, "no room")
