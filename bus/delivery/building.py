"""Building what goes out for its destination, from the change that is kept in the queue.

It is built when it is sent: what a destination cannot take, such as a character that its charset lacks,
parks that delivery with the field's name, and goes out once the destination's file is corrected and it is
resent.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from bus.delivery.snapshot import restored
from bus.delivery.transport import (
    Answer,
    Asking,
    Found,
    OnWire,
    Outgoing,
    Transport,
    UnsendableError,
)
from bus.fhir.sending import bundle
from bus.fhir.systems import Systems
from bus.hl7.charset import codec_for
from bus.hl7.msh import with_control_id
from bus.hl7.problem import HL7Error
from bus.hl7.writing.message import Heading, write
from bus.rules.destinations import AnyDestination, MllpDestination
from bus.rules.sending.base import Hl7Built
from bus.rules.spec import Form

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Building:
    """`bus.delivery.transport.Transport` that builds what is kept as a change, and sends it by another."""

    def __init__(self, transport: Transport, spec: AnyDestination, systems: Systems) -> None:
        self._transport = transport
        self._spec = spec
        self._systems = systems

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Build and send; see `Transport`. Raises UnsendableError naming the field that cannot be built."""
        return await self._transport.send(built(message, self._spec, self._systems), on_wire)

    async def arrived(self, message: Outgoing) -> Found:
        """Ask whether the receiver has it; see `Asking`. Untold where its way cannot ask."""
        if not isinstance(self._transport, Asking):
            return Found.UNTOLD
        return await self._transport.arrived(built(message, self._spec, self._systems))

    async def check(self) -> None:
        """Look whether the destination is as its file says; see `Transport`."""
        await self._transport.check()

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()


def built(message: Outgoing, spec: AnyDestination, systems: Systems) -> Outgoing:
    """Return a message as it goes out to a destination. Raises UnsendableError naming the field that cannot
    be built.
    """
    if message.form is Form.FHIR:
        change, provenance = restored(message.body)
        made = bundle(change, provenance, systems, spec.fhir.bundle)
        return replace(message, body=_ENCODER.encode(made), charset="utf-8")
    if message.form is Form.HL7:
        return _hl7(message, spec.hl7, systems)
    anew = message.again_of is not None and message.form is Form.RAW
    return _numbered_anew(message) if anew and _by_control_id(spec) else message


def _by_control_id(spec: AnyDestination) -> bool:
    """Whether a receiver would drop what it had under the same control id, which is not wanted."""
    return isinstance(spec, MllpDestination) and spec.again_control_id == "new"


def _numbered_anew(message: Outgoing) -> Outgoing:
    try:
        body = with_control_id(message.body, message.charset, f"YL{message.id}")
    except HL7Error as error:
        raise UnsendableError(error.code, f"{error.reason} ({error.location})") from error
    return replace(message, body=body)


def _hl7(message: Outgoing, spec: Hl7Built, systems: Systems) -> Outgoing:
    change, provenance = restored(message.body)
    heading = Heading(
        facility=provenance.facility,
        domain=systems.patient(provenance.facility).removeprefix("urn:oid:"),
        control_id=f"YL{message.id}",
        at=provenance.received_at,
        version=spec.version,
        charset=spec.charset,
        receiving_application=spec.receiving_application,
        receiving_facility=spec.receiving_facility,
    )
    try:
        body = write(change, heading)
    except HL7Error as error:
        raise UnsendableError(error.code, f"{error.reason} ({error.location})") from error
    return replace(message, body=body, charset=codec_for(spec.charset))
