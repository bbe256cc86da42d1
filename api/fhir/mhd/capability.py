"""What MHD's face can do (CapabilityStatement): Document Recipient and Document Responder."""

from __future__ import annotations

from api.fhir.capability import server
from api.fhir.mhd.searching import DOCUMENT_PARAMETERS, LIST_PARAMETERS
from bus.fhir.shapes import Resource

CANONICAL = "https://profiles.ihe.net/ITI/MHD/CapabilityStatement/"
DOCUMENTATION = (
    "The documents of /xds over FHIR. ITI-65 takes comprehensive and minimal metadata, all or nothing; ITI-66"
    " and ITI-67 find what ITI-18 finds; ITI-68 gives the bytes that ITI-43 gives. Everything is audited."
)


def statement(base: str, date: str) -> Resource:
    """Make the CapabilityStatement; `base` is this face's address, `date` the day it is given."""
    about = {"description": "shared documents of the consortium", "url": base}
    rest = {
        "documentation": DOCUMENTATION,
        "resource": [
            _searched("DocumentReference", DOCUMENT_PARAMETERS),
            _searched("List", LIST_PARAMETERS),
            {"type": "Binary", "interaction": [{"code": "read"}]},
        ],
        "interaction": [{"code": "transaction"}],
    }
    actors = ("IHE.MHD.DocumentRecipient", "IHE.MHD.DocumentResponder")
    return server(date, about, rest) | {"instantiates": [f"{CANONICAL}{actor}" for actor in actors]}


def _searched(name: str, parameters: tuple[tuple[str, str, str], ...]) -> Resource:
    return {
        "type": name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": parameter, "type": kind, "documentation": text} for parameter, kind, text in parameters
        ],
    }
