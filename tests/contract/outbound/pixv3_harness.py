"""PIX in HL7 v3 towards one HTTP server: each message of the suite goes out as a notice that names it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from lxml import etree

from adapters.ihe.outbound import PixV3Transport
from adapters.soap.versions import Version
from bus.delivery.transport import Answer, OnWire, Outgoing, Transport
from bus.fhir.systems import Systems
from bus.hl7.message import parse
from bus.pix.domains import Domain, Identifier
from bus.pix.notices.compose_v3 import link_changed
from bus.rules.destinations import AnyDestination, PixNotices, PixV3Destination
from runtime.settings import Settings
from tests.contract.outbound.harness import How
from tests.contract.outbound.http_harness import COMMON, soap, soap_says
from tests.contract.outbound.http_receiver import Got

_SETTINGS = Settings(database_url="postgresql://", amqp_url="amqp://", token_key="t", routing_key="r")
_AT = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


class Noticing:
    """Sends notices in place of the suite's ADT."""

    def __init__(self, spec: PixV3Destination) -> None:
        self._spec, self._transport = spec, PixV3Transport(spec, {})

    async def check(self) -> None:
        await self._transport.check()

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send a notice of a number that is the control id; what is no HL7 as it is."""
        if message.body.startswith(b"MSH"):
            control_id = str(parse(message.body, message.charset).get("MSH-10"))
            number = Identifier(Domain("patient", "HP", "1.2.156.10011.99.2", "HP"), control_id)
            body = link_changed([number], self._spec, control_id, _AT, Systems(_SETTINGS))
            message = replace(message, body=body)
        return await self._transport.send(message, on_wire)

    async def close(self) -> None:
        await self._transport.close()


def pixv3(origin: str) -> tuple[AnyDestination, Transport]:
    """Return the way of a consumer."""
    told = PixNotices(domains=("HP",))
    spec = PixV3Destination(**COMMON, kind="pixv3", address=f"{origin}/pix", device="1.2.3", pix=told)
    return spec, Noticing(spec)


def by_number(request: Got) -> str:
    """Know a notice by the number that it tells of."""
    [patient] = etree.fromstring(request.body).iter("{urn:hl7-org:v3}patient")
    return str(patient[0].get("extension"))


def says(how: How) -> tuple[int, str, bytes]:
    """Answer with an acknowledgement, or a fault."""
    if how not in (How.TAKES, How.REFUSES):
        return soap_says(Version.V12)(how)
    code = "CA" if how is How.TAKES else "CE"
    said = f'<acknowledgement><typeCode code="{code}"/></acknowledgement>'
    answer = f'<MCCI_IN000002UV01 xmlns="urn:hl7-org:v3">{said}</MCCI_IN000002UV01>'
    return 200, Version.V12.media_type, soap(Version.V12, answer)
