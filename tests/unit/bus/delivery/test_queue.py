"""A change as JSON, whatever its documents hold."""

from __future__ import annotations

import base64
import json

import pytest

from bus.delivery.queue import canonical
from bus.delivery.snapshot import restored
from consortium.records.model import Change, Coded, Document, Kind, Patient
from tests.changes import PROVENANCE


def holding(content: bytes) -> Change:
    document = Document(number="D1", type=Coded(code="T"), title="病历", content=content)
    return Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=(document,))


def test_a_text_stands_in_the_change() -> None:
    sent = json.loads(canonical(holding("珅".encode()), PROVENANCE))
    assert sent["change"]["documents"][0]["content"] == "珅"
    assert "contents" not in sent


@pytest.mark.parametrize("content", [b"%PDF-\xff\xfe", "珅".encode("gb18030")])
def test_what_is_no_text_is_in_base64_beside_it(content: bytes) -> None:
    sent = canonical(holding(content), PROVENANCE)
    assert base64.b64decode(json.loads(sent)["contents"][0]) == content
    assert restored(sent) == (holding(content), PROVENANCE)
