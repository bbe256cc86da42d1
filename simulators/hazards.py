"""Ideographs whose GB 18030 bytes look like HL7 delimiters.

GB 18030 codes an ideograph in two bytes (or four), and a later byte may be that of a delimiter: 珅 is AB 7C
(``|``).  A receiver that splits before it decodes cuts such a name in two.
"""

from __future__ import annotations

from functools import cache

BASIC_IDEOGRAPHS = range(0x4E00, 0xA000)
"""The 20,992 code points of the basic block."""

DELIMITERS = frozenset(b"|^~\\&")
"""HL7 v2's recommended delimiters (v2.4 section 2.7). ``&`` (26) never occurs as a later byte."""


def is_hazardous(character: str) -> bool:
    """Return whether the character is not ASCII and has a delimiter's byte in GB 18030."""
    return not character.isascii() and not DELIMITERS.isdisjoint(character.encode("gb18030"))


@cache
def hazardous_ideographs() -> tuple[str, ...]:
    """Return the hazardous ones of the basic ideographs, in code point order: 464."""
    return tuple(c for c in map(chr, BASIC_IDEOGRAPHS) if is_hazardous(c))
