"""Answers: matched by control id, in the sender's own version, delimiters and character set."""

from __future__ import annotations

import hl7
import pytest

from bus.hl7.ack import Code, Wrong, acknowledge, before_25, wanted
from bus.hl7.escaping import Delimiters
from bus.hl7.message import parse
from bus.hl7.problem import TABLE_VALUE

MSH = ["MSH", "^~\\&", "LIS", "MAIN", "BUS", "HUB", "2026", "", "ORU^R01^ORU_R01", "C1", "P", "2.5"]
WRONG = Wrong(TABLE_VALUE, "MSH-18", "no such charset: a|b", "unknown_charset")


def answer(fields: list[str], code: str = "AA", **more: object) -> bytes:
    return acknowledge(fields, code, now="20260101", control_id="A1", **more)  # type: ignore[arg-type]


def test_an_acceptance_as_a_whole() -> None:
    assert answer(MSH) == (b"MSH|^~\\&|BUS|HUB|LIS|MAIN|20260101||ACK^R01^ACK|A1|P|2.5\rMSA|AA|C1\r")


def test_the_hl7_library_reads_it() -> None:
    theirs = hl7.parse(answer(MSH).decode())
    assert (str(theirs["MSA"][0][1]), str(theirs["MSA"][0][2])) == ("AA", "C1")


def test_a_rejection_says_what_where_and_why_in_25() -> None:
    read = parse(answer(MSH, "AR", wrong=WRONG))
    assert (read.get("MSA-1"), read.get("MSA-2")) == ("AR", "C1")
    assert read.get("ERR-2") == "MSH^1^18"
    assert read.get("ERR-3") == "103^Table value not found^HL70357"
    assert (read.get("ERR-4"), read.get("ERR-5"), read.get("ERR-8")) == ("E", "unknown_charset", WRONG.reason)


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4"])
def test_before_25_it_says_so_in_msa_3_msa_6_and_err_1(version: str) -> None:
    read = parse(answer([*MSH[:11], version], "AR", wrong=WRONG))
    assert read.get("MSA-3") == WRONG.reason
    assert read.get("MSA-6") == "103^Table value not found^HL70357"
    assert read.get("ERR-1") == "MSH^1^18^103&Table value not found&HL70357"
    assert read.get("ERR-3") is None


@pytest.mark.parametrize(
    ("version", "before"), [("2.1", True), ("2.4", True), ("2.5", False), ("2.5.1", False), ("", False)]
)
def test_versions(version: str, before: bool) -> None:
    assert before_25(version) is before


def test_a_message_without_header_is_answered_all_the_same() -> None:
    read = parse(answer([], "AR", wrong=Wrong(TABLE_VALUE, "", "no MSH", "missing_msh")))
    assert (read.get("MSA-1"), read.get("MSA-2"), read.get("ERR-2")) == ("AR", None, None)


def test_it_speaks_the_delimiters_of_the_message() -> None:
    theirs = Delimiters("*", ":", ";", "!", "%")
    fields = ["MSH", ":;!%", "LIS:1", "MAIN", "", "", "", "", "ORU:R01", "C1", "P", "2.5"]
    read = parse(answer(fields, delimiters=theirs, wrong=WRONG, code="AR"))
    assert (read.get("MSH-5"), read.get("MSH-9.2"), read.get("ERR-8")) == ("LIS:1", "R01", WRONG.reason)


def test_it_speaks_the_character_set_of_the_message() -> None:
    fields = [*MSH[:2], "检验珅", *MSH[3:], *[""] * 5, "GB 18030-2000"]
    raw = answer(fields, codec="gb18030")
    assert parse(raw).get("MSH-5") == "检验珅"
    assert parse(raw).codec == "gb18030"


@pytest.mark.parametrize(
    ("code", "accept", "answered"),
    [
        (Code.ACCEPT, "AL", True),
        (Code.ACCEPT, "NE", False),
        (Code.ACCEPT, "ER", False),
        (Code.ACCEPT, "SU", True),
        (Code.REJECT, "AL", True),
        (Code.REJECT, "NE", False),
        (Code.REJECT, "ER", True),
        (Code.ERROR, "SU", False),
    ],
)
def test_in_enhanced_mode_msh_15_says_whether_to_answer(code: Code, accept: str, answered: bool) -> None:
    assert wanted(code, accept) is answered


def test_accept_acknowledgements_have_codes_of_their_own() -> None:
    assert [code.enhanced for code in (Code.ACCEPT, Code.ERROR, Code.REJECT)] == ["CA", "CE", "CR"]
