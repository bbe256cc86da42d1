"""The sequence number protocol (HL7 v2.5 §2.10.1): MSH-13 counts a sender's messages, MSA-4 says what is
expected.

Which number came last is kept after its message and before its answer: a crash between the two makes the
sender repeat a message that the inbox knows.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bus.hl7.escaping import Delimiters
from bus.hl7.header import codec_of_campus
from bus.hl7.message import Message, parse
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, SEGMENT_SEQUENCE, UNKNOWN_KEY, HL7Error
from consortium.errors import RetryableError

OPEN, RESET = 0, -1
"""Reserved numbers: the sender (re)starts the link; the sender begins to count anew."""
_NUMBER = re.compile(r"(?=.*[1-9])[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Last:
    """The last message that was accepted."""

    number: int
    control_id: str


class Verdict(enum.Enum):
    """What to do with a numbered message."""

    TAKE = "it is the next"
    REPEAT = "it is the last again, whose answer was lost"
    REFUSE = "messages before it are missing, or it is an old one"


def decide(last: Last | None, number: int, control_id: str) -> Verdict:
    """Decide on a message by its number. Without a last one, any positive number is where counting begins."""
    if last is None or number == last.number + 1:
        return Verdict.TAKE
    if number == last.number and control_id == last.control_id:
        return Verdict.REPEAT
    return Verdict.REFUSE


def expected(last: Last | None) -> int:
    """Return the number that is expected next; -1: whatever comes."""
    return RESET if last is None else last.number + 1


def number_of(field: str) -> int:
    """Read MSH-13 of a message with content. Raises HL7Error: missing_field, bad_field."""
    if not field.strip():
        reason = "MSH-13 is empty, and this endpoint keeps the sequence number protocol"
        raise HL7Error("missing_field", reason, REQUIRED_FIELD, "MSH-13")
    if not _NUMBER.fullmatch(field.strip()):
        reason = "MSH-13 is no sequence number: a positive integer, or 0 or -1 without content"
        raise HL7Error("bad_field", reason, DATA_TYPE, "MSH-13")
    return int(field)


@dataclass(frozen=True, slots=True)
class Opening:
    """A message that is about the link and has no content: MSH-13 is 0 or -1."""

    number: int
    facility: str
    sender: str
    fields: list[str]
    """MSH as sent, decoded: `fields[k - 1]` is MSH-k."""
    codec: str
    delimiters: Delimiters


def opening(raw: bytes, campuses: Mapping[str, str]) -> Opening | None:
    """Read a message about the link; None for any other. Raises HL7Error for one with content, which would be
    lost, and for an unknown campus.
    """
    try:
        default = codec_of_campus(raw, campuses)
        message = parse(raw, default)
        number = message.get("MSH-13")
    except HL7Error:
        return None  # whatever else it is, it is read, and refused with its reason, as any message
    if number not in {"0", "-1"}:
        return None
    if any(_content(segment.text, message) for segment in message.all[1:]):
        reason = "a sequence number of 0 or -1 is for a message without content: number this one from 1 on"
        raise HL7Error("bad_field", reason, SEGMENT_SEQUENCE, "MSH-13")
    facility = message.get("MSH-4.1") or ""
    if facility not in campuses:
        raise HL7Error("unknown_campus", "MSH-4 names no campus of the consortium", UNKNOWN_KEY, "MSH-4")
    fields = message.all[0].text.split(message.delimiters.field)
    known = [*fields, *[""] * (18 - len(fields))]
    sender = message.get("MSH-3.1") or ""
    return Opening(int(number), facility, sender.strip(), known, message.codec, message.delimiters)


def _content(segment: str, message: Message) -> bool:
    """Say whether a segment holds anything but its name, separators and nulls."""
    d = message.delimiters
    separators = d.field + d.component + d.repetition + d.subcomponent
    return bool(segment[3:].translate(dict.fromkeys(map(ord, separators + '" '))))


_SAVE = (
    "INSERT INTO bus.watermark (poller, value) VALUES (%s, %s)"
    " ON CONFLICT (poller) DO UPDATE SET value = excluded.value, at = clock_timestamp()"
)


class Ledger:
    """Keeps the last number of each sender in the database, on one connection that is made when needed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def last(self, key: str) -> Last | None:
        """Return what came last. Raises RetryableError when the store is away."""
        row = await self._ask("SELECT value FROM bus.watermark WHERE poller = %s", key)
        return None if row is None else Last(int(row[0]["number"]), str(row[0]["control_id"]))

    async def save(self, key: str, last: Last) -> None:
        """Keep what came last, committed when this returns. Raises RetryableError."""
        await self._ask(_SAVE, key, Jsonb({"number": last.number, "control_id": last.control_id}))

    async def forget(self, key: str) -> None:
        """Count anew. Raises RetryableError."""
        await self._ask("DELETE FROM bus.watermark WHERE poller = %s", key)

    async def close(self) -> None:
        """Close the connection; the next question makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _ask(self, statement: str, *values: object) -> Any:
        try:
            connection = self._connection or await self._connect()
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchone() if cursor.description else None
        except psycopg.Error as error:
            await self.close()
            raise RetryableError(
                f"the store is away ({type(error).__name__}): send the message again later"
            ) from error

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=5, application_name="yilian sequence"
        )
        return self._connection
