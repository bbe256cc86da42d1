"""What would go out of a delivery now: for those whose bytes were not kept, or that never went out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bus.delivery.building import built
from bus.delivery.shaping import as_json, filled
from bus.delivery.transport import Outgoing, SentForm, UnsendableError
from bus.fhir.systems import Systems
from bus.rules.destinations import AnyDestination, RestDestination, SoapDestination
from bus.rules.sending.shape import Object

Recompute = Callable[[str, Outgoing], SentForm | None]
"""From a destination's name and a message to what it would get; None: it cannot be made."""


def recomputing(specs: Mapping[str, AnyDestination], systems: Systems) -> Recompute:
    """Return how to make it by the destinations `specs`.

    Of SOAP it gives the arguments, of a table what was queued: envelope and rows need the WSDL and the table.
    """

    def made(name: str, message: Outgoing) -> SentForm | None:
        spec = specs.get(name)
        if spec is None:
            return message.as_it_is
        try:
            form = built(message, spec, systems)
            shape = _shape(spec)
            if shape is None:
                return form.as_it_is
            return replace(form.as_it_is, body=as_json(filled(shape, form)), charset="utf-8")
        except UnsendableError:
            return None

    return made


def _shape(spec: AnyDestination) -> Object | None:
    if isinstance(spec, RestDestination):
        return spec.body
    return spec.arguments if isinstance(spec, SoapDestination) else None
