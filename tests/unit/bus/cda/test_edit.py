"""A corrected document in place of a held one: it says itself whose it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bus.replay.edit import BadEditError, read
from tests.unit.bus.cda.documents import body

ORIGINAL = SimpleNamespace(
    facility="HP",
    sender="EMR",
    message_type="cda:C0007",
    charset="utf-8",
    patient_number="HP0000001",
    visit_number=None,
)


def test_the_patient_is_the_corrected_documents_own() -> None:
    corrected = read(body("lab"), ORIGINAL)
    assert (corrected.patient_number, corrected.visit_number) == ("HP0117208", "HCV261120015")


@pytest.mark.parametrize(
    ("corrected", "said"),
    [
        (body("exam"), "another kind"),
        (b"<a/>", "no document that can be taken"),
        (b"<a>", "does not parse"),
    ],
)
def test_what_cannot_take_its_place_is_refused(corrected: bytes, said: str) -> None:
    with pytest.raises(BadEditError, match=said):
        read(corrected, ORIGINAL)
