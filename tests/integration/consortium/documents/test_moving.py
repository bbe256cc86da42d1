"""Line 29 by any sequence: whatever is merged and undone, each document stays with its patient number."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from consortium.documents.model import PatientId
from consortium.identity import service as identity
from consortium.identity.model import MergeError
from consortium.records.model import Merge, Provenance
from tests.registered_documents import NOW, Shelf, document, patient_of
from tests.shared_documents import CONSORTIUM

NUMBERS = ("HP1", "HP2", "HP3")
HUANGPU = "1.2.156.10011.99.2"
NUMBER = st.sampled_from(NUMBERS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), NUMBER),
        st.tuples(st.just("merge"), NUMBER, NUMBER),
        st.tuples(st.just("undo"), NUMBER),
    ),
    min_size=3,
    max_size=8,
)
SAID = Provenance(message_id=2, facility="HP", received_at=NOW)


def take(connection: sa.Connection, shelf: Shelf, step: tuple[str, ...], kept: dict[str, set[str]]) -> None:
    """Do one step; a merge that cannot be is none."""
    what, number, *other = step
    try:
        if what == "merge":
            identity.merge(connection, "HP", Merge(surviving=number, retired=other[0]), SAID)
        elif what == "undo":
            identity.unmerge(connection, "HP", number, SAID)
        else:
            source = PatientId(number, HUANGPU)
            made = shelf.one(document(present(connection, number), source_patient_id=source))
            kept[number].add(made.entry_uuid)
    except MergeError:
        return


def present(connection: sa.Connection, number: str) -> PatientId:
    """Return the consortium id of a patient number, as PIX answers it."""
    return PatientId(str(identity.person_of(connection, "HP", number)), CONSORTIUM)


def test_line_29_documents_stay_with_their_number_through_merges_and_undos(connection: sa.Connection) -> None:
    @settings(max_examples=15)
    @given(STEPS)
    def holds(steps: list[tuple[str, ...]]) -> None:
        with connection.begin_nested() as savepoint:
            shelf, kept = Shelf(connection), defaultdict[str, set[str]](set)
            for place, number in enumerate(NUMBERS):
                patient_of(connection, "HP", number, name=f"某{place}", birth_date=None)
            for step in steps:
                take(connection, shelf, step, kept)
                for patient in {present(connection, number) for number in NUMBERS}:
                    theirs = [kept[each] for each in NUMBERS if present(connection, each) == patient]
                    assert set(shelf.documents(patient)) == set().union(*theirs)
            savepoint.rollback()

    holds()
