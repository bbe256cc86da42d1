"""What goes over the line comes out as it went in."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gateway.codec import Batch, Entry, Status, item, packed, read, unpacked, written
from bus.envelope import Arrival, Refusal
from consortium.errors import PermanentError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | text
arrivals = st.builds(
    Arrival,
    *[text] * 4,
    body=st.binary(max_size=200),
    charset=text,
    protocol=text,
    endpoint=text,
    digest=st.binary(min_size=32, max_size=32),
    patient_number=maybe,
    other_patient_number=maybe,
    visit_number=maybe,
    message_time=maybe,
)
refusals = st.builds(
    Refusal,
    *[text] * 5,
    body=st.binary(max_size=200),
    size=st.integers(0, 2**40),
    facility=maybe,
    control_id=maybe,
    message_type=maybe,
)


def batch(*items: Arrival | Refusal, first: int = 1) -> Batch:
    entries = [Entry(first + n, bytes(16), 1.5, msgspec.Raw(packed(one))) for n, one in enumerate(items)]
    return Batch("ns-front", b"s" * 16, b"", entries, Status(spooled=len(items)))


ARRIVAL = Arrival("HP", "HIS", "C1", "ADT^A08", b"\xab\x7c", "gb18030", "mllp", "mllp", bytes(32))


@given(arrivals | refusals)
def test_messages_and_refusals_come_back(one: Arrival | Refusal) -> None:
    assert unpacked(packed(one)) == one


@given(st.lists(arrivals | refusals, max_size=5), st.integers(1, 2**40))
def test_a_batch_comes_back(items: list[Arrival | Refusal], first: int) -> None:
    received = read(written(batch(*items, first=first)), 1024 * 1024)
    assert [item(entry.payload) for entry in received.entries] == items
    assert [entry.seq for entry in received.entries] == list(range(first, first + len(items)))
    assert (received.gateway, received.spool, received.status.spooled) == ("ns-front", b"s" * 16, len(items))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(PermanentError):
        read(body, 1000)
    with pytest.raises(PermanentError):
        read(zlib.compress(body), 1000)


def test_a_batch_that_unfolds_beyond_the_limit_is_refused_without_being_unfolded() -> None:
    with pytest.raises(PermanentError, match="larger than 1000 bytes"):
        read(zlib.compress(bytes(50_000_000)), 1000)


def test_half_a_batch_is_refused() -> None:
    whole = written(batch(ARRIVAL))
    with pytest.raises(PermanentError):
        read(whole[:-5], 100_000)


@pytest.mark.parametrize("numbers", [(1, 3), (2, 1), (1, 1), (0, 1)])
def test_numbers_that_are_not_consecutive_are_refused(numbers: tuple[int, int]) -> None:
    entries = [Entry(seq, bytes(16), 0.0, msgspec.Raw(packed(ARRIVAL))) for seq in numbers]
    with pytest.raises(PermanentError, match="consecutive"):
        read(written(Batch("g", bytes(16), b"", entries, Status())), 100_000)


def test_half_a_character_cannot_be_packed() -> None:
    with pytest.raises(UnicodeEncodeError):
        packed(ARRIVAL._replace(sender="\ud800"))
