"""What goes out as FHIR and comes in again says the same."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from api.fhir.requests import entries
from bus.delivery.snapshot import restored, snapshot
from bus.fhir.reading.changes import read
from bus.fhir.reading.document import load
from bus.fhir.sending import bundle
from bus.fhir.systems import Systems
from consortium.records.model import Change, Kind
from runtime.settings import Settings
from tests.changes import PROVENANCE, change

SYSTEMS = Systems(Settings())
ENCODER = msgspec.json.Encoder(decimal_format="number")


def sent(said: Change, kind: Any = "transaction") -> bytes:
    return ENCODER.encode(bundle(said, PROVENANCE, SYSTEMS, kind))


def received(body: bytes) -> dict[Kind, list[Change]]:
    """What the FHIR face would record of it, by kind."""
    parts = [one.part for one in entries(load(body))]
    found: dict[Kind, list[Change]] = {}
    for one in read(parts, SYSTEMS, {}).changes:
        found.setdefault(one.kind, []).append(one)
    return found


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=12)
@given(data=st.data())
def test_it_says_the_same(kind: Kind, data: st.DataObject) -> None:
    said = data.draw(change(kind))
    heard = received(sent(said))
    visit = said.encounter
    if visit is not None:
        assert heard[Kind.ENCOUNTER][0].encounter == visit
        said = said.model_copy(update={"encounter": None})
    [whole] = heard[Kind.MERGE if kind is Kind.MERGE else Kind.PATIENT]
    assert whole.patient == said.patient
    [same] = heard[kind]
    named = None if kind is Kind.ENCOUNTER else same.encounter
    assert named is None or named.number == (visit.number if visit else None)
    assert same.model_copy(update={"encounter": None}) == said


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("form", ["transaction", "message"])
@settings(max_examples=12)
@given(data=st.data())
def test_it_is_r4_and_the_same_every_time(kind: Kind, form: str, data: st.DataObject) -> None:
    said = data.draw(change(kind))
    body = sent(said, form)
    assert body == sent(said, form)
    made = json.loads(body)
    get_fhir_model_class("Bundle").model_validate(made)
    ids = [one["resource"]["id"] for one in made["entry"]]
    assert len(ids) == len(set(ids))
    assert {one["fullUrl"] for one in made["entry"]} == {f"urn:uuid:{id_}" for id_ in ids}
    assert received(body)[kind]


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=12)
@given(data=st.data())
def test_the_queue_keeps_it_as_it_is(kind: Kind, data: st.DataObject) -> None:
    said = data.draw(change(kind))
    assert restored(snapshot(said, PROVENANCE)) == (said, PROVENANCE)
