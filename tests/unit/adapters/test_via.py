"""A request of our own is known by its `Via` when it comes back."""

from __future__ import annotations

import pytest

from adapters.exchange import verdict
from adapters.via import STATUS, passed, pseudonym, said
from bus.delivery.transport import Verdict

OURS = pseudonym("1.2.3")


def test_what_we_send_says_that_it_passed_us() -> None:
    assert passed([said(OURS)["via"]], OURS)


@pytest.mark.parametrize(
    "headers",
    [
        ["1.0 fred, 1.1 YILIAN-1.2.3 (bus), 1.1 edge"],
        ["1.1 edge", "HTTP/1.1 yilian-1.2.3"],
    ],
)
def test_proxies_on_the_way_hide_nothing(headers: list[str]) -> None:
    assert passed(headers, OURS)


@pytest.mark.parametrize("headers", [[], [""], ["1.1"], ["1.1 yilian-1.2.4"], ["1.1 edge (yilian-1.2.3)"]])
def test_another_platform_is_not_us(headers: list[str]) -> None:
    assert not passed(headers, OURS)


def test_without_a_name_nothing_is_said_or_looked_for() -> None:
    assert said("") == {}
    assert not passed(["1.1 "], "")


def test_a_loop_that_was_refused_is_not_tried_again() -> None:
    assert verdict(STATUS) is Verdict.NEVER
