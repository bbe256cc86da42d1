"""Blocks: two source patients are compared when they stand in one block, or show the same valid ID card.

A block is named by a key. Every key holds enough for its block to stay small among ten million people, and a
pair of one person shares at least one of them unless nearly everything differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date

from consortium.identity.matching.values import Address, Comparable, Name


def blocks(patient: Comparable) -> set[str]:
    """Return the keys of the blocks in which a source patient stands, by its present and former values.

    By what is read aloud, so that homophones meet: full name with the year, and with month and day, of birth
    (one of them survives a typing error), with the address; surname with the date of birth; a telephone.
    A VIP stands in none.
    """
    if patient.vip:
        return set()
    keys = {f"phone:{phone}" for phone in patient.phones | patient.former_phones}
    for name in _present_and(patient.name, patient.former_names):
        keys.update(_by_name(name, patient.birth_date, patient.address))
    if patient.name is not None:
        for born in patient.former_birth_dates:
            keys.update(_by_name(patient.name, born, None))
        for address in patient.former_addresses:
            keys.update(_by_name(patient.name, None, address))
    return keys


def hashed(key: str) -> int:
    """Return what stands for a key in the index: 64 bits, signed. Two keys in one hash cost a comparison."""
    digest = hashlib.blake2b(key.encode(), digest_size=8, person=b"yilian.block").digest()
    return int.from_bytes(digest, signed=True)


def _present_and(name: Name | None, former: tuple[Name, ...]) -> Iterator[Name]:
    if name is not None:
        yield name
    yield from former


def _by_name(name: Name, born: date | None, address: Address | None) -> Iterator[str]:
    for surname, given in name.read:
        if born is not None:
            yield f"year:{surname} {given}:{born.year}"
            yield f"day:{surname} {given}:{born:%m%d}"
            yield f"born:{surname}:{born}"
        if address is not None:
            yield f"address:{surname} {given}:{address.text}"
