import re
from collections import Counter, defaultdict
from datetime import date, datetime

import hl7
import pytest

from bus.hl7.message import parse
from bus.hl7.problem import HL7Error
from simulators.hazards import hazardous_ideographs
from simulators.main_campus.day import MESSAGES, day
from simulators.main_campus.message import APPLICATIONS
from simulators.people import DEMO

TODAY = date(2026, 11, 20)
DAY = day(7, TODAY)
CODECS = {application.code: application.codec for application in APPLICATIONS}


def text(message):
    return message.body.decode(CODECS[message.application])


def test_the_same_seed_and_day_are_the_same_bytes():
    assert [m.body for m in day(7, TODAY)] == [m.body for m in DAY]
    assert [m.body for m in day(8, TODAY)] != [m.body for m in DAY]
    assert {m.control_id for m in day(7, date(2026, 11, 21))}.isdisjoint(m.control_id for m in DAY)


@pytest.mark.parametrize("scale", [0.05, 0.5, 1.0, 2.0])
def test_the_scale_gives_the_number_of_messages(scale):
    assert len(day(7, TODAY, scale)) == round(MESSAGES * scale)


def test_a_smaller_day_sends_nothing_that_a_greater_one_does_not():
    whole = {(m.control_id, m.body) for m in day(7, TODAY, 2.0)}
    assert {(m.control_id, m.body) for m in DAY} <= whole


def test_all_kinds_of_traffic_are_there():
    kinds = Counter(m.type for m in DAY)
    for kind in ("ADT^A01", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A40", "ORM^O01", "OMG^O19", "ORU^R01"):
        assert kinds[kind] >= 10
    for kind in ("SIU^S12", "SIU^S14", "SIU^S15", "MDM^T02", "DFT^P03"):
        assert kinds[kind] >= 10
    assert {m.application for m in DAY} == {"HIS", "EMR", "LIS", "RIS"}


def test_both_versions_and_both_charsets_are_spoken():
    spoken = Counter((str(p[0][12]), str(p[0][18])) for p in map(hl7.parse, map(text, DAY)))
    assert spoken["2.4", "GB 18030-2000"] > 100
    assert spoken["2.5", "UNICODE UTF-8"] > 100
    assert spoken["2.4", "UNICODE UTF-8"] == 1  # a known mistake


def test_an_independent_parser_reads_each_message_as_it_was_meant():
    for message in DAY:
        parsed = hl7.parse(text(message))
        assert str(parsed.segment("MSH")[10]) == message.control_id
        number = parsed.segment("PID")[3][0][0][0]
        assert number == message.patients[0]
        assert all(re.fullmatch(r"[A-Z][A-Z0-9]{2}", str(segment[0])) for segment in parsed)


def test_our_own_parser_reads_the_same_names():
    for message in DAY:
        if message.expect == "refused:unknown_charset":
            with pytest.raises(HL7Error):
                parse(message.body)
            continue
        oracle = str(hl7.parse(text(message)).segment("PID")[5]).split("^")[0]
        assert parse(message.body).get("PID-5.1") == (oracle or None)


def test_every_hazardous_ideograph_passes_in_gb_18030():
    passed = {
        c for m in DAY if CODECS[m.application] == "gb18030" and m.expect == "recorded" for c in text(m)
    }
    assert set(hazardous_ideographs()) <= passed


def test_every_hazardous_ideograph_is_in_a_name_and_in_a_report():
    his = "".join(text(m).split("\rPID|")[1].split("|")[4] for m in DAY if m.type == "ADT^A04")
    ris = "".join(text(m) for m in DAY if m.application == "RIS")
    assert set(hazardous_ideographs()) <= set(his)
    assert set(hazardous_ideographs()) <= set(ris)


def test_critical_values_are_reported():
    assert sum("|HH|" in text(m) or "|LL|" in text(m) for m in DAY if m.application == "LIS") >= 10


def test_a_patient_is_registered_before_anything_else_happens():
    first: dict[str, str] = {}
    for message in DAY:
        first.setdefault(message.patients[0], message.type)
    assert set(first.values()) <= {"ADT^A01", "ADT^A04", "ZZZ^Z01"}


def test_an_order_comes_before_its_report():
    ordered: set[str] = set()
    for message in DAY:
        if message.expect != "recorded":
            continue
        parsed = hl7.parse(text(message))
        if message.type in ("ORM^O01", "OMG^O19"):
            ordered.add(str(parsed.segment("ORC")[2]))
        elif message.type == "ORU^R01":
            assert str(parsed.segment("OBR")[2]) in ordered


def test_times_of_a_patient_never_go_back():
    last: dict[str, datetime] = {}
    for message in DAY:
        for number in message.patients:
            assert last.get(number, message.at) <= message.at
            last[number] = message.at


def test_nothing_follows_a_number_that_was_given_up():
    given_up: set[str] = set()
    for message in DAY:
        assert message.patients[0] not in given_up
        if message.type == "ADT^A40":
            given_up.add(message.patients[1])
    assert given_up


def test_control_ids_are_used_again_only_by_the_known_mistakes():
    uses = Counter((m.application, m.control_id) for m in DAY)
    again = {m.expect for m in DAY if uses[m.application, m.control_id] > 1}
    assert again == {"recorded", "duplicate", "held:control_id_conflict"}


def test_every_mistake_is_known():
    assert Counter(m.expect for m in DAY if m.expect != "recorded") == {
        "held:unmapped_code": 2,
        "held:impossible_date": 1,
        "held:waiting": 1,
        "held:control_id_conflict": 1,
        "refused:unknown_type": 1,
        "refused:unknown_campus": 1,
        "refused:unknown_charset": 1,
        "duplicate": 1,
    }


def test_the_demo_person_has_a_visit_and_a_critical_result():
    of_demo = defaultdict(list)
    for message in DAY:
        if DEMO.numbers["MAIN"] in message.patients:
            of_demo[message.type].append(text(message))
    assert of_demo["ADT^A01"]
    assert any("|HH|" in body for body in of_demo["ORU^R01"])
    assert all(DEMO.id_card in body for body in of_demo["ADT^A04"])
