"""What is no PIX message is answered in HL7's own terms, whoever sends it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.hl7.message import parse
from bus.hl7.problem import HL7Error
from tests.integration.bus.pix.conftest import Desk, codes, cx, errors, linked


def test_an_application_that_is_not_listed(database_url: str) -> None:
    told = {
        "applications": [{"application": "HIS", "facility": "MAIN"}, {"application": "LIS", "facility": "HP"}]
    }
    desk = Desk(database_url, pix=told)
    assert desk.feed("M1").get("MSA-1") == "AA"
    unknown = desk.feed("M2", sender="LIS")
    assert (unknown.get("MSA-1"), errors(unknown)) == ("AR", [("MSH^1^3", "204")])
    elsewhere = desk.feed("Y1", "HY")
    assert (elsewhere.get("MSA-1"), errors(elsewhere)) == ("AR", [("MSH^1^4", "204")])
    assert desk.audited() == [("ITI-8", "allowed"), ("ITI-8", "refused"), ("ITI-8", "refused")]


def test_an_application_that_may_feed_and_not_ask(database_url: str) -> None:
    desk = Desk(
        database_url, pix={"applications": [{"application": "HIS", "facility": "MAIN", "asks": False}]}
    )
    desk.feed("M1")
    answer = desk.cross(cx("M1"))
    assert (codes(answer), errors(answer)) == (("AR", "AE"), [("MSH^1^3", "204")])


def test_one_of_the_group_asks_and_feeds_nothing(database_url: str) -> None:
    told = {"applications": [{"application": "PORTAL", "facility": "GROUP"}]}
    desk = Desk(database_url, pix=told)
    feed = desk.say("ADT^A04", f"PID|||{cx('M1')}", facility="GROUP", sender="PORTAL")
    assert (feed.get("MSA-1"), feed.get("ERR-5")) == ("AE", "wrong_campus")
    asked = desk.say("QBP^Q23", f"QPD|IHE PIX Query|T1|{cx('M1')}", facility="GROUP", sender="PORTAL")
    assert errors(asked) == [("QPD^1^3^1^1", "204")]


@pytest.mark.parametrize(
    ("kind", "segments", "code", "place"),
    [
        ("ORU^R01", ["PID|||M1^^^MAIN"], "AR", "MSH^1^9"),
        ("ADT^A99", ["PID|||M1^^^MAIN"], "AR", "MSH^1^9"),
        ("ADT^A04", ["EVN||20261125"], "AE", "PID^1"),
        ("ADT^A04", ["PID|||"], "AE", "PID^1^3"),
        ("ADT^A04", ["PID|||^^^MAIN"], "AE", "PID^1^3^1^1"),
        ("ADT^A04", ["PID|||M1^^^MAIN||王||19801301"], "AE", "PID^1^7"),
        ("ADT^A04", ["PID|||M1^^^MAIN||王|||7"], "AE", "PID^1^8"),
        ("ADT^A04", ["PID|||M1^^^MAIN||" + "王" * 5000], "AE", "PID^1"),
        ("ADT^A04", ["PID|||M1^^^MAIN||王", "stray text"], "AE", None),
        ("ADT^A24", ["PID|||M1^^^MAIN"], "AE", "PID^1"),
        ("ADT^A24", ["PID|||M1^^^MAIN", "PID|||M1^^^MAIN"], "AE", "PID^2^3^1^1"),
        ("ADT^A24", ["PID|||H1^^^HP", "PID|||H2^^^HP"], "AE", "PID^1^3^1^4"),
        ("ADT^A24", ["PID|||M9^^^MAIN", "PID|||H1^^^HP"], "AE", "PID^1^3^1^1"),
        ("QBP^Q23", ["RCP|I"], "AE", "QPD^1^1"),
        ("QBP^Q23", ["QPD|IHE PIX Query|T1", "RCP|I"], "AE", "QPD^1^3^1^1"),
        ("QBP^Q23", ["QPD|IHE PIX Query|T1|M1^^^MAIN", "RCP|D"], "AE", "RCP^1^1"),
        ("QCN^J01", ["QID|"], "AE", "QID^1^1"),
    ],
)
def test_bad_input(ward: Desk, kind: str, segments: list[str], code: str, place: str | None) -> None:
    answer = ward.say(kind, *segments)
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == (code, f"C{ward.sent}")
    assert [where for where, _ in errors(answer)] == [place]
    assert answer.get("ERR-8")


def test_a_query_is_answered_in_the_delimiters_and_charset_it_can_read(desk: Desk) -> None:
    linked(desk)
    raw = (
        "MSH*#~!%*HIS*MAIN*PIX*GROUP*20261125090000**QBP#Q22#QBP_Q21*Q1*P*2.5******GB 18030-2000\r"
        "QPD*IHE PDQ Query*T1*@PID.5.1.1#王~@PID.5.2#珅*****###MAIN\rRCP*I\r"
    ).encode("gb18030")
    answer = desk.manager.answer(raw).body
    assert "王珅".encode("gb18030") in answer
    message = parse(answer)
    assert (message.get("MSH-18"), message.get("PID-5.1")) == ("GB 18030-2000", "王珅")
    assert message.segments("QPD")[0].raw(3) == "@PID.5.1.1^王~@PID.5.2^珅"


def test_a_character_that_the_asker_s_charset_lacks_is_said_and_not_replaced(desk: Desk) -> None:
    linked(desk)
    answer = desk.find("@PID.3.1^M1", charset="8859/1", codec="latin-1")
    assert (codes(answer), answer.get("ERR-5")) == (("AE", "AE"), "unencodable")


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["ADT^A04", "ADT^A40", "ADT^A24", "ADT^A47", "QBP^Q23", "QBP^Q22", "QCN^J01", "X"]),
    lines=st.lists(
        st.tuples(
            st.sampled_from(["PID|||", "MRG|", "QPD|IHE PIX Query|T|", "QID|", "RCP|I|", "DSC|", ""]),
            st.text(alphabet=st.sampled_from("M1^~&|\\@PID.3王*'\"%_\x00\x1a é😀"), max_size=40),
        ),
        max_size=5,
    ),
)
def test_whatever_comes_has_an_answer(ward: Desk, kind: str, lines: list[tuple[str, str]]) -> None:
    try:
        answer = ward.say(kind, *(start + rest for start, rest in lines))
    except HL7Error:
        return  # its MSH cannot be routed: the listener answers AR
    assert answer.get("MSA-1") in {"AA", "AE", "AR"}
