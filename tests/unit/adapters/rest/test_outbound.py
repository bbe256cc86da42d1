"""REST out: what goes into the address, the headers and the body, and what must not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from adapters.exchange import Reply, authorization
from adapters.rest.outbound import RestTransport, address, body, found
from bus.delivery.transport import Found, Outgoing, UnsendableError
from bus.rules.destinations import RestDestination
from bus.rules.sending.http import SignIn
from bus.rules.spec import Form
from consortium.errors import PermanentError

FHIR = {
    "resourceType": {"const": "Patient"},
    "id": "change.patient.number",
    "name": {"each": "change.patient", "of": {"text": "name", "use": {"const": "official"}}},
    "birthDate": {"path": "change.patient.birth_date", "as": "date"},
    "multipleBirthInteger": {"path": "change.twins", "as": "integer"},
    "telecom": {"each": "change.phones", "of": {"value": "."}},
    "contact": {"name": {"text": "change.contact"}},
}
CHANGE = {"change": {"patient": {"number": "P/1", "name": "欧阳珅", "birth_date": "1980-01-01"}, "twins": 2}}


def spec(**more: Any) -> RestDestination:
    values: dict[str, Any] = {
        "name": "portal",
        "description": "of the test",
        "facility": "HP",
        "kind": "rest",
        "address": "https://portal.example/fhir/Patient/{change.patient.number}",
        "method": "PUT",
        "body": FHIR,
        **more,
    }
    return RestDestination.model_validate(values)


def message(change: Any = CHANGE, form: Form = Form.CANONICAL) -> Outgoing:
    sent = json.dumps(change).encode()
    return Outgoing(7, 1, 7, "ADT^A08", "gb18030", form, sent, datetime.now(UTC))


def test_a_shape_makes_fhir_of_a_change_and_leaves_out_what_is_not_there() -> None:
    assert json.loads(body(spec(), message())) == {
        "resourceType": "Patient",
        "id": "P/1",
        "name": [{"text": "欧阳珅", "use": "official"}],
        "birthDate": "1980-01-01",
        "multipleBirthInteger": 2,
    }


def test_without_a_shape_the_message_is_sent_as_it_is() -> None:
    assert body(spec(body=None), message()) == message().body


def test_a_value_in_the_address_stays_one_part_of_it() -> None:
    assert address(spec(), message()) == "https://portal.example/fhir/Patient/P%2F1"
    for number in (None, ".."):
        with pytest.raises(UnsendableError, match=r"nothing usable at change\.patient\.number"):
            address(spec(), message({"change": {"patient": {"number": number}}}))


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ({"x": {"path": "change.none", "needed": True}}, "missing"),
        ({"x": {"path": "change.patient.name", "as": "date"}}, "bad_field"),
        ({"x": "^.change"}, "bad_path"),
    ],
)
def test_a_message_that_the_shape_does_not_fit_is_named_by_the_place(shape: Any, code: str) -> None:
    with pytest.raises(UnsendableError, match=r"^x") as raised:
        body(spec(body=shape), message())
    assert raised.value.code == code
    assert "欧阳珅" not in str(raised.value)


def test_a_message_that_cannot_be_read_is_not_sent() -> None:
    with pytest.raises(UnsendableError, match="the message cannot be read"):
        body(spec(), message(form=Form.RAW))


def test_we_sign_in_by_a_secret_that_the_file_only_names() -> None:
    secrets = {"portal": "a password"}
    assert authorization(SignIn(secret="portal"), secrets) == {"authorization": "Bearer a password"}
    basic = authorization(SignIn(user="医联", secret="portal"), secrets)
    assert basic == {"authorization": "Basic 5Yy76IGUOmEgcGFzc3dvcmQ="}
    with pytest.raises(PermanentError, match="YILIAN_DELIVERY_SECRETS__PORTAL"):
        RestTransport(spec(sign_in={"secret": "portal"}), {})


def test_no_message_decides_which_host_gets_it() -> None:
    with pytest.raises(ValidationError, match="no message decides who gets it"):
        spec(address="https://{change.host}.example/in")


@pytest.mark.parametrize("name", ["Authorization", "cookie", "Content-Type", "Host"])
def test_a_secret_is_not_written_among_the_headers(name: str) -> None:
    with pytest.raises(ValidationError, match="is not written here"):
        spec(headers={name: "x"})


def asked(kind: str, said: str, *, whole: bool = True) -> Found:
    """Return what an answer of that media type means."""
    return found(Reply(200, httpx.Headers({"content-type": kind} if kind else {}), said.encode(), whole))


EMPTY = '<Bundle xmlns="http://hl7.org/fhir"><type value="searchset"/><total value="0"/></Bundle>'
BROKEN = '{"resourceType": "Bundle", "type": "searchset", "tot'


@pytest.mark.parametrize(
    ("kind", "said", "whole"),
    [
        ("application/fhir+xml", EMPTY, True),
        ("application/fhir+xml; charset=UTF-8", "", False),
        ("text/xml", f'<?xml version="1.0"?>\n{EMPTY}', True),
        ("", f"\ufeff{EMPTY}", True),
        ("application/fhir+json", BROKEN, False),
        ("Application/JSON; charset=utf-8", "", True),
        ("", BROKEN, False),
        ("text/plain", BROKEN, False),
        ("Text/HTML", "<html>sign in</html>", True),
    ],
)
def test_an_answer_that_may_be_an_empty_bundle_does_not_say_that_it_is_there(
    kind: str, said: str, whole: bool
) -> None:
    assert asked(kind, said, whole=whole) is Found.UNTOLD


def test_an_answer_that_is_no_bundle_says_that_it_is_there() -> None:
    assert asked("application/json", '{"known": true}') is Found.THERE
    assert asked("text/xml", "<报告 编号='1'/>") is Found.THERE
    assert asked("", "") is Found.THERE
    assert asked("text/plain", "a long report", whole=False) is Found.THERE
    assert asked("application/fhir+json", '{"resourceType": "Bundle", "total": 0}') is Found.NOT_THERE
