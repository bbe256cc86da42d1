"""HAPI and Camel, which send and receive HL7 v2 in most hospitals, against our listener and our delivery."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.envelope import Arrival
from bus.hl7.message import parse
from bus.inbox import Inbox
from runtime import ports
from runtime.mllp import MllpEndpoint, MllpSender
from simulators.hazards import hazardous_ideographs
from tests.certificates import Authority
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.queue import delivering, enqueue, mllp, states, until
from tests.interop.conftest import SETTINGS
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds

HAZARDS = hazardous_ideographs()
NAMES = ["".join(HAZARDS[n : n + 58]) for n in range(0, len(HAZARDS), 58)]
"""All 464 ideographs, by 58."""


@pytest.fixture(scope="module")
def peers() -> Peers:
    """The Java peers."""
    return Peers(build())


def message(control_id: str, name: str, charset: str, facility: str = "MAIN") -> str:
    """Return a message as text."""
    return (
        f"MSH|^~\\&|HIS|{facility}|YILIAN|GROUP|20261120083000||ADT^A08^ADT_A01|{control_id}|P|2.5||||||{charset}\r"
        f"EVN||20261120083000\rPID|1||M1^^^MAIN^MR||{name}^珅||19800101|F\rPV1|1|O\r"
    )


CHARSETS = {"UNICODE UTF-8": "utf-8", "GB 18030-2000": "gb18030"}


def written(folder: Path, texts: list[str], codec: str = "utf-8") -> list[Path]:
    """Write each message into a file."""
    files = [folder / f"{n}.hl7" for n in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode(codec))
    return files


def stored(url: str) -> dict[str, bytes]:
    """Return the bodies in the inbox."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT control_id, body FROM bus.message ORDER BY id").fetchall()
    return {control_id: bytes(body) for control_id, body in found}


class TestHapiSends:
    @pytest.mark.parametrize("charset", CHARSETS)
    async def test_all_hazardous_ideographs(
        self, peers: Peers, listener: Listener, database_url: str, tmp_path: Path, charset: str
    ) -> None:
        texts = [message(f"H{n}", name, charset) for n, name in enumerate(NAMES)]
        said = await peers.run(
            "HapiSender", listener.port, CHARSETS[charset].upper(), *written(tmp_path, texts)
        )
        assert said == [["AA", f"H{n}", ""] for n in range(len(NAMES))]
        bodies = stored(database_url)
        assert {key: parse(body).get("PID-5.1") for key, body in bodies.items()} == {
            f"H{n}": name for n, name in enumerate(NAMES)
        }
        assert bodies["H0"].decode(CHARSETS[charset]).startswith(texts[0].partition("\r")[0])

    async def test_a_charset_a_message_and_a_refusal_it_can_read(
        self, peers: Peers, listener: Listener, database_url: str, tmp_path: Path
    ) -> None:
        texts = [
            message("H1", "欧阳", "GB 18030-2000"),
            message("H2", "欧阳", "UNICODE UTF-8", facility="NOWHERE"),
            message("H3", "欧阳", "UNICODE UTF-8"),
        ]
        said = await peers.run("HapiSender", listener.port, "MSH-18", *written(tmp_path, texts))
        assert [fields[:2] for fields in said] == [["AA", "H1"], ["AR", "H2"], ["AA", "H3"]]
        assert "MSH-4 names no campus" in said[1][2]
        assert {key: parse(body).get("PID-5.1") for key, body in stored(database_url).items()} == {
            "H1": "欧阳",
            "H3": "欧阳",
        }


@asynccontextmanager
async def listening(database_url: str, settings: MllpSettings) -> AsyncIterator[Listener]:
    """Run a listener of other habits."""
    async with Inbox(database_url, "key", patience=0.0) as inbox:
        listener = Listener(settings, inbox)
        await listener.start()
        yield listener
        await listener.stop()


class TestHapiSendsOverTls:
    """HAPI with a certificate of its own."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path, "CA")

    def stores(self, folder: Path, authority: Authority, subject: str) -> tuple[str, ...]:
        """Return Java's options for a client with that subject, who trusts the authority."""
        ours = authority.issue(subject)
        entry = pkcs12.serialize_key_and_certificates(
            b"ours",
            load_pem_private_key(ours.key.read_bytes(), None),  # type: ignore[arg-type]  # it is one of a curve
            load_pem_x509_certificate(ours.certificate.read_bytes()),
            None,
            BestAvailableEncryption(b"changeit"),
        )
        (folder / "keys.p12").write_bytes(entry)
        subprocess.run(
            ["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(authority.certificate),
             "-keystore", str(folder / "trust.p12"), "-storetype", "PKCS12", "-storepass", "changeit"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        told = {
            "trustStore": folder / "trust.p12",
            "trustStorePassword": "changeit",
            "keyStore": folder / "keys.p12",
            "keyStorePassword": "changeit",
        }
        return ("-Dtls=true", *(f"-Djavax.net.ssl.{name}={value}" for name, value in told.items()))

    async def test_the_certificate_says_for_whom_it_may_send(
        self, peers: Peers, database_url: str, tmp_path: Path, authority: Authority
    ) -> None:
        bus = authority.issue("CN=bus")
        endpoint = MllpEndpoint(
            name="tls",
            port=ports.any_free(),
            certificate=bus.certificate,
            key=bus.key,
            client_ca=authority.certificate,
            senders=[MllpSender(subject="CN=engine,O=院本部", campuses=["MAIN"])],
        )
        options = self.stores(tmp_path, authority, "CN=engine,O=院本部")
        texts = [
            message("T1", "欧阳", "UNICODE UTF-8"),
            message("T2", "欧阳", "UNICODE UTF-8", facility="DH"),
        ]
        async with listening(database_url, SETTINGS.at(endpoint)) as listener:
            said = await peers.run(
                "HapiSender", listener.port, "UTF-8", *written(tmp_path, texts), options=options
            )
        assert [fields[:2] for fields in said] == [["AA", "T1"], ["AR", "T2"]]
        assert "may send for MAIN alone" in said[1][2]
        assert list(stored(database_url)) == ["T1"]


class TestCamelSends:
    async def test_where_acknowledgements_are_enhanced_it_is_answered_ca(
        self, peers: Peers, database_url: str, tmp_path: Path
    ) -> None:
        asked = [
            message(f"E{n}", "欧阳", "UNICODE UTF-8", facility=facility).replace(
                "|2.5||||||", f"|2.5|||{mode}||"
            )
            for n, (facility, mode) in enumerate([("MAIN", "AL|NE"), ("NOWHERE", "AL|NE"), ("MAIN", "NE|AL")])
        ]
        async with listening(database_url, replace(SETTINGS, enhanced=True)) as listener:
            said = await peers.run("CamelSender", listener.port, *written(tmp_path, asked))
        assert said == [["CA", ""], ["CR", "MllpCommitRejectAcknowledgementException"], ["AA", ""]]
        assert list(stored(database_url)) == ["E0", "E2"]

    async def test_both_charsets_on_one_connection_and_a_refusal_it_understands(
        self, peers: Peers, listener: Listener, database_url: str, tmp_path: Path
    ) -> None:
        files: list[Path] = []
        for charset, codec in CHARSETS.items():
            folder = tmp_path / codec
            folder.mkdir()
            texts = [message(f"{codec}{n}", name, charset) for n, name in enumerate(NAMES)]
            files += written(folder, texts, codec)
        wrong = written(tmp_path, [message("C1", "欧阳", "UNICODE UTF-8", facility="NOWHERE")])
        said = await peers.run("CamelSender", listener.port, *files, *wrong)
        assert said[:-1] == [["AA", ""]] * len(files)
        assert said[-1] == ["AR", "MllpApplicationRejectAcknowledgementException"]
        assert list(stored(database_url).values()) == [file.read_bytes() for file in files]


def arrivals(*names: str, charset: str = "GB 18030-2000") -> list[Arrival]:
    """Return messages of patients M1, M2 … with these names."""
    found = []
    for n, name in enumerate(names, 1):
        body = message(f"D{n}", name, charset).encode(CHARSETS[charset])
        found.append(
            Arrival(
                facility="MAIN",
                sender="HIS",
                control_id=f"D{n}",
                message_type="ADT^A08",
                body=body,
                charset=CHARSETS[charset],
                protocol="mllp",
                endpoint="test",
                digest=blake2b(body, digest_size=32).digest(),
                patient_number=f"M{n}",
            )
        )
    return found


class TestHapiReceives:
    @pytest.mark.parametrize("charset", CHARSETS)
    async def test_all_hazardous_ideographs(self, peers: Peers, database_url: str, charset: str) -> None:
        sent = arrivals(*NAMES, charset=charset)
        enqueue(database_url, "ward", sent, range(len(sent)))
        async with (
            peers.listening("HapiReceiver", ports.any_free()) as hapi,
            delivering(database_url, mllp(hapi.port)),
        ):
            said = await hapi.lines(len(sent))
            await until(lambda: states(database_url) == ["delivered"] * len(sent))
        assert said == [[f"D{n}", "AA", name] for n, name in enumerate(NAMES, 1)]

    async def test_aa_ae_and_ar_each_have_their_end(self, peers: Peers, database_url: str) -> None:
        enqueue(database_url, "ward", arrivals("甲", "乙", "丙"), [1, 2, 3])
        async with (
            peers.listening("HapiReceiver", ports.any_free(), "AA", "AE", "AR") as hapi,
            delivering(database_url, mllp(hapi.port)),
        ):
            said = await hapi.lines(4)
            await until(lambda: sorted(states(database_url)) == ["delivered", "delivered", "parked"])
        assert said == [["D1", "AA", "甲"], ["D2", "AE", "乙"], ["D3", "AR", "丙"], ["D2", "AA", "乙"]]
        assert states(database_url) == ["delivered", "delivered", "parked"]
        answers = rows(database_url, "SELECT answer FROM bus.delivery WHERE state = 'parked'")
        assert b"MSA|AR|D3" in bytes(answers[0][0])

    async def test_an_answer_that_comes_too_late_is_not_the_next_message_s(
        self, peers: Peers, database_url: str
    ) -> None:
        enqueue(database_url, "ward", arrivals("甲", "乙"), [1, 2])
        async with (
            peers.listening("HapiReceiver", ports.any_free(), "LATE", "AR") as hapi,
            delivering(database_url, mllp(hapi.port, timeout_seconds=1.0)),
        ):
            assert await hapi.line() == ["D1", "LATE", "甲"]
            await until(lambda: states(database_url)[0] == "ambiguous")
            hapi.press_enter()
            assert await hapi.line() == ["D2", "AR", "乙"]
            await until(lambda: states(database_url)[1] == "parked")
        assert states(database_url) == ["ambiguous", "parked"]


class TestCamelReceives:
    async def test_the_bytes_as_they_came_and_an_error_that_is_tried_again(
        self, peers: Peers, database_url: str
    ) -> None:
        sent = [*arrivals(*NAMES)]
        enqueue(database_url, "ward", sent, range(len(sent)))
        async with (
            peers.listening("CamelReceiver", ports.any_free(), "D2") as camel,
            delivering(database_url, mllp(camel.port)),
        ):
            said = await camel.lines(len(sent) + 1)
            await until(lambda: states(database_url).count("delivered") == len(sent) - 1)
            await until(lambda: states(database_url)[1] == "queued")
        bodies = {control_id: base64.b64decode(body) for control_id, body in said}
        assert bodies == {arrival.control_id: arrival.body for arrival in sent}
        assert [control_id for control_id, _ in said].count("D2") == 2
