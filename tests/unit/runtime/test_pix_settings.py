"""The identity endpoint's settings: what does not go together is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mllp.pix.settings import pix_settings
from runtime.refusals import sentences
from runtime.settings import Settings

TLS = {"certificate": "a.crt", "key": "a.key", "client_ca": "ca.crt"}
HIS = {"application": "HIS", "facility": "HP"}


def settings(host: str = "127.0.0.1", **pix: Any) -> Settings:
    return Settings.model_validate({"pix_host": host, "pix": pix})


def test_on_loopback_every_application_of_a_campus_is_known() -> None:
    known = settings().pix.known(["MAIN", "HP"])
    assert [(one.application, one.facility) for one in known] == [("*", "MAIN"), ("*", "HP")]


def test_certificates_stand_for_campuses() -> None:
    told = pix_settings(settings("0.0.0.0", **TLS, applications=[HIS | {"subject": "CN=his,O=黄埔院区"}]))  # noqa: S104 - it has TLS
    assert told.tls is not None
    assert told.tls.senders == {"CN=his,O=黄埔院区": frozenset({"HP"})}
    assert (told.endpoint, told.port) == ("pix", 3600)


@pytest.mark.parametrize(
    ("host", "pix", "reason"),
    [
        ("10.0.0.1", {}, "is not loopback and there is no certificate"),
        ("10.0.0.1", TLS, "name each application"),
        ("10.0.0.1", {"plain_text": True}, "name each application"),
        ("10.0.0.1", TLS | {"applications": [HIS | {"application": "*"}]}, "name each application"),
        ("127.0.0.1", {"certificate": "a.crt"}, "belong together"),
        ("127.0.0.1", {"client_ca": "ca.crt"}, "client_ca needs TLS"),
        ("127.0.0.1", {"applications": [HIS | {"subject": "CN=his"}]}, "give pix.client_ca, too"),
        ("127.0.0.1", TLS | {"applications": [HIS, HIS | {"subject": "CN=his"}]}, "or none"),
    ],
)
def test_what_does_not_go_together(host: str, pix: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(host, **pix)
    assert any(reason in sentence for sentence in sentences(refused.value, {}))
