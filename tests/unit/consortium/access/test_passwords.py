"""Passwords are hashed with argon2id."""

from __future__ import annotations

from consortium.access.passwords import LONGEST, hash_password, matches


def test_the_right_password_matches_and_others_do_not() -> None:
    encoded = hash_password("正确的密码")
    assert encoded.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert matches(encoded, "正确的密码")
    assert not matches(encoded, "错误的密码")


def test_no_account_matches_no_password() -> None:
    assert not matches(None, "nobody's password")


def test_an_endless_password_is_refused() -> None:
    long = "x" * (LONGEST + 1)
    assert not matches(hash_password(long), long)
