"""Comparing what a test expects with what came of it: what is not named is not compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def same(name: str, expected: Any, actual: Any, found: list[str]) -> None:
    """Add a line to `found` when something is expected and it is another."""
    if expected is not None and expected != actual:
        found.append(f"{name}: expected {expected!r}, got {actual!r}")


def part(at: str, expected: Any, actual: Any, found: list[str]) -> None:
    """Add a line for each difference of a JSON value: objects by their named keys, lists wholly."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            found.append(f"{at}: expected an object, got {actual!r}")
            return
        for key, value in expected.items():
            part(f"{at}.{key}", value, actual.get(key), found)
    elif isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            got = f"{len(actual)}" if isinstance(actual, list) else repr(actual)
            found.append(f"{at}: expected {len(expected)} elements, got {got}")
            return
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            part(f"{at}[{number}]", one, other, found)
    elif expected != actual:
        found.append(f"{at}: expected {expected!r}, got {actual!r}")
