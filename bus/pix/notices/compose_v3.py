"""The notice as HL7 v3: pure (IHE ITI TF-2: 3.46.4.1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from lxml import etree

from bus.fhir.systems import Systems
from bus.hl7v3.answering import revised
from bus.hl7v3.elements import Id
from bus.hl7v3.heading import Heading
from bus.hl7v3.making import Answering
from bus.hl7v3.names import REVISE
from bus.pix.domains import Identifier
from bus.rules.sending.pixv3 import PixV3Destination


def link_changed(
    identifiers: Sequence[Identifier], to: PixV3Destination, control_id: str, at: datetime, systems: Systems
) -> bytes:
    """Return PRPA_IN201302UV02 with the identifiers that are one person now (ITI-46), in UTF-8."""
    device = systems.person.removeprefix("urn:oid:")
    named = uuid.uuid5(uuid.NAMESPACE_OID, f"{device}.{control_id}")
    consumer = Heading(REVISE, Id(str(named)), Id(to.device), None, None, "P")
    known = [replace(one.domain.known, value=one.value) for one in identifiers if one.domain.known]
    notice = revised(Answering(consumer, device, str(named), at), known, systems)
    return etree.tostring(notice, xml_declaration=True, encoding="UTF-8")
