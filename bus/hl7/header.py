"""The hot path: what routing needs of a message, without parsing it.

The body is decoded once, strictly, before anything is split, so that Chinese cannot be taken for a delimiter
and bytes that are not of the character set are found at the door.
"""

from __future__ import annotations

from typing import NamedTuple

from bus.hl7.charset import codec_for, decode_raw, undecodable
from bus.hl7.digest import digest
from bus.hl7.escaping import STANDARD, Delimiters
from bus.hl7.msh import declared_codec, first_segment
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, HL7Error

_STANDARD_ENCODING = "^~\\&"
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


_codecs: dict[tuple[str, str], str] = {}


def _codec(declared: str, default: str) -> str:
    known = _codecs.get((declared, default))
    if known is None:
        known = codec_for(declared, default)
        if len(_codecs) < 1000:
            _codecs[declared, default] = known
    return known


def peek(raw: bytes, default: str) -> Header:
    """Read the routing fields from the bytes of one message; `default` is the codec for an empty MSH-18.

    Raises HL7Error: missing_msh, delimiters, unknown_charset, missing_field, bad_field.
    """
    msh = first_segment(raw)
    if msh.isascii():
        fields = msh.decode("ascii").split(chr(msh[3]))
        codec = _codec(fields[17] if len(fields) > 17 else "", default)
    else:
        codec = declared_codec(raw, default)
        text = decode_raw(msh, codec)
        fields = text.split(text[3])
    try:
        body = decode_raw(raw, codec)
    except UnicodeDecodeError as error:
        raise undecodable(codec, error.start) from None
    return _read(fields, _delimiters(fields, body), codec, _with_carriage_returns(body), raw[len(msh) :])


def _delimiters(fields: list[str], body: str) -> Delimiters:
    if len(fields) > 1 and fields[1] == _STANDARD_ENCODING and body[3] == "|":
        return STANDARD
    return Delimiters.of(body)


def _with_carriage_returns(body: str) -> str:
    if "\n" in body and ("\r\n" in body or "\r" not in body):
        return body.replace("\r\n", "\r").replace("\n", "\r")
    return body


def _read(fields: list[str], delimiters: Delimiters, codec: str, body: str, rest: bytes) -> Header:
    if len(fields) < 10:
        fields = fields + [""] * (10 - len(fields))
    kind = fields[8].split(delimiters.component)
    header = Header(
        fields,
        delimiters,
        codec,
        _first(fields[3], delimiters, codec),
        _first(fields[2], delimiters, codec),
        f"{kind[0]}^{kind[1]}" if len(kind) > 1 and kind[1] else kind[0],
        _first(fields[9], delimiters, codec),
        fields[6] or None,
        _field(body, "PID", 3, delimiters, codec),
        _field(body, "MRG", 1, delimiters, codec),
        _field(body, "PV1", 19, delimiters, codec),
        digest(fields, rest),
    )
    _check(header)
    return header


def _first(field: str, delimiters: Delimiters, codec: str) -> str:
    """Return the first component of the first repetition, unescaped and stripped."""
    if field.isalnum():
        return field
    if delimiters.repetition:
        field = field.split(delimiters.repetition, 1)[0]
    text = delimiters.unescaped(field.split(delimiters.component, 1)[0], codec)
    return text.split(delimiters.subcomponent or None, 1)[0].strip() if text else ""


def _field(body: str, segment: str, number: int, delimiters: Delimiters, codec: str) -> str | None:
    at = body.find(f"\r{segment}{delimiters.field}")
    if at < 0:
        return None
    end = body.find("\r", at + 1)
    found = body[at + 5 : end if end >= 0 else None].split(delimiters.field, number)
    if len(found) < number:
        return None
    return _first(found[number - 1], delimiters, codec) or None


def _check(header: Header) -> None:
    if not header.control_id:
        reason = "MSH-10 is empty: a message needs a control id, by which its answer is matched"
        raise HL7Error("missing_field", reason, REQUIRED_FIELD, "MSH-10")
    if not header.message_type:
        raise HL7Error("missing_field", "MSH-9 is empty: a message needs a type", REQUIRED_FIELD, "MSH-9")
    routing = (header.control_id, header.sender, header.facility, header.message_type, header.message_time)
    numbers = (header.patient_number, header.other_patient_number, header.visit_number)
    longest = max(map(len, filter(None, routing + numbers)))
    if longest > LONGEST or "\0" in "".join(filter(None, routing + numbers)):
        which = "a field used for routing (MSH-3, 4, 7, 9, 10, PID-3, MRG-1, PV1-19)"
        raise HL7Error("bad_field", f"{which} is over {LONGEST} characters or holds a NUL", DATA_TYPE, "MSH")


def glimpse(raw: bytes) -> list[str]:
    """Return what can be made out of the MSH of a message that `peek` refused, for its answer; [] without
    MSH.
    """
    if not raw.startswith(b"MSH") or len(raw) < 8:
        return []
    msh = first_segment(raw)[:4096]
    fields = [field if field.isascii() else b"" for field in msh.split(msh[3:4])]
    return [field.decode("ascii") for field in fields]
