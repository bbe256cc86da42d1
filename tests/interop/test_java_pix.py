"""HAPI HL7 v2 as PIX source, PIX consumer and PDQ consumer against our endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.mllp.pix.replies import PixReplies
from adapters.mllp.pix.settings import Subjects, pix_settings
from adapters.mllp.server import Listener
from bus.inbox import Inbox
from bus.pix.manager import Manager
from runtime.settings import Settings
from tests.integration.bus.clinic import KEY, engine_of
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds

CARD = "440106198001011230^^^&2.16.156.10011.1.3&ISO^NI"
MAIN, HP = "MAIN/1.2.156.10011.99.1", "HP/1.2.156.10011.99.2"


@pytest.fixture(scope="module")
def peers() -> Peers:
    """The Java peers."""
    return Peers(build())


@asynccontextmanager
async def listening(database_url: str) -> AsyncIterator[Listener]:
    """Run the identity endpoint on a free port."""
    settings = Settings.model_validate({"database_url": database_url, "routing_key": KEY})
    engine = engine_of(database_url)
    manager = Manager(settings, engine)
    async with Inbox(database_url, KEY, patience=0.0) as inbox:
        told = pix_settings(settings)
        listener = Listener(
            type(told)(told.host, 0, told.campuses, told.body_limit, endpoint="pix"),
            inbox,
            replies=lambda one: PixReplies(one, manager, Subjects(settings.pix.applications)),
        )
        await listener.start()
        yield listener
        await listener.stop()
    engine.dispose()


def message(folder: Path, control_id: str, kind: str, *segments: str, facility: str = "MAIN") -> Path:
    """Write a message into a file."""
    head = f"MSH|^~\\&|HIS|{facility}|PIX|GROUP|20261125090000||{kind}|{control_id}|P|2.5||||||UNICODE UTF-8"
    path = folder / f"{control_id}.hl7"
    path.write_text("\r".join((head, *segments, "")), encoding="utf-8")
    return path


def feed(folder: Path, control_id: str, number: str, facility: str = "MAIN") -> Path:
    """Write a feed of one person."""
    return message(
        folder, control_id, "ADT^A04^ADT_A01", "EVN||20261125090000",
        f"PID|||{number}^^^{facility}~{CARD}||王^珅||19800101|M", "PV1||O", facility=facility,
    )  # fmt: skip


def cross(folder: Path, control_id: str, asked: str, targets: str) -> Path:
    """Write a PIX query."""
    qpd = f"QPD|IHE PIX Query|T{control_id}|{asked}|{targets}"
    return message(folder, control_id, "QBP^Q23^QBP_Q21", qpd, "RCP|I")


def find(folder: Path, control_id: str, criteria: str, *more: str, domains: str = "^^^MAIN") -> Path:
    """Write a demographics query."""
    qpd = f"QPD|IHE PDQ Query|TAG|{criteria}|||||{domains}"
    return message(folder, control_id, "QBP^Q22^QBP_Q21", qpd, "RCP|I|1^RD", *more)


async def test_iti8_iti9_iti21_and_iti30(peers: Peers, database_url: str, tmp_path: Path) -> None:
    merge = [f"PID|||M1^^^MAIN~{CARD}||王^珅", "MRG|M2^^^MAIN"]
    files = [
        feed(tmp_path, "F1", "M1"),
        feed(tmp_path, "F2", "H1", "HP"),
        feed(tmp_path, "F3", "M2"),
        cross(tmp_path, "Q1", "H1^^^HP", "^^^MAIN"),
        message(tmp_path, "F4", "ADT^A40^ADT_A39", "EVN||20261125090000", *merge),
        cross(tmp_path, "Q2", "H1^^^HP", "^^^MAIN"),
        cross(tmp_path, "Q3", "M1^^^MAIN", "^^^HY"),
        cross(tmp_path, "Q4", "M404^^^MAIN", "^^^HP"),
        cross(tmp_path, "Q5", "M1^^^NOWHERE", "^^^NONE~^^^HP"),
        message(tmp_path, "F5", "ADT^A28^ADT_A05", "EVN||20261125090000",
                "PID|||M3^^^MAIN||王^珅||19900101|F", "PV1||N"),
        find(tmp_path, "P1", "@PID.5.1.1^王~@PID.5.2^珅"),
        find(tmp_path, "P2", "@PID.5.1.1^王~@PID.5.2^珅", "DSC|@DSC@|I"),
        find(tmp_path, "P3", "@PID.5.1.1^李"),
        find(tmp_path, "P4", "@PID.5.1.1^王", domains="^^^NOWHERE"),
        message(tmp_path, "F6", "ADT^A04^ADT_A01", "EVN||20261125090000", "PID|||M9^^^NOWHERE||王", "PV1||O"),
    ]  # fmt: skip
    async with listening(database_url) as listener:
        said = await peers.run("HapiPix", listener.port, *files)
    pointers = [line[7] for line in said]
    assert [line[:7] for line in said] == [
        ["ACK", "AA", "F1", "", "", "", ""],
        ["ACK", "AA", "F2", "", "", "", ""],
        ["ACK", "AA", "F3", "", "", "", ""],
        ["RSP_K23", "AA", "Q1", "OK", f"M1/{MAIN} M2/{MAIN}", "", ""],
        ["ACK", "AA", "F4", "", "", "", ""],
        ["RSP_K23", "AA", "Q2", "OK", f"M1/{MAIN}", "", ""],
        ["RSP_K23", "AA", "Q3", "NF", "", "", ""],
        ["RSP_K23", "AE", "Q4", "AE", "", "", "QPD^1^3^1^1"],
        ["RSP_K23", "AE", "Q5", "AE", "", "", "QPD^1^3^1^4 QPD^1^4^1"],
        ["ACK", "AA", "F5", "", "", "", ""],
        ["RSP_K21", "AA", "P1", "OK", said[10][4], "王珅", ""],
        ["RSP_K21", "AA", "P2", "OK", said[11][4], "王珅", ""],
        ["RSP_K21", "AA", "P3", "NF", "", "", ""],
        ["RSP_K21", "AE", "P4", "AE", "", "", "QPD^1^8^1"],
        ["ACK", "AE", "F6", "", "", "", "PID^1^3^1^4"],
    ]
    assert {said[10][4], said[11][4]} == {f"M1/{MAIN}", f"M3/{MAIN}"}
    assert [bool(pointer) for pointer in pointers[10:13]] == [True, False, False]
