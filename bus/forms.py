"""The forms of one message: its bytes, text and parts, what rules make of it, what was sent and answered.

What arrived, was sent and was answered is kept; the rest is made anew, by the rules of now and by the version
that decided it, and nothing is written. Our answer to its sender is told as it follows from what is kept: its
own bytes are not stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from lxml import etree

from bus import bodies
from bus.delivery.recomputing import Recompute
from bus.envelope import Stored
from bus.hl7.charset import decode
from bus.hl7.message import Message, Segment
from bus.hl7.problem import HL7Error
from bus.journey import readable
from bus.master_data.outbox import PROTOCOL as MASTER_DATA
from bus.rules.decision import Decision
from bus.rules.records import KnownRecords
from bus.rules.ruleset import RuleSet
from bus.rules.stored import decided
from bus.rules.versions import store
from bus.rules.versions.folder import compiled
from bus.rules.versions.model import NothingActiveError, UnknownVersionError
from bus.sent_forms import Sent, sent
from bus.sources.cda import carried
from bus.sources.fhir import PROTOCOL
from bus.sources.opening import CDA_TYPE, ROW_TYPES, XML_TYPES
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

SIZE = sa.text("SELECT size FROM bus.inbox WHERE id = :id")
REFUSAL = sa.text(
    "SELECT id, at, facility, control_id, message_type, protocol, endpoint, code, reason, size, body"
    " FROM bus.refusal WHERE id = :id"
)
UNDER = sa.text(
    "SELECT detail ->> 'rules' FROM bus.trace WHERE message_id = :id AND step IN ('recorded', 'held')"
    " AND detail ->> 'rules' IS NOT NULL ORDER BY at DESC LIMIT 1"
)
EARLIER = 4
"""Earlier rule sets that are kept compiled."""
LONGEST_FIELD = 10_000
"""Characters shown of one part; the whole is in the raw form."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a segment, one element, or one key."""

    place: str
    """`PID-5`, `OBX(3)-5`, `Patient/Name`, `patient.name`."""
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What its sender was told."""

    at: datetime
    code: str
    """AA or AR for HL7 v2; the HTTP status for SOAP and REST; read, for tables that were polled."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class Forms:
    """One message in every form."""

    id: str
    facility: str | None
    patient_number: str | None
    charset: str
    raw: bytes
    """As it arrived; of a refusal, cut at the endpoint's keeping limit; empty when retention dropped it."""
    size: int
    text: str
    """Decoded for people: what does not decode is shown as \\xNN."""
    parts: Sequence[Part]
    """Unescaped, in order; empty where it does not parse."""
    decision: Decision | None
    """What the rules of now say; None for a refusal, for a body that is not here any more, and for what was
    written over FHIR or tells a subscriber of master data: no rule is asked what it means.
    """
    answer: Answer
    rules_then: str | None = None
    """The version that decided it last, as its trace says; None: none did, or it was no deployed one."""
    then: Decision | None = None
    """What that version says, with the codes that are mapped by now; None: there is none of it."""
    sent: Sequence[Sent] = ()
    body_dropped: str | None = None
    """The sentence for people about a body that retention dropped; None: it is here."""


class CurrentRules:
    """The rules that decide now, compiled again when another set is deployed."""

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: where they are before the first set is deployed."""
        self._dir = rules_dir
        self._compiled: dict[str, RuleSet] = {}
        self._earlier: dict[str, RuleSet] = {}
        self._lock = Lock()

    def get(self, connection: sa.Connection) -> RuleSet:
        """Return the compiled rules, with the codes mapped since. Raises `InvalidRulesError`."""
        with self._lock:
            digest = store.active_digest(connection)
            if digest is None:
                return RuleSet.load(self._dir)
            if digest not in self._compiled:
                self._compiled = {digest: compiled(store.files(connection, digest))}
            rules = self._compiled[digest]
            rules.additions.refresh(connection)
            return rules

    def version(self, connection: sa.Connection, name: str) -> RuleSet | None:
        """Return a stored version, compiled, with the codes mapped since; None when there is none."""
        with self._lock:
            try:
                digest = store.named(connection, name)
            except (UnknownVersionError, NothingActiveError):
                return None
            if digest not in self._earlier:
                while len(self._earlier) >= EARLIER:
                    del self._earlier[next(iter(self._earlier))]
                self._earlier[digest] = compiled(store.files(connection, digest))
            rules = self._earlier[digest]
            rules.additions.refresh(connection)
            return rules


def forms(
    connection: sa.Connection,
    id: str,  # noqa: A002 - the journal's word
    rules: CurrentRules,
    recompute: Recompute,
) -> Forms | None:
    """Return the forms of a message or refusal (`r123`); None when there is none."""
    if id.startswith("r"):
        row = connection.execute(REFUSAL, {"id": int(id[1:])}).mappings().one_or_none()
        return None if row is None else _refused(id, row)
    stored = bodies.one(connection, int(id))
    if stored is None:
        return None
    if stored.body is None:
        size = connection.execute(SIZE, {"id": stored.id}).scalar_one()
        shown = _stored(stored, b"", size, None, bodies.told(connection, stored.id, stored.received_at))
        return replace(shown, sent=sent(connection, stored.id, recompute))
    if stored.protocol in (PROTOCOL, "hl7v3", MASTER_DATA):
        shown = _stored(stored, stored.body, len(stored.body), None, None)
        return replace(shown, sent=sent(connection, stored.id, recompute))
    records = KnownRecords(connection)
    decision = decided(rules.get(connection), stored, records)
    shown = _stored(stored, stored.body, len(stored.body), decision, None)
    name = connection.execute(UNDER, {"id": stored.id}).scalar_one_or_none()
    earlier = None if name is None else rules.version(connection, name)
    then = None if earlier is None else decided(earlier, stored, records)
    return replace(shown, rules_then=name, then=then, sent=sent(connection, stored.id, recompute))


def _stored(stored: Stored, body: bytes, size: int, decision: Decision | None, dropped: str | None) -> Forms:
    accepted = {"mllp": "AA", "tables": "read", "soap": "200", "fhir": "200", "hl7v3": "CA"}.get(
        stored.protocol, "202"
    )
    return Forms(
        id=str(stored.id),
        facility=stored.facility,
        patient_number=stored.patient_number,
        charset=stored.charset,
        raw=body,
        size=size,
        text=readable(body, stored.charset),
        parts=parts(body, stored.charset, stored.message_type),
        decision=decision,
        answer=Answer(stored.received_at, accepted, None),
        body_dropped=dropped,
    )


def _refused(id_: str, row: Any) -> Forms:
    body, refused = bytes(row["body"] or b""), {"mllp": "AR"}.get(row["protocol"], "4xx")
    return Forms(
        id=id_,
        facility=row["facility"],
        patient_number=None,
        charset="utf-8",
        raw=body,
        size=row["size"],
        text=readable(body, "utf-8"),
        parts=parts(body, "utf-8", row["message_type"] or ""),
        decision=None,
        answer=Answer(row["at"], refused, f"{row['code']}: {row['reason']}"),
        body_dropped=bodies.REFUSED if row["body"] is None else None,
    )


def parts(body: bytes, charset: str, message_type: str) -> Sequence[Part]:
    """Take a body apart for people; () where it does not parse."""
    try:
        if message_type.startswith(CDA_TYPE):
            root = parse_xml(body)
            inside = carried(root)
            found = _elements(root if inside is None else parse_xml(inside), attributes=True)
        elif message_type.startswith(XML_TYPES):
            found = _elements(parse_xml(body))
        elif message_type.startswith(ROW_TYPES):
            found = _keys(json.loads(body.decode(charset)), "")
        else:
            found = _fields(Message(decode(body, charset), charset).all)
        return [Part(part.place, part.value[:LONGEST_FIELD]) for part in found]
    except (HL7Error, ForbiddenXmlError, MalformedXmlError, ValueError, LookupError, RecursionError):
        return ()


def _fields(segments: Sequence[Segment]) -> Iterator[Part]:
    total: dict[str, int] = {}
    for segment in segments:
        total[segment.name] = total.get(segment.name, 0) + 1
    seen: dict[str, int] = {}
    for segment in segments:
        seen[segment.name] = seen.get(segment.name, 0) + 1
        name = f"{segment.name}({seen[segment.name]})" if total[segment.name] > 1 else segment.name
        for number in range(1, segment.text.count(segment.delimiters.field) + 2):
            value = segment.get(str(number))
            if value is not None:
                yield Part(f"{name}-{number}", value)


def _elements(element: etree._Element, within: str = "", *, attributes: bool = False) -> Iterator[Part]:
    for child in element.iterchildren(tag=etree.Element):
        place = f"{within}{etree.QName(child).localname}"
        for name, value in child.attrib.items() if attributes else ():
            yield Part(f"{place}/@{etree.QName(name).localname}", str(value))
        text = (child.text or "").strip()
        if text:
            yield Part(place, text)
        yield from _elements(child, f"{place}/", attributes=attributes)


def _keys(value: Any, place: str) -> Iterator[Part]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, dict | list):
        for key, inner in items:
            yield from _keys(inner, f"{place}.{key}" if place else str(key))
    elif value is not None:
        yield Part(place, str(value))
