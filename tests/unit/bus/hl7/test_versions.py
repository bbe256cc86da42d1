"""Headers and answers of HL7 v2.3 to v2.8, as each version writes them."""

from __future__ import annotations

import pytest

from bus.hl7.ack import Wrong, acknowledge
from bus.hl7.escaping import Delimiters
from bus.hl7.header import peek
from bus.hl7.message import parse
from bus.hl7.problem import TABLE_VALUE, HL7Error

CAMPUSES = {"MAIN": "utf-8", "HP": "gb18030"}
BEFORE_25 = ["2.3", "2.3.1", "2.4"]
FROM_25 = ["2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.2"]
TRUNCATING = ["2.7", "2.7.1", "2.8", "2.8.2"]
WRONG = Wrong(TABLE_VALUE, "MSH-18", "no such charset #1", "unknown_charset")


def msh(version: str, kind: str = "ADT^A01^ADT_A01", encoding: str = "^~\\&") -> list[str]:
    return ["MSH", encoding, "HIS", "MAIN", "BUS", "HUB", "20260101", "", kind, "C1", "P", version]


def raw(version: str, kind: str = "ADT^A01^ADT_A01", encoding: str = "^~\\&", name: str = "王珅") -> bytes:
    return ("|".join(msh(version, kind, encoding)) + f"\rPID|1||P1^^^MAIN||{name}\r").encode()


def answer(fields: list[str], code: str = "AA", wrong: Wrong | None = None) -> bytes:
    return acknowledge(fields, code, now="20260101", control_id="A1", wrong=wrong)


@pytest.mark.parametrize("version", [*BEFORE_25, *FROM_25, "", "2.5^CHN^2.5", "2.4^CHN"])
def test_a_message_of_every_version_is_routed(version: str) -> None:
    header = peek(raw(version), CAMPUSES)
    assert (header.message_type, header.control_id, header.patient_number) == ("ADT^A01", "C1", "P1")


@pytest.mark.parametrize("kind", ["ADT^A01", "ADT^A01^", "ADT^A01^ADT_A01"])
def test_the_structure_in_msh_9_may_be_missing(kind: str) -> None:
    assert peek(raw("2.3", kind), CAMPUSES).message_type == "ADT^A01"


@pytest.mark.parametrize("version", TRUNCATING)
def test_the_truncation_character_of_27_is_no_delimiter(version: str) -> None:
    written = raw(version, encoding="^~\\&#", name="No. #7 \\P\\ \\T\\")
    assert peek(written, CAMPUSES).patient_number == "P1"
    message = parse(written)
    assert message.get("PID-5") == "No. #7 # &"
    assert message.get("MSH-2") == "^~\\&#"


@pytest.mark.parametrize("version", TRUNCATING)
def test_an_answer_repeats_the_encoding_characters_that_were_used(version: str) -> None:
    read = parse(answer(msh(version, encoding="^~\\&#"), "AR", WRONG))
    assert read.get("MSH-2") == "^~\\&#"
    assert read.get("ERR-8") == "no such charset #1"


def test_encoding_characters_that_are_not_distinct_are_refused() -> None:
    with pytest.raises(HL7Error) as caught:
        peek(raw("2.7", encoding="^~^&#"), CAMPUSES)
    assert caught.value.code == "delimiters"


@pytest.mark.parametrize("encoding", ["^", "^~", "^~\\"])
def test_an_old_sender_may_declare_fewer_of_them(encoding: str) -> None:
    header = peek(raw("2.3", encoding=encoding), CAMPUSES)
    assert header.delimiters == Delimiters(*("|" + encoding), *[""] * (4 - len(encoding)))
    assert header.patient_number == "P1"


@pytest.mark.parametrize(
    ("version", "kind"),
    [("2.1", "ACK"), ("2.2", "ACK"), ("2.3", "ACK^A01"), ("2.3.1", "ACK^A01^ACK"), ("2.4", "ACK^A01^ACK"),
     ("2.5", "ACK^A01^ACK"), ("2.8", "ACK^A01^ACK"), ("", "ACK^A01^ACK")],
)  # fmt: skip
def test_an_answer_s_type_has_the_parts_that_its_version_knows(version: str, kind: str) -> None:
    assert parse(answer(msh(version))).get("MSH-9") == kind


@pytest.mark.parametrize("version", BEFORE_25)
def test_up_to_24_what_is_wrong_is_in_msa_3_msa_6_and_err_1(version: str) -> None:
    read = parse(answer(msh(version), "AR", WRONG))
    assert read.get("MSA-3") == WRONG.reason
    assert read.get("ERR-1") == "MSH^1^18^103&Table value not found&HL70357"
    assert (read.get("ERR-2"), read.get("ERR-3")) == (None, None)


@pytest.mark.parametrize("version", FROM_25)
def test_from_25_on_it_is_in_err_2_to_err_8_and_what_was_withdrawn_is_empty(version: str) -> None:
    read = parse(answer(msh(version), "AR", WRONG))
    assert (read.get("MSA-3"), read.get("MSA-6"), read.get("ERR-1")) == (None, None, None)
    assert (read.get("ERR-2"), read.get("ERR-4"), read.get("ERR-8")) == ("MSH^1^18", "E", WRONG.reason)
    assert read.get("ERR-3") == "103^Table value not found^HL70357"


@pytest.mark.parametrize("version", [*BEFORE_25, *FROM_25])
def test_the_expected_sequence_number_is_in_msa_4_in_every_version(version: str) -> None:
    for wrong in (None, WRONG):
        given = acknowledge(msh(version), "AA", now="1", control_id="A1", wrong=wrong, expected="7")
        assert parse(given).get("MSA-4") == "7"
