"""The hot path: what routing needs of a message, without parsing it.

The body is decoded once, strictly, before anything is split, so that Chinese cannot be taken for a delimiter
and bytes that are not of the character set are found at the door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bus.hl7.charset import codec_for, decode_raw, undecodable
from bus.hl7.digest import digest
from bus.hl7.escaping import STANDARD, Delimiters
from bus.hl7.msh import declared_codec, first_segment
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, HL7Error

LONGEST = 200
"""Characters in a field that is used to route; HL7 allows 199 in the longest of them (MSH-10, v2.7)."""


class Header(NamedTuple):
    """The routing fields of a message, decoded and unescaped."""

    fields: list[str]
    """MSH as sent, decoded: `fields[k - 1]` is MSH-k."""
    delimiters: Delimiters
    codec: str
    facility: str
    sender: str
    message_type: str
    """MSH-9.1 and MSH-9.2, as `ADT^A01`."""
    control_id: str
    message_time: str | None
    patient_number: str | None
    other_patient_number: str | None
    visit_number: str | None
    digest: bytes
    further_patient_numbers: tuple[str, ...] = ()
    """PID-3 of each further PID; an ADT's second patient is the other one."""


_codecs: dict[str, str] = {}


def _codec(declared: str) -> str:
    known = _codecs.get(declared)
    if known is None:
        known = codec_for(declared)
        if len(_codecs) < 1000:
            _codecs[declared] = known
    return known


def peek(raw: bytes, defaults: Mapping[str, str]) -> Header:
    """Read the routing fields from the bytes of one message.

    `defaults` gives, by MSH-4's namespace, the codec for an empty MSH-18; it is UTF-8 for a facility that is
    not in it. Raises HL7Error: missing_msh, delimiters, unknown_charset, missing_field, bad_field.
    """
    msh = first_segment(raw)
    delimiters = STANDARD if msh.startswith(b"MSH|^~\\&|") else Delimiters.of(msh[:12].decode("iso8859_1"))
    if msh.isascii():
        text = msh.decode("ascii")
        fields = text.split(text[3])
        declared = fields[17] if len(fields) > 17 else ""
        codec = _codec(declared) if declared else defaults.get(_facility(fields), "utf-8")
    else:
        codec = codec_of_campus(raw, defaults)
        text = decode_raw(msh, codec)
        fields = text.split(text[3])
    if codec != "utf-8" or not raw.isascii():
        try:
            decode_raw(raw, codec)
        except UnicodeDecodeError as error:
            raise undecodable(codec, error.start) from None
    return _read(fields, delimiters, codec, raw[len(msh) :])


def _facility(fields: list[str]) -> str:
    return fields[3].split("^", 1)[0] if len(fields) > 3 else ""


def codec_of_campus(raw: bytes, defaults: Mapping[str, str]) -> str:
    """Find the codec of an MSH that is not plain ASCII, where MSH-4 may read differently under each
    default.
    """
    refusal: HL7Error | None = None
    for default in dict.fromkeys(("utf-8", *defaults.values())):
        try:
            codec = declared_codec(raw, default)
        except HL7Error as problem:
            refusal = problem
            continue
        fields = decode_raw(first_segment(raw), codec).split(chr(raw[3]))
        if codec != default or defaults.get(_facility(fields), "utf-8") == default:
            return codec
    raise refusal or HL7Error(
        "unknown_charset", "MSH-18 is empty, and MSH-4 names no campus", location="MSH-18"
    )


def _read(fields: list[str], delimiters: Delimiters, codec: str, rest: bytes) -> Header:
    if len(fields) < 10:
        fields = fields + [""] * (10 - len(fields))
    kind = fields[8].split(delimiters.component)
    lines = rest if b"\n" not in rest else _with_carriage_returns(rest)
    header = Header(
        fields,
        delimiters,
        codec,
        _first(fields[3], delimiters, codec),
        _first(fields[2], delimiters, codec),
        f"{kind[0]}^{kind[1]}" if len(kind) > 1 and kind[1] else kind[0],
        _first(fields[9], delimiters, codec),
        fields[6] or None,
        _field(lines, b"\rPID", 3, delimiters, codec),
        _field(lines, b"\rMRG", 1, delimiters, codec) if kind[0] == "ADT" else None,
        _field(lines, b"\rPV1", 19, delimiters, codec),
        digest(fields, rest),
    )
    if kind[0] != "ADT" and lines.count(b"\rPID") > 1:
        numbers = _further(lines, delimiters, codec)
        further = tuple(number for number in numbers if number != header.patient_number)
        header = header._replace(further_patient_numbers=further)
    _check(header)
    return header


def _with_carriage_returns(lines: bytes) -> bytes:
    if b"\r\n" in lines or b"\r" not in lines:
        return lines.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    return lines


def _first(field: str, delimiters: Delimiters, codec: str) -> str:
    """Return the first component of the first repetition, unescaped and stripped."""
    if field.isalnum():
        return field
    for delimiter in (delimiters.repetition, delimiters.component, delimiters.subcomponent):
        if delimiter and delimiter in field:
            field = field.split(delimiter, 1)[0]
    return delimiters.unescaped(field, codec).strip()


def _field(lines: bytes, segment: bytes, number: int, delimiters: Delimiters, codec: str) -> str | None:
    """Return a field of the first segment of that name. A CR is never part of a character, so it is found in
    bytes.
    """
    at = lines.find(segment)
    if at < 0:
        return None
    end = lines.find(b"\r", at + 1)
    line = decode_raw(lines[at + 1 : end if end >= 0 else None], codec)
    found = line.split(delimiters.field, number + 1)
    if len(found) <= number or len(found[0]) != 3:
        return None
    return _first(found[number], delimiters, codec) or None


def _further(lines: bytes, delimiters: Delimiters, codec: str) -> tuple[str, ...]:
    found: list[str] = []
    at = lines.find(b"\rPID", lines.find(b"\rPID") + 1)
    while at >= 0:
        number = _field(lines[at:], b"\rPID", 3, delimiters, codec)
        if number and number not in found:
            found.append(number)
        at = lines.find(b"\rPID", at + 1)
    return tuple(found)


def _check(header: Header) -> None:
    if not header.control_id:
        reason = "MSH-10 is empty: a message needs a control id, by which its answer is matched"
        raise HL7Error("missing_field", reason, REQUIRED_FIELD, "MSH-10")
    if not header.message_type:
        raise HL7Error("missing_field", "MSH-9 is empty: a message needs a type", REQUIRED_FIELD, "MSH-9")
    routing = [value for value in (*header[3:11], *header.further_patient_numbers) if value]
    together = "".join(routing)
    if (len(together) > LONGEST and max(map(len, routing)) > LONGEST) or "\0" in together:
        which = "a field used for routing (MSH-3, 4, 7, 9, 10, PID-3, MRG-1, PV1-19)"
        raise HL7Error("bad_field", f"{which} is over {LONGEST} characters or holds a NUL", DATA_TYPE, "MSH")


def glimpse(raw: bytes) -> list[str]:
    """Return what can be made out of the MSH of a message that `peek` refused, for its answer; [] without
    MSH.
    """
    if not raw.startswith(b"MSH") or len(raw) < 8:
        return []
    msh = first_segment(raw)[:4096]
    try:
        Delimiters.of(msh[:12].decode("iso8859_1"))
    except HL7Error:
        return []
    return [field.decode("ascii") if field.isascii() else "" for field in msh.split(msh[3:4])]
