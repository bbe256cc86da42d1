"""Telling a consumer of HL7 v3; no server answers here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from adapters.ihe.outbound import PixV3Transport
from adapters.via import pseudonym, said
from bus.delivery.__main__ import _transport
from bus.delivery.transport import NotSentError, Outgoing, SentForm
from bus.rules.destinations import PixNotices, PixV3Destination
from bus.rules.spec import Form
from runtime.settings import Settings

SPEC = PixV3Destination(
    name="hp-pix",
    description="of the test",
    facility="HP",
    kind="pixv3",
    address="https://emr.example/pix",
    device="1.2.3",
    pix=PixNotices(domains=("HP",)),
)
NOTICE = b'<PRPA_IN201302UV02 xmlns="urn:hl7-org:v3"/>'


async def test_a_notice_says_that_it_passed_us(tmp_path: Path) -> None:
    options = Settings()
    way = _transport(options, SPEC, tmp_path)
    assert isinstance(way, PixV3Transport)
    got: list[str | None] = []

    def receive(request: httpx.Request) -> httpx.Response:
        got.append(request.headers.get("via"))
        raise httpx.ReadError("it says nothing")

    await way._exchange._client.aclose()
    way._exchange._client = httpx.AsyncClient(transport=httpx.MockTransport(receive))

    async def on_wire(_form: SentForm) -> None:
        """Nobody keeps it."""

    message = Outgoing(7, 1, 7, "hl7v3:PRPA_IN201302UV02", "utf-8", Form.RAW, NOTICE, datetime.now(UTC))
    with pytest.raises(NotSentError, match=r"emr\.example"):
        await way.send(message, on_wire)
    await way.close()
    assert got == [said(pseudonym(options.consortium_oid))["via"]]
