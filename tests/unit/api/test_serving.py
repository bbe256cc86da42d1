"""What the API's log is spared."""

from __future__ import annotations

import logging

import pytest

from api.serving import quiet


def test_declined_offers_of_another_protocol_are_not_told_and_the_rest_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(log, "filters", [])
    monkeypatch.setattr(log, "propagate", True)
    quiet()
    log.warning("Unsupported upgrade request.")
    log.warning("Invalid HTTP request received.")
    assert caplog.messages == ["Invalid HTTP request received."]
