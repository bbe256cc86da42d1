"""What is wrong with certificates in the settings is said by name, before anything listens."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.tls import (
    Senders,
    Tls,
    TlsSettingError,
    client_context,
    days_left,
    server_context,
    subject,
)
from tests.certificates import Authority, pem


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_nothing_older_than_tls_12_is_spoken(authority: Authority) -> None:
    ours = authority.issue("CN=bus")
    server = server_context(Tls(ours.certificate, ours.key))
    client = client_context(authority.certificate, ours.certificate, ours.key)
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2
    assert client.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_client_ca_asks_every_sender_for_a_certificate_unless_told_otherwise(authority: Authority) -> None:
    ours = authority.issue("CN=bus")
    asked = [Tls(ours.certificate, ours.key)]
    asked += [Tls(ours.certificate, ours.key, authority.certificate, required=r) for r in (True, False)]
    modes = [server_context(tls).verify_mode for tls in asked]
    assert modes == [ssl.CERT_NONE, ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL]


def test_a_file_that_is_not_there_is_named(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("CN=bus")
    nowhere = tmp_path / "nowhere.pem"
    for tls, what in [
        (Tls(nowhere, ours.key), "the certificate"),
        (Tls(ours.certificate, nowhere), "the key"),
        (Tls(ours.certificate, ours.key, nowhere), "client_ca"),
    ]:
        with pytest.raises(TlsSettingError, match=rf"{what} .*nowhere\.pem cannot be read: No such file"):
            server_context(tls)


def test_a_key_of_another_certificate_is_told(authority: Authority) -> None:
    ours, other = authority.issue("CN=bus"), authority.issue("CN=other")
    with pytest.raises(TlsSettingError, match="does not belong to the certificate"):
        server_context(Tls(ours.certificate, other.key))


def test_an_encrypted_key_is_told_and_nobody_is_asked_for_a_pass_phrase(
    authority: Authority, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    locked.write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    with pytest.raises(TlsSettingError, match="is encrypted"):
        server_context(Tls(authority.issue("CN=bus").certificate, locked))


def test_what_is_no_pem_is_told(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("CN=bus")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    with pytest.raises(TlsSettingError, match="cannot be used"):
        server_context(Tls(text, ours.key))
    with pytest.raises(TlsSettingError, match=r"client_ca .* holds no certificate"):
        server_context(Tls(ours.certificate, ours.key, text))
    with pytest.raises(TlsSettingError, match="holds no certificate in PEM"):
        days_left(text)


def test_the_days_that_a_certificate_is_still_good(authority: Authority) -> None:
    issued = authority.issue("CN=bus", lasts=timedelta(days=10, hours=1))
    assert days_left(issued.certificate) == 10
    assert days_left(issued.certificate, datetime.now(UTC) + timedelta(days=12)) < 0


def test_the_order_of_a_subject_s_parts_says_nothing_and_each_part_counts() -> None:
    assert subject("CN=engine,O=黄埔院区") == subject("O=黄埔院区,CN=engine")
    assert subject("CN=engine,O=黄埔院区") != subject("CN=engine")


@pytest.mark.parametrize("written", ["engine", "XX=1", "CN", "/CN=engine"])
def test_what_is_no_subject_is_refused(written: str) -> None:
    with pytest.raises(TlsSettingError, match="is no subject"):
        Senders({written: frozenset({"HP"})})


def test_who_has_no_certificate_may_send_for_nobody() -> None:
    sender = Senders({"CN=engine": frozenset({"HP"})}).known(None)
    assert (sender.name, sender.campuses) == ("a sender without certificate", frozenset())
