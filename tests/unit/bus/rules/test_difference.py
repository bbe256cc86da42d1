"""What two decisions differ in; what a document holds is shown as JSON, whether it is text or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bus.rules.decision import Decision, Warned
from bus.rules.difference import Difference, change_as_json, differences
from bus.rules.spec import Form, OrderClass, Sending
from consortium.records.model import Change, Coded, Document, Kind, Patient


@pytest.mark.parametrize(("content", "shown"), [("主诉".encode(), "主诉"), (b"\xff\xd8\xff\xe0", "/9j/4A==")])
def test_the_content_of_a_document_is_text_or_base64(content: bytes, shown: str) -> None:
    document = Document(number="D1", type=Coded(code="x"), title="t", content=content)
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="1"), documents=(document,))
    assert change_as_json(change)["documents"][0]["content"] == shown


def test_destinations_and_warnings_are_part_of_what_becomes_of_a_message() -> None:
    before = Decision(
        Change(kind=Kind.PATIENT, patient=Patient(number="1")),
        "one",
        OrderClass.IDENTITY,
        waits=True,
        blocks=True,
        sendings=(Sending(to="ward"), Sending(to="desk")),
    )
    after = replace(
        before,
        sendings=(Sending(to="ward", send=Form.HL7), Sending(to="hook")),
        warnings=(Warned("A1", "/ClinicalDocument", "t"),),
    )
    assert differences(before, after) == [
        Difference("decision.destinations.ward", "changed", "raw", "hl7"),
        Difference("decision.destinations.desk", "removed", "raw", None),
        Difference("decision.warnings", "added", None, ["A1 at /ClinicalDocument"]),
        Difference("decision.destinations.hook", "added", None, "raw"),
    ]
