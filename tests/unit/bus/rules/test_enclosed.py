"""A clinical document inside an HL7 v2 message."""

from __future__ import annotations

from base64 import b64encode
from functools import cache

import pytest

from bus.rules.decision import Decision, Hold
from bus.rules.ruleset import RuleSet
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from consortium.records.model import Change
from runtime.settings import CHECKOUT
from tests.unit.bus.cda.documents import body

PATIENT = "HP0117234"


def document(*changes: tuple[str, str]) -> bytes:
    """Return a discharge summary of the main campus."""
    text = body("discharge").decode().replace("1.2.156.10011.99.2", "1.2.156.10011.99.1")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@cache
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


def decided(enclosed: bytes, patient: str = PATIENT) -> Decision:
    lines = (
        "MSH|^~\\&|EMR|MAIN|YILIAN|GROUP|20261120130000||MDM^T02|C1|P|2.5",
        f"PID|1||{patient}^^^MAIN^MR",
        "TXA|1|C0053^出院小结|AP|20261120124900",
        f"OBX|1|ED|C0053^出院小结||^application^XML^Base64^{b64encode(enclosed).decode()}",
        "",
    )
    envelope = Envelope("MAIN", "EMR", "MDM^T02", "mllp", "C1")
    return rules().decide(open_source("\r".join(lines).encode(), "utf-8", envelope), "MAIN", "MDM^T02")


def test_the_document_is_read_in_the_messages_place_and_its_bytes_are_kept() -> None:
    decision = decided(document())
    change = decision.outcome
    assert isinstance(change, Change)
    assert (decision.rule, decision.version) == ("main-cda-discharge", "20261120124900")
    assert change.documents[0].content == document()
    assert (change.patient.number, change.encounter and change.encounter.status) == (PATIENT, "finished")


@pytest.mark.parametrize(
    ("enclosed", "patient", "code", "field"),
    [
        (document(), "M000123", "document_of_other_patient", "PID-3.1"),
        (document(("<custodian ", "<keeper ")), PATIENT, "malformed_xml", "OBX-5.5"),
        (document(("<title>", "<titel/><title>")), PATIENT, "schema", "ClinicalDocument/titel"),
        (document(("46241-6", "46241-9")), PATIENT, "schematron", "ClinicalDocument"),
        (b"<!DOCTYPE a><a/>", PATIENT, "xml_doctype", "OBX-5.5"),
        (b"", PATIENT, "missing_document", "OBX-5.5"),
    ],
)
def test_what_cannot_be_taken_is_held_and_nobody_waits(
    enclosed: bytes, patient: str, code: str, field: str
) -> None:
    decision = decided(enclosed, patient)
    held = decision.outcome
    assert isinstance(held, Hold)
    assert (held.code, held.field, held.rule) == (code, field, "main-cda-discharge")
    assert not decision.blocks
    assert PATIENT not in held.reason
