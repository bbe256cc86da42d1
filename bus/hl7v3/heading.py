"""The transmission wrapper: which message this is, of whom, for whom (MCCI_MT000100UV01)."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from bus.hl7v3.elements import Element, Id, StructureError, first, identifier, needed, path
from bus.hl7v3.names import NAMESPACE


@dataclass(frozen=True, slots=True)
class Heading:
    """What an answer needs of the message that it answers."""

    interaction: str
    """Name of the root element."""
    id: Id
    sender: Id
    receiver: Id | None
    created: str | None
    """creationTime as written."""
    processing: str
    """processingCode: P production, T training, D debugging."""


def heading(message: Element) -> Heading:
    """Read the wrapper. Raises StructureError."""
    name = etree.QName(message)
    if name.namespace != NAMESPACE:
        raise StructureError(f"/{name.localname}", f"a message of the namespace {NAMESPACE} is needed")
    stated = needed(message, "interactionId")
    if (stated.get("extension") or "").strip() != name.localname.partition("_Cancel")[0]:
        raise StructureError(path(stated), "its extension must be the name of the message")
    receiver, created = first(message, "receiver/device/id"), first(message, "creationTime")
    processing = first(message, "processingCode")
    return Heading(
        interaction=name.localname,
        id=identifier(needed(message, "id")),
        sender=identifier(needed(message, "sender/device/id")),
        receiver=None if receiver is None else identifier(receiver),
        created=None if created is None else created.get("value"),
        processing=(processing.get("code") if processing is not None else None) or "P",
    )
