"""Logs hold what is on the list and nothing else: no patient, whoever logs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bus.logging import configure

CANARY = "王珅 P0000001"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    configure("test", stream=stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_process_event_level_and_time(stream: io.StringIO) -> None:
    structlog.get_logger("any").info("started", port=1)
    [line] = lines(stream)
    assert (line["process"], line["event"], line["level"], line["port"]) == ("test", "started", "info", 1)
    assert line["timestamp"].endswith("Z")


def test_a_field_that_is_not_on_the_list_is_named_and_its_value_left_out(stream: io.StringIO) -> None:
    structlog.get_logger("any").info("stored", patient_number=CANARY, message_id=7)
    [line] = lines(stream)
    assert line["dropped"] == ["patient_number"]
    assert line["message_id"] == 7
    assert CANARY not in stream.getvalue()


def test_an_exception_shows_its_type_and_place_and_not_its_text(stream: io.StringIO) -> None:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(CANARY) from error
    except ValueError:
        structlog.get_logger("any").exception("failed")
    [line] = lines(stream)
    assert line["error"] == "ValueError < KeyError"
    assert "test_logging.py" in line["exception"][-1]
    assert CANARY not in stream.getvalue()


def test_libraries_are_heard_without_their_arguments(stream: io.StringIO) -> None:
    logging.getLogger("pika").warning("cannot deliver %s", CANARY)
    logging.getLogger("pika").info("chatter")
    [line] = lines(stream)
    assert (line["logger"], line["event"]) == ("pika", "cannot deliver %s")
    assert CANARY not in stream.getvalue()


def test_a_value_that_is_no_json_does_not_break_the_line(stream: io.StringIO) -> None:
    structlog.get_logger("any").info("odd", kind=object())
    assert lines(stream)[0]["kind"] == "<object>"
