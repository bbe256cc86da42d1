"""A token holds only as issued: one test for each claim that could be tampered with."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from consortium.access import tokens
from consortium.access.errors import NotSignedInError
from consortium.errors import PermanentError

KEY = "k" * 32


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {
        "iss": "yilian",
        "aud": "yilian-api",
        "sub": "ops",
        "iat": now,
        "exp": now + timedelta(minutes=1),
        "jti": "1",
        "typ": "access",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


def test_a_token_names_its_user() -> None:
    assert tokens.verify(tokens.issue("doctor.main", KEY, datetime.now(UTC)), KEY) == "doctor.main"
    assert tokens.verify(signed(), KEY) == "ops"


def test_a_token_lives_a_quarter_of_an_hour() -> None:
    issued = jwt.decode(
        tokens.issue("ops", KEY, datetime.now(UTC)), KEY, algorithms=["HS256"], audience="yilian-api"
    )
    assert issued["exp"] - issued["iat"] == 900


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"typ": "refresh"},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iat": datetime(2200, 1, 1, tzinfo=UTC)},
        {"iss": None},
        {"aud": None},
        {"sub": None},
        {"iat": None},
        {"exp": None},
        {"jti": None},
        {"typ": None},
    ],
    ids=str,
)
def test_a_tampered_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotSignedInError):
        tokens.verify(signed(**changes), KEY)


def test_another_key_is_refused() -> None:
    with pytest.raises(NotSignedInError):
        tokens.verify(signed(key="x" * 32), KEY)


def test_another_algorithm_is_refused() -> None:
    with pytest.raises(NotSignedInError):
        tokens.verify(signed(key="k" * 64, algorithm="HS512"), "k" * 64)


def test_no_algorithm_is_refused() -> None:
    def part(value: dict[str, Any]) -> str:
        return (
            base64.urlsafe_b64encode(json.dumps(value, default=lambda t: t.timestamp()).encode())
            .decode()
            .strip("=")
        )

    with pytest.raises(NotSignedInError):
        tokens.verify(f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}.", KEY)


def test_text_that_is_no_token_is_refused() -> None:
    with pytest.raises(NotSignedInError):
        tokens.verify("中文", KEY)


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(PermanentError, match="token_key"):
        tokens.issue("ops", "short", datetime.now(UTC))
