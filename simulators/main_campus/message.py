"""One HL7 v2 message as an application of the main campus sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bus.hl7.build import build, escape, repeated, subcomponents

Subcomponents = tuple[str, ...]
Components = tuple["str | Subcomponents", ...]
FieldValue = str | Components | Sequence[str | Components]
"""Plain text; a tuple of components; a list of repetitions. A tuple inside a tuple is subcomponents."""


Segment = list[str]
"""A segment's name and its fields, ready to send."""


@dataclass(frozen=True, slots=True)
class Application:
    """A system of the campus and how it speaks."""

    code: str
    """MSH-3."""
    version: str
    charset: str
    """MSH-18, HL7 table 0211."""
    codec: str

    def time(self, at: datetime) -> str:
        """Return a time as this application writes it: only v2.5 says the zone."""
        return at.strftime("%Y%m%d%H%M%S%z" if self.version == "2.5" else "%Y%m%d%H%M%S")


HIS = Application("HIS", "2.4", "GB 18030-2000", "gb18030")
EMR = Application("EMR", "2.5", "UNICODE UTF-8", "utf-8")
LIS = Application("LIS", "2.5", "UNICODE UTF-8", "utf-8")
RIS = Application("RIS", "2.4", "GB 18030-2000", "gb18030")
APPLICATIONS = (HIS, EMR, LIS, RIS)


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready to send, and what must become of it."""

    at: datetime
    application: str
    control_id: str
    type: str
    patients: tuple[str, ...]
    """Patient numbers in it: it goes out after those before it of the same patients are acknowledged."""
    body: bytes
    expect: str = "recorded"
    """`recorded`, `held:CODE`, `refused:CODE` or `duplicate`."""


def segment(name: str, fields: Mapping[int, FieldValue]) -> Segment:
    """Return one segment of those fields, everything escaped (v2.4 section 2.10)."""
    return [name, *(_field(fields.get(place, "")) for place in range(1, max(fields) + 1))]


def header(
    application: Application, message_type: str, control_id: str, at: datetime, changed: Mapping[int, str]
) -> Segment:
    """Return the MSH segment (v2.4 section 2.16.9). `changed` overrides fields, by number."""
    kind, _, event = message_type.partition("^")
    structure = {"A04": "A01", "A08": "A01", "A40": "A39", "S14": "S12", "S15": "S12"}.get(event, event)
    fields: dict[int, FieldValue] = {
        3: application.code,
        4: "MAIN",
        5: "YILIAN",
        6: "CONSORTIUM",
        7: application.time(at),
        9: (kind, event, f"{kind}_{structure}") if application.version == "2.5" else (kind, event),
        10: control_id,
        11: "P",
        12: application.version,
        18: application.charset,
        **changed,
    }
    return ["MSH", "^~\\&", *(_field(fields.get(place, "")) for place in range(3, 19))]


def compose(application: Application, segments: Sequence[Segment]) -> bytes:
    """Return the message's bytes."""
    return build(segments, application.charset)


def _field(value: FieldValue) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        return "^".join(_component(part) for part in value).rstrip("^")
    return repeated(*(_field(repetition) for repetition in value))


def _component(value: str | Subcomponents) -> str:
    return escape(value) if isinstance(value, str) else subcomponents(*value)
