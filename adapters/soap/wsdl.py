"""The WSDL 1.1 of an interface: its schema inline, a port for SOAP 1.1 and one for SOAP 1.2."""

from __future__ import annotations

from lxml import etree

from adapters.soap.interfaces import ANSWER, NAMESPACE, Interface
from adapters.soap.versions import Version

WSDL = "http://schemas.xmlsoap.org/wsdl/"
HTTP_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
_NSMAP = {"wsdl": WSDL, "soap": Version.V11.wsdl, "soap12": Version.V12.wsdl, "y": NAMESPACE}


def render(interface: Interface, address: str) -> bytes:
    """Return the WSDL, its ports at `address` (URL)."""
    root = etree.Element(
        f"{{{WSDL}}}definitions", nsmap=_NSMAP, name=interface.name, targetNamespace=NAMESPACE
    )
    _add(root, "documentation").text = interface.title
    _add(root, "types")
    _add_message(root, "Request", interface.root)
    _add_message(root, "Response", ANSWER)
    _add_port_type(root, interface)
    _add_bindings(root, interface)
    _add_service(root, interface, address)
    text = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    # As text: lxml would take away the declaration of the prefix that the schema's type names use.
    schema = etree.tostring(interface.definition, encoding="UTF-8", xml_declaration=False)
    return text.replace(b"<wsdl:types/>", b"<wsdl:types>" + schema + b"</wsdl:types>")


def _add(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{WSDL}}}{tag}", attrib=attributes)


def _add_message(root: etree._Element, name: str, element: str) -> None:
    _add(_add(root, "message", name=name), "part", name="body", element=f"y:{element}")


def _add_port_type(root: etree._Element, interface: Interface) -> None:
    operation = _add(_add(root, "portType", name="Upload"), "operation", name=interface.operation)
    _add(operation, "documentation").text = interface.title
    _add(operation, "input", message="y:Request")
    _add(operation, "output", message="y:Response")


def _add_bindings(root: etree._Element, interface: Interface) -> None:
    for version in Version:
        soap = version.wsdl
        binding = _add(root, "binding", name=f"Upload{version.name}", type="y:Upload")
        etree.SubElement(binding, f"{{{soap}}}binding", style="document", transport=HTTP_TRANSPORT)
        operation = _add(binding, "operation", name=interface.operation)
        action = f"{NAMESPACE}:{interface.operation}"
        etree.SubElement(operation, f"{{{soap}}}operation", soapAction=action, style="document")
        for direction in ("input", "output"):
            etree.SubElement(_add(operation, direction), f"{{{soap}}}body", use="literal")


def _add_service(root: etree._Element, interface: Interface, address: str) -> None:
    service = _add(root, "service", name=f"{interface.operation}Service")
    for version in Version:
        port = _add(service, "port", name=f"Soap{version.name[1:]}", binding=f"y:Upload{version.name}")
        etree.SubElement(port, f"{{{version.wsdl}}}address", location=address)
