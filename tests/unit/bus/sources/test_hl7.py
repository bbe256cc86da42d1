"""HL7 v2 as a source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hl7.build import build, escape
from bus.sources.hl7 import Hl7Source, _inside, parse_hl7
from bus.sources.hl7_path import parse_path
from bus.sources.source import Envelope, PathError, UnreadableError

ENVELOPE = Envelope("MAIN", "LIS", "ORU^R01")
MESSAGE = "\r".join(
    [
        "MSH|^~\\&|LIS|MAIN|||20261120||ORU^R01|1|P|2.5",
        'PID|1||M1^^^MAIN^MR~4401^^^&2.16.156.10011.1.3&ISO^NI||王^珅~WANG^Shen||""|F',
        "ORC|RE|O1",
        "OBR|1|O1|R1|A",
        "OBX|1|NM|K||4.1",
        "NTE|1||near",
        "OBX|2|TX|T||one~two\\.br\\three \\T\\ four",
        "OBR|2|O2|R2|B",
        "OBX|1|NM|NA||140",
    ]
)


def source(text: str = MESSAGE) -> Hl7Source:
    return parse_hl7(text.encode(), "utf-8", ENVELOPE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-9.2", "R01"),
        ("PID-3.1", "M1"),
        ("PID-3(2).1", "4401"),
        ("PID-3[5=NI].1", "4401"),
        ("PID-3[4.2=2.16.156.10011.1.3].1", "4401"),
        ("PID-3[5=XX].1", None),
        ("PID-5", "王^珅\nWANG^Shen"),
        ("PID-5.1", "王"),
        ("PID-7", None),
        ("PID-99", None),
        ("ZZZ-1", None),
        ("OBX-5", "4.1"),
    ],
)
def test_a_path_finds_its_text(path: str, value: str | None) -> None:
    assert source().get(path) == value


def test_a_group_has_its_own_segments_and_the_header() -> None:
    first, second = source().each("OBR")
    assert [first.get("ORC-2"), second.get("ORC-2")] == ["O1", None]
    assert [len(first.each("OBX")), len(second.each("OBX"))] == [2, 1]
    assert second.get("PID-3.1") == "M1"
    assert second.each("OBX")[0].get("OBX-5") == "140"


def test_a_note_belongs_to_the_value_before_it() -> None:
    with_note, without = source().each("OBR")[0].each("OBX")
    assert with_note.get("NTE-3") == "near"
    assert without.get("NTE-3") is None


def test_nothing_of_a_repeated_text_is_lost() -> None:
    assert source().each("OBX")[1].get("OBX-5") == "one\ntwo\nthree & four"


@pytest.mark.parametrize("path", ["PID", "PID-0", "pid-3", "PID-3.", "PID-3[5].1", ""])
def test_a_path_that_is_none_is_a_mistake_in_a_rule(path: str) -> None:
    with pytest.raises(PathError):
        source().get(path)


@given(st.text(st.characters(codec="gb18030", exclude_categories=("Cs", "Cc", "Co")), min_size=1))
def test_any_text_survives_in_gb18030(text: str) -> None:
    body = build([["MSH", "^~\\&", "HIS"], ["PID", "1", "", "M1", "", escape(text)]], "GB 18030-2000")
    found = parse_hl7(body, "gb18030", ENVELOPE).get("PID-5")
    assert (found or "") == ("" if text == '""' else text)


def test_every_hazardous_ideograph_survives() -> None:
    hazards = [
        chr(code) for code in range(0x4E00, 0xA000) if set(chr(code).encode("gb18030")[1:]) & set(b"|^~\\")
    ]
    assert len(hazards) == 464
    for ideograph in hazards:
        body = f"MSH|^~\\&|HIS\rPID|1||M1||王^{ideograph}|".encode("gb18030")
        assert parse_hl7(body, "gb18030", ENVELOPE).get("PID-5.2") == ideograph


@pytest.mark.parametrize(
    "body", [b"", b"PID|1", b"MSH|^~\\&|A\rno segment", "MSH|^~\\&|王".encode("gb18030")]
)
def test_what_cannot_be_read_says_why(body: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse_hl7(body, "utf-8", ENVELOPE)
    assert caught.value.code


def test_two_messages_in_one_are_never_read_as_one() -> None:
    with pytest.raises(UnreadableError, match="a second MSH") as caught:
        source(MESSAGE + "\r" + MESSAGE)
    assert caught.value.code == "batch"


PATHS = ["OBX-5", "OBX-5.1", "OBX-5.2", "OBX-5.1.1", "OBX-5.1.2", "OBX-5(1)", "OBX-5(2)", "OBX-5(1).2"]


@given(st.text(alphabet='a珅^~&\\"\n', max_size=12), st.sampled_from([*PATHS, "OBX-5[1=a].2"]))
def test_a_field_without_parts_is_read_as_any_other(value: str, path: str) -> None:
    part = Hl7Source(parse_hl7(MESSAGE.encode(), "utf-8", ENVELOPE).each("OBX")[0]._segments, ENVELOPE)
    segment = part._segments[0]
    segment.fields()[5] = value
    wanted = parse_path(path)
    expected = None if value in ("", '""') else _inside(segment, value, wanted) or None
    assert part.get(path) == expected
