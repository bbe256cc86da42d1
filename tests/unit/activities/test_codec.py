"""The payload codec: what goes in comes out, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from activities.codec import Encryption, KeyRing, data_converter
from consortium.errors import SecurityError

PAYLOADS = st.lists(
    st.builds(
        Payload,
        metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=50), max_size=4),
        data=st.binary(max_size=2000) | st.text(alphabet="危急值钾𠮷|^~&", max_size=200).map(str.encode),
    ),
    max_size=4,
)


def codec(word: str = "now", *retired: str, namespace: str = "default") -> Encryption:
    return Encryption(KeyRing.of(word, retired), namespace)


@given(PAYLOADS)
async def test_decoding_gives_back_what_was_encoded(payloads: list[Payload]) -> None:
    assert await codec().decode(await codec().encode(payloads)) == payloads


@given(st.binary(min_size=12, max_size=300))
async def test_the_stored_form_holds_nothing_of_the_text(data: bytes) -> None:
    (stored,) = await codec().encode([Payload(metadata={"secret": data}, data=data)])
    assert data not in stored.data
    assert set(stored.metadata) == {"encoding", "encryption-cipher", "encryption-key-id"}


async def test_a_retired_key_still_reads() -> None:
    stored = await codec("old").encode([Payload(data=b"x")])
    assert await codec("new", "old").decode(stored) == [Payload(data=b"x")]


async def test_an_unknown_key_is_refused_by_its_id() -> None:
    stored = await codec("old").encode([Payload(data=b"x")])
    with pytest.raises(SecurityError, match=r"no payload key [0-9a-f]{16}: add it"):
        await codec("new").decode(stored)


async def test_another_namespace_cannot_read() -> None:
    stored = await codec(namespace="one").encode([Payload(data=b"x")])
    with pytest.raises(SecurityError, match="namespace two"):
        await codec(namespace="two").decode(stored)


async def test_a_payload_in_the_clear_is_refused() -> None:
    with pytest.raises(SecurityError, match="not encrypted"):
        await codec().decode([Payload(metadata={"encoding": b"json/plain"}, data=b'"x"')])


@given(st.integers(min_value=0))
async def test_any_changed_bit_is_refused(where: int) -> None:
    (stored,) = await codec().encode([Payload(data="危急值".encode())])
    bit = where % (len(stored.data) * 8)
    changed = bytearray(stored.data)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SecurityError):
        await codec().decode([Payload(metadata=stored.metadata, data=bytes(changed))])


async def test_a_payload_cut_short_is_refused() -> None:
    (stored,) = await codec().encode([Payload(data=b"x")])
    for length in (0, 5, 12, len(stored.data) - 1):
        with pytest.raises(SecurityError):
            await codec().decode([Payload(metadata=stored.metadata, data=stored.data[:length])])


async def test_failures_are_stored_without_their_message_and_stack() -> None:
    from temporalio.api.failure.v1 import Failure

    converter = data_converter("k", (), "default")
    failure = Failure()
    try:
        raise ValueError("张珅的血钾")
    except ValueError as error:
        await converter.encode_failure(error, failure)
    assert failure.message == "Encoded failure"
    assert failure.stack_trace == ""
    assert "张珅" not in str(failure)
    assert "张珅的血钾" in str(await converter.decode_failure(failure))


def test_without_a_key_nothing_starts() -> None:
    with pytest.raises(SecurityError, match="YILIAN_PAYLOAD_KEY"):
        data_converter("", (), "default")


def test_the_ring_does_not_print_its_keys() -> None:
    assert "now" not in repr(KeyRing.of("now"))
