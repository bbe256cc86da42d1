"""Fields of HL7 v2 made of facts, each escaped; what cannot be written is an error that names the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from bus.hl7.build import components, escape, subcomponents
from bus.hl7.charset import codec_for
from bus.hl7.problem import DATA_TYPE, HL7Error
from consortium.records.model import Coded, Practitioner

LOCAL = ZoneInfo("Asia/Shanghai")
CODE_SYSTEMS = {
    "http://loinc.org": "LN",
    "http://hl7.org/fhir/sid/icd-10": "I10",
    "http://snomed.info/sct": "SCT",
    None: "L",
}
"""Code system → HL7 table 0396; any other is written as its URI. A campus's own is L (local)."""

Segment = list[str]


def segment(name: str, fields: Mapping[int, str]) -> Segment:
    """Return a segment of ready fields by their numbers."""
    made = [name, *([""] * max(fields, default=0))]
    for number, value in fields.items():
        made[number] = value
    return made


def coded(value: Coded | None) -> str:
    """Return CE or CWE: code, name, code system."""
    if value is None:
        return ""
    return components(value.code, value.name, CODE_SYSTEMS.get(value.system, value.system))


def staff(value: Practitioner | None) -> str:
    """Return XCN: number and name, which stands whole in the family name."""
    return "" if value is None else components(value.number, value.name)


def staff_ndl(value: Practitioner | None) -> str:
    """Return NDL: number and name in its first component."""
    return "" if value is None else subcomponents(value.number, value.name)


def time(value: datetime | None) -> str:
    """Return TS or DTM in the hospitals' zone, with it; tenths of milliseconds where there are any."""
    if value is None:
        return ""
    local = value.astimezone(LOCAL)
    part = f".{local.microsecond // 100:04d}" if local.microsecond else ""
    return f"{local:%Y%m%d%H%M%S}{part}{local:%z}"


def day(value: date | None) -> str:
    """Return DT."""
    return "" if value is None else f"{value:%Y%m%d}"


def number(value: Decimal | int | None) -> str:
    """Return NM, never with an exponent."""
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def text(value: str | None) -> str:
    """Return ST, TX or FT."""
    return escape(value)


def encoded(segments: Sequence[Segment], charset: str) -> bytes:
    """Encode a message in a character set of table 0211.

    Raises HL7Error (`unencodable`) with the field that holds a character that the set lacks; nothing is ever
    replaced by a question mark.
    """
    codec = codec_for(charset)
    lines = []
    for made in segments:
        for place, value in enumerate(made):
            try:
                value.encode(codec)
            except UnicodeEncodeError as error:
                where = f"{made[0]}-{place + 1 if made[0] == 'MSH' else place}"
                reason = (
                    f"{where} holds a character that {charset} lacks, at place {error.start + 1}: give the"
                    " destination a larger charset (UNICODE UTF-8 or GB 18030-2000), then resend"
                )
                raise HL7Error("unencodable", reason, DATA_TYPE, where) from None
        lines.append("|".join(made).rstrip("|"))
    return ("\r".join(lines) + "\r").encode(codec)
