"""Reading CSV: every value comes back as it was written, and a bad row takes no neighbour along."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.records import FileError, Record
from tests.unit.adapters.files.reading import bodies, csv_source, found, told

HAZARDOUS = st.sampled_from([*"珅彎瀄乗|^~\\&\",;\t\n'@%#€", "\n", "ḿ", "𠮷", "\u2028", "\x85"])
"""珅 holds a byte of | in GB 18030 and 彎 others; a record ends at none of them."""
TEXT = st.text(st.one_of(HAZARDOUS, st.characters(codec="gb18030", exclude_characters="\0\r")), max_size=12)
PRIVATE = set(range(0xE000, 0xF900))


def written(rows: list[list[str]], charset: str, delimiter: str = ",", end: str = "\r\n") -> bytes:
    """Write rows as another program would."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode(charset)


@given(
    values=st.lists(st.tuples(TEXT, TEXT), max_size=5),
    charset=st.sampled_from(["UTF-8", "GB18030"]),
    delimiter=st.sampled_from([",", ";", "|", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(
    values: list[tuple[str, str]], charset: str, delimiter: str, end: str
) -> None:
    kept = [pair for pair in values if not any(ord(c) in PRIVATE for c in "".join(pair))]
    rows = [["no", "patient", "甲", "乙"]]
    rows += [[str(n), "P1", *pair] for n, pair in enumerate(kept)]
    source = csv_source({"charset": charset, "delimiter": delimiter})
    read = bodies(source, written(rows, charset, delimiter, end))
    assert [(body["甲"], body["乙"]) for body in read] == kept


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_their_line(noise: bytes) -> None:
    body = b"no,patient\n" + noise + b"\n1,P1\n"
    for one in found(csv_source(), body):
        assert one.line >= 2
        assert one.number >= 1


def test_a_gb18030_name_and_the_2022_characters_come_out_right() -> None:
    source = csv_source({"charset": "GBK"})
    body = "no,patient,name\n1,P1,欧阳珅\n".encode("gb18030") + b"2,P2,\xa8\xbc\n3,P3,\x80\n"
    assert [one["name"] for one in bodies(source, body)] == ["欧阳珅", "ḿ", "€"]


def test_an_arrival_says_whose_and_what_it_is() -> None:
    source = csv_source(visit="visit", time="at")
    (record,) = found(source, "\ufeffno,patient,visit,at,name\n7, P1 ,V1,2026-11-20,珅\n".encode())
    assert isinstance(record, Record)
    arrival = record.arrival
    assert (arrival.facility, arrival.sender, arrival.message_type) == ("NS", "LIS", "csv:lab")
    assert (arrival.patient_number, arrival.visit_number, arrival.message_time) == ("P1", "V1", "2026-11-20")
    assert (record.key, record.number, record.line, arrival.protocol) == ("7", 1, 2, "files")
    assert bodies(source, b"no,patient,visit,at\n7, P1 ,,\n") == [
        {"no": "7", "patient": " P1 ", "visit": "", "at": ""}
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b"1,P1\n2\n3,P3\n", [(2, "1"), (3, "wrong_number_of_fields"), (4, "3")]),
        (b'1,P1\n2,"P2\n3,P3\n4,P4\n', [(2, "1"), (3, "malformed_row"), (4, "3"), (5, "4")]),
        (b'1,P1\n2,"P2"x\n3,P3\n', [(2, "1"), (3, "malformed_row"), (4, "3")]),
        (b"1,\x81 \n3,P3\n", [(2, "wrong_charset"), (3, "3")]),
        (b'1,"\xff\nP"\n3,P3\n', [(2, "wrong_charset"), (4, "3")]),
        (b"1,\0\n3,P3\n", [(2, "nul_character"), (3, "3")]),
        (b",P1\n3,P3\n", [(2, "missing_key"), (3, "3")]),
        (b"1,P\rx\n3,P3\n", [(2, "malformed_row"), (3, "3")]),
        (b'\n1,5" disk\n\n3,P3', [(3, "1"), (5, "3")]),
        (b"1," + b"x" * 300 + b"\n3,P3\n", [(2, "bad_field"), (3, "3")]),
        (b"1," + b"x" * 3000 + b"\n3,P3\n", [(2, "too_large"), (3, "3")]),
        (b'1,"' + b"x\n" * 3000 + b"\n", None),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_rest_goes_on(
    rows: bytes, expected: list[tuple[int, str]] | None
) -> None:
    read = told(csv_source(), b"no,patient\n" + rows, limit=2000)
    assert read == expected if expected else read[0] == (2, "too_large")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"no,name\n", "missing_column"),
        (b"no,no,patient\n", "wrong_header"),
        (b"\n1,P1\n", "missing_column"),
        (b"no,patient,\xff\n", "wrong_header"),
    ],
)
def test_a_file_without_the_columns_is_refused_whole(header: bytes, code: str) -> None:
    with pytest.raises(FileError) as refused:
        found(csv_source(), header + b"1,P1\n")
    assert refused.value.code == code


def test_columns_may_be_named_by_the_source() -> None:
    named = {"header": False, "columns": ["no", "patient"]}
    assert bodies(csv_source(named), b"1,P1\n") == [{"no": "1", "patient": "P1"}]
    renamed = {"columns": ["no", "patient"]}
    assert bodies(csv_source(renamed), "编号,a.b\n1,P1\n".encode()) == [{"no": "1", "patient": "P1"}]
    with pytest.raises(FileError, match="no header"):
        found(csv_source(), b"\n\n")
    with pytest.raises(FileError, match="3 columns"):
        found(csv_source(renamed), b"a,b,c\n1,P1,x\n")


def test_keys_of_several_columns_never_look_alike() -> None:
    source = csv_source(key=["no", "patient"])
    keys = [control_id for _, control_id in told(source, b"no,patient\na|b,c\na,b|c\na%7Cb,c\na@1,c\n")]
    assert keys == ["a%7Cb|c", "a|b%7Cc", "a%257Cb|c", "a%401|c"]


def test_without_a_key_the_content_is_the_name() -> None:
    one, two, again = found(csv_source(key=[]), b"no,patient\n1,P1\n2,P2\n1,P1\n")
    assert isinstance(one, Record)
    assert isinstance(two, Record)
    assert isinstance(again, Record)
    assert one.arrival.control_id.startswith("sha256:")
    assert one.arrival.control_id == again.arrival.control_id != two.arrival.control_id
    assert one.key is None


def test_a_hundred_thousand_lines_are_read_in_little_memory() -> None:
    import tracemalloc

    from adapters.files.codec import Reading, read

    body = io.BytesIO(b"no,patient\n" + b"".join(b"%d,P1\n" % n for n in range(100_000)))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read(body, Reading(csv_source(), "utf-8", 10_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak < 2_000_000
