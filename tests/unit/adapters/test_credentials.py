"""Authorization headers."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.credentials import Basic, Bearer, parse


@given(st.text(min_size=1).filter(lambda user: ":" not in user), st.text())
def test_basic_credentials_survive(user: str, password: str) -> None:
    try:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    except UnicodeEncodeError:
        return
    assert parse(f"Basic {encoded}") == Basic(user, password)


def test_a_bearer_token_is_taken_as_it_is() -> None:
    assert parse("bearer abc.def") == Bearer("abc.def")


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic !", "Basic eA==", "Basic Onk=", "Digest x", "Bearer  "]
)
def test_anything_else_is_nobody(header: str | None) -> None:
    assert parse(header) is None


def test_secrets_do_not_show() -> None:
    assert "right" not in repr(Basic("user", "right"))
    assert "token" not in repr(Bearer("token-1")).replace("Bearer", "")
