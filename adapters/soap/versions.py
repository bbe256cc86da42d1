"""SOAP 1.1 and 1.2: what differs between them."""

from __future__ import annotations

import enum


class Version(enum.Enum):
    """A version of SOAP, by the namespace of its envelope."""

    V11 = "http://schemas.xmlsoap.org/soap/envelope/"
    V12 = "http://www.w3.org/2003/05/soap-envelope"

    @property
    def media_type(self) -> str:
        """MIME type of its messages (SOAP 1.1 §6.1.1, SOAP 1.2 part 2 §7.1.4)."""
        return "text/xml" if self is Version.V11 else "application/soap+xml"

    @property
    def wsdl(self) -> str:
        """Namespace of its WSDL 1.1 binding."""
        return f"http://schemas.xmlsoap.org/wsdl/{'soap' if self is Version.V11 else 'soap12'}/"


def by_media_type(content_type: str) -> Version | None:
    """Return the version that a Content-Type header announces."""
    media_type = content_type.partition(";")[0].strip().lower()
    return next((version for version in Version if version.media_type == media_type), None)
