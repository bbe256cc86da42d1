"""The clinical document that a message of another kind encloses: an HL7 v2 MDM with a CDA in OBX-5.

What the document says of its patient must be said of the message's patient, whose order and locks it has.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass

from bus.cda.intake import take
from bus.cda.problem import DocumentError
from bus.rules.decision import Hold, HoldingError
from bus.sources.cda import parse_cda
from bus.sources.source import Envelope, Source
from bus.sources.xml import XmlSource
from consortium.records.model import Change

STEP = "document"


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens what lies at a path, in base64."""

    path: str
    patient: str
    """Where the message has the number of its patient."""

    def open(self, source: Source) -> XmlSource:
        """Return the document as a source, checked as at the door. Raises `HoldingError`."""
        text = source.get(self.path)
        if text is None:
            raise _wrong("missing_document", "there is no document", self.path)
        try:
            body = b64decode("".join(text.split()), validate=True)
            take(body)
        except binascii.Error as error:
            raise _wrong("missing_document", "the document is not base64", self.path) from error
        except DocumentError as error:
            raise _wrong(error.code, str(error), error.path or self.path) from error
        return parse_cda(body, Envelope(*_known(source)))

    def check(self, change: Change, source: Source) -> None:
        """Raise `HoldingError` when the document is another patient's than the message."""
        if change.patient.number != (source.get(self.patient) or "").strip():
            reason = f"the document is of another patient than {self.patient} says"
            raise _wrong("document_of_other_patient", reason, self.patient)


def _known(source: Source) -> list[str]:
    said = source.cel()
    return [str(said[name]) for name in ("facility", "sender", "type", "protocol", "control_id")]


def _wrong(code: str, reason: str, field: str) -> HoldingError:
    hold = Hold(code, f"{reason}; the sender must correct it and send again", step=STEP, field=field)
    return HoldingError(hold, blocks=False)
