"""Who is who, with the model and with what people decided."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consortium.identity import decide
from consortium.identity.agenda import agenda
from consortium.identity.matching import active
from consortium.identity.model import Facts, Former, Link, SourcePatient
from consortium.identity.pairs import Suspect, Verdicts, find

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BORN = date(1990, 3, 7)
CARD, OTHER_CARD = "440105199003072318", "440105199003072393"
PHONE = "13800138001"
MODEL = active()


def patient(id_: int, former: Former | None = None, **said: Any) -> SourcePatient:
    facts = Facts(**said)
    return SourcePatient(
        id=id_,
        facility="MAIN",
        number=str(id_),
        message_id=id_,
        changed_at=NOW,
        facts=facts,
        observed=decide.observe(facts),
        former=former or Former(),
    )


def alike(id_: int, **said: Any) -> SourcePatient:
    return patient(id_, **{"name": "欧阳文锦", "birth_date": BORN, "phone": PHONE, **said})


def people(links: Mapping[int, Link]) -> set[frozenset[int]]:
    persons = {link.person_id for link in links.values()}
    return {frozenset(i for i, link in links.items() if link.person_id == p) for p in persons}


def groups(members: Sequence[SourcePatient], verdicts: Verdicts | None = None) -> set[frozenset[int]]:
    return people(decide.resolve(members, verdicts or Verdicts(), MODEL).links)


def different(*pairs: tuple[int, int]) -> Verdicts:
    return Verdicts(different=frozenset(pairs))


def test_the_model_links_and_the_link_keeps_its_score() -> None:
    resolved = decide.resolve([alike(1), alike(2)], Verdicts(), MODEL)
    assert people(resolved.links) == {frozenset({1, 2})}
    link = resolved.links[2]
    assert (link.origin, link.rule) == ("automatic", "probable")
    assert link.score is not None
    assert link.score.model_version == MODEL.version
    assert sum(weight for _, _, weight in link.score.evidence) - link.score.weight < 0.01


def test_without_a_model_only_what_is_certain_links() -> None:
    assert len(people(decide.assign([alike(1), alike(2)]))) == 2


def test_an_earlier_phone_and_name_still_tell_who_it_is() -> None:
    renamed = patient(
        1, Former(name=("欧阳文锦",), phone=(PHONE,)), name="欧阳若溪", birth_date=BORN, phone="13900139002"
    )
    assert groups([renamed, alike(2)]) == {frozenset({1, 2})}


def test_different_separates_whom_card_and_model_would_link() -> None:
    members = [alike(1, id_card=CARD), alike(2, id_card=CARD)]
    assert groups(members) == {frozenset({1, 2})}
    resolved = decide.resolve(members, different((1, 2)), MODEL)
    assert len(people(resolved.links)) == 2
    assert {(link.origin, link.rule) for link in resolved.links.values()} == {("manual", "verdict")}


def test_same_links_whom_nothing_else_would() -> None:
    members = [patient(1, name="李四"), patient(2, name="王珅")]
    assert groups(members, Verdicts(same=frozenset({(1, 2)}))) == {frozenset({1, 2})}


def test_different_holds_through_a_third() -> None:
    members = [alike(1, id_card=CARD), alike(2, id_card=CARD), alike(3)]
    found = groups(members, different((1, 3)))
    assert found == {frozenset({1, 2}), frozenset({3})}


def test_the_strongest_reason_goes_first_between_two_who_are_different() -> None:
    members = [alike(1), alike(2, id_card=CARD), alike(3, id_card=CARD)]
    assert groups(members, different((1, 3))) == {frozenset({1}), frozenset({2, 3})}


def test_a_merge_that_a_person_denied_is_asked_about() -> None:
    members = [replace(patient(1, name="李四"), merged_into=2), replace(alike(2), survivor=True)]
    resolved = decide.resolve(members, different((1, 2)), MODEL)
    assert len(people(resolved.links)) == 2
    assert [(s.pair, s.reason) for s in resolved.suspects] == [((1, 2), "verdict_conflict")]


def test_a_poor_record_does_not_bring_two_with_contradicting_cards_together() -> None:
    members = [
        alike(1, id_card=CARD, sex="male"),
        alike(2),
        alike(3, id_card=OTHER_CARD, sex="female"),
    ]
    resolved = decide.resolve(members, Verdicts(), MODEL)
    assert frozenset({1, 2, 3}) not in people(resolved.links)
    assert "card_conflict" in {s.reason for s in resolved.suspects}


def test_an_overlaid_number_forgets_whom_it_was() -> None:
    before = Facts(name="欧阳文锦", birth_date=BORN, phone=PHONE)
    corrected = decide.remember(Former(), before, replace(before, name="欧阳文进"))
    assert corrected == Former(name=("欧阳文锦",))
    other = Facts(name="李四", birth_date=date(1970, 1, 5), phone="13900139002")
    assert decide.overlaid(before, other)
    assert decide.remember(corrected, before, other) == Former()


def test_only_the_latest_earlier_values_are_remembered() -> None:
    former, facts = Former(), Facts(phone="13800000001")
    for last in range(2, 9):
        after = Facts(phone=f"1380000000{last}")
        former, facts = decide.remember(former, facts, after), after
    assert former.phone == ("13800000007", "13800000006", "13800000005", "13800000004")
    back = decide.remember(former, facts, Facts(phone="13800000006"))
    assert "13800000006" not in back.phone


def suspect(left: int, right: int, weight: float = 8.0) -> Suspect:
    found = find([alike(left, phone=None), alike(right, phone=None)], Verdicts(), MODEL).suspects[0]
    return replace(found, weighed=replace(found.weighed, weight=weight))


def test_one_question_is_asked_for_two_persons() -> None:
    persons = {1: UUID(int=1), 2: UUID(int=1), 3: UUID(int=3)}
    asked = agenda([suspect(1, 3), suspect(2, 3, 9.0)], persons, {}, Verdicts(), {3})
    assert [s.pair for s in asked.opened] == [(2, 3)]
    again = agenda([suspect(1, 3), suspect(2, 3, 9.0)], persons, {(1, 3): "probable"}, Verdicts(), {3})
    assert [s.pair for s in again.opened] == [(1, 3)]
    assert not again.withdrawn


def test_a_question_is_withdrawn_when_it_no_longer_stands() -> None:
    apart, one = {1: UUID(int=1), 2: UUID(int=2)}, {1: UUID(int=1), 2: UUID(int=1)}
    standing = {(1, 2): "probable"}
    assert agenda([], apart, standing, Verdicts(), {1}).withdrawn == {(1, 2)}
    assert agenda([], one, standing, Verdicts(), set()).withdrawn == {(1, 2)}
    assert not agenda([], apart, standing, Verdicts(), {5}).withdrawn
    assert not agenda([], apart, {(1, 2): "overlay"}, Verdicts(), {1}).withdrawn


def test_nothing_is_asked_between_persons_whom_a_verdict_keeps_apart() -> None:
    persons = {1: UUID(int=1), 2: UUID(int=1), 3: UUID(int=3)}
    assert not agenda([suspect(2, 3)], persons, {}, different((1, 3)), {3}).opened
    standing = {(2, 3): "probable"}
    assert agenda([suspect(2, 3)], persons, standing, different((1, 3)), {1}).withdrawn == {(2, 3)}


def test_two_who_are_asked_about_already_are_not_asked_about_again() -> None:
    persons = {1: UUID(int=1), 2: UUID(int=2), 3: UUID(int=2)}
    assert not agenda([suspect(1, 3)], persons, {(1, 2): "twin"}, Verdicts(), {3}).opened


FACTS = st.builds(
    Facts,
    name=st.sampled_from([None, "欧阳文锦", "欧阳文进", "李四", "欧阳文锦之子"]),
    birth_date=st.sampled_from([None, BORN, date(1990, 7, 3)]),
    id_card=st.sampled_from([None, CARD, OTHER_CARD]),
    phone=st.sampled_from([None, PHONE]),
    sex=st.sampled_from([None, "male", "female"]),
)


@st.composite
def verdicts(draw: st.DrawFn, size: int) -> Verdicts:
    """What one person says, who does not contradict themselves."""
    hidden = {i: draw(st.integers(0, 2)) for i in range(1, size + 1)}
    said = draw(st.sets(st.sampled_from([*combinations(range(1, size + 1), 2)]))) if size > 1 else set()
    same = frozenset(p for p in said if hidden[p[0]] == hidden[p[1]])
    return Verdicts(same, frozenset(said) - same)


@given(st.lists(FACTS, min_size=1, max_size=6), st.data())
def test_any_order_ends_in_the_same_people_and_every_verdict_holds(
    facts: list[Facts], data: st.DataObject
) -> None:
    members = [replace(patient(i), facts=f, observed=decide.observe(f)) for i, f in enumerate(facts, 1)]
    decided = data.draw(verdicts(len(members)))
    links = decide.resolve(members, decided, MODEL).links
    shuffled = data.draw(st.permutations(members))
    assert decide.resolve(shuffled, decided, MODEL).links == links
    for left, right in decided.same:
        assert links[left].person_id == links[right].person_id
    for left, right in decided.different:
        assert links[left].person_id != links[right].person_id


@given(st.lists(FACTS, min_size=1, max_size=6), st.data())
def test_links_made_are_links_kept(facts: list[Facts], data: st.DataObject) -> None:
    members = [replace(patient(i), facts=f, observed=decide.observe(f)) for i, f in enumerate(facts, 1)]
    decided = data.draw(verdicts(len(members)))
    links = decide.resolve(members, decided, MODEL).links
    linked = [replace(m, link=links[m.id]) for m in members]
    assert decide.resolve(linked, decided, MODEL).links == links
