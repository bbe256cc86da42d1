"""Assigning authorities: which name a domain, and which are refused."""

from __future__ import annotations

import pytest

from bus.hl7.escaping import STANDARD
from bus.hl7.message import Segment
from bus.pix.domains import DomainError, Domains, Identifier, repetitions
from runtime.settings import Settings

DOMAINS = Domains(Settings.model_validate({}))
MAIN, HP, PERSON = "1.2.156.10011.99.1", "1.2.156.10011.99.2", "1.2.156.10011.99.0"
CARD = "2.16.156.10011.1.3"


@pytest.mark.parametrize(
    ("authority", "domain"),
    [
        (("MAIN", None, None), ("patient", "MAIN")),
        ((None, MAIN, "ISO"), ("patient", "MAIN")),
        ((None, MAIN, None), ("patient", "MAIN")),
        (("MAIN", MAIN, "ISO"), ("patient", "MAIN")),
        (("CONSORTIUM", None, None), ("person", None)),
        ((None, PERSON, "ISO"), ("person", None)),
        ((None, CARD, "ISO"), ("id_card", None)),
        (("公安部", CARD, "ISO"), ("id_card", None)),
        ((None, "2.16.156.10011.1.19", "ISO"), ("national", None)),
    ],
)
def test_a_namespace_an_oid_or_both(
    authority: tuple[str | None, str | None, str | None], domain: tuple[str, str | None]
) -> None:
    found = DOMAINS.named(*authority)
    assert (found.kind, found.facility) == domain


@pytest.mark.parametrize(
    ("authority", "reason"),
    [
        ((None, None, None), "is missing"),
        (("XX", None, None), "not known"),
        (("main", None, None), "not known"),
        ((None, "1.2.3", "ISO"), "not known"),
        (("MAIN", "1.2.3", "ISO"), "not known"),
        (("XX", MAIN, "ISO"), "not known"),
        (("MAIN", HP, "ISO"), "two different"),
        (("MAIN", CARD, "ISO"), "two different"),
        (("MAIN", MAIN, "DNS"), "must be ISO"),
    ],
)
def test_unknown_and_contradictory_ones(
    authority: tuple[str | None, str | None, str | None], reason: str
) -> None:
    with pytest.raises(DomainError, match=reason):
        DOMAINS.named(*authority)


def test_an_identifier_comes_back_from_how_it_is_written() -> None:
    for value in ("M1", "a^b&c~d|e\\f", "中 文"):
        written = Identifier(DOMAINS.of("HP"), value).cx
        [read] = repetitions(Segment(f"PID|||{written}", STANDARD, "utf-8"), 3)
        assert (read.value, read.domain(DOMAINS), read.type) == (value, DOMAINS.of("HP"), "PI")
