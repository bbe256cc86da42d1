"""What the platform builds is taken by readers that nobody here wrote: hl7, hl7apy, fhir.resources."""

from __future__ import annotations

from typing import Any

import hl7
import pytest
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hl7.writing.message import Heading, write
from consortium.records.model import Change, Kind
from tests.changes import PROVENANCE, WITHOUT_V2_MESSAGE, change

SAID = [kind for kind in Kind if kind not in WITHOUT_V2_MESSAGE]


def built(said: Change, version: Any) -> str:
    heading = Heading("HP", "1.2.156.10011.99.2", "YL7", PROVENANCE.received_at, version=version)
    return write(said, heading).decode()


@pytest.mark.parametrize("kind", SAID)
@settings(max_examples=10)
@given(data=st.data(), version=st.sampled_from(["2.4", "2.5"]))
def test_hl7_splits_it_as_it_was_meant(kind: Kind, data: st.DataObject, version: Any) -> None:
    said = data.draw(change(kind))
    text = built(said, version)
    message = hl7.parse(text)
    assert str(message) == text
    assert [str(segment[0]) for segment in message] == [line[:3] for line in text.rstrip("\r").split("\r")]
    assert message.segment("MSH")[12] == [version]
    assert message.unescape(str(message.segment("PID")[3][0][0])) == said.patient.number


@pytest.mark.parametrize("kind", SAID)
@settings(max_examples=3)
@given(data=st.data(), version=st.sampled_from(["2.4", "2.5"]))
def test_hl7apy_finds_every_segment_where_its_structure_has_it(
    kind: Kind, data: st.DataObject, version: Any
) -> None:
    text = built(data.draw(change(kind)), version)
    message = parse_message(text, find_groups=True, force_validation=False)
    assert message.msh.msh_10.value == "YL7"
    assert message.version == version
    assert message.name == text.split("|")[8].split("^")[2]
    kept = message.to_er7().rstrip("\r").split("\r")
    assert sorted(line[:3] for line in kept) == sorted(line[:3] for line in text.rstrip("\r").split("\r"))
