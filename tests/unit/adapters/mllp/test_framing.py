"""Frames come out of the stream as they were put in, whatever the packets."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mllp.framing import Broken, Deframer, framed

MESSAGE = "MSH|^~\\&|LIS|MAIN\rPID|1||P1||王珅\r".encode("gb18030")


def fed(*packets: bytes, limit: int = 1000, keep: int = 100) -> list[bytes | Broken]:
    deframer = Deframer(limit, keep)
    return [frame for packet in packets for frame in deframer.feed(packet)]


def each_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def test_one_packet_one_message() -> None:
    assert fed(framed(MESSAGE)) == [MESSAGE]


def test_one_byte_per_packet() -> None:
    assert fed(*each_byte(framed(MESSAGE) * 2)) == [MESSAGE, MESSAGE]


def test_two_messages_in_one_packet_and_half_of_a_third() -> None:
    stream = framed(MESSAGE) + framed(b"second") + framed(b"third")
    assert fed(stream[:-5], stream[-5:]) == [MESSAGE, b"second", b"third"]


bodies = st.lists(st.binary(max_size=60).filter(lambda b: not {0x0B, 0x1C} & set(b)), max_size=5)


@given(
    bodies=bodies,
    cuts=st.lists(st.integers(0, 400), max_size=10),
    between=st.sampled_from([b"", b"\r\n", b"\n"]),
)
def test_any_messages_survive_any_packets(bodies: list[bytes], cuts: list[int], between: bytes) -> None:
    stream = b"".join(framed(body) + between for body in bodies)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    packets = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert fed(*packets) == bodies


@given(
    st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"a", b"MSH|", b"\x1c\r"]), max_size=30),
    st.booleans(),
)
def test_any_noise_is_accounted_for_byte_by_byte_and_whole_the_same(parts: list[bytes], whole: bool) -> None:
    stream = b"".join(parts)
    deframer, other = Deframer(1000, 100), Deframer(1000, 100)
    once = list(deframer.feed(stream)) if stream else []
    slowly = [frame for byte in each_byte(stream) for frame in other.feed(byte)]
    assert [type(f) for f in once if not isinstance(f, Broken)] == [
        type(f) for f in slowly if not isinstance(f, Broken)
    ]
    assert [f for f in once if isinstance(f, bytes)] == [f for f in slowly if isinstance(f, bytes)]
    assert deframer.finish() == other.finish()


def test_an_end_byte_inside_a_text_is_text() -> None:
    assert fed(*each_byte(framed(b"a\x1cb"))) == [b"a\x1cb"]
    assert fed(framed(b"a\x1cb")) == [b"a\x1cb"]


def broken(*frames: bytes | Broken) -> list[tuple[str, bytes, int]]:
    return [(f.code, f.body, f.size) if isinstance(f, Broken) else ("", f, len(f)) for f in frames]


def test_a_message_cut_off_by_the_next_is_broken_and_the_next_is_read() -> None:
    assert broken(*fed(b"\x0bMSH|cut" + framed(MESSAGE))) == [
        ("framing", b"MSH|cut", 7),
        ("", MESSAGE, len(MESSAGE)),
    ]


def test_a_message_without_its_last_byte_is_broken_and_the_next_is_read() -> None:
    found = fed(*each_byte(b"\x0bMSH|cut\x1c" + framed(MESSAGE)))
    assert broken(*found) == [("framing", b"MSH|cut\x1c", 8), ("", MESSAGE, len(MESSAGE))]


def test_a_message_without_start_byte_is_broken_at_its_end() -> None:
    assert broken(*fed(*each_byte(b"MSH|no start\x1c\r"))) == [("framing", b"MSH|no start", 14)]


def test_noise_before_a_message_does_not_cost_the_message() -> None:
    assert broken(*fed(b"GET / HTTP/1.1\r\n\r\n" + framed(b"x"))) == [
        ("framing", b"GET / HTTP/1.1\r\n\r\n", 18),
        ("", b"x", 1),
    ]


@pytest.mark.parametrize("packet", [1, 7, 100_000])
def test_a_message_over_the_limit_is_counted_and_only_its_beginning_kept(packet: int) -> None:
    stream = framed(b"MSH|" + b"x" * 4996) + framed(MESSAGE)
    deframer = Deframer(1000, 100)
    found: list[bytes | Broken] = []
    for i in range(0, len(stream), packet):
        found += deframer.feed(stream[i : i + packet])
        assert deframer.held <= max(1000, packet)
    assert broken(*found) == [("too_large", b"MSH|" + b"x" * 96, 5000), ("", MESSAGE, len(MESSAGE))]


def test_a_message_of_the_limit_is_taken() -> None:
    assert fed(framed(b"x" * 1000)) == [b"x" * 1000]
    assert isinstance(fed(framed(b"x" * 1001))[0], Broken)


def test_endless_noise_does_not_fill_the_memory() -> None:
    deframer = Deframer(1000, 100)
    for _ in range(1000):
        assert list(deframer.feed(b"noise" * 100)) == []
        assert deframer.held <= 4096 + 500
    rest = deframer.finish()
    assert rest is not None
    assert rest.size == 500_000


@pytest.mark.parametrize(("sent", "word"), [(b"\x0bMSH|half", "end bytes"), (b"GET /", "start byte")])
def test_what_is_left_unfinished_is_told_once(sent: bytes, word: str) -> None:
    deframer = Deframer(1000, 100)
    assert list(deframer.feed(sent)) == []
    rest = deframer.finish()
    assert rest is not None
    assert word in rest.reason
    assert deframer.finish() is None
    assert not deframer.unfinished
