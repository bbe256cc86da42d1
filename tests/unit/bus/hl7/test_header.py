"""The hot path reads the same as the full parser, and refuses what cannot be routed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hl7.build import build, components, escape
from bus.hl7.digest import digest
from bus.hl7.header import glimpse, peek
from bus.hl7.message import parse
from bus.hl7.problem import HL7Error

CAMPUSES = {"MAIN": "utf-8", "HP": "gb18030"}


def raw(
    patient: str = "P1^^^MAIN^MR",
    *,
    facility: str = "MAIN",
    kind: str = "ADT^A40^ADT_A39",
    time: str = "20260101",
    charset: str = "UNICODE UTF-8",
    codec: str = "",
    control_id: str = "C1",
    sender: str = "HIS",
) -> bytes:
    msh = [
        "MSH",
        "^~\\&",
        sender,
        facility,
        "BUS",
        "HUB",
        time,
        "",
        kind,
        control_id,
        "P",
        "2.5",
        *[""] * 5,
        charset,
    ]
    rest = [["PID", "1", "", patient, "", "王^珅"], ["MRG", "P2^^^MAIN"], ["PV1", *["1"] * 18, "V1^x"]]
    return build([msh, *rest], codec or charset or "UTF-8")


def test_the_routing_fields() -> None:
    header = peek(raw(), CAMPUSES)
    assert header[3:11] == ("MAIN", "HIS", "ADT^A40", "C1", "20260101", "P1", "P2", "V1")
    assert header.codec == "utf-8"
    assert len(header.digest) == 32


def test_the_second_patient_is_of_identity_messages_only() -> None:
    assert peek(raw(kind="ORU^R01"), CAMPUSES).other_patient_number is None


values = st.text(st.characters(codec="gb18030", categories=["L", "N", "P", "S"]), min_size=1, max_size=40)


@given(
    patient=values,
    control_id=values,
    sender=values,
    charset=st.sampled_from(["GB 18030-2000", "UNICODE UTF-8"]),
)
def test_it_agrees_with_the_full_parser(patient: str, control_id: str, sender: str, charset: str) -> None:
    written = raw(
        components(patient, "x"), control_id=escape(control_id), sender=escape(sender), charset=charset
    )
    header, message = peek(written, CAMPUSES), parse(written)
    assert header.patient_number == message.get("PID-3.1")
    assert header.control_id == message.get("MSH-10.1")
    assert header.sender == message.get("MSH-3.1")
    assert header.visit_number == message.get("PV1-19.1")


def test_an_empty_msh_18_means_the_campus_s_own_charset() -> None:
    assert peek(raw(facility="HP", charset="", codec="gb18030"), CAMPUSES).codec == "gb18030"
    assert peek(raw(facility="MAIN", charset=""), CAMPUSES).codec == "utf-8"


@pytest.mark.parametrize(("facility", "codec"), [("HP", "gb18030"), ("MAIN", "utf-8")])
@pytest.mark.parametrize("sender", ["检验", "珅", "检验珅"])
def test_so_it_does_behind_a_sender_named_in_chinese(facility: str, codec: str, sender: str) -> None:
    header = peek(raw(facility=facility, charset="", codec=codec, sender=sender), CAMPUSES)
    assert (header.codec, header.facility, header.sender) == (codec, facility, sender)


def test_a_retry_with_another_time_has_the_same_digest() -> None:
    first, second = peek(raw(time="20260101"), CAMPUSES), peek(raw(time="20260102093000"), CAMPUSES)
    assert first.digest == second.digest
    assert first.message_time != second.message_time


@pytest.mark.parametrize(
    "changed", [{"control_id": "C2"}, {"patient": "P9"}, {"sender": "LIS"}, {"charset": ""}]
)
def test_any_other_change_changes_the_digest(changed: dict[str, str]) -> None:
    assert peek(raw(), CAMPUSES).digest != peek(raw(**changed), CAMPUSES).digest


def test_fields_do_not_run_together_in_the_digest() -> None:
    fields = ["MSH", "^~\\&", "a", "b", "", "", "t", ""]
    assert digest(fields, b"") != digest(["MSH", "^~\\&", "a", "", "b", "", "t", ""], b"")


@pytest.mark.parametrize(
    ("written", "code", "location"),
    [
        (b"PID|1\r", "missing_msh", "MSH"),
        (b"", "missing_msh", "MSH"),
        (b"MSH|^~\\&|\r", "missing_field", "MSH-10"),
        (raw(control_id=""), "missing_field", "MSH-10"),
        (raw(kind=""), "missing_field", "MSH-9"),
        (raw(control_id="C" * 201), "bad_field", "MSH"),
        (raw(patient="P" * 201), "bad_field", "MSH"),
        (raw().replace(b"P1^", b"P\0^"), "bad_field", "MSH"),
        (raw().replace(b"UNICODE UTF-8", b"KLINGON"), "unknown_charset", "MSH-18"),
        (
            raw(charset="GB 18030-2000").replace(b"GB 18030-2000", b"UNICODE UTF-8"),
            "unknown_charset",
            "MSH-18",
        ),
        (raw().replace(b"^~\\&", b"^^^^"), "delimiters", "MSH-2"),
    ],
)
def test_what_cannot_be_routed_is_refused_by_code_and_place(written: bytes, code: str, location: str) -> None:
    with pytest.raises(HL7Error) as caught:
        peek(written, CAMPUSES)
    assert (caught.value.code, caught.value.location) == (code, location)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_other_line_endings_are_borne(ending: bytes) -> None:
    header = peek(raw().replace(b"\r", ending), CAMPUSES)
    assert (header.patient_number, header.other_patient_number, header.visit_number) == ("P1", "P2", "V1")


def test_other_delimiters_are_those_of_the_message() -> None:
    header = peek(b"MSH*:;!%*LIS:x*MAIN**HUB*2026**ORU:R01*C1*P*2.5\rPID*1**P!F!1:a;P2\r", CAMPUSES)
    assert (header.sender, header.message_type, header.patient_number) == ("LIS", "ORU^R01", "P*1")


def test_a_segment_whose_name_only_begins_alike_is_another() -> None:
    assert peek(b"MSH|^~\\&|L|MAIN|||1||ORU^R01|C|P|2.5\rPIDX|1||P1\r", CAMPUSES).patient_number is None


def test_a_glimpse_of_a_refused_message_gives_what_is_plain_in_it() -> None:
    assert glimpse(raw(control_id="C7").replace(b"UTF-8", b"KLINGON"))[9] == "C7"
    assert glimpse("MSH|^~\\&|珅|MAIN|||||ADT^A01|C1\r".encode())[2:4] == ["", "MAIN"]
    assert glimpse(b"GET / HTTP/1.1") == []


@pytest.mark.parametrize(
    ("kind", "numbers", "further"),
    [
        ("ORU^R01", ["M1", "M2", "珅3"], ("M2", "珅3")),
        ("ORU^R01", ["M1", "M1", "M2", "M2"], ("M2",)),
        ("ORU^R01", ["M1"], ()),
        ("ADT^A24", ["M1", "M2"], ()),
    ],
)
def test_a_message_about_several_patients_says_whom(
    kind: str, numbers: list[str], further: tuple[str, ...]
) -> None:
    pids = "".join(f"PID|1||{number}^^^MAIN^MR\rOBR|1\r" for number in numbers)
    body = f"MSH|^~\\&|LIS|HP|B|G|2026||{kind}|C1|P|2.5\r{pids}".encode("gb18030")
    header = peek(body, CAMPUSES)
    assert (header.patient_number, header.further_patient_numbers) == (numbers[0], further)


def test_the_number_of_a_further_patient_is_bounded_as_the_first_is() -> None:
    body = f"MSH|^~\\&|LIS|MAIN|B|G|2026||ORU^R01|C1|P|2.5\rPID|1||M1\rPID|2||{'9' * 300}\r".encode()
    with pytest.raises(HL7Error, match="PID-3"):
        peek(body, CAMPUSES)
