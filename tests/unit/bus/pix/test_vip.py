"""What a feed says of VIPs (PV1-16, HL7 table 0099)."""

from __future__ import annotations

import pytest

from bus.hl7.message import parse
from bus.pix.domains import Domains
from bus.pix.feed import read
from runtime.settings import Settings

DOMAINS = Domains(Settings.model_validate({}))
FEED = (
    "MSH|^~\\&|HIS|HP|PIX|YILIAN|20261120083000||ADT^A04^ADT_A01|1|P|2.5\r"
    "EVN||20261120083000\r"
    "PID|||7^^^HP||贵宾^3||19800101|M\r"
    "PV1||O||||||||||||||{code}\r"
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("VIP", True), ("Y", True), ("7", True), ("N", False), ("0", False), ('""', None), ("", None)],
)
def test_any_code_but_no_protects(code: str, expected: bool | None) -> None:
    feed = read(parse(FEED.format(code=code).encode()), "A04", DOMAINS, lambda _: True)
    [stated] = feed.stated
    assert stated.change.patient.vip is expected
