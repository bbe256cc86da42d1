"""TLS of listeners and clients: version 1.2 or newer, certificates of both sides."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from bus.hl7.problem import UNKNOWN_KEY, HL7Error
from consortium.errors import PermanentError

Subject = frozenset[tuple[str, str]]
"""The attributes of a certificate's subject, OID and value; their order says nothing."""


class TlsSettingError(PermanentError):
    """A certificate, key or subject in the settings that cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a listener with TLS is told."""

    certificate: Path
    """PEM: ours, then its issuers."""
    key: Path
    client_ca: Path | None = None
    """PEM: who issues the senders' certificates. None: senders have none."""
    required: bool = True
    """Whether a sender without a certificate is turned away; only where there is a `client_ca`."""
    senders: Mapping[str, frozenset[str]] | None = None
    """Subject (RFC 4514) to the campuses it may send for; None or empty: every sender, for all campuses."""
    handshake_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a connection's certificate makes of it."""

    name: str
    """The subject as RFC 4514 writes it, or words for none."""
    campuses: frozenset[str]

    def check(self, facility: str) -> None:
        """Raise HL7Error, wrong_campus, for a campus that this sender may not send for."""
        if facility not in self.campuses:
            allowed = f"for {', '.join(sorted(self.campuses))} alone" if self.campuses else "for no campus"
            reason = f"MSH-4 names another campus: {self.name} may send {allowed}"
            raise HL7Error("wrong_campus", reason, UNKNOWN_KEY, "MSH-4")


class Senders:
    """Knows senders by their certificates."""

    def __init__(self, allowed: Mapping[str, frozenset[str]]) -> None:
        """`allowed`: subject (RFC 4514) to campuses. Raises TlsSettingError for what is no subject."""
        self._allowed = {subject(written): campuses for written, campuses in allowed.items()}

    def known(self, certificate: bytes | None) -> Sender:
        """Return who holds this certificate (DER); without one, or with an unlisted one: who may send
        nothing.
        """
        if certificate is None:
            return Sender("a sender without certificate", frozenset())
        written, attributes = holder(certificate)
        return Sender(written, self._allowed.get(attributes, frozenset()))


def subject(written: str) -> Subject:
    """Read a subject as RFC 4514 writes it. Raises TlsSettingError."""
    try:
        return _attributes(x509.Name.from_rfc4514_string(written))
    except ValueError as error:
        reason = "write it as openssl x509 -noout -subject -nameopt RFC2253,utf8,-esc_msb does"
        raise TlsSettingError(f"senders: {written!r} is no subject: {reason}") from error


def holder(certificate: bytes) -> tuple[str, Subject]:
    """Return whose certificate (DER) it is: as RFC 4514 writes it, and to compare."""
    name = x509.load_der_x509_certificate(certificate).subject
    return name.rfc4514_string(), _attributes(name)


def _attributes(name: x509.Name) -> Subject:
    return frozenset((part.oid.dotted_string, str(part.value)) for part in name)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return what a listener speaks TLS with. Raises TlsSettingError naming the file that cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _own(context, tls.certificate, tls.key)
    if tls.client_ca is not None:
        _trust(context, tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.required else ssl.CERT_OPTIONAL
    return context


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return what a client speaks TLS with: `ca` issues the receiver's certificate (None: the system's), the
    others are ours. Raises TlsSettingError.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if ca is not None:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=_read(ca, "the CA").decode())
    if certificate is not None:
        _own(context, certificate, key or certificate)
    return context


def days_left(certificate: Path, now: datetime | None = None) -> int:
    """Return for how many whole days a certificate is still good; below 0 when it has expired."""
    try:
        first = x509.load_pem_x509_certificate(_read(certificate, "the certificate"))
    except ValueError as error:
        raise TlsSettingError(f"the certificate {certificate} holds no certificate in PEM") from error
    return (first.not_valid_after_utc - (now or datetime.now(UTC))).days


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else type(error).__name__
        raise TlsSettingError(f"{what} {path} cannot be read: {cause}") from error


def _own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load our certificate and its key."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _read(certificate, "the certificate")
    _read(key, "the key")

    def locked() -> str:
        raise TlsSettingError(
            f"the key {key} is encrypted: give one without a pass phrase, readable by us alone"
        )

    try:
        context.load_cert_chain(certificate, key, password=locked)
    except ssl.SSLError as error:
        if error.reason and "MISMATCH" in error.reason:
            raise TlsSettingError(
                f"the key {key} does not belong to the certificate {certificate}"
            ) from error
        which = f"the certificate {certificate} or the key {key}"
        raise TlsSettingError(f"{which} cannot be used ({error.reason or 'no PEM'})") from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    """Take clients whose certificate this CA issued."""
    _read(ca, "client_ca")
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise TlsSettingError(
            f"client_ca {ca} holds no certificate in PEM ({error.reason or 'no PEM'})"
        ) from error


_CAUSES = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the sender has no certificate, and this endpoint asks for one",
    "HTTP_REQUEST": "the sender speaks HTTP, not TLS",
    "WRONG_VERSION_NUMBER": "the sender does not speak TLS: send with TLS, or to a plain endpoint",
    "UNSUPPORTED_PROTOCOL": "the sender offers no TLS version from 1.2 on",
    "NO_SHARED_CIPHER": "the sender and this endpoint have no cipher suite in common",
    "TLSV1_ALERT_UNKNOWN_CA": "the sender does not trust this endpoint's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the sender does not take this endpoint's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "this endpoint's certificate has expired, says the sender",
}


def why(error: ssl.SSLError) -> str:
    """Return why a handshake failed, as a listener sees it; for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the sender's certificate is refused: {error.verify_message}"
    reason = error.reason or "UNKNOWN"
    return _CAUSES.get(reason, f"the TLS handshake failed: {reason.replace('_', ' ').lower()}")
