"""HL7 files: single messages, many, and the batch envelope."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.records import FileError, Record
from adapters.files.settings import Hl7, Source
from tests.unit.adapters.files.reading import found, told

SOURCE = Source.model_validate({"name": "ns_adt", "facility": "NS", "pattern": "*.hl7", "hl7": {}})


def message(control_id: str, name: str = "珅", *, facility: str = "NS", charset: str = "GB18030") -> str:
    """One ADT message."""
    return (
        f"MSH|^~\\&|HIS|{facility}|||20261120||ADT^A08|{control_id}|P|2.4||||||{charset}\r"
        f"PID|1||N1^^^NS||{name}\r"
    )


def batch(*messages: str, counted: int | None = None) -> str:
    """Messages in an envelope."""
    count = len(messages) if counted is None else counted
    return f"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r{''.join(messages)}BTS|{count}\rFTS|1\r"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_messages_are_cut_apart_whatever_ends_the_lines(end: str, wrapped: bool) -> None:
    messages = [message(f"C{n}", "欧阳珅" * n) for n in range(3)]
    text = (batch(*messages) if wrapped else "".join(messages)).replace("\r", end)
    records = found(SOURCE, text.encode("gb18030"))
    assert [r.arrival.body.decode("gb18030") for r in records if isinstance(r, Record)] == messages
    first = records[0]
    assert isinstance(first, Record)
    assert (first.arrival.patient_number, first.arrival.charset) == ("N1", "gb18030")
    assert (first.arrival.control_id, first.arrival.sender, first.key) == ("C0", "HIS", None)


@given(st.lists(st.text(st.characters(codec="gb18030", exclude_categories=["Cc"]), max_size=8), max_size=6))
def test_any_names_survive(names: list[str]) -> None:
    clean = [name.translate({ord(c): None for c in "|^~\\&"}) for name in names]
    messages = [message(f"C{n}", name) for n, name in enumerate(clean)]
    records = found(SOURCE, batch(*messages).encode("gb18030"))
    assert [r.arrival.body.decode("gb18030") for r in records if isinstance(r, Record)] == messages


def test_an_empty_msh_18_means_the_campus_or_what_the_source_says() -> None:
    body = message("C1", charset="").encode("gb18030")
    (by_campus,) = found(SOURCE, body, codec="gb18030")
    assert isinstance(by_campus, Record)
    said = SOURCE.model_copy(update={"hl7": Hl7(charset="GBK")})
    (by_source,) = found(said, body)
    assert isinstance(by_source, Record)
    assert by_campus.arrival.charset == by_source.arrival.charset == "gb18030"
    assert told(SOURCE, body) == [(1, "unknown_charset")]


@pytest.mark.parametrize(
    "text",
    [
        batch(message("C1"), counted=2),
        batch(message("C1")).replace("FTS|1\r", ""),
        batch(message("C1")).replace("BTS|1\r", ""),
        batch(message("C1")).replace("FTS|1", "FTS|2"),
        message("C1") + "FTS|1\r",
        "BHS|^~\\&\r" + message("C1") + "BHS|^~\\&\r",
    ],
)
def test_half_a_batch_is_refused_whole(text: str) -> None:
    with pytest.raises(FileError) as refused:
        found(SOURCE, text.encode("gb18030"))
    assert refused.value.code == "incomplete_batch"


def test_what_cannot_be_taken_is_named_and_the_rest_goes_on() -> None:
    large = message("C4", "珅" * 500)
    text = "PID|1\r" + message("C1") + message("C2", facility="HP") + message("") + large + message("C5")
    assert told(SOURCE, text.encode("gb18030"), limit=600) == [
        (1, "missing_msh"),
        (2, "C1"),
        (4, "wrong_campus"),
        (6, "missing_field"),
        (8, "too_large"),
        (10, "C5"),
    ]


def test_a_file_without_lines_is_refused_before_it_is_held() -> None:
    with pytest.raises(FileError, match="longer"):
        found(SOURCE, b"x" * 1_000_000, limit=1000)
