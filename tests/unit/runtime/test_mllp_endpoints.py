"""Further MLLP listeners: what does not go together is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mllp.settings import MllpSettings
from runtime.refusals import sentences
from runtime.settings import Settings

TLS = {"name": "tls", "port": 2576, "certificate": "bus.crt", "key": "bus.key", "client_ca": "ca.crt"}
SENDER = {"subject": "CN=engine,O=黄埔院区", "campuses": ["HP"]}


def settings(*endpoints: dict[str, Any]) -> Settings:
    return Settings.model_validate({"mllp_endpoints": list(endpoints)})


def test_an_endpoint_with_its_senders() -> None:
    plain, tls = MllpSettings.every(settings(TLS | {"host": "0.0.0.0", "senders": [SENDER]}))  # noqa: S104 - it has TLS
    assert (plain.endpoint, plain.tls) == ("mllp", None)
    assert (tls.endpoint, tls.port, tls.campuses) == ("tls", 2576, plain.campuses)
    assert tls.tls is not None
    assert tls.tls.senders == {"CN=engine,O=黄埔院区": frozenset({"HP"})}
    assert tls.tls.required


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ({"name": "a", "port": 1, "certificate": "x"}, "certificate and key belong together"),
        ({"name": "a", "port": 1, "client_ca": "x"}, "client_ca needs TLS"),
        (TLS | {"client_ca": None, "senders": [SENDER]}, "give client_ca, too"),
        ({"name": "a", "port": 1, "host": "10.0.0.1"}, "patient data would cross the network in clear"),
        ({"name": "mllp", "port": 1}, "two are named mllp"),
        ({"name": "a", "port": 2575}, "port 2575 of a is taken"),
        ({"name": "a", "port": 1, "tls": True}, "there is no such setting"),
        ({"name": "Not a name", "port": 1}, "should match pattern"),
    ],
)
def test_a_wrong_endpoint_is_refused_by_name(endpoint: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(endpoint)
    [sentence, *_] = sentences(caught.value, {"mllp_endpoints": "settings.toml"})
    assert sentence.startswith("mllp_endpoints")
    assert reason in "".join(sentences(caught.value, {}))


def test_a_protected_line_may_be_plain_when_it_is_said_so() -> None:
    [_, plain] = MllpSettings.every(
        settings({"name": "vpn", "port": 1, "host": "10.0.0.1", "plain_text": True})
    )
    assert (plain.host, plain.tls) == ("10.0.0.1", None)
