"""MSH written anew under another control id, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hl7.msh import with_control_id
from bus.hl7.problem import HL7Error

NAMES = st.text(st.characters(codec="gb18030", exclude_characters="\r\n|"), max_size=10)


@given(NAMES, st.sampled_from(["gb18030", "utf-8"]), st.text("ABC123", min_size=1, max_size=20))
def test_all_but_the_control_id_stays(name: str, codec: str, control_id: str) -> None:
    """Even where the second byte of a character is a separator's, as in GB 18030."""
    parts = f"MSH|^~\\&|{name}|MAIN|||2026||ADT^A08|", f"|P|2.4\rPID|1||M1||{name}\r"
    raw = f"{parts[0]}OLD{parts[1]}".encode(codec)
    assert with_control_id(raw, codec, control_id) == f"{parts[0]}{control_id}{parts[1]}".encode(codec)


@pytest.mark.parametrize("raw", [b"MSH|^~\\&|\xff|MAIN|||2026||ADT^A08|1|P|2.4\r", b"MSH|^~\\&|A|B\r", b"{}"])
def test_what_cannot_be_written_anew_says_why(raw: bytes) -> None:
    with pytest.raises(HL7Error):
        with_control_id(raw, "utf-8", "2")
