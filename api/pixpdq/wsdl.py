"""The WSDL 1.1 of both addresses, for SOAP 1.2 (ITI TF-2 Appendix W).

The XML schemas of HL7 v3 are HL7's and are not given out here: the elements are declared and left open.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from adapters.soap.versions import Version
from adapters.soap.wsdl import HTTP_TRANSPORT, WSDL
from api.pixpdq.asked import CONTINUED, action
from bus.hl7v3.elements import Element
from bus.hl7v3.names import (
    ACKNOWLEDGEMENT,
    ADD,
    CANCEL,
    CONTINUE,
    MERGE,
    NAMESPACE,
    PDQ_ANSWER,
    PDQ_QUERY,
    PIX_ANSWER,
    PIX_QUERY,
    REVISE,
)

SCHEMA = "http://www.w3.org/2001/XMLSchema"
ADDRESSING = "http://www.w3.org/2006/05/addressing/wsdl"
_NSMAP = {"wsdl": WSDL, "soap12": Version.V12.wsdl, "xsd": SCHEMA, "hl7": NAMESPACE, "wsaw": ADDRESSING}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its name, the message that it takes and the one that it answers with."""

    name: str
    takes: str
    answers: str


@dataclass(frozen=True, slots=True)
class Service:
    """What one address offers."""

    name: str
    operations: tuple[Operation, ...]


PIX = Service(
    "PIXManager",
    (
        Operation("PRPA_IN201301UV02", ADD, ACKNOWLEDGEMENT),
        Operation("PRPA_IN201302UV02", REVISE, ACKNOWLEDGEMENT),
        Operation("PRPA_IN201304UV02", MERGE, ACKNOWLEDGEMENT),
        Operation("PRPA_IN201309UV02", PIX_QUERY, PIX_ANSWER),
    ),
)
PDQ = Service(
    "PDSupplier",
    (
        Operation("PRPA_IN201305UV02", PDQ_QUERY, PDQ_ANSWER),
        Operation(CONTINUED, CONTINUE, PDQ_ANSWER),
        Operation(CANCEL, CANCEL, ACKNOWLEDGEMENT),
    ),
)


def render(service: Service, address: str) -> bytes:
    """Return the WSDL, its port at `address` (URL)."""
    root = etree.Element(f"{{{WSDL}}}definitions", nsmap=_NSMAP, name=service.name, targetNamespace=NAMESPACE)
    _types(root, service)
    for name in _messages(service):
        _add(_add(root, "message", name=f"{name}_Message"), "part", name="Body", element=f"hl7:{name}")
    _port_type(root, service)
    _binding(root, service)
    port = _add(
        _add(root, "service", name=f"{service.name}_Service"),
        "port",
        name=f"{service.name}_Port_Soap12",
        binding=f"hl7:{service.name}_Binding_Soap12",
    )
    etree.SubElement(port, f"{{{Version.V12.wsdl}}}address", location=address)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _messages(service: Service) -> list[str]:
    names = [name for one in service.operations for name in (one.takes, one.answers)]
    return list(dict.fromkeys(names))


def _types(root: Element, service: Service) -> None:
    schema = etree.SubElement(
        _add(root, "types"),
        f"{{{SCHEMA}}}schema",
        targetNamespace=NAMESPACE,
        elementFormDefault="qualified",
    )
    for name in _messages(service):
        etree.SubElement(schema, f"{{{SCHEMA}}}element", name=name, type="xsd:anyType")


def _port_type(root: Element, service: Service) -> None:
    port_type = _add(root, "portType", name=f"{service.name}_PortType")
    for one in service.operations:
        operation = _add(port_type, "operation", name=f"{service.name}_{one.name}")
        for direction, name, said in (("input", one.takes, one.name), ("output", one.answers, one.answers)):
            part = _add(operation, direction, message=f"hl7:{name}_Message")
            part.set(f"{{{ADDRESSING}}}Action", action(said))


def _binding(root: Element, service: Service) -> None:
    soap = Version.V12.wsdl
    name, type_ = f"{service.name}_Binding_Soap12", f"hl7:{service.name}_PortType"
    binding = _add(root, "binding", name=name, type=type_)
    etree.SubElement(binding, f"{{{soap}}}binding", style="document", transport=HTTP_TRANSPORT)
    etree.SubElement(binding, f"{{{ADDRESSING}}}UsingAddressing")
    for one in service.operations:
        operation = _add(binding, "operation", name=f"{service.name}_{one.name}")
        etree.SubElement(operation, f"{{{soap}}}operation", soapAction=action(one.name), style="document")
        for direction in ("input", "output"):
            etree.SubElement(_add(operation, direction), f"{{{soap}}}body", use="literal")


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{WSDL}}}{tag}", attrib=attributes)
