"""What a RegistryResponse says became of the documents that were sent."""

from __future__ import annotations

from lxml import etree

from adapters.ihe.counts import Fate
from bus.ihe.ebrim.names import FAILURE, RS
from consortium.documents.errors import ErrorCode

_BUSY = frozenset({ErrorCode.REGISTRY_BUSY.value, ErrorCode.REPOSITORY_BUSY.value})


def fate(response: etree._Element) -> Fate:
    """Return it: unavailable where all that was wrong is that we are busy."""
    if response.get("status") != FAILURE:
        return Fate.ACCEPTED
    codes = {error.get("errorCode") for error in response.iter(f"{{{RS}}}RegistryError")}
    return Fate.UNAVAILABLE if codes and codes <= _BUSY else Fate.REFUSED
