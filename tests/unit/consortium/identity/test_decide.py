"""Who is who, decided on what campuses say."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consortium.identity import decide
from consortium.identity.model import Facts, Link, SourcePatient, own_person

CARD = "11010519491231002X"
OTHER_CARD = "440105199003072310"
BORN = date(1949, 12, 31)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def patient(id_: int, **facts: Any) -> SourcePatient:
    said = Facts(**facts)
    return SourcePatient(
        id=id_,
        facility="MAIN",
        number=str(id_),
        message_id=id_,
        changed_at=NOW.replace(minute=id_ % 60),
        facts=said,
        observed=decide.observe(said),
    )


def people(members: Sequence[SourcePatient]) -> set[frozenset[int]]:
    links = decide.assign(members)
    return {
        frozenset(i for i, link in links.items() if link.person_id == p)
        for p in {x.person_id for x in links.values()}
    }


def test_the_same_card_with_the_same_name_is_one_person() -> None:
    assert people(
        [patient(1, name="王珅", id_card=CARD), patient(2, name="王 珅", id_card=CARD.lower())]
    ) == {frozenset({1, 2})}


def test_the_same_card_with_the_same_birth_date_is_one_person() -> None:
    members = [
        patient(1, name="王珅", id_card=CARD, birth_date=BORN),
        patient(2, name="王坤", id_card=CARD, birth_date=BORN),
    ]
    assert people(members) == {frozenset({1, 2})}


def test_a_borrowed_card_links_nobody() -> None:
    members = [
        patient(1, name="王珅", id_card=CARD, birth_date=BORN),
        patient(2, name="李四", id_card=CARD, birth_date=date(1990, 1, 1)),
    ]
    assert people(members) == {frozenset({1}), frozenset({2})}


def test_a_card_alone_links_nobody() -> None:
    assert people([patient(1, id_card=CARD), patient(2, name="王珅", id_card=CARD)]) == {
        frozenset({1}),
        frozenset({2}),
    }


def test_an_invalid_card_links_nobody() -> None:
    wrong = CARD[:-1] + "1"
    assert people([patient(1, name="王珅", id_card=wrong), patient(2, name="王珅", id_card=wrong)]) == {
        frozenset({1}),
        frozenset({2}),
    }


def test_homophones_with_one_card_need_the_birth_date() -> None:
    assert len(people([patient(1, name="张伟", id_card=CARD), patient(2, name="章玮", id_card=CARD)])) == 2


def test_a_placeholder_is_never_linked_even_with_card_and_birth_date() -> None:
    members = [
        patient(1, name="王芳", id_card=CARD, birth_date=BORN),
        patient(2, name="王芳之子", id_card=CARD, birth_date=BORN),
        patient(3, name="王芳之子", id_card=CARD, birth_date=BORN),
    ]
    assert len(people(members)) == 3


def test_a_retired_number_is_the_person_of_its_survivor() -> None:
    survivor = replace(patient(2), survivor=True)
    links = decide.assign([replace(patient(1, name="王珅"), merged_into=2), survivor])
    assert links[1].person_id == links[2].person_id == own_person("MAIN", "2")
    assert links[1].rule == "merged_number"


def test_a_card_of_a_retired_number_still_tells_who_it_is() -> None:
    members = [
        patient(1, name="王珅", id_card=CARD),
        replace(patient(2, name="王珅", id_card=CARD), merged_into=3),
        replace(patient(3), survivor=True),
    ]
    assert people(members) == {frozenset({1, 2, 3})}


def test_automation_neither_moves_nor_follows_a_manual_link() -> None:
    decided = Link(UUID(int=7), "manual", "decided", 1)
    manual = replace(patient(1, name="王珅", id_card=CARD), link=decided)
    links = decide.assign([manual, patient(2, name="王珅", id_card=CARD)])
    assert 1 not in links
    assert links[2].person_id == own_person("MAIN", "2")


def test_a_number_merged_into_a_manually_linked_one_follows_it() -> None:
    decided = Link(UUID(int=7), "manual", "decided", 1)
    links = decide.assign(
        [replace(patient(1), link=decided, survivor=True), replace(patient(2), merged_into=1)]
    )
    assert links[2].person_id == UUID(int=7)


FACTS = st.builds(
    Facts,
    name=st.sampled_from([None, "王珅", "李四", "无名氏"]),
    id_card=st.sampled_from([None, CARD, CARD.lower(), OTHER_CARD, "假的"]),
    birth_date=st.sampled_from([None, BORN, date(1990, 3, 7)]),
)


@given(st.lists(FACTS, min_size=1, max_size=7), st.data())
def test_the_order_in_which_campuses_speak_does_not_matter(facts: list[Facts], data: st.DataObject) -> None:
    members = [replace(patient(i), facts=f, observed=decide.observe(f)) for i, f in enumerate(facts, 1)]
    for member in list(members):
        into = data.draw(st.sampled_from([None, *range(1, member.id)]))
        members[member.id - 1] = replace(member, merged_into=into)
    shuffled = data.draw(st.permutations(members))
    assert decide.assign(members) == decide.assign(shuffled)


@given(st.lists(FACTS, min_size=1, max_size=7))
def test_links_made_are_links_kept(facts: list[Facts]) -> None:
    members = [replace(patient(i), facts=f, observed=decide.observe(f)) for i, f in enumerate(facts, 1)]
    links = decide.assign(members)
    assert decide.assign([replace(m, link=links[m.id]) for m in members]) == links


def test_what_contradicts_the_card_is_kept_as_evidence() -> None:
    observed = decide.observe(Facts(name="无名氏", id_card=CARD, birth_date=date(1990, 1, 1), sex="male"))
    assert observed.card == CARD
    assert set(observed.evidence) == {"card_birth_differs", "card_sex_differs", "placeholder_name"}
    assert decide.observe(Facts(id_card="123")).evidence == ("card_invalid",)
    assert decide.observe(Facts(name="王珅", id_card=CARD, birth_date=BORN, sex="female")).evidence == ()
