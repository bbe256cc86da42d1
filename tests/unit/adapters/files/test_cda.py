"""A file that is one clinical document."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from adapters.files.records import FileError, Record
from adapters.files.settings import Source
from simulators.cda.samples import document
from tests.unit.adapters.files.reading import found

SOURCE = {"name": "hp_cda", "facility": "HP", "sender": "EMR", "pattern": "*.xml", "cda": {}}
SAMPLE = document(20261120, date(2026, 11, 20), "discharge", charset="GB18030")


def source(**more: object) -> Source:
    return Source.model_validate({**SOURCE, **more})


def test_the_document_says_what_it_is_and_keeps_its_bytes() -> None:
    [record] = found(source(), SAMPLE.body)
    assert isinstance(record, Record)
    arrival = record.arrival
    assert (arrival.message_type, arrival.control_id) == ("cda:C0053", SAMPLE.number)
    assert (arrival.patient_number, arrival.visit_number) == (SAMPLE.patient, SAMPLE.visit)
    assert (arrival.body, arrival.charset) == (SAMPLE.body, "gb18030")


def test_what_is_no_document_is_refused_whole_with_its_reason() -> None:
    with pytest.raises(FileError, match="ClinicalDocument") as refused:
        found(source(), b"<a/>")
    assert refused.value.code == "not_a_document"


def test_a_document_over_the_limit_is_refused_whole() -> None:
    with pytest.raises(FileError, match="larger than 100 bytes"):
        found(source(), SAMPLE.body, limit=100)


@pytest.mark.parametrize(("key", "value"), [("key", ["id"]), ("patient", "id"), ("message_type", "cda:x")])
def test_a_source_says_nothing_that_the_document_says(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match="a document says so itself"):
        source(**{key: value})
