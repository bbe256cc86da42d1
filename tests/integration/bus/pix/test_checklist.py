"""PIX and PDQ over HL7 v2, line by line of the conformance checklist."""

from __future__ import annotations

import pytest

from bus.hl7.message import Message
from consortium.identity import service as identity
from tests.integration.bus.clinic import hl7, store
from tests.integration.bus.pix.conftest import (
    CARD,
    CONSORTIUM,
    Desk,
    codes,
    cx,
    errors,
    identifiers,
    linked,
    person_of,
    register_ward,
    take_back,
)


class TestLine01FeedAccepted:
    @pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08"])
    def test_iti8_is_accepted_and_known_before_the_answer(self, desk: Desk, event: str) -> None:
        answer = desk.feed("M1", event=event, version="2.3.1")
        assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AA", "C1")
        assert answer.get("MSH-9") == f"ACK^{event}^ACK"
        assert desk.rows("SELECT number, name, birth_date::text, sex FROM identity.source_patient") == [
            ("M1", "王珅", "1980-01-01", "male")
        ]

    def test_the_message_and_its_journey_are_kept(self, desk: Desk) -> None:
        desk.feed("M1")
        assert desk.rows("SELECT message_type, endpoint, patient_number FROM bus.inbox") == [
            ("ADT^A04", "pix", "M1")
        ]
        assert desk.rows("SELECT count(*) FROM bus.work") == [(0,)]
        [(step, detail)] = desk.rows("SELECT step, detail FROM bus.trace")
        assert step == "recorded"
        assert isinstance(detail, dict)
        assert detail["kind"] == "ITI-8 A04"


class TestLine02Domains:
    @pytest.mark.parametrize("sent", ["M1^^^MAIN", "M1^^^&1.2.156.10011.99.1&ISO", cx("M1")])
    def test_namespace_or_oid_alone_is_completed_in_later_answers(self, desk: Desk, sent: str) -> None:
        assert desk.feed(sent, card=CARD).get("MSA-1") == "AA"
        assert desk.feed("H1", "HP", card=CARD).get("MSA-1") == "AA"
        assert identifiers(desk.cross("H1^^^HP", "^^^MAIN")) == [cx("M1")]

    @pytest.mark.parametrize(
        "sent",
        [
            "M1^^^NOWHERE",
            "M1^^^&1.2.3&ISO",
            "M1^^^MAIN&1.2.156.10011.99.2&ISO",
            "M1^^^NOWHERE&1.2.156.10011.99.1&ISO",
            "M1^^^MAIN&1.2.156.10011.99.1&DNS",
            "M1^^^",
            "M1^^^MAIN~X^^^NOWHERE",
        ],
    )
    def test_a_contradictory_or_unknown_domain_is_rejected(self, ward: Desk, sent: str) -> None:
        answer = ward.feed(sent, name="不^存在")
        assert answer.get("MSA-1") == "AE"
        [(place, code)] = errors(answer)
        assert place in {"PID^1^3^1^4", "PID^1^3^2^4"}
        assert code == "204"
        assert ward.rows("SELECT count(*) FROM identity.source_patient WHERE name = '不存在'") == [(0,)]

    def test_in_the_version_of_iti8_the_error_has_its_older_form(self, ward: Desk) -> None:
        answer = ward.feed("M1^^^NOWHERE", version="2.3.1")
        assert answer.get("MSA-1") == "AE"
        assert answer.get("ERR-1") == "PID^1^3^204&Unknown key identifier&HL70357"
        assert "not known" in str(answer.get("MSA-3"))

    def test_a_campus_feeds_its_own_numbers_alone(self, ward: Desk) -> None:
        answer = ward.feed(cx("H1", "HP"))
        assert (answer.get("MSA-1"), answer.get("ERR-5")) == ("AE", "wrong_campus")

    def test_national_numbers_and_those_of_others_stand_beside_the_own(self, desk: Desk) -> None:
        sent = f"88^^^&2.16.156.10011.1.19&ISO~{cx('H9', 'HP')}~{cx('M1')}"
        assert desk.feed(sent).get("MSA-1") == "AA"
        assert desk.rows("SELECT facility, number FROM identity.source_patient") == [("MAIN", "M1")]


class TestLine03Replayed:
    def test_a_repeated_feed_has_the_same_answer_and_no_second_effect(self, desk: Desk) -> None:
        first = desk.feed("M1", control_id="R1")
        again = desk.feed("M1", control_id="R1")
        assert first.get("MSA-1") == again.get("MSA-1") == "AA"
        assert desk.rows("SELECT count(*) FROM bus.inbox") == [(1,)]
        assert desk.rows("SELECT version FROM identity.source_patient") == [(1,)]

    def test_a_control_id_with_other_content_is_refused(self, desk: Desk) -> None:
        desk.feed("M1", control_id="R1")
        answer = desk.feed("M2", control_id="R1")
        assert (answer.get("MSA-1"), errors(answer)) == ("AE", [("MSH^1^10", "205")])
        assert desk.rows("SELECT number FROM identity.source_patient") == [("M1",)]
        assert desk.rows("SELECT count(*) FROM bus.work") == [(0,)]

    def test_the_same_message_at_the_mllp_endpoint_is_another(self, desk: Desk) -> None:
        store(desk.url, hl7("ADT^A04", control_id="R1"))
        assert desk.feed("M1", control_id="R1").get("MSA-1") == "AA"
        assert desk.rows("SELECT number FROM identity.source_patient") == [("M1",)]
        assert desk.rows("SELECT sender FROM bus.inbox ORDER BY id") == [("HIS",), ("HIS/pix",)]

    def test_an_a08_relinks(self, desk: Desk) -> None:
        linked(desk)
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]
        desk.feed("H1", "HP", event="A08", name="李^红", birth="19700202", sex="F", card="440106197002021225")
        assert codes(desk.cross(cx("M1"), "^^^HP")) == ("AA", "NF")
        desk.feed("H1", "HP", event="A08", name="王^珅", birth="19800101", sex="M", card=CARD)
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]


class TestLine04Merged:
    @pytest.mark.parametrize("version", ["2.3.1", "2.5"])
    def test_the_subsumed_number_is_retired(self, desk: Desk, version: str) -> None:
        linked(desk)
        desk.feed("M9", card=CARD)
        assert set(identifiers(desk.cross(cx("H1", "HP"), "^^^MAIN"))) == {cx("M1"), cx("M9")}
        assert desk.merge("M1", "M9", version=version).get("MSA-1") == "AA"
        assert identifiers(desk.cross(cx("H1", "HP"), "^^^MAIN")) == [cx("M1")]
        retired = desk.cross(cx("M9"))
        assert codes(retired) == ("AE", "AE")
        assert errors(retired) == [("QPD^1^3^1^1", "204")]
        assert "retired" in str(retired.get("ERR-8"))

    def test_a_number_that_its_campus_took_back_is_retired_until_it_speaks_of_it_again(
        self, desk: Desk
    ) -> None:
        linked(desk)
        desk.feed("M9", card=CARD)
        take_back(desk, "M9")
        assert identifiers(desk.cross(cx("H1", "HP"), "^^^MAIN")) == [cx("M1")]
        retired = desk.cross(cx("M9"))
        assert (codes(retired), errors(retired)) == (("AE", "AE"), [("QPD^1^3^1^1", "204")])
        assert "retired" in str(retired.get("ERR-8"))
        pids = [f"PID|||{cx('M9')}||王^珅", f"PID|||{cx('H1', 'HP')}||王^珅"]
        link = desk.say("ADT^A24^ADT_A24", "EVN||20261125090000", *pids)
        assert (link.get("MSA-1"), errors(link)) == ("AE", [("PID^1^3^1^1", "204")])
        take_back(desk, "M1")
        assert codes(desk.find("@PID.5.1.1^王", "^^^MAIN")) == ("AA", "NF")
        assert numbers(desk.find("@PID.5.1.1^王", "^^^HP")) == ["H1"]
        desk.feed("M9", card=CARD, event="A08")
        assert identifiers(desk.cross(cx("H1", "HP"), "^^^MAIN")) == [cx("M9")]
        assert identifiers(desk.find("@PID.5.1.1^王", "^^^MAIN")) == [cx("M9")]

    def test_several_in_one_message(self, desk: Desk) -> None:
        for number in ("M1", "M2", "M3", "M4"):
            desk.feed(number)
        groups = [
            f"PID|||{cx('M1')}||王^珅",
            f"MRG|{cx('M2')}",
            f"PID|||{cx('M3')}||王^珅",
            f"MRG|{cx('M4')}",
        ]
        assert desk.say("ADT^A40^ADT_A39", "EVN||20261125090000", *groups).get("MSA-1") == "AA"
        merged = "SELECT number FROM identity.source_patient WHERE merged_into IS NOT NULL ORDER BY 1"
        assert desk.rows(merged) == [("M2",), ("M4",)]

    @pytest.mark.parametrize(
        ("segments", "place"),
        [
            ([f"PID|||{cx('M1')}", f"MRG|{cx('M1')}"], "MRG^1"),
            ([f"PID|||{cx('M1')}"], "MRG^1"),
            ([f"MRG|{cx('M1')}"], "PID^1"),
            ([f"PID|||{cx('M1')}", f"MRG|{cx('H1', 'HP')}"], "MRG^1^1^1^4"),
            ([f"PID|||{cx('M1')}", "MRG|M2^^^NOWHERE"], "MRG^1^1^1^4"),
        ],
    )
    def test_what_cannot_be_merged_is_said(self, ward: Desk, segments: list[str], place: str) -> None:
        answer = ward.say("ADT^A40", "EVN||20261125090000", *segments)
        assert answer.get("MSA-1") == "AE"
        assert [where for where, _ in errors(answer)] == [place]


def two_people(desk: Desk) -> None:
    """Register two people: at MAIN as M1, at Huangpu as H1."""
    desk.feed("M1")
    desk.feed("H1", "HP", name="李^红", birth="19700202", sex="F")


def couple(desk: Desk, event: str) -> Message:
    """Link (A24) or unlink (A37) M1 and H1."""
    pids = [f"PID|||{cx('M1')}||王^珅", f"PID|||{cx('H1', 'HP')}||李^红"]
    return desk.say(f"ADT^{event}^ADT_{event}", "EVN||20261125090000", *pids)


class TestLine05PatientIdentityManagement:
    @pytest.mark.parametrize("event", ["A28", "A31"])
    def test_a28_and_a31(self, desk: Desk, event: str) -> None:
        assert (
            desk.feed("M1", event=event, more="|||天河路1号^^广州市^广东省||13800000000").get("MSA-1") == "AA"
        )
        assert desk.rows("SELECT number, address, phone FROM identity.source_patient") == [
            ("M1", "广东省广州市天河路1号", "13800000000")
        ]

    def test_a47_changes_a_number(self, desk: Desk) -> None:
        linked(desk)
        assert desk.merge("M2", "M1", event="A47").get("MSA-1") == "AA"
        assert identifiers(desk.cross(cx("H1", "HP"), "^^^MAIN")) == [cx("M2")]
        assert codes(desk.cross(cx("M1"))) == ("AE", "AE")

    def test_a47_to_a_number_that_is_another_patient_s_is_refused(self, desk: Desk) -> None:
        desk.feed("M1")
        desk.feed("M2", name="李^红", birth="19700202", sex="F")
        answer = desk.merge("M2", "M1", event="A47")
        assert (answer.get("MSA-1"), errors(answer)) == ("AE", [("PID^1^3^1^1", "205")])
        answer = desk.merge("M3", "M8", event="A47")
        assert (answer.get("MSA-1"), errors(answer)) == ("AE", [("MRG^1^1^1^1", "204")])

    def test_a24_links_and_a37_takes_it_back(self, desk: Desk) -> None:
        two_people(desk)
        assert codes(desk.cross(cx("M1"), "^^^HP")) == ("AA", "NF")
        assert couple(desk, "A24").get("MSA-1") == "AA"
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]
        assert couple(desk, "A24").get("MSA-1") == "AA"  # again, under another control id
        desk.feed("H1", "HP", event="A08", name="李^红梅", birth="19700202", sex="F")
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]
        assert couple(desk, "A37").get("MSA-1") == "AA"
        assert codes(desk.cross(cx("M1"), "^^^HP")) == ("AA", "NF")
        assert couple(desk, "A37").get("MSA-1") == "AA"
        verdicts = "SELECT says, by_user, revoked_by FROM identity.verdict"
        assert desk.rows(verdicts) == [("same", "pix:HIS|MAIN", "pix:HIS|MAIN")]

    def test_a37_parts_what_automation_linked_and_a24_joins_it_again(self, desk: Desk) -> None:
        linked(desk)
        assert couple(desk, "A37").get("MSA-1") == "AA"
        assert codes(desk.cross(cx("M1"), "^^^HP")) == ("AA", "NF")
        desk.feed("M1", event="A08", card=CARD)
        assert codes(desk.cross(cx("M1"), "^^^HP")) == ("AA", "NF")
        assert couple(desk, "A24").get("MSA-1") == "AA"
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]

    def test_what_a_reviewer_decided_an_application_does_not_take_back(self, desk: Desk) -> None:
        two_people(desk)
        ids = sorted(int(str(id_)) for (id_,) in desk.rows("SELECT id FROM identity.source_patient"))
        with desk.engine.begin() as connection:
            identity.decide(connection, ids[0], ids[1], "different", "两个人", "reviewer")
        answer = couple(desk, "A24")
        assert (answer.get("MSA-1"), answer.get("ERR-5")) == ("AE", "verdict_conflict")
        assert desk.audited()[-1] == ("ITI-30", "refused")

    def test_a_link_is_in_the_journey_and_in_the_audit(self, desk: Desk) -> None:
        two_people(desk)
        couple(desk, "A24")
        [(detail,)] = desk.rows("SELECT detail FROM bus.trace ORDER BY message_id DESC LIMIT 1")
        assert detail == {"rule": None, "kind": "ITI-30 A24", "link": "linked"}
        assert desk.audited()[-1] == ("ITI-30", "allowed")

    def test_an_event_that_is_not_taken(self, ward: Desk) -> None:
        answer = ward.feed("M1", event="A02")
        assert (answer.get("MSA-1"), errors(answer)) == ("AR", [("MSH^1^9", "201")])


class TestLine06QueryHit:
    def test_one_pid_with_the_others_and_no_name(self, desk: Desk) -> None:
        linked(desk)
        answer = desk.cross(cx("M1"))
        assert codes(answer) == ("AA", "OK")
        assert answer.get("MSH-9") == "RSP^K23^RSP_K23"
        assert (answer.get("MSA-2"), answer.get("QAK-1"), answer.get("QAK-3")) == (
            "C3",
            "T1",
            "IHE PIX Query",
        )
        assert answer.get("QPD-3") == cx("M1")
        [pid] = answer.segments("PID")
        assert pid.raw(5) == "~^^^^^^S"
        person = f"{person_of(desk, 'M1')}^^^{CONSORTIUM}^PI"
        assert identifiers(answer) == [cx("H1", "HP"), person]

    def test_only_the_domains_that_are_asked_for(self, desk: Desk) -> None:
        linked(desk)
        assert identifiers(desk.cross(cx("M1"), "^^^HP")) == [cx("H1", "HP")]
        person = f"{person_of(desk, 'M1')}^^^{CONSORTIUM}^PI"
        assert identifiers(desk.cross(cx("M1"), f"^^^{CONSORTIUM}")) == [person]
        assert identifiers(desk.cross(cx("M1"), "^^^HY~^^^&1.2.156.10011.99.2&ISO")) == [cx("H1", "HP")]

    def test_from_the_consortium_s_id_and_from_an_id_card(self, desk: Desk) -> None:
        linked(desk)
        own = person_of(desk, "M1")
        assert identifiers(desk.cross(f"{own.upper()}^^^CONSORTIUM")) == [cx("H1", "HP"), cx("M1")]
        asked = f"{CARD}^^^&2.16.156.10011.1.3&ISO"
        assert identifiers(desk.cross(asked, "^^^MAIN")) == [cx("M1")]
        assert identifiers(desk.cross(cx("M1"), "^^^&2.16.156.10011.1.3&ISO")) == [
            f"{CARD}^^^&2.16.156.10011.1.3&ISO^NI"
        ]


class TestLine07NoCounterpart:
    def test_a_known_number_without_counterpart(self, desk: Desk) -> None:
        desk.feed("M1")
        answer = desk.cross(cx("M1"), "^^^HP")
        assert codes(answer) == ("AA", "NF")
        assert identifiers(answer) == []
        assert errors(answer) == []


class TestLine08UnknownNumber:
    @pytest.mark.parametrize("asked", [cx("M404"), "zzz^^^CONSORTIUM", "1^^^&2.16.156.10011.1.3&ISO"])
    def test_an_unknown_number(self, ward: Desk, asked: str) -> None:
        answer = ward.cross(asked)
        assert codes(answer) == ("AE", "AE")
        assert errors(answer) == [("QPD^1^3^1^1", "204")]
        assert identifiers(answer) == []


class TestLine09UnknownSourceDomain:
    @pytest.mark.parametrize("asked", ["M1^^^NOWHERE", "M1^^^MAIN&1.2.156.10011.99.2&ISO", "M1"])
    def test_an_unknown_source_domain(self, ward: Desk, asked: str) -> None:
        answer = ward.cross(asked)
        assert codes(answer) == ("AE", "AE")
        assert errors(answer) == [("QPD^1^3^1^4", "204")]


class TestLine10UnknownTargetDomains:
    def test_each_has_its_own_error(self, desk: Desk) -> None:
        linked(desk)
        answer = desk.cross(cx("M1"), "^^^NOWHERE~^^^HP~^^^&1.2.3&ISO")
        assert codes(answer) == ("AE", "AE")
        assert errors(answer) == [("QPD^1^4^1", "204"), ("QPD^1^4^3", "204")]
        assert identifiers(answer) == []


def numbers(answer: Message) -> list[str]:
    """Return the first number of every person found."""
    return sorted(
        identifiers(answer, n)[0].partition("^")[0] for n in range(1, len(answer.segments("PID")) + 1)
    )


class TestLine12Demographics:
    @pytest.mark.parametrize(
        ("criteria", "found"),
        [
            ("@PID.5.1.1^王~@PID.5.2^珅", ["M1"]),
            ("@PID.5.1^王~@PID.5.2^珅*", ["M1", "M2"]),
            ("@PID.5.1.1^王", ["M1", "M2"]),
            ("@PID.5.1.1^王珅", ["M1", "M2"]),
            ("@PID.5.1.1^王珅~@PID.8^M", ["M1"]),
            ("@PID.5.1.1^欧*", ["M3"]),
            ("@PID.5.1.1^*阳倩", ["M3"]),
            ("@PID.5.2^倩", ["M3"]),
            ("@PID.5.1.1^smith~@PID.5.2.1^J*", ["M4"]),
            ("@PID.7.1^19800101", ["M1"]),
            ("@PID.7^1980*", ["M1", "M4"]),
            ("@PID.7.1^199006~@PID.8^F", ["M3"]),
            ("@PID.5.1.1^王~@PID.11.3^广州市", ["M1"]),
            ("@PID.3.1^M2~@PID.3.4.1^MAIN", ["M2"]),
            ("@PID.3.1^M2~@PID.3.4.2^1.2.156.10011.99.1~@PID.3.4.3^ISO", ["M2"]),
            (f"@PID.3.1^{CARD}~@PID.3.4.2^2.16.156.10011.1.3", ["M1"]),
            (f"@PID.19^{CARD}", ["M1"]),
            ("@PID.13.1^13800000000", ["M1"]),
            ("@PID.5.1.1^王~@PID.8^U", []),
            ("@PID.5.1.1^100%", []),
        ],
    )
    def test_by(self, ward: Desk, criteria: str, found: list[str]) -> None:
        answer = ward.find(criteria)
        assert codes(answer) == ("AA", "OK" if found else "NF")
        assert numbers(answer) == found
        assert answer.get("QAK-4") == str(len(found))

    def test_what_is_told_of_somebody(self, ward: Desk) -> None:
        answer = ward.find("@PID.3.1^M1")
        assert answer.get("MSH-9") == "RSP^K22^RSP_K21"
        assert (answer.get("QAK-1"), answer.get("QAK-3"), answer.get("QAK-6")) == ("T1", "IHE PDQ Query", "0")
        [pid] = answer.segments("PID")
        assert [pid.get(str(n)) for n in (7, 8, 11, 13)] == [
            "19800101",
            "M",
            "广东省广州市天河路1号",
            "13800000000",
        ]
        assert (pid.get("5.1"), pid.get("5.7")) == ("王珅", "L")
        assert identifiers(answer) == [cx("M1"), f"{person_of(ward, 'M1')}^^^{CONSORTIUM}^PI"]

    def test_only_numbers_of_the_domains_asked_for_and_only_who_has_one(self, desk: Desk) -> None:
        ward = desk
        register_ward(ward)
        ward.feed("H1", "HP", card=CARD)
        assert identifiers(ward.find("@PID.3.1^M1", "^^^HP")) == [cx("H1", "HP")]
        assert numbers(ward.find("@PID.5.1.1^王", "^^^HP")) == ["H1"]
        assert codes(ward.find("@PID.3.1^M3", "^^^HP")) == ("AA", "NF")
        card = "^^^&2.16.156.10011.1.3&ISO"
        assert identifiers(ward.find("@PID.3.1^M1", card)) == [f"{CARD}{card}^NI"]

    def test_each_unknown_domain_has_its_own_error(self, ward: Desk) -> None:
        answer = ward.find("@PID.5.1.1^王", "^^^NOWHERE~^^^MAIN~^^^&1.2.3&ISO")
        assert codes(answer) == ("AE", "AE")
        assert errors(answer) == [("QPD^1^8^1", "204"), ("QPD^1^8^3", "204")]

    @pytest.mark.parametrize(
        ("criteria", "error"),
        [
            ("", ("QPD^1^3", "101")),
            ("@PID.8^M", ("QPD^1^3", "101")),
            ("@PID.5.1.1^*", ("QPD^1^3", "101")),
            ("@PID.5.1.1^王~@PID.8^7", ("QPD^1^3^2", "103")),
            ("@PID.5.1.1^王~@PID.18.1^A", ("QPD^1^3^2", "103")),
            ("PID-5^王", ("QPD^1^3^1", "102")),
            ("@PID.7.1^19801301", ("QPD^1^3^1", "102")),
            ("@PID.7.1^99991231", ("QPD^1^3^1", "102")),
            ("@PID.3.1^M*~@PID.3.4.1^MAIN", ("QPD^1^3^1", "102")),
            ("@PID.3.1^M1~@PID.3.4.1^NOWHERE", ("QPD^1^3^2", "204")),
        ],
    )
    def test_what_cannot_be_asked_is_said(self, ward: Desk, criteria: str, error: tuple[str, str]) -> None:
        answer = ward.find(criteria)
        assert codes(answer) == ("AE", "AE")
        assert errors(answer) == [error]


class TestLine13Continuation:
    @pytest.fixture
    def crowd(self, desk: Desk) -> Desk:
        for n, given in enumerate(("珅", "芳", "建国", "思远", "秀英")):
            desk.feed(f"M{n}", name=f"王^{given}", birth=f"19{n + 5}4060{n + 1}")
        return desk

    def test_pages_of_the_size_asked_for_until_the_end(self, crowd: Desk) -> None:
        seen: list[str] = []
        pointer, counts = "", []
        for _ in range(3):
            answer = crowd.find("@PID.5.1.1^王", quantity="2^RD", pointer=pointer)
            assert codes(answer) == ("AA", "OK")
            seen += numbers(answer)
            counts.append(tuple(answer.get(f"QAK-{n}") for n in (4, 5, 6)))
            pointer = answer.get("DSC-1") or ""
        assert sorted(seen) == ["M0", "M1", "M2", "M3", "M4"]
        assert counts == [("5", "2", "3"), ("5", "2", "1"), ("5", "1", "0")]
        assert pointer == ""

    def test_a_cancelled_query_does_not_go_on(self, crowd: Desk) -> None:
        pointer = str(crowd.find("@PID.5.1.1^王", quantity="2^RD").get("DSC-1"))
        cancelled = crowd.say("QCN^J01^QCN_J01", "QID|T1|IHE PDQ Query")
        assert (cancelled.get("MSA-1"), cancelled.get("MSH-9")) == ("AA", "ACK^J01^ACK")
        answer = crowd.find("@PID.5.1.1^王", quantity="2^RD", pointer=pointer)
        assert (codes(answer), errors(answer)) == (("AE", "AE"), [("DSC^1^1", "204")])
        again = crowd.say("QCN^J01^QCN_J01", "QID|T1|IHE PDQ Query")
        assert (again.get("MSA-1"), errors(again)) == ("AE", [("QID^1^1", "204")])

    def test_an_expired_pointer_one_of_another_query_and_one_of_another_application(
        self, crowd: Desk
    ) -> None:
        pointer = str(crowd.find("@PID.5.1.1^王", quantity="2^RD").get("DSC-1"))
        for other in (
            crowd.find("@PID.5.1.1^王*", quantity="2^RD", pointer=pointer),
            crowd.find("@PID.5.1.1^王", quantity="2^RD", pointer=pointer, sender="LIS"),
            crowd.find("@PID.5.1.1^王", quantity="2^RD", pointer="not-a-pointer"),
        ):
            assert (codes(other), errors(other)) == (("AE", "AE"), [("DSC^1^1", "204")])
        crowd.rows("UPDATE identity.pdq_pointer SET expires_at = now() - interval '1 second' RETURNING 1")
        expired = crowd.find("@PID.5.1.1^王", quantity="2^RD", pointer=pointer)
        assert (codes(expired), errors(expired)) == (("AE", "AE"), [("DSC^1^1", "204")])

    @pytest.mark.parametrize("quantity", ["0^RD", "x^RD", "2^LI"])
    def test_a_quantity_that_is_none(self, ward: Desk, quantity: str) -> None:
        answer = ward.find("@PID.5.1.1^王", quantity=quantity)
        assert (codes(answer), errors(answer)) == (("AE", "AE"), [("RCP^1^2", "102")])


class TestLine41Audit:
    def test_every_transaction_leaves_a_row_whatever_came_of_it(self, desk: Desk) -> None:
        desk.feed("M1")
        desk.feed("M1^^^NOWHERE")
        desk.cross(cx("M1"))
        desk.cross(cx("M404"))
        desk.find("@PID.3.1^M1")
        desk.find("@PID.8^M")
        desk.feed("M1", event="A31")
        desk.say("QCN^J01", "QID|T9|x")
        assert desk.audited() == [
            ("ITI-8", "allowed"),
            ("ITI-8", "refused"),
            ("ITI-9", "allowed"),
            ("ITI-9", "refused"),
            ("ITI-21", "allowed"),
            ("ITI-21", "refused"),
            ("ITI-30", "allowed"),
            ("ITI-21", "refused"),
        ]
        whole = desk.rows(
            "SELECT username, organisation, persons::text FROM access.audit WHERE action = 'ITI-9'"
        )
        assert whole[0] == ("HIS|MAIN", "MAIN", "{" + person_of(desk, "M1") + "}")
        texts = desk.rows("SELECT reason || resource || request_id FROM access.audit")
        assert not any("王" in str(text) or "M1" in str(text) for (text,) in texts)
