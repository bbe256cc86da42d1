"""A registrar's own decisions: linking, keeping apart, splitting, and undoing any line of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.errors import ConflictError
from consortium.identity import dossier, service, stewardship
from consortium.identity.stewardship import Move, NotTogetherError
from consortium.records.model import Merge
from tests.integration.consortium.identity.pairs import (
    NOW,
    PEOPLE,
    person_of,
    provenance,
    register,
    stale_goldens,
)

WANG, OUYANG, *_ = PEOPLE


@pytest.fixture
def three(connection: sa.Connection) -> list[int]:
    """王珅 at three campuses, linked by the card."""
    campuses = (("MAIN", "M1"), ("HP", "H1"), ("HY", "Y1"))
    return [register(connection, n, f, WANG.as_patient(number)) for n, (f, number) in enumerate(campuses, 1)]


def persons(connection: sa.Connection, ids: Sequence[int]) -> list[UUID]:
    return [person_of(connection, id_) for id_ in ids]


def last_move(connection: sa.Connection, person: UUID) -> Move:
    return stewardship.moves(connection, person, [])[-1]


def test_a_number_is_split_off_and_brought_back(connection: sa.Connection, three: list[int]) -> None:
    before = persons(connection, three)
    made = stewardship.separate(connection, before[0], three[2:], "同名同证，借用", "lin")
    main, huangpu, huiya = persons(connection, three)
    assert main == huangpu != huiya
    assert stale_goldens(connection) == []
    register(connection, 9, "HY", WANG.as_patient("Y1", address="广州"))
    assert person_of(connection, three[2]) == huiya, "automation does not bring it back"
    for id_ in made:
        verdict = stewardship.verdict(connection, id_)
        assert verdict is not None
        stewardship.revoke(connection, verdict, "查明为本人", "lin")
    assert persons(connection, three) == before
    assert stale_goldens(connection) == []


def test_two_numbers_leave_together(connection: sa.Connection, three: list[int]) -> None:
    stewardship.separate(connection, person_of(connection, three[0]), three[1:], "x", "lin")
    main, huangpu, huiya = persons(connection, three)
    assert main != huangpu == huiya


def test_a_split_that_cannot_be_is_refused(connection: sa.Connection, three: list[int]) -> None:
    person = person_of(connection, three[0])
    other = register(connection, 9, "MAIN", OUYANG.as_patient("M9"))
    for leaving in ([other], three, []):
        with pytest.raises(NotTogetherError):
            stewardship.separate(connection, person, leaving, "x", "lin")
    with pytest.raises(NotTogetherError, match="twice"):
        stewardship.decide(connection, (other, other), "same", "x", "lin")


def test_an_automatic_merge_is_undone_by_its_line(connection: sa.Connection, three: list[int]) -> None:
    new = register(connection, 8, "MAIN", WANG.as_patient("M2", id_card=None, name="小王", birth_date=None))
    own = person_of(connection, new)
    register(connection, 9, "MAIN", WANG.as_patient("M2"))
    assert person_of(connection, new) == person_of(connection, three[0])
    line = stewardship.moves(connection, own, [new])[-1]
    assert (line.from_person, line.by_user) == (own, None)
    stewardship.undo(connection, line, "借用证件", "lin")
    assert person_of(connection, new) != person_of(connection, three[0])
    assert len(set(persons(connection, three))) == 1
    assert stale_goldens(connection) == []


def test_an_automatic_split_is_undone_by_its_line(connection: sa.Connection, three: list[int]) -> None:
    together = person_of(connection, three[0])
    register(connection, 9, "HY", OUYANG.as_patient("Y1"))
    assert person_of(connection, three[2]) != together
    line = stewardship.moves(connection, together, [three[2]])[-1]
    stewardship.undo(connection, line, "误发", "lin")
    assert person_of(connection, three[2]) == together
    assert stale_goldens(connection) == []


def test_a_decided_merge_is_undone_by_its_line(connection: sa.Connection, three: list[int]) -> None:
    other = register(connection, 9, "MAIN", OUYANG.as_patient("M9"))
    before = persons(connection, [*three, other])
    stewardship.decide(connection, (three[0], other), "same", "护照一致", "lin")
    assert len(set(persons(connection, [*three, other]))) == 1
    moved = next(
        one
        for one in reversed(stewardship.moves(connection, person_of(connection, other), [*three, other]))
        if one.by_user
    )
    assert (moved.by_user, moved.reason) == ("lin", "护照一致")
    stewardship.undo(connection, moved, "看错了", "chen")
    assert persons(connection, [*three, other]) == before
    with pytest.raises(ConflictError, match="taken back"):
        stewardship.undo(connection, moved, "再来", "chen")
    revoking = stewardship.moves(connection, before[-1], [*three, other])[-1]
    assert (revoking.by_user, revoking.reason) == ("chen", "看错了")
    stewardship.undo(connection, revoking, "没看错", "lin")
    assert len(set(persons(connection, [*three, other]))) == 1


def test_a_registration_is_no_merge(connection: sa.Connection, three: list[int]) -> None:
    first = stewardship.moves(connection, person_of(connection, three[0]), three)[0]
    with pytest.raises(ConflictError, match="registered"):
        stewardship.undo(connection, first, "x", "lin")


def test_a_retired_number_can_be_somebody_else(connection: sa.Connection) -> None:
    keeps = register(connection, 1, "MAIN", WANG.as_patient("M1"))
    retired = register(connection, 2, "MAIN", OUYANG.as_patient("M2"))
    service.merge(connection, "MAIN", Merge(surviving="M1", retired="M2"), provenance(3, "MAIN"))
    assert person_of(connection, keeps) == person_of(connection, retired)
    stewardship.separate(connection, person_of(connection, keeps), [retired], "误合并", "lin")
    assert person_of(connection, keeps) != person_of(connection, retired)
    assert stale_goldens(connection) == []


def test_a_dossier_tells_who_a_person_is_and_why(connection: sa.Connection, three: list[int]) -> None:
    person = person_of(connection, three[0])
    made = stewardship.separate(connection, person, three[2:], "借用", "lin")
    one = dossier.dossier(connection, person)
    assert one is not None
    assert [each.patient.number for each in one.numbers] == ["M1", "H1"]
    golden = {choice.field: (choice.value, choice.why) for choice in one.golden}
    assert golden["name"] == ("王珅", "agreed")
    assert golden["id_card"] == (WANG.card, "agreed")
    assert [each.id for each in one.verdicts] == made
    assert [each.by_user for each in one.ledger if each.number == "Y1"] == [None, "lin"]
    assert one.successors == [person_of(connection, three[2])]
    assert dossier.dossier(connection, UUID(int=5)) is None


def test_golden_records_are_computed_anew(connection: sa.Connection, three: list[int]) -> None:
    person = person_of(connection, three[0])
    connection.execute(sa.text("UPDATE identity.person SET name = '旧规则'"))
    assert stale_goldens(connection) == [person] or person in stale_goldens(connection)
    changed, last = dossier.recompute(connection, UUID(int=0), 100, NOW)
    assert changed >= 1
    assert last is not None
    assert stale_goldens(connection) == []
    assert dossier.recompute(connection, last, 100, NOW) == (0, None)
