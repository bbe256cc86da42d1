"""DocumentReference, with its Binary → a clinical document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bus.fhir.reading.elements import Reader, given
from bus.fhir.shapes import Resource
from consortium.records.model import Document

ELEMENTS = frozenset(
    {"masterIdentifier", "identifier", "status", "docStatus", "type", "subject", "date", "author"}
    | {"custodian", "relatesTo", "description", "content", "context"}
)
_STATUSES = {"current": "current", "superseded": "superseded", "entered-in-error": "cancelled"}


def document_reference(reader: Reader, binaries: Mapping[str, Resource]) -> Document | None:
    """Read a DocumentReference (R4 section 2.42); None where it is not complete. `binaries` are those of its
    bundle by address.
    """
    resource = reader.resource
    type_ = reader.coded("type", resource.get("type"))
    attachment = _attachment(reader)
    title = resource.get("description") or attachment.get("title") or (type_.name if type_ else None)
    if type_ is None or not title:
        reader.wrong("type", "it must have a type, and a title in description or content", "required")
        return None
    content, mime_type = _content(reader, attachment, binaries)
    author = next(iter(resource.get("author", ())), None)
    return Document(
        number=reader.key.number,
        type=type_,
        title=title,
        **given(
            status=reader.word("status", resource.get("status"), _STATUSES),
            replaces=_replaces(reader),
            mime_type=mime_type,
            content=content or None,
            author=reader.practitioner(author),
            created_at=reader.time("date", resource.get("date") or attachment.get("creation")),
        ),
    )


def _attachment(reader: Reader) -> Any:
    contents = reader.resource.get("content", ())
    if len(contents) > 1:
        reader.wrong("content", "one content a document: send the others as documents", "not-supported")
    return contents[0].get("attachment", {}) if contents else {}


def _content(reader: Reader, attachment: Any, binaries: Mapping[str, Resource]) -> tuple[bytes, str | None]:
    place, mime_type = "content[0].attachment", attachment.get("contentType")
    if attachment.get("data"):
        return reader.bytes(f"{place}.data", attachment["data"]), mime_type
    url = attachment.get("url")
    if not url:
        return b"", mime_type
    binary = binaries.get(url)
    if binary is not None:
        return reader.bytes(f"{place}.url", binary.get("data", "")), mime_type or binary.get("contentType")
    if url != f"Binary/{reader.key.id}":
        reader.wrong(f"{place}.url", "send the content along: data, or a Binary in the bundle", "not-found")
    return b"", mime_type


def _replaces(reader: Reader) -> str | None:
    for place, one in enumerate(reader.resource.get("relatesTo", ())):
        if one.get("code") == "replaces":
            where = f"relatesTo[{place}].target"
            return reader.number_of(where, "DocumentReference", one.get("target"))
    return None
