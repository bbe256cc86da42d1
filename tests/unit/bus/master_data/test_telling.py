"""A change as a message of ours, and by what it keeps its order."""

from __future__ import annotations

import json

from bus.master_data.outbox import _entry_change
from bus.master_data.telling import Change, arrival, order_key
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from tests.unit.bus.master_data.examples import DEPARTMENT


def test_a_change_is_json_that_paths_read() -> None:
    made = arrival("his", Change(815, *_entry_change(DEPARTMENT)))
    assert (made.control_id, made.facility, made.patient_number) == ("MD815", "GROUP", None)
    assert json.loads(made.body) == {
        "change": "entry:7",
        "kind": "department",
        "owner": "MAIN",
        "code": "0101",
        "name": "心内科",
        "valid_from": "2020-01-01",
        "valid_to": None,
        "attributes": {"type": "clinical"},
        "version": 2,
        "at": "2026-11-25T01:00:00+00:00",
    }
    source = open_source(made.body, made.charset, Envelope("", "", made.message_type))
    assert (source.get("name"), source.get("attributes.type"), source.get("valid_to")) == (
        "心内科",
        "clinical",
        None,
    )


def test_the_order_is_that_of_the_subscriber() -> None:
    assert order_key("his") == order_key("his") != order_key("emr")
    assert -(2**63) <= order_key("his") < 2**63
