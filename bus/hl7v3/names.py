"""The words of HL7 v3 (normative edition 2008) that the transactions share."""

from __future__ import annotations

NAMESPACE = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
INTERACTIONS = "2.16.840.1.113883.1.6"
"""Root of the ids of interactions and trigger events."""

ADD, REVISE, MERGE = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"
PIX_QUERY, PIX_ANSWER = "PRPA_IN201309UV02", "PRPA_IN201310UV02"
PDQ_QUERY, PDQ_ANSWER = "PRPA_IN201305UV02", "PRPA_IN201306UV02"
CONTINUE, CANCEL = "QUQI_IN000003UV01", "QUQI_IN000003UV01_Cancel"
ACKNOWLEDGEMENT = "MCCI_IN000002UV01"

UNKNOWN_KEY = "204"
"""Acknowledgement detail: an identifier or a domain is not known (ITI TF-2 3.45.4.2.3, 3.47.4.2.3)."""


def tag(name: str) -> str:
    """Return an element's name as lxml has it."""
    return f"{{{NAMESPACE}}}{name}"
