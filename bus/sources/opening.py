"""From a stored message to its source, by its type."""

from __future__ import annotations

from bus.envelope import Stored
from bus.sources.cda import parse_cda
from bus.sources.hl7 import parse_hl7
from bus.sources.rows import parse_rows
from bus.sources.source import Envelope, Source, UnreadableError
from bus.sources.xml import parse_xml_source

CDA_TYPE = "cda:"
XML_TYPES = ("soap:", "xml:", "hl7v3:", CDA_TYPE)
ROW_TYPES = ("rest:", "table:", "json:", "csv:", "fhir:")


def open_stored(stored: Stored) -> Source:
    """Return the source of a message read back from the inbox; raises `UnreadableError`."""
    envelope = Envelope(
        stored.facility, stored.sender, stored.message_type, stored.protocol, stored.control_id
    )
    if stored.body is None:
        raise UnreadableError(
            "body_dropped", "its body was dropped by retention; its sender has to send it again"
        )
    return open_source(bytes(stored.body), stored.charset, envelope)


def open_source(body: bytes, charset: str, envelope: Envelope) -> Source:
    """Return the source of a body; raises `UnreadableError` when it does not parse or decode."""
    if envelope.message_type.startswith(CDA_TYPE):
        return parse_cda(body, envelope)
    if envelope.message_type.startswith(XML_TYPES):
        return parse_xml_source(body, envelope)
    if envelope.message_type.startswith(ROW_TYPES):
        return parse_rows(decode_text(body, charset), envelope)
    return parse_hl7(body, charset, envelope)


def decode_text(body: bytes, charset: str) -> str:
    """Decode strictly: what does not fit its charset is held, never replaced."""
    try:
        return body.decode(charset)
    except LookupError as error:
        raise UnreadableError("unknown_charset", f"no codec named {charset!r}") from error
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not {charset}; correct the charset declared by the sender "
        raise UnreadableError("wrong_charset", reason) from error
