"""What goes over the line: batches of spooled entries as MessagePack, deflated; and what comes back, JSON.

A batch is a piece of one spool: consecutive numbers, each with a random mark by which both sides see whether
they speak of the same history.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

import msgspec

from bus.envelope import Arrival, Refusal
from consortium.errors import PermanentError

PATH = "/gateway/v1/batch"
"""Where the hub takes batches."""
MEDIA_TYPE = "application/vnd.yilian.gateway.v1+msgpack"
VERSION = "1"
"""Of what goes over the line; the hub's list of gateways shows each one's."""
ROOM = 4 * 1024 * 1024
"""Bytes that a batch may be larger than its messages: headings, counts."""


class Message(msgspec.Struct, tag="message", omit_defaults=True, frozen=True):
    """A `bus.envelope.Arrival`, field by field, so that either side may be the newer one."""

    facility: str
    sender: str
    control_id: str
    message_type: str
    body: bytes
    charset: str
    protocol: str
    endpoint: str
    digest: bytes
    patient_number: str | None = None
    other_patient_number: str | None = None
    visit_number: str | None = None
    message_time: str | None = None
    further_patient_numbers: tuple[str, ...] = ()


class Refused(msgspec.Struct, tag="refused", omit_defaults=True, frozen=True):
    """A `bus.envelope.Refusal`, field by field."""

    protocol: str
    endpoint: str
    peer: str
    code: str
    reason: str
    body: bytes
    size: int
    facility: str | None = None
    control_id: str | None = None
    message_type: str | None = None


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One place of the spool, as the gateway sends it."""

    seq: int
    mark: bytes
    """16 random bytes, given when it was spooled."""
    at: float
    """When it was spooled, seconds since 1970."""
    payload: msgspec.Raw


class Taken(msgspec.Struct, array_like=True, frozen=True):
    """The same, as the hub reads it."""

    seq: int
    mark: bytes
    at: float
    payload: Message | Refused


class Status(msgspec.Struct, omit_defaults=True, frozen=True):
    """How the gateway is; counts and states, no patient data."""

    spooled: int = 0
    """Entries that the hub has not confirmed."""
    spooled_bytes: int = 0
    oldest_seconds: float = 0.0
    """How long the oldest of them has waited."""
    full: str = ""
    """Why the spool takes nothing at present; empty: it does."""
    version: str = ""
    doors: dict[str, dict[str, int | str]] = {}
    """What each local way in has counted since the start."""


class Batch(msgspec.Struct, frozen=True):
    """What one request carries; without entries it is a sign of life."""

    gateway: str
    spool: bytes
    """16 bytes that name the history which the numbers count."""
    after: bytes
    """The mark of the entry before the first; empty where the gateway knows none."""
    entries: list[Entry]
    status: Status


class Received(msgspec.Struct, frozen=True):
    """The same, as the hub reads it."""

    gateway: str
    spool: bytes
    after: bytes
    entries: list[Taken]
    status: Status


class Answer(msgspec.Struct, frozen=True):
    """What the hub says after its commit."""

    committed: int
    """The highest number it has committed of this spool; 0: none, and any may be the first."""
    mark: bytes
    """The mark of that entry."""
    campuses: list[str]
    """Whom the gateway may speak for."""


class Denial(msgspec.Struct, omit_defaults=True, frozen=True):
    """Why the hub took nothing of a batch."""

    code: str
    """unauthenticated, wrong_campus, gap, other_history, too_large, malformed, unavailable."""
    detail: str
    """For a person; no patient data."""
    expected: int = 0
    """The number that must come next, for a gap."""


_payload = msgspec.msgpack.Encoder()
_batch = msgspec.msgpack.Encoder()
_received = msgspec.msgpack.Decoder(Received)
_spooled = msgspec.msgpack.Decoder(Message | Refused)


def packed(item: Arrival | Refusal) -> bytes:
    """Return what the spool keeps of a message or refusal. Raises UnicodeEncodeError for half a character."""
    if isinstance(item, Arrival):
        return _payload.encode(Message(**item._asdict()))
    fields = {name: getattr(item, name) for name in Refused.__struct_fields__}
    return _payload.encode(Refused(**fields))


def unpacked(payload: bytes) -> Arrival | Refusal:
    """Return what `packed` was given."""
    return item(_spooled.decode(payload))


def item(payload: Message | Refused) -> Arrival | Refusal:
    """Return the message or refusal as the bus knows it."""
    made = Arrival if isinstance(payload, Message) else Refusal
    return made(**msgspec.structs.asdict(payload))


def written(batch: Batch) -> bytes:
    """Return a batch as it is sent."""
    return zlib.compress(_batch.encode(batch), 1)


def read(body: bytes, limit: int) -> Received:
    """Read a batch of at most `limit` bytes. Raises PermanentError, which quotes nothing of it."""
    opened = zlib.decompressobj()
    try:
        raw = opened.decompress(body, limit)
        if opened.unconsumed_tail or not opened.eof:
            raise PermanentError(f"the batch is larger than {limit} bytes, or was cut off")
        received = _received.decode(raw)
    except (zlib.error, msgspec.DecodeError) as error:
        raise PermanentError(f"the batch cannot be read ({type(error).__name__})") from error
    if len(received.spool) != 16 or any(len(entry.mark) != 16 for entry in received.entries):
        raise PermanentError("the batch cannot be read: spool and marks are 16 bytes each")
    numbers = [entry.seq for entry in received.entries]
    if numbers and (numbers[0] < 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers)))):
        raise PermanentError("the numbers of a batch are not consecutive")
    return received


def time_of(seconds: float) -> datetime:
    """Return a time of the wire."""
    return datetime.fromtimestamp(seconds, UTC)
