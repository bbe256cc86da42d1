"""How a delivered file is named, and what a destination file may say of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.files.outbound import NAME_LIMIT, file_name
from adapters.files.place import safe
from bus.delivery.__main__ import connect
from bus.delivery.transport import Outgoing, UnsendableError
from bus.rules.destinations import FilesDestination, paths_of
from bus.rules.spec import Form
from consortium.errors import PermanentError
from runtime.settings import Settings

MESSAGE = "MSH|^~\\&|HIS|MAIN|YILIAN|GROUP|20261120||ADT^A08|C1|P|2.4\rPID|1||M1^^^MAIN||王^珅\r"


def spec(file: str, **more: Any) -> FilesDestination:
    values = {"name": "out", "description": "d", "facility": "HP", "kind": "files", "place": "out", **more}
    return FilesDestination.model_validate({**values, "file": file})


def message(control_id: str = "C1", *, form: Form = Form.RAW, body: bytes | None = None) -> Outgoing:
    sent = MESSAGE.encode() if body is None else body
    return Outgoing(7, 2, 5, "ADT^A08", "utf-8", form, sent, datetime.now(UTC), control_id)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("{control_id}.hl7", "C1.hl7"),
        ("{message_id}-{delivery_id}.hl7", "5-7.hl7"),
        ("{PID-3.1}_{MSH-10}.hl7", "M1_C1.hl7"),
    ],
)
def test_a_name_is_of_the_message(file: str, name: str) -> None:
    assert file_name(spec(file), message()) == name


def test_a_name_is_of_the_canonical_change_where_that_is_sent() -> None:
    body = b'{"source":{"facility":"HP"},"change":{"patient":{"number":"P/1"}}}'
    named = spec("{source.facility}-{change.patient.number}.json")
    assert file_name(named, message(form=Form.CANONICAL, body=body)) == "HP-P%2F1.json"
    assert list(paths_of(named)) == ["source.facility", "change.patient.number"]


def test_a_name_that_needs_no_body_is_made_of_any() -> None:
    assert file_name(spec("{control_id}"), message(body=b"\xff no message")) == "C1"


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_two_control_ids_never_give_one_name_and_none_leads_elsewhere(one: str, other: str) -> None:
    named = spec("m-{control_id}.hl7")
    names = []
    for control_id in (one, other):
        try:
            names.append(file_name(named, message(control_id)))
        except (UnsendableError, UnicodeEncodeError):
            return
    assert all(safe(name) and len(name.encode()) <= NAME_LIMIT for name in names)
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize(
    ("file", "control_id", "code"),
    [
        ("{control_id}", ".bashrc", "bad_name"),
        ("{control_id}", "珅" * 70, "bad_name"),
        ("{control_id}", "", "missing"),
        ("{PID-19}.hl7", "C1", "missing"),
    ],
)
def test_a_name_that_cannot_be_is_said_and_quotes_nothing(file: str, control_id: str, code: str) -> None:
    with pytest.raises(UnsendableError) as raised:
        file_name(spec(file), message(control_id))
    assert raised.value.code == code
    assert not control_id or control_id not in str(raised.value)


@pytest.mark.parametrize(
    "file", ["all.hl7", "a/{control_id}", ".{control_id}", "{control_id", "{}.hl7", "..", "a}{control_id}"]
)
def test_a_template_that_names_nothing_or_leads_elsewhere_is_refused(file: str) -> None:
    with pytest.raises(ValidationError):
        spec(file)


def test_a_repeat_does_no_harm_unless_the_file_says_so() -> None:
    assert spec("{control_id}").resend_ambiguous
    assert not spec("{control_id}", resend_ambiguous=False).resend_ambiguous


def test_a_place_that_is_not_set_is_told_with_how_to_set_it() -> None:
    with pytest.raises(PermanentError, match=r"\[file_places.out\].*YILIAN_FILE_PLACES__OUT__URL"):
        connect(Settings(), spec("{control_id}"), Path())
