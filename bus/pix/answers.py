"""Composing what is answered: ACK of feeds and cancellations, RSP of questions (HL7 v2.5 §5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bus.hl7.ack import Code, before_25
from bus.hl7.build import escape
from bus.hl7.charset import TABLE_0211
from bus.hl7.header import Header
from bus.hl7.message import Segment as Read
from bus.hl7.writing.fields import LOCAL, Segment, day, encoded, segment, text
from bus.hl7.writing.patient import SEXES
from bus.pix.domains import Identifier
from bus.pix.problem import Fault

PSEUDONYM = "~^^^^^^S"
"""PID-5 of a PIX answer: no name, then a pseudonym of no content (ITI TF-2: 3.9.4.2.2.6)."""
_CHARSETS = {"utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000"}
_NAMES = {codec: name for name, codec in reversed(TABLE_0211.items())} | _CHARSETS


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer says of itself."""

    at: datetime
    control_id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """QAK-4 to QAK-6."""

    found: int
    here: int
    remaining: int


def acknowledged(header: Header, stamp: Stamp, code: Code, faults: Sequence[Fault] = ()) -> bytes:
    """Return an ACK; its ERR has the form of the version that was spoken."""
    event = header.message_type.partition("^")[2]
    kind = "ACK" if not event else f"ACK^{event}" if _version(header) == "2.3" else f"ACK^{event}^ACK"
    segments = [_msh(header, stamp, kind), *_msa(header, code, faults)]
    return _encoded(segments, header)


def responded(
    header: Header,
    stamp: Stamp,
    kind: str,
    code: Code,
    qpd: Read,
    *,
    faults: Sequence[Fault] = (),
    counts: Counts | None = None,
    people: Sequence[Segment] = (),
    pointer: str | None = None,
) -> bytes:
    """Return an RSP: `kind` is its MSH-9. Raises HL7Error for a character that the asker's charset lacks."""
    status = "AE" if code is not Code.ACCEPT else "OK" if people else "NF"
    numbers = (str(counts.found), str(counts.here), str(counts.remaining)) if counts else ("", "", "")
    qak = segment("QAK", {1: _again(qpd, 2), 2: status, 3: _again(qpd, 1), **dict(enumerate(numbers, 4))})
    echo = segment("QPD", {n: _again(qpd, n) for n in range(1, len(qpd.fields()))})
    dsc = [segment("DSC", {1: pointer, 2: "I"})] if pointer else []
    segments = [_msh(header, stamp, kind), *_msa(header, code, faults), qak, echo, *people, *dsc]
    return _encoded(segments, header)


def crossed(others: Sequence[Identifier]) -> list[Segment]:
    """Return PID of a PIX answer; none without identifiers."""
    if not others:
        return []
    return [segment("PID", {3: "~".join(one.cx for one in others), 5: PSEUDONYM})]


def demographics(row: dict[str, Any], set_id: int, identifiers: Sequence[Identifier]) -> Segment:
    """Return PID of a person: the golden record with the identifiers of the domains asked for."""
    name = text(row["name"])
    return segment(
        "PID",
        {
            1: str(set_id),
            3: "~".join(one.cx for one in identifiers),
            5: f"{name}^^^^^^L" if name else "",
            7: day(row["birth_date"]),
            8: SEXES.get(row["sex"] or "", ""),
            11: text(row["address"]),
            13: text(row["phone"]),
            30: {True: "Y", False: "N", None: ""}[row["deceased"]],
        },
    )


def _msh(header: Header, stamp: Stamp, kind: str) -> Segment:
    sent = [*header.fields, *[""] * 18]
    return segment(
        "MSH",
        {
            1: "^~\\&",
            **{2 + n: _plain(header, sent[place]) for n, place in enumerate((4, 5, 2, 3))},
            6: f"{stamp.at.astimezone(LOCAL):%Y%m%d%H%M%S%z}",
            8: kind,
            9: escape(stamp.control_id),
            10: _plain(header, sent[10]) or "P",
            11: _plain(header, sent[11]) or "2.5",
            17: _NAMES.get(header.codec, sent[17]),
        },
    )


def _msa(header: Header, code: Code, faults: Sequence[Fault]) -> list[Segment]:
    control_id = _plain(header, header.fields[9])
    if faults and before_25(_version(header)):
        return _msa_24(control_id, code, faults)
    return [segment("MSA", {1: code.value, 2: control_id}), *map(_err, faults)]


def _err(fault: Fault) -> Segment:
    return segment(
        "ERR",
        {
            2: "^".join(map(str, fault.place)),
            3: f"{fault.condition.code}^{fault.condition.text}^HL70357",
            4: "E",
            5: fault.code,
            8: escape(fault.reason),
        },
    )


def _msa_24(control_id: str, code: Code, faults: Sequence[Fault]) -> list[Segment]:
    """Return the form of v2.4 and before: the first text in MSA-3, the places in repetitions of ERR-1."""
    first = faults[0]
    condition = f"{first.condition.code}^{first.condition.text}^HL70357"
    msa = segment("MSA", {1: code.value, 2: control_id, 3: escape(first.reason), 6: condition})
    places = []
    for fault in faults:
        where = [*map(str, fault.place[:3]), "", "", ""][:3]
        inner = f"{fault.condition.code}&{fault.condition.text}&HL70357"
        places.append("^".join((*where, inner)))
    return [msa, segment("ERR", {1: "~".join(places)})]


def _version(header: Header) -> str:
    return header.fields[11].partition(header.delimiters.component)[0] if len(header.fields) > 11 else ""


def _again(qpd: Read, field: int) -> str:
    """Return a field as it was sent, in the delimiters of the answer."""
    return _restored(qpd.raw(field), qpd.delimiters, qpd.codec)


def _plain(header: Header, raw: str) -> str:
    return _restored(raw, header.delimiters, header.codec)


def _restored(raw: str, delimiters: Any, codec: str) -> str:
    """Write a field of other delimiters in the standard ones."""
    levels = (
        (delimiters.repetition, "~"),
        (delimiters.component, "^"),
        (delimiters.subcomponent, "&"),
    )

    def part(text_: str, level: int) -> str:
        if level == len(levels):
            return escape(delimiters.unescaped(text_, codec))
        theirs, ours = levels[level]
        pieces = text_.split(theirs) if theirs else [text_]
        return ours.join(part(piece, level + 1) for piece in pieces)

    return part(raw, 0)


def _encoded(segments: Sequence[Segment], header: Header) -> bytes:
    return encoded(segments, _NAMES.get(header.codec, "UNICODE UTF-8"))
