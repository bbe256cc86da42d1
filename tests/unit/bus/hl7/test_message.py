"""Reading messages: paths, repetitions, escapes, and Chinese that holds delimiters."""

from __future__ import annotations

import re

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hl7.build import build, components, escape, repeated, subcomponents
from bus.hl7.charset import decode
from bus.hl7.message import parse
from bus.hl7.problem import HL7Error

DELIMITERS = set(b"|^~\\&")
HAZARDOUS = [chr(c) for c in range(0x4E00, 0x9FA6) if DELIMITERS & set(chr(c).encode("gb18030"))]
"""Basic ideographs whose GB 18030 form holds a byte that is a delimiter."""

LAB = (
    b"MSH|^~\\&|LIS|MAIN|BUS|HUB|20260101||ORU^R01^ORU_R01|C1|P|2.5\r"
    b"PID|1||P1^^^MAIN&1.2.3&ISO^MR~310^^^CN^NI||Wang^Wei||19800102|M\r"
    b"OBR|1|A||CBC\rOBX|1|NM|WBC^x||1.5|||N\rNTE|1||note\rOBX|2|TX|T||line 1~line 2\r"
)

values = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1)


def message(*fields: str, charset: str = "UNICODE UTF-8") -> bytes:
    return build([["MSH", "^~\\&", *[""] * 15, charset], ["PID", "1", "", *fields]], charset)


def test_there_are_464_hazardous_ideographs() -> None:
    assert len([c for c in HAZARDOUS if ord(c) <= 0x9FFF]) == 464


@pytest.mark.parametrize("charset", ["GB 18030-2000", "UNICODE UTF-8"])
def test_every_hazardous_ideograph_survives_alone_and_among_its_kind(charset: str) -> None:
    for character in HAZARDOUS:
        read = parse(message(components("P1", character), escape(character * 2), charset=charset))
        assert read.get("PID-3.2") == character
        assert read.get("PID-4") == character * 2
    everything = "".join(HAZARDOUS)
    assert parse(message(escape(everything), charset=charset)).get("PID-3") == everything


def test_a_path_reaches_segment_field_component_and_subcomponent() -> None:
    read = parse(LAB)
    assert read.get("PID-3.1") == "P1"
    assert read.get("PID-3.4.2") == "1.2.3"
    assert read.get("PID-3(2).1") == "310"
    assert read.get("PID-5") == "Wang^Wei"
    assert read.get("OBX(2)-1") == "2"


def test_msh_counts_its_separator_as_the_first_field() -> None:
    read = parse(LAB)
    assert (read.get("MSH-1"), read.get("MSH-2"), read.get("MSH-3")) == ("|", "^~\\&", "LIS")
    assert (read.get("MSH-9.2"), read.get("MSH-10")) == ("R01", "C1")


@pytest.mark.parametrize(
    "path", ["PID-2", "PID-99", "PID-3.9", "PID-3(3).1", "PID-3.1.2", "ZZZ-1", "OBX(3)-1", "PID-8.2"]
)
def test_what_is_absent_or_empty_is_none(path: str) -> None:
    assert parse(LAB).get(path) is None


def test_a_whole_field_keeps_all_its_repetitions() -> None:
    read = parse(LAB)
    assert read.get("OBX(2)-5") == "line 1\nline 2"
    obx = read.segments("OBX")[1]
    assert obx.repetitions("5") == ["line 1", "line 2"]
    assert read.segments("PID")[0].repetitions("3.5") == ["MR", "NI"]


def test_segments_keep_their_order() -> None:
    read = parse(LAB)
    assert [s.name for s in read.all] == ["MSH", "PID", "OBR", "OBX", "NTE", "OBX"]
    assert [s.get("1") for s in read.segments("OBX")] == ["1", "2"]
    assert read.segment("NTE") is read.all[4]
    assert read.segment("ZZZ") is None


@pytest.mark.parametrize("path", ["PID", "pid-3", "PID-3.", "PID-3.1.1.1", "3.1", ""])
def test_a_path_that_is_none_is_a_mistake_of_the_programmer(path: str) -> None:
    with pytest.raises(ValueError, match=r"HL7 path|no segment"):
        parse(LAB).get(path)


def test_other_delimiters_are_those_of_the_message() -> None:
    read = parse(b"MSH*:;!%*LIS*MAIN\rPID*1**P1:a%b;P2*!F!|\r")
    assert read.get("PID-3.2.2") == "b"
    assert read.get("PID-3(2).1") == "P2"
    assert read.get("PID-4") == "*|"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"\E\F\E\ ", "\\F\\ "),
        (r"one\.br\two\.sp2\three\.sk3\four", "one\ntwo\n\nthree   four"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"C:\data\file", r"C:\data\file"),
        (r"\Zlocal\ and \X4\ ", r"\Zlocal\ and \X4\ "),
        (r"\X0D0A\ ", "\r\n "),
        ('""', '""'),
    ],
)
def test_escapes_are_resolved_and_what_is_no_escape_stays(sent: str, read: str) -> None:
    assert parse(f"MSH|^~\\&|LIS\rOBX|1|TX|A||{sent}\r".encode()).get("OBX-5") == read


@pytest.mark.parametrize("sent", [rb"\XAB7C\ ", rb"\XAB\\X7C\ "])
def test_hexadecimal_bytes_are_of_the_message_s_own_character_set(sent: bytes) -> None:
    raw = b"MSH|^~\\&|LIS|||||||||||||||GB 18030-2000\rOBX|1|TX|A||" + sent + b"\r"
    assert parse(raw).get("OBX-5") == "珅 "


def test_hexadecimal_bytes_that_do_not_decode_stay_as_sent() -> None:
    assert parse(b"MSH|^~\\&|LIS\rOBX|1|TX|A||\\XFFFE\\\r").get("OBX-5") == "\\XFFFE\\"


@given(values, values, values)
def test_a_value_survives_in_any_place(first: str, second: str, third: str) -> None:
    fields = repeated(components(first, second), components(third, "x"))
    read = parse(message(fields, escape(second), components("x", subcomponents(first, third)[:0] or "y")))
    assert read.get("PID-3(1).1") == first
    assert read.get("PID-3(1).2") == second
    assert read.get("PID-3(2).1") == third


@given(st.text(st.characters(codec="gb18030", exclude_characters="\x00"), min_size=1))
def test_a_value_survives_in_gb18030(value: str) -> None:
    written = message(components("P", value), charset="GB 18030-2000")
    assert parse(written).get("PID-3.2") == decode(value.encode("gb18030"), "gb18030")


@given(first=values, second=values)
def test_subcomponents_survive(first: str, second: str) -> None:
    read = parse(message("P^" + subcomponents(first, second)))
    assert (read.get("PID-3.2.1"), read.get("PID-3.2.2")) == (first, second)


plain = st.text("ABCabc0123456789.-", min_size=1, max_size=8)


@given(
    st.lists(
        st.lists(st.lists(plain, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=4
    )
)
def test_it_agrees_with_the_hl7_library_on_plain_text(fields: list[list[list[str]]]) -> None:
    encoded = ["~".join("^".join(parts) for parts in repetitions) for repetitions in fields]
    raw = build([["MSH", "^~\\&", "LIS"], ["ZZZ", *encoded]])
    theirs = hl7.parse(raw.decode())
    ours = parse(raw)
    for f, repetitions in enumerate(fields, 1):
        for r, parts in enumerate(repetitions, 1):
            for c in range(1, len(parts) + 1):
                expected = theirs.extract_field("ZZZ", 1, f, r, c, 1)
                assert (ours.get(f"ZZZ-{f}({r}).{c}") or "") == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "missing_msh"),
        (b"PID|1||P1\r", "missing_msh"),
        (b"MSH", "missing_msh"),
        (b"MSH|\r|PID|1", "delimiters"),
        (b"MSH|^^^^|LIS\r", "delimiters"),
        (b"MSHA^~\\&ALIS\r", "delimiters"),
    ],
)
def test_a_message_without_a_usable_header_is_a_problem_with_its_code(raw: bytes, code: str) -> None:
    with pytest.raises(HL7Error) as caught:
        parse(raw)
    assert caught.value.code == code


def test_a_line_torn_off_by_a_carriage_return_is_told_and_not_lost() -> None:
    read = parse(b"MSH|^~\\&|LIS\rOBX|1|TX|A||first\rsecond\r")
    with pytest.raises(HL7Error, match="line 3"):
        read.get("OBX-5")


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_files_may_end_their_lines_as_they_like(ending: str) -> None:
    read = parse(LAB.decode().replace("\r", ending).encode())
    assert [s.name for s in read.all] == ["MSH", "PID", "OBR", "OBX", "NTE", "OBX"]


def test_a_line_feed_inside_a_value_is_part_of_it() -> None:
    assert parse(b"MSH|^~\\&|LIS\rOBX|1|TX|A||a\nb\r").get("OBX-5") == "a\nb"


@pytest.mark.parametrize("value", ["a|b", "a\rb", "a\nb", "\x1c", "\x0b"])
def test_build_refuses_what_would_tear_the_message_apart(value: str) -> None:
    with pytest.raises(ValueError, match=re.escape("PID, place 3")):
        message(value)


def test_build_writes_what_the_standard_shows() -> None:
    raw = build(
        [["MSH", "^~\\&", "LIS", "MAIN"], ["PID", "1", "", components("P1", None, None, "MAIN"), "", ""]]
    )
    assert raw == b"MSH|^~\\&|LIS|MAIN\rPID|1||P1^^^MAIN\r"


def test_a_character_that_the_charset_lacks_is_an_error_and_no_question_mark() -> None:
    with pytest.raises(UnicodeEncodeError):
        message(escape("中"), charset="8859/1")


CHARSETS = {
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "cp950",
    "8859/1": "iso8859_1",
    "ASCII": "ascii",
}
TWO_WAYS = frozenset("\u1e3f" + "".join(map(chr, [*range(0xFE10, 0xFE1A), *range(0x9FB4, 0x9FBC)])))
"""Characters of GB 18030 that Python and the standard since 2005 spell in different ways."""


def _sendable(codec: str) -> list[str]:
    """Return the characters of the basic plane that the codec spells in one way, other than ends of lines."""
    found = []
    for point in range(32, 0xFFFE):
        try:
            once = chr(point).encode(codec)
        except UnicodeEncodeError:
            continue
        if decode(once, codec) == chr(point) and chr(point) not in TWO_WAYS:
            found.append(chr(point))
    return found


ALPHABETS = {name: _sendable(codec) for name, codec in CHARSETS.items()}
NAMES = st.sampled_from(["PID", "PV1", "OBX", "NTE", "ZZZ", "MSH", "FHS"])


@st.composite
def sent(draw: st.DrawFn) -> bytes:
    """A message as somebody might send it, delimiters and stray escapes in its values."""
    charset = draw(st.sampled_from(sorted(CHARSETS)))
    letters = st.sampled_from(ALPHABETS[charset])
    value = st.text(st.one_of(letters, st.sampled_from("|^~\\&\\")), max_size=12)
    lines = ["MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5||||||" + charset]
    for _ in range(draw(st.integers(0, 5))):
        fields = draw(st.lists(value, max_size=6))
        lines.append("|".join([draw(NAMES), *fields]))
    end = draw(st.sampled_from(["\r", "\n", "\r\n"]))
    return (end.join(lines) + draw(st.sampled_from(["", end, end * 2]))).encode(CHARSETS[charset])


@given(sent())
def test_what_is_parsed_and_printed_has_the_same_bytes(raw: bytes) -> None:
    assert parse(raw).encode() == raw


@pytest.mark.parametrize("raw", [LAB, LAB.replace(b"\r", b"\r\n"), LAB.replace(b"\r", b"\n"), LAB[:-1]])
def test_lines_end_as_they_came(raw: bytes) -> None:
    assert parse(raw).encode() == raw


def test_every_character_of_gb18030_is_printed_as_it_came() -> None:
    raw = message(escape("".join(ALPHABETS["GB 18030-2000"])), charset="GB 18030-2000")
    assert len(raw) > 150_000
    assert parse(raw).encode() == raw


def test_a_character_with_two_spellings_is_printed_in_the_usual_one() -> None:
    head = b"MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5||||||GB18030\rPID|1||"
    for usual, other in ((b"\xfe\x59", b"\x82\x35\x90\x37"), (b"\xa8\xbc", b"\x81\x35\xf4\x37")):
        assert parse(head + usual).get("PID-3") == parse(head + other).get("PID-3")
        assert parse(head + usual).encode() == parse(head + other).encode() == head + usual
    assert parse(head + b"\x80").encode() == head + b"\xa2\xe3"


def test_a_line_that_is_no_segment_cannot_be_printed() -> None:
    with pytest.raises(HL7Error, match="line 2"):
        parse(b"MSH|^~\\&|A\rlost text\r").encode()
