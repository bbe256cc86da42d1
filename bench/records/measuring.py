"""Asking the questions: cold, warm beside bare SQL, and beside ingest."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from bench.archive import tell
from bench.records.questions import QUESTIONS, Subject, fetch, send, subjects

Samples = dict[str, list[float]]
"""Seconds by question."""


@dataclass(slots=True)
class Measured:
    """What was seen."""

    cold: Samples = field(default_factory=dict)
    warm: Samples = field(default_factory=dict)
    control: Samples = field(default_factory=dict)
    beside: Samples = field(default_factory=dict)
    """Warm or cold as it comes, while messages are recorded."""
    empty: set[str] = field(default_factory=set)
    """Questions of which an answer had nothing in it."""


def chosen(url: str, visits: int, count: int, seed: int) -> list[Subject]:
    """Return so many people, by their visits, so that who comes often is asked for often."""
    rng, found = random.Random(seed), []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(50):
            found += subjects(connection, [rng.randint(1, visits) for _ in range(count)])
            if len(found) >= count:
                return found[:count]
    raise RuntimeError(f"the store has only {len(found)} visits with a laboratory report")


def ask(client: httpx.Client, name: str, one: Subject, into: Samples, empty: set[str] | None = None) -> None:
    """Ask one question of one person, and note the seconds."""
    asked = QUESTIONS[name].ask(one)
    began = time.perf_counter()
    answer = send(client, asked)
    into.setdefault(name, []).append(time.perf_counter() - began)
    if empty is not None and not _found(name, answer):
        empty.add(name)


def _found(name: str, answer: httpx.Response) -> bool:
    if name == "FindDocuments":
        return b"ExtrinsicObject" in answer.content
    body: Mapping[str, Any] = answer.json()
    return bool(body.get("entry")) or body["resourceType"] != "Bundle"


def cold(client: httpx.Client, people: Sequence[Subject], forget: Callable[[], None], into: Samples) -> None:
    """Ask each question once a round, of another person each, after everything was forgotten."""
    names, waiting = list(QUESTIONS), iter(people)
    for place in range(len(people) // len(names)):
        forget()
        _until_served(client)
        for name in (*names[place % len(names) :], *names[: place % len(names)]):
            ask(client, name, next(waiting), into)


def _until_served(client: httpx.Client) -> None:
    """Wait until the API has a connection to the new server."""
    for _ in range(100):
        if client.get("/fhir/metadata").is_success:
            return
        time.sleep(0.1)
    raise RuntimeError("the API does not come back after PostgreSQL's restart")


def warm(client: httpx.Client, url: str, people: Sequence[Subject], measured: Measured) -> None:
    """Ask each question of each person twice and count the second; then fetch the same rows by SQL, twice as
    well.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for place, one in enumerate(people):
            for name, question in QUESTIONS.items():
                ask(client, name, one, {}, measured.empty if place == 0 else None)
                fetch(connection, question, one)
                ask(client, name, one, measured.warm)
                began = time.perf_counter()
                fetch(connection, question, one)
                measured.control.setdefault(name, []).append(time.perf_counter() - began)
    tell(f"warm: p95 {1000 * quantile(list(every(measured.warm)), 0.95):.1f} ms over all")


def beside(client: httpx.Client, people: Sequence[Subject], busy: Callable[[], bool], into: Samples) -> None:
    """Ask on and on while messages are recorded."""
    while busy():
        for one in people:
            for name in QUESTIONS:
                ask(client, name, one, into)
            if not busy():
                return


def every(samples: Samples) -> Iterator[float]:
    """Give the seconds of all questions."""
    for one in samples.values():
        yield from one


def quantile(seconds: Sequence[float], share: float) -> float:
    """Return the least value that so many are not above."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def told(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds."""
    return {
        "p50_ms": round(1000 * statistics.median(seconds), 1) if seconds else 0.0,
        "p95_ms": round(1000 * quantile(seconds, 0.95), 1),
        "p99_ms": round(1000 * quantile(seconds, 0.99), 1),
    }
