"""A link holds for one person until a time, and for nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import jwt
import pytest

from consortium.access import tokens
from consortium.access.errors import NotSignedInError
from consortium.teleconsult.rooms import links
from consortium.teleconsult.rooms.errors import RoomRefusedError
from tests.unit.consortium.teleconsult.booked import CLOSES, NOW, PATIENT

KEY = "a key for tests only, 32 bytes or more"
LINK = links.Link(UUID(int=7), PATIENT)


def refusal(secret: str, key: str = KEY) -> str:
    with pytest.raises(RoomRefusedError) as refused:
        links.read(secret, key, NOW)
    return refused.value.code


def test_a_link_reads_back() -> None:
    assert links.read(links.sign(LINK, KEY, NOW, CLOSES), KEY, NOW) == LINK


def test_a_link_says_ids_and_nothing_about_anybody() -> None:
    claims = jwt.decode(links.sign(LINK, KEY, NOW, CLOSES), options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "typ"}
    assert (claims["sub"], claims["jti"]) == (str(PATIENT), str(UUID(int=7)))


def test_a_link_ends_by_the_given_clock() -> None:
    secret = links.sign(LINK, KEY, NOW, NOW + timedelta(minutes=1))
    with pytest.raises(RoomRefusedError) as refused:
        links.read(secret, KEY, NOW + timedelta(minutes=1))
    assert refused.value.code == "invitation-expired"


def test_a_changed_or_foreign_link_is_refused() -> None:
    secret = links.sign(LINK, KEY, NOW, CLOSES)
    head, body, signature = secret.split(".")
    other = links.sign(links.Link(UUID(int=8), PATIENT), KEY, NOW, CLOSES).split(".")[1]
    assert refusal(f"{head}.{other}.{signature}") == "invitation-invalid"
    assert refusal(secret, "another key for tests, 32 bytes or more") == "invitation-invalid"
    assert refusal("") == refusal(body) == "invitation-invalid"


def test_an_access_token_is_no_link_and_a_link_no_access_token() -> None:
    assert refusal(tokens.issue("doctor.main", KEY, NOW)) == "invitation-invalid"
    with pytest.raises(NotSignedInError):
        tokens.verify(links.sign(LINK, KEY, NOW, NOW + timedelta(days=9999)), KEY)


def test_a_link_of_another_type_is_refused() -> None:
    claims = jwt.decode(links.sign(LINK, KEY, NOW, CLOSES), options={"verify_signature": False})
    forged = jwt.encode({**claims, "typ": "access"}, KEY, algorithm="HS256")
    assert refusal(forged) == "invitation-invalid"
