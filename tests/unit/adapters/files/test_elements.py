"""XML files: one element, one record."""

from __future__ import annotations

import pytest

from adapters.files.records import FileError
from adapters.files.settings import Source
from tests.unit.adapters.files.reading import found, told

SOURCE = Source.model_validate(
    {
        "name": "ns_exam",
        "facility": "NS",
        "sender": "RIS",
        "pattern": "*.xml",
        "message_type": "xml:exam",
        "xml": {"record": "报告"},
        "key": ["@编号"],
        "patient": "病人/号",
    }
)


def document(*records: str, charset: str = "UTF-8") -> bytes:
    """A document of records."""
    text = "\n".join(records)
    return f'<?xml version="1.0" encoding="{charset}"?>\n<x:全部 xmlns:x="urn:x">\n{text}\n</x:全部>'.encode(
        charset
    )


@pytest.mark.parametrize("charset", ["UTF-8", "GB18030", "UTF-16"])
def test_each_record_is_a_document_of_its_own(charset: str) -> None:
    body = document(
        '<x:报告 编号="1"><病人><号>P1</号><名>欧阳珅</名></病人></x:报告>',
        '<报告 编号="2"/>',
        charset=charset,
    )
    one, two = found(SOURCE, body)
    assert (one.arrival.control_id, one.arrival.patient_number) == ("1", "P1")  # type: ignore[union-attr]
    assert "欧阳珅" in one.arrival.body.decode()  # type: ignore[union-attr]
    assert (two.line, two.arrival.control_id) == (4, "2")  # type: ignore[union-attr]


def test_a_record_that_cannot_be_taken_is_named_and_the_rest_goes_on() -> None:
    body = document("<报告><病人/></报告>", '<报告 编号="2">a<!-- b -->c</报告>', '<报告 编号="3"/>')
    assert told(SOURCE, body) == [(3, "missing_key"), (4, "xml_comment"), (5, "3")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (document('<报告 编号="1"/>')[:-4], "malformed_xml"),
        (b"", "malformed_xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml_doctype"),
        (document("<报告>" + "<a>x</a>" * 40_000 + "</报告>"), "xml_size"),
    ],
)
def test_a_file_that_is_no_sound_document_is_refused_whole(body: bytes, code: str) -> None:
    with pytest.raises(FileError) as refused:
        found(SOURCE, body)
    assert refused.value.code == code
