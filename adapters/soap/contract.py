"""A foreign service's contract: its pinned WSDL, read once, from which messages to it are made.

zeep reads WSDL and schemas with a parser of its own, so it gets no byte that our hardened parser has not
taken before, and no file that is not pinned; nothing is fetched.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import zeep
from lxml import etree
from zeep.wsse.username import UsernameToken

from adapters.soap.versions import Version
from bus.delivery.transport import UnsendableError
from bus.rules.sending.shape import Object, Repeated
from bus.rules.sending.soap import SoapDestination
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml
from consortium.errors import PermanentError

_ROOT = "/pinned"
_SETTINGS: dict[str, Any] = {
    "strict": True,
    "forbid_dtd": True,
    "forbid_entities": True,
    "forbid_external": True,
    "xml_huge_tree": False,
    "force_https": False,
}


class _Pinned:
    """What zeep takes for a transport: it loads pinned files, and sends nothing."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def load(self, url: str) -> bytes:
        """Return a pinned file. Raises PermanentError for any other address, and for XML that is refused."""
        folder, name = posixpath.split(url)
        if folder != _ROOT or name not in self._files:
            raise PermanentError(
                f"the WSDL refers to {url.removeprefix(_ROOT + '/')}, which is not pinned: put the file"
                " beside it, list it in SHA256SUMS, and let schemaLocation be its name"
            )
        try:
            parse_xml(self._files[name])
        except (ForbiddenXmlError, MalformedXmlError) as error:
            raise PermanentError(f"{name} is not taken: {error}") from error
        return self._files[name]


class Contract:
    """One operation of a service."""

    def __init__(self, spec: SoapDestination, files: Mapping[str, bytes]) -> None:
        """Raises PermanentError when the WSDL lacks what the destination's file names."""
        self._spec = spec
        try:
            client = zeep.Client(  # type: ignore[no-untyped-call]
                f"{_ROOT}/{spec.wsdl}", transport=_Pinned(files), settings=zeep.Settings(**_SETTINGS)
            )
        except PermanentError:
            raise
        except Exception as error:  # zeep raises whatever its reading of a WSDL stumbles over
            reason = f"{spec.wsdl} cannot be read as WSDL ({type(error).__name__}): {error}"
            raise PermanentError(reason) from error
        service = _named(client.wsdl.services, spec.service, "service", spec.wsdl)
        binding = _named(service.ports, spec.port, "port", spec.wsdl).binding
        operations = binding.all()
        if spec.operation not in operations:
            known = ", ".join(sorted(operations))
            reason = f"{spec.wsdl} has no operation {spec.operation} in that port; it has {known}"
            raise PermanentError(reason)
        self._operation = operations[spec.operation]
        self._element = self._operation.input.body
        namespace = binding.nsmap["soap-env"]
        self.version = next(version for version in Version if version.value == namespace)
        self.one_way = self._operation.output is None
        if spec.arguments is not None:
            _check_names(spec.arguments, self._element, spec.operation)

    def envelope(self, arguments: Mapping[str, Any]) -> etree._Element:
        """Return the envelope of a call. Raises UnsendableError, which quotes no value."""
        try:
            made: etree._Element = self._operation.create(**arguments).content
        except zeep.exceptions.ValidationError as error:
            raise UnsendableError("bad_argument", f"the WSDL does not take the message: {error}") from error
        except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
            reason = f"the WSDL does not take a value of the message ({type(error).__name__})"
            raise UnsendableError("bad_argument", reason) from error
        return made

    def around(self, body: bytes) -> etree._Element:
        """Return the envelope around a message that is the operation's element. Raises UnsendableError."""
        try:
            element = parse_xml(body)
        except (ForbiddenXmlError, MalformedXmlError) as error:
            raise UnsendableError("not_xml", f"the message is no XML that can be sent: {error}") from error
        if element.tag != self._element.qname.text:
            raise UnsendableError(
                "other_element",
                f"the message is {element.tag}, and {self._spec.operation} takes {self._element.qname.text}:"
                " write arguments in the destination's file",
            )
        namespace = self.version.value
        envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap-env": namespace})
        etree.SubElement(envelope, f"{{{namespace}}}Body").append(element)
        return envelope

    def headers(self) -> Mapping[str, str]:
        """Return the HTTP headers that name the operation (SOAP 1.1 §6.1.1, SOAP 1.2 part 2 §7)."""
        action = self._operation.soapaction or ""
        if self.version is Version.V11:
            return {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{action}"'}
        named = f'; action="{action}"' if action else ""
        return {"content-type": f"application/soap+xml; charset=utf-8{named}"}


def signed(envelope: etree._Element, spec: SoapDestination, password: str | None) -> etree._Element:
    """Put the WS-Security token into an envelope, made anew for each try: nonce and time are used once."""
    if spec.security is not None and password is not None:
        token = UsernameToken(  # type: ignore[no-untyped-call]
            spec.security.user, password, use_digest=spec.security.digest, zulu_timestamp=True
        )
        envelope, _ = token.apply(envelope, {})  # type: ignore[no-untyped-call]
    return envelope


def _named(found: Mapping[str, Any], wanted: str | None, what: str, wsdl: str) -> Any:
    if wanted is None and found:
        return next(iter(found.values()))
    if wanted is None or wanted not in found:
        named = f"{what} {wanted}" if wanted else what
        raise PermanentError(f"{wsdl} has no {named}; it has {', '.join(found) or 'none'}")
    return found[wanted]


def _check_names(shape: Object, element: Any, place: str) -> None:
    """Raise PermanentError for a name that the operation does not take."""
    known = dict(_children(element))
    if any(child is None for child in known.values()):
        return  # xsd:any takes every name
    for name, inner in shape.items():
        if name not in known:
            raise PermanentError(f"arguments: {place} takes no {name}; it takes {', '.join(known)}")
        inner = inner.of if isinstance(inner, Repeated) else inner
        if isinstance(inner, dict):
            _check_names(inner, known[name], f"{place}.{name}")


def _children(element: Any) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(element.type, "elements", ()):
        yield name, child if hasattr(child, "qname") and child.qname is not None else None
    for name, child in getattr(element.type, "attributes", ()):
        yield name, child
