"""What a document holds is shown as JSON, whether it is text or not."""

from __future__ import annotations

import pytest

from bus.rules.difference import change_as_json
from consortium.records.model import Change, Coded, Document, Kind, Patient


@pytest.mark.parametrize(("content", "shown"), [("主诉".encode(), "主诉"), (b"\xff\xd8\xff\xe0", "/9j/4A==")])
def test_the_content_of_a_document_is_text_or_base64(content: bytes, shown: str) -> None:
    document = Document(number="D1", type=Coded(code="x"), title="t", content=content)
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="1"), documents=(document,))
    assert change_as_json(change)["documents"][0]["content"] == shown
