"""Links for patients: short, ours, and of one booked time."""

from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from consortium.referral.links import Invited, Links

LINKS = Links("https://yilian.example/", "a key for tests only, 32 bytes or more")
SAID = Invited(uuid4(), 7)


def token(link: str) -> str:
    return link.rpartition("/")[2]


def test_a_link_says_which_referral_and_step_and_fits_into_a_text_message() -> None:
    link = LINKS.link(SAID)
    assert link.startswith("https://yilian.example/r/")
    assert len(token(link)) <= 44
    assert LINKS.read(token(link)) == SAID


def test_what_another_key_signed_is_none_of_ours() -> None:
    assert Links("", "another key for tests, 32 bytes or more").read(token(LINKS.link(SAID))) is None


@given(st.integers(0, 42), st.characters(codec="ascii"))
def test_a_changed_link_is_none_of_ours(place: int, character: str) -> None:
    good = token(LINKS.link(SAID))
    changed = good[:place] + character + good[place + 1 :]
    assert (LINKS.read(changed) == SAID) == (changed == good)


@given(st.text(max_size=60))
def test_anything_else_is_none_of_ours(text: str) -> None:
    assert LINKS.read(text) is None
