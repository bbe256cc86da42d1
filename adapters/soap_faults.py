"""What a SOAP fault says of the message that was sent; shared by all that send by SOAP."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from bus.delivery.transport import Verdict

_SIGN_IN = frozenset(
    {
        "FailedAuthentication",
        "FailedCheck",
        "InvalidSecurity",
        "InvalidSecurityToken",
        "MessageExpired",
        "SecurityTokenUnavailable",
        "UnsupportedAlgorithm",
        "UnsupportedSecurityToken",
    }
)
"""Fault codes of WS-Security 1.1 §12: no message is to blame."""
_FAULTS = {
    "Client": Verdict.NEVER,
    "Sender": Verdict.NEVER,
    "Server": Verdict.LATER,
    "Receiver": Verdict.LATER,
    "VersionMismatch": Verdict.WRONG_DOOR,
    "MustUnderstand": Verdict.WRONG_DOOR,
    "DataEncodingUnknown": Verdict.WRONG_DOOR,
}


def judged_fault(fault: etree._Element) -> tuple[Verdict, str]:
    """Judge a fault of SOAP 1.1 §4.4 or 1.2 part 1 §5.4."""
    codes = [_local(text) for text in _codes(fault)]
    if not codes:
        return Verdict.LATER, "Fault"
    kind = codes[0].partition(".")[0]
    parts = {part for code in codes for part in code.split(".")}
    meaning = Verdict.WRONG_DOOR if parts & _SIGN_IN else _FAULTS.get(kind, Verdict.LATER)
    return meaning, ("/".join(codes))[:64]


def _codes(fault: etree._Element) -> Iterable[str]:
    for child in fault:
        name = etree.QName(child).localname
        if name == "faultcode" and child.text:
            yield child.text
        if name == "Code":  # its Value, then those of the Subcodes in it
            yield from (each.text for each in child.iter("{*}Value") if each.text)


def _local(text: str) -> str:
    return text.strip().rpartition(":")[2]
