"""A request against its XSD: the first mistake, its place and what to do, without the wrong value."""

from __future__ import annotations

from lxml import etree

from adapters.soap.faults import Fault, FaultError
from bus.sources.xsd import mistakes


def validate(payload: etree._Element, schema: etree.XMLSchema) -> None:
    """Raise `FaultError` with the first violation."""
    for mistake in mistakes(payload, schema):
        raise FaultError(Fault("schema", mistake.chinese, mistake.english, mistake.path))
