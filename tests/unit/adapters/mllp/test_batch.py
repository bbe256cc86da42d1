"""Batches are cut into the messages that were put in, byte by byte, and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mllp.batch import (
    Batch,
    File,
    Told,
    answerable,
    envelope,
    fields,
    is_batch,
    miscounts,
    named,
    split,
)
from bus.hl7.problem import HL7Error

FHS = b"FHS|^~\\&|HIS|MAIN|BUS|HUB|2026||file||F1\r"
BHS = b"BHS|^~\\&|HIS|MAIN|BUS|HUB|2026||name|comment|B1\r"


def message(control_id: str, text: str = "王珅", codec: str = "gb18030") -> bytes:
    return f"MSH|^~\\&|HIS|MAIN|||1||ADT^A01|{control_id}|P|2.5\rPID|1||P1||{text}\r".encode(codec)


texts = st.text(st.characters(codec="gb18030", categories=["L", "N", "P", "S"]), max_size=20)


@given(
    st.lists(st.lists(texts, max_size=4), min_size=1, max_size=3), st.sampled_from([b"\r", b"\r\n", b"\n"])
)
def test_messages_come_out_as_they_were_put_in(batches: list[list[str]], ending: bytes) -> None:
    sent = [[message(f"C{n}", text) for n, text in enumerate(texts)] for texts in batches]
    parts = [BHS + b"".join(each) + f"BTS|{len(each)}\r".encode() for each in sent]
    raw = FHS + b"".join(parts) + f"FTS|{len(sent)}\r".encode()
    file = split(raw.replace(b"\r", ending))
    assert [batch.messages for batch in file.batches] == [
        [each.replace(b"\r", ending) for each in batch] for batch in sent
    ]
    assert miscounts(file) == []
    assert [miscounts(part) for part in file.batches] == [[]] * len(sent)
    assert is_batch(raw)


def test_headers_and_trailers_are_optional_but_one() -> None:
    only = split(BHS + message("C1") + message("C2"))
    assert (only.header, len(only.batches), only.size, only.trailer) == (b"", 1, 2, b"")
    bare = split(FHS + message("C1") + b"FTS\r")
    assert (bare.batches[0].header, bare.batches[0].messages) == (b"", [message("C1")])


def test_an_empty_batch_is_one() -> None:
    file = split(BHS + b"BTS|0\r")
    assert (file.size, miscounts(file.batches[0])) == (0, [])


def test_a_batch_without_trailer_ends_where_the_next_begins() -> None:
    assert [len(batch.messages) for batch in split(BHS + message("C1") + BHS + message("C2")).batches] == [
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (BHS + message("C1") + b"BTS|1\r" + FHS, "FHS is not the first"),
        (FHS + FHS, "FHS is not the first"),
        (BHS + b"BTS|0\rBTS|0\r", "BTS ends no batch"),
        (FHS + b"FTS|0\r" + BHS, "after FTS"),
        (BHS + b"PID|1||P1\r" + message("C1"), "belongs to no message"),
        (BHS + message("C1") + b"BTS|1\rNTE|1\r", "belongs to no message"),
    ],
)
def test_a_wrong_order_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(HL7Error, match=reason) as caught:
        split(raw)
    assert caught.value.code == "batch"


@pytest.mark.parametrize("said", ["2", "0", "07", "x", "1 message", "-1"])
def test_a_wrong_count_says_both(said: str) -> None:
    batch = Batch(BHS.rstrip(), [message("C1")], f"BTS|{said}".encode())
    [miscount] = miscounts(batch)
    assert miscount.location == "BTS-1"
    assert "there were 1" in miscount.reason


@pytest.mark.parametrize("trailer", [b"", b"BTS", b"BTS|", b"BTS|1", b"BTS| 01 |comment", b"BTS*1*x"])
def test_a_right_count_or_none_is_silent(trailer: bytes) -> None:
    assert miscounts(Batch(BHS, [message("C1")], trailer)) == []
    assert [m.location for m in miscounts(File(b"", [Batch()], b"FTS|2"))] == ["FTS-1"]


def test_a_header_reads_as_that_of_a_message() -> None:
    assert fields(BHS.rstrip(), "utf-8") == [
        "MSH", "^~\\&", "HIS", "MAIN", "BUS", "HUB", "2026", "", "", "B1", "P", ""
    ]  # fmt: skip
    assert fields("BHS|^~\\&|检验珅|MAIN|||||||B1".encode("gb18030"), "gb18030")[2:4] == ["检验珅", "MAIN"]
    assert fields("BHS|^~\\&|检验|MAIN|||||||B1".encode("gb18030"), "utf-8")[2:4] == ["", "MAIN"]
    assert fields(b"", "utf-8") == []
    assert answerable(FHS + BHS)[9] == "F1"
    assert answerable(message("C1"))[9] == "C1"


def test_only_a_plain_control_id_is_repeated_to_people() -> None:
    assert (named("B1"), named("王珅"), named("")) == ("batch B1", "the batch", "the batch")


def test_an_answer_goes_back_where_the_batch_came_from_and_names_it() -> None:
    head, tail = envelope("BHS", BHS.rstrip(), Told("20260101", "A1", "utf-8", 2, "2 of 2 accepted"))
    assert head == b"BHS|^~\\&|BUS|HUB|HIS|MAIN|20260101||ACK||A1|B1\r"
    assert tail == b"BTS|2|2 of 2 accepted\r"
    head, tail = envelope("BHS", b"BHS*:;!%*HIS:1*MAIN*******B1", Told("2026", "A1", "utf-8", 0))
    assert (head, tail) == (b"BHS*:;!%***HIS:1*MAIN*2026**ACK**A1*B1\r", b"BTS*0\r")


@pytest.mark.parametrize("raw", [b"", b"BHS", b"BHSX|^~\\&|", b"MSH|^~\\&|x", b"BTS|1      "])
def test_what_is_no_batch(raw: bytes) -> None:
    assert not is_batch(raw)
