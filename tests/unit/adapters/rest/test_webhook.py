"""Webhooks: signed as others verify them, and every status read for what it says of the message."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.exchange import content_type, verdict
from adapters.rest.webhook import keys, signature
from bus.delivery.transport import Outgoing, Verdict
from bus.rules.spec import Form
from consortium.errors import PermanentError


def test_the_example_of_standard_webhooks_is_signed_as_there() -> None:
    """The test vector of the specification's reference libraries."""
    found = signature(
        keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(), st.text("abcdefgh", min_size=1), st.integers(0, 2**40))
def test_whoever_knows_the_secret_can_verify(body: bytes, secret: str, at: int) -> None:
    expected = hmac.new(secret.encode(), b"delivery-1." + str(at).encode() + b"." + body, hashlib.sha256)
    assert (
        signature(keys(secret), "delivery-1", at, body)
        == "v1," + base64.b64encode(expected.digest()).decode()
    )


def test_two_secrets_sign_side_by_side_while_one_is_changed() -> None:
    assert len(signature(keys("old new"), "1", 1, b"").split(" ")) == 2


@pytest.mark.parametrize("secret", ["", "  ", "whsec_", "whsec_no base64!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(PermanentError, match="its secret"):
        keys(secret)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 201, 202, 204), Verdict.TAKEN),
        ((301, 302, 307, 401, 403, 404, 405), Verdict.WRONG_DOOR),
        ((400, 409, 413, 415, 422), Verdict.NEVER),
        ((408, 425, 429, 500, 501, 503), Verdict.LATER),
        ((502, 504), Verdict.UNSURE),
    ],
)
def test_a_status_says_what_became_of_the_message(statuses: tuple[int, ...], expected: Verdict) -> None:
    assert {verdict(status) for status in statuses} == {expected}


@pytest.mark.parametrize(
    ("message_type", "form", "expected"),
    [
        ("ORU^R01", Form.RAW, "application/hl7-v2; charset=gb18030"),
        ("ORU^R01", Form.CANONICAL, "application/json"),
        ("rest:lab-report", Form.RAW, "application/json"),
        ("soap:patient", Form.RAW, "application/xml; charset=gb18030"),
    ],
)
def test_the_media_type_follows_what_is_sent(message_type: str, form: Form, expected: str) -> None:
    message = Outgoing(1, 1, 1, message_type, "gb18030", form, b"", datetime.now(UTC))
    assert content_type(message) == expected
