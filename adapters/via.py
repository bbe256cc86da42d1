"""`Via` (RFC 9110 §7.6.3): by it the platform knows its own requests when they come back to its own door."""

from __future__ import annotations

from collections.abc import Iterable

STATUS = 508
"""Loop Detected (RFC 5842 §7.2)."""
CODE = "loop"
DETAIL = "this platform sent it itself (Via): correct the address of the destination or of the proxy between"
CHINESE = "该消息由本平台自己发出 (Via): 请更正目的地或代理的地址"


def pseudonym(consortium_oid: str) -> str:
    """Return the name by which the platform of a consortium says that a request passed it."""
    return f"yilian-{consortium_oid}"


def said(name: str) -> dict[str, str]:
    """Return the header that a request of ours carries; none without a name."""
    return {"via": f"1.1 {name}"} if name else {}


def passed(headers: Iterable[str], name: str) -> bool:
    """Whether the headers `Via` of a request, each perhaps a list, say that it passed us."""
    hops = (hop.split() for header in headers for hop in header.split(","))
    return bool(name) and any(len(hop) > 1 and hop[1].lower() == name.lower() for hop in hops)
