"""What a RegistryResponse says became of documents."""

from __future__ import annotations

import pytest

from adapters.ihe.counts import Fate
from api.xds.fate import fate
from bus.ihe.ebrim.responses import registry_response
from consortium.documents.errors import ErrorCode, RegistryError, Severity

BUSY = RegistryError(ErrorCode.REGISTRY_BUSY, "later")
WRONG = RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, "wrong")
WARNING = RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, "odd", severity=Severity.WARNING)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([], Fate.ACCEPTED),
        ([WARNING], Fate.ACCEPTED),
        ([BUSY], Fate.UNAVAILABLE),
        ([WRONG], Fate.REFUSED),
        ([BUSY, WRONG], Fate.REFUSED),
    ],
)
def test_only_what_may_be_sent_again_is_unavailable(errors: list[RegistryError], told: Fate) -> None:
    assert fate(registry_response(errors)) is told
