"""Control ids and acknowledgements are compared as bytes, whatever the character set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mllp.links import Msa, control_id, read_msa
from bus.delivery.transport import UnsendableError
from bus.hl7.ack import acknowledge
from tests.integration.bus.clinic import hl7


def test_the_answer_of_our_own_listener_is_read() -> None:
    body = hl7("ADT^A08", control_id="C-77").body
    fields = body.split(b"\r")[0].decode("ascii").split("|")
    answer = acknowledge(fields, "AA", now="20261120", control_id="A1")
    assert read_msa(answer) == Msa(b"AA", control_id(body))


def test_other_delimiters_and_line_ends_are_read() -> None:
    assert read_msa(b"MSH#^~\\&#R\r\nMSA#AE#7#\xd5\xe4\r\n") == Msa(b"AE", b"7")


@pytest.mark.parametrize("frame", [b"", b"MSH|^~\\&|R\r", b"MSH|^~\\&|R\rMSA|AA\r", b"MSA|AA|1\r"])
def test_what_is_no_acknowledgement_is_none(frame: bytes) -> None:
    assert read_msa(frame) is None


@given(st.binary())
def test_no_bytes_break_the_reader(frame: bytes) -> None:
    read_msa(frame)
    read_msa(b"MSH|^~\\&|" + frame)


@pytest.mark.parametrize(
    ("body", "code"), [(b"{}", "not_hl7"), (b"MSH|^~\\&|HIS|MAIN|||||ADT^A08||P|2.4\r", "no_control_id")]
)
def test_without_a_control_id_nothing_is_sent(body: bytes, code: str) -> None:
    with pytest.raises(UnsendableError) as caught:
        control_id(body)
    assert caught.value.code == code
