"""From a file to arrivals: what each record is called, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import BinaryIO

from adapters.files.batch import read_messages
from adapters.files.groups import grouped
from adapters.files.records import Bad, FileError, Piece, Record
from adapters.files.rows import piece, read_rows
from adapters.files.settings import Edits, Source, Xml
from bus.cda.heading import Heading
from bus.cda.intake import take
from bus.cda.problem import DocumentError
from bus.envelope import Arrival
from bus.hl7.charset import codec_for
from bus.hl7.header import peek
from bus.hl7.problem import HL7Error
from bus.sources.source import Envelope, PathError, UnreadableError
from bus.sources.xml import parse_xml_source
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError
from bus.sources.xml_stream import stream_elements

LONGEST = 180
"""Characters of a business key; a version is put behind it, and a control id has 200."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading needs to know beside the source."""

    source: Source
    codec: str
    """The campus's codec, for an HL7 message that names none."""
    limit: int
    """Bytes of one record."""


def read(stream: BinaryIO, reading: Reading) -> Iterator[Record | Bad]:
    """Read a file's records in their order, numbered from 1.

    Raises FileError for a file that cannot be taken as a whole, which may be found at its end.
    """
    for number, found in enumerate(_pieces(stream, reading), 1):
        if isinstance(found, Bad):
            yield replace(found, number=number)
            continue
        try:
            yield _record(found, number, reading)
        except HL7Error as error:
            yield Bad(found.line, error.code, error.reason, found.raw, number)
        except _RefusedError as error:
            yield Bad(found.line, error.code, error.reason, found.raw, number)


class _RefusedError(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def _pieces(stream: BinaryIO, reading: Reading) -> Iterable[Piece | Bad]:
    source = reading.source
    if source.csv:
        rows = read_rows(stream, source.csv, source.needed, reading.limit)
        if source.csv.group:
            return grouped(rows, source.csv.group, reading.limit)
        return (row if isinstance(row, Bad) else piece(row) for row in rows)
    if source.xml:
        return _elements(stream, source, source.xml, reading.limit)
    if source.cda:
        return _document(stream, reading.limit)
    return read_messages(stream, reading.limit)


def _document(stream: BinaryIO, limit: int) -> Iterator[Piece | Bad]:
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise FileError("xml_size", f"the document is larger than {limit} bytes")
    yield Piece(1, body, "utf-8", lambda _: None, body)


def _elements(stream: BinaryIO, source: Source, told: Xml, limit: int) -> Iterator[Piece | Bad]:
    envelope = Envelope(source.facility, source.sender, source.message_type, "files")
    try:
        for line, body in stream_elements(stream, told.record, limit=limit, charset=told.charset):
            try:
                yield Piece(line, body, "utf-8", parse_xml_source(body, envelope).get, body)
            except UnreadableError as error:
                yield Bad(line, error.code, str(error), body)
    except ForbiddenXmlError as error:
        raise FileError(error.code, str(error)) from error
    except MalformedXmlError as error:
        raise FileError("malformed_xml", f"not well-formed XML, {error}") from error
    except LookupError as error:
        raise FileError("unknown_charset", f"no decoder for the charset {told.charset!r}") from error


def _record(found: Piece, number: int, reading: Reading) -> Record:
    if reading.source.hl7:
        return Record(number, found.line, _message(found, reading))
    if reading.source.cda:
        return Record(number, found.line, _document_arrival(found, reading.source))
    source, digest = reading.source, sha256(found.body).digest()
    key = _key(found, source)
    arrival = Arrival(
        facility=source.facility,
        sender=source.sender,
        control_id=key or f"sha256:{digest.hex()}",
        message_type=source.message_type,
        body=found.body,
        charset=found.charset,
        protocol="files",
        endpoint=source.name,
        digest=digest,
        patient_number=_routing(found, source.patient, "patient"),
        visit_number=_routing(found, source.visit, "visit"),
        message_time=_routing(found, source.time, "time"),
    )
    return Record(number, found.line, arrival, key if source.edits is Edits.NEW else None)


def _message(found: Piece, reading: Reading) -> Arrival:
    source, told = reading.source, reading.source.hl7
    codec = codec_for(told.charset) if told and told.charset else reading.codec
    header = peek(found.body, {source.facility: codec})
    if header.facility != source.facility:
        reason = f"MSH-4 is not {source.facility}, for which alone this source speaks"
        raise _RefusedError("wrong_campus", reason)
    return Arrival(
        facility=header.facility,
        sender=header.sender,
        control_id=header.control_id,
        message_type=header.message_type,
        body=found.body,
        charset=header.codec,
        protocol="files",
        endpoint=source.name,
        digest=header.digest,
        patient_number=header.patient_number,
        other_patient_number=header.other_patient_number,
        further_patient_numbers=header.further_patient_numbers,
        visit_number=header.visit_number,
        message_time=header.message_time,
    )


def _document_arrival(found: Piece, source: Source) -> Arrival:
    heading = _heading(found.body)
    return Arrival(
        facility=source.facility,
        sender=source.sender,
        control_id=heading.number,
        message_type=heading.message_type,
        body=found.body,
        charset=heading.charset,
        protocol="files",
        endpoint=source.name,
        digest=sha256(found.body).digest(),
        patient_number=heading.patient_number,
        visit_number=heading.visit_number,
        message_time=heading.time,
    )


def _heading(body: bytes) -> Heading:
    try:
        return take(body)
    except DocumentError as error:
        raise FileError(error.code, str(error)) from error


def _key(found: Piece, source: Source) -> str | None:
    values = [_get(found, name) for name in source.key]
    missing = [name for name, value in zip(source.key, values, strict=True) if not value]
    if missing:
        raise _RefusedError("missing_key", f"{', '.join(missing)} is empty, and the control id is made of it")
    key = joined([value for value in values if value])
    if len(key) > LONGEST:
        raise _RefusedError("bad_key", f"{', '.join(source.key)} together are over {LONGEST} characters")
    return key or None


def joined(values: Sequence[str]) -> str:
    """Join the parts of a key so that no two keys look alike."""
    escaped = (value.replace("%", "%25").replace("|", "%7C").replace("@", "%40") for value in values)
    return "|".join(escaped)


def _routing(found: Piece, name: str | None, what: str) -> str | None:
    value = _get(found, name) if name else None
    if value and len(value) > LONGEST:
        raise _RefusedError("bad_field", f"the {what} ({name}) is over {LONGEST} characters")
    return value


def _get(found: Piece, name: str) -> str | None:
    try:
        value = found.get(name)
    except PathError as error:
        raise FileError("wrong_path", f"the source's path {name!r}: {error}") from error
    return value.strip() or None if value else None
