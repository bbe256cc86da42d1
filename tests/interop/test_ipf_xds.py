"""IPF's document source and consumer at /xds: ITI-41, 42, 18 and 43, with MTOM and Chinese metadata."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.integration.api.conftest import PASSWORD
from tests.integration.api.xds import OURS, patient
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds


@pytest.fixture(scope="module")
def peers() -> Peers:
    """IPF."""
    return Peers(build("xds"), "yilian.peers.xds")


async def test_ipf_provides_registers_finds_and_retrieves(
    peers: Peers, origin: str, engine: sa.Engine
) -> None:
    who = patient(engine)
    said = await peers.run("IpfClient", origin, "system.huangpu", PASSWORD, who.number, OURS)
    sent = next(line for line in said if line[0] == "sent")
    entries = [line for line in said if line[0] == "entry"]
    assert [line for line in said if line[0] not in ("sent", "entry")] == [
        ["iti41", "SUCCESS", ""],
        ["iti41", "FAILURE", "XDSRepositoryMetadataError"],
        ["iti42", "SUCCESS", ""],
        ["iti18", "SUCCESS", ""],
        ["iti43", "SUCCESS", ""],
        ["document", "text/xml", sent[1]],
        ["document", "image/jpeg", sent[2]],
        ["iti43", "PARTIAL_SUCCESS", "XDSDocumentUniqueIdError"],
        ["document", "text/xml", sent[1]],
        ["iti43", "FAILURE", "XDSUnknownRepositoryId"],
    ]
    assert sorted(entries, key=lambda line: line[1]) == [
        ["entry", "出院小结影像", "欧阳", "image/jpeg", OURS, "1500000"],
        ["entry", "出院小结：欧阳珅", "欧阳", "text/xml", OURS, "65"],
        ["entry", "留在院区的文档", "欧阳", "text/xml", "1.2.156.10011.99.3.1", "5"],
    ]
