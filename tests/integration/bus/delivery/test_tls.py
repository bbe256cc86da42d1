"""MLLP over mutual TLS: with the right certificates it flows, with wrong ones not one byte goes out."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.mllp.outbound import MllpTransport
from consortium.errors import PermanentError
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver


def authority(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate authority; `<name>.pem` is its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = signed(name, key, name, key, ca=True)
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made, key


def signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    called = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(called[0])
        .issuer_name(called[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(by, hashes.SHA256())
    )


def issue(
    folder: Path, name: str, by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], issuer: str
) -> None:
    """Write `<name>.pem` and `<name>.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = signed(name, key, issuer, by[1], ca=False)
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.fixture
def receiver(tmp_path: Path) -> MllpReceiver:
    """A receiver that asks for a certificate of its authority."""
    ca = authority(tmp_path, "ca")
    authority(tmp_path, "other")
    issue(tmp_path, "ward", ca, "ca")
    issue(tmp_path, "ours", ca, "ca")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "ward.pem", tmp_path / "ward.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return MllpReceiver(tls=context)


async def test_with_the_right_certificates_messages_flow(
    database_url: str, receiver: MllpReceiver, tmp_path: Path
) -> None:
    ours = {
        "ca": tmp_path / "ca.pem", "certificate": tmp_path / "ours.pem", "key": tmp_path / "ours.key"
    }  # fmt: skip
    enqueue(database_url, "ward", *messages(3))
    async with receiver as ward, delivering(database_url, mllp(ward.port, tls=ours)):
        await until(lambda: states(database_url) == ["delivered"] * 3)
    assert receiver.got == ["P1-1", "P1-2", "P1-3"]


async def test_to_a_receiver_of_another_authority_not_one_byte_goes(
    database_url: str, receiver: MllpReceiver, tmp_path: Path
) -> None:
    enqueue(database_url, "ward", *messages(2))
    async with receiver as ward:
        spec = mllp(ward.port, tls={"ca": tmp_path / "other.pem"})
        async with delivering(database_url, spec) as line:
            await until(lambda: line.detail()["breaker"] in ("open", "half_open"))
    assert receiver.got == []
    assert states(database_url) == ["queued", "queued"]
    reasons = rows(database_url, "SELECT reason FROM bus.delivery WHERE code = 'unreachable'")
    assert "TLS was not agreed" in reasons[0][0]


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"correct tls\.ca"):
        MllpTransport(mllp(1, tls={"ca": tmp_path / "nowhere.pem"}))
