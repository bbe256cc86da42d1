"""The HAPI FHIR client as identity source and consumer: ITI-104, 83, 78 and 119, in Chinese."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.integration.api.conftest import As
from tests.integration.api.conftest import as_ as as_
from tests.integration.api.records import person_of_three_campuses
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds
UNKNOWN = "sourceIdentifier Patient Identifier not found"


@pytest.fixture(scope="module")
def peers() -> Peers:
    """The HAPI FHIR client."""
    return Peers(build("fhir"), "yilian.peers.fhir")


async def test_hapi_feeds_asks_searches_matches_and_removes(
    peers: Peers, origin: str, engine: sa.Engine, as_: As
) -> None:
    person_of_three_campuses(engine)
    token = as_("system.huangpu")["Authorization"].removeprefix("Bearer ")
    said = await peers.run("HapiClient", f"http://{origin}/fhir", token)
    assert said == [
        ["fed", "201"],
        ["fed", "201"],
        ["resolved", "200"],
        ["pix", "200", "urn:oid:1.2.156.10011.99.1|M1"],
        ["pix", "200", "urn:oid:1.2.156.10011.99.1|M1"],
        ["pix", "404", "not-found", UNKNOWN],
        ["pix", "400", "code-invalid", "sourceIdentifier Assigning Authority not found"],
        ["pix", "403", "code-invalid", "targetSystem not found"],
        ["searched", "王珅"],
        ["matched", "王珅 certain"],
        ["pix", "404", "not-found", UNKNOWN],
    ]
