"""The message that `explain` and `preview` are asked about: one of the inbox, or a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from bus import bodies
from bus.hl7.message import Message as Hl7Message
from bus.hl7.problem import HL7Error
from bus.rules.day import Day, asked
from bus.rules.decision import Decision
from bus.rules.records import NOTHING_KNOWN, Records
from bus.rules.ruleset import RuleSet, unreadable
from bus.sources.fhir import PROTOCOL, TYPE
from bus.sources.opening import open_source
from bus.sources.source import Envelope, Source, UnreadableError
from consortium.errors import PermanentError


class NoMessageError(PermanentError):
    """There is no such message, or too little is known of it; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """A body, and what is known of it before it is read."""

    name: str
    body: bytes
    charset: str
    envelope: Envelope
    records: Records = NOTHING_KNOWN
    """What rules enrich it with."""
    day: Day | None = None
    """Says on which day its codes are looked up; None: it is in no inbox."""

    def source(self) -> Source:
        """Return the parsed message. Raises `UnreadableError`."""
        return open_source(self.body, self.charset, self.envelope)

    def decide(self, rules: RuleSet) -> Decision:
        """Return what rules make of it, as the router would."""
        try:
            facility, message_type = self.envelope.facility, self.envelope.message_type
            return rules.decide(self.source(), facility, message_type, self.records, self.day)
        except UnreadableError as error:
            return unreadable(error)


def from_inbox(connection: sa.Connection, id_: int) -> Message:
    """Read a message of the inbox. Raises `NoMessageError`."""
    stored = bodies.one(connection, id_)
    if stored is None:
        raise NoMessageError(
            f"there is no message {id_}; find it with ./yilian messages list",
            zh=f"没有编号为 {id_} 的消息；请用 ./yilian messages list 查找",
        )
    if stored.body is None:
        raise NoMessageError(bodies.told(connection, id_, stored.received_at))
    envelope = Envelope(
        stored.facility, stored.sender, stored.message_type, stored.protocol, stored.control_id
    )
    day = asked(stored.message_time, stored.received_at)
    return Message(f"message {id_}", stored.body, stored.charset, envelope, day=day)


def from_file(path: Path, charset: str, known: Envelope) -> Message:
    """Read a file; an HL7 message says itself what `known` leaves empty. Raises `NoMessageError`."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise NoMessageError(
            f"{path} cannot be read ({error.strerror}): name a file or an inbox id",
            zh=f"无法读取 {path}（{error.strerror}）：请给出文件或消息编号",
        ) from error
    return from_bytes(str(path), body, charset, known)


def from_bytes(name: str, body: bytes, charset: str, known: Envelope, option: str = "--{}") -> Message:
    """Take bytes; an HL7 message says itself what `known` leaves empty. Raises `NoMessageError`, which writes
    the name of what is to be given as `option` has it.
    """
    envelope = replace(known, protocol=PROTOCOL) if known.message_type.startswith(TYPE) else known
    if body.startswith(b"MSH"):
        body = body.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        envelope = _header(body, charset, known, option.format("charset"))
    missing = [
        option.format(wanted)
        for wanted, value in (("facility", envelope.facility), ("type", envelope.message_type))
        if not value
    ]
    if missing:
        raise NoMessageError(
            f"{name} does not say what it is: give {' and '.join(missing)}",
            zh=f"{name} 没有说明消息类型等信息：请给出 {'、'.join(missing)}",
        )
    return Message(name, body, charset, envelope)


def _header(body: bytes, charset: str, known: Envelope, option: str) -> Envelope:
    try:
        message = Hl7Message(body.decode(charset), charset)
    except (UnicodeDecodeError, LookupError) as error:
        raise NoMessageError(
            f"the file is not {charset}: give {option}, such as gb18030",
            zh=f"文件不是 {charset} 编码：请给出 {option}，如 gb18030",
        ) from error
    except HL7Error as error:
        raise NoMessageError(
            f"the file is no HL7 message: {error.reason}", zh=f"文件不是 HL7 消息：{error.reason}"
        ) from error
    event = (message.get("MSH-9.1"), message.get("MSH-9.2"))
    return Envelope(
        facility=known.facility or message.get("MSH-4.1") or "",
        sender=known.sender or message.get("MSH-3.1") or "",
        message_type=known.message_type or "^".join(part for part in event if part),
        protocol=known.protocol or "mllp",
        control_id=message.get("MSH-10") or "",
    )
