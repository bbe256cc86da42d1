"""What follows from a pair: a link, a look, or nothing."""

from dataclasses import replace
from datetime import date
from math import log2
from typing import Any

import pytest

from consortium.identity.matching import Model, active, blocks, comparable, compare, weigh
from consortium.identity.matching.judging import Judged, apart, judge
from consortium.identity.model import Facts

BORN = date(1990, 3, 7)
CARD = "440105199003072318"
MODEL = active()


def facts(name: str | None = "欧阳文锦", **said: Any) -> Facts:
    return Facts(name=name, **{"sex": "male", "birth_date": BORN, "phone": "13800138001", **said})


def judged(left: Facts, right: Facts, model: Model = MODEL) -> Judged:
    one, other = comparable(left), comparable(right)
    found = judge(one, other, model)
    back = judge(other, one, model)
    assert (found.band, found.reason, found.vector) == (back.band, back.reason, back.vector)
    return found


def test_the_weights_of_the_waterfall_add_up_to_the_weight() -> None:
    weighed = judged(facts(), facts(address="广州市越秀区1号")).weighed
    assert weighed.weight == pytest.approx(sum(step.weight for step in weighed.waterfall))
    assert [step.field for step in weighed.waterfall] == [
        "prior", "name", "sex", "birth_date", "card", "phone", "address",
    ]  # fmt: skip
    assert weighed.waterfall[0].weight == pytest.approx(log2(MODEL.prior), abs=1e-6)
    assert 0.999 < weighed.probability < 1


def test_a_common_name_weighs_less_than_a_rare_one() -> None:
    def name_weight(name: str) -> float:
        side = comparable(Facts(name=name))
        return weigh(compare(side, side), side, side, MODEL).waterfall[1].weight

    assert name_weight("张伟") < name_weight("张建国") < name_weight("尉迟文锦")
    surnames, given = MODEL.frequencies["surname"], MODEL.frequencies["given"]
    share = MODEL.frequencies["name"].get("张伟", surnames["张"] * given["伟"])
    assert name_weight("张伟") == pytest.approx(log2(MODEL.fields["name"]["exact"].m / share), abs=0.05)


def test_a_counted_name_outranks_the_product_of_its_parts() -> None:
    counted = replace(MODEL, frequencies={**MODEL.frequencies, "name": {"": 3e-7, "欧阳文锦": 0.01}})
    left = right = facts(phone=None)
    assert judged(left, right, counted).weighed.weight < judged(left, right).weighed.weight - 10


def test_the_same_person_at_two_campuses_is_linked() -> None:
    assert judged(facts(), facts()).band == "automatic"
    assert judged(facts("刘洋"), facts("劉洋", address="广州")).band == "automatic"


def test_a_common_name_and_a_birth_date_alone_link_nobody() -> None:
    assert judged(facts("张伟", phone=None), facts("张伟", phone=None)).band == "none"


@pytest.mark.parametrize("name", ["欧阳文锦之子", "欧阳文锦之女B", "无名氏", "欧阳**", "新生儿", "路人甲"])
def test_a_stand_in_is_never_linked_by_itself(name: str) -> None:
    same = facts(name, id_card=CARD, address="广州市越秀区中山二路58号")
    found = judged(same, same)
    assert (found.band, found.reason) == ("review", "placeholder")
    assert judged(same, replace(same, name="欧阳文锦")).band != "automatic"


@pytest.mark.parametrize(
    ("one", "other", "band"),
    [
        (facts("王子轩"), facts("王子涵"), "review"),
        (facts("王子轩"), facts("王子涵", sex="female"), "none"),
        (facts("王子轩", id_card=CARD), facts("王子涵", id_card="440105199003072393"), "none"),
    ],
)
def test_twins_are_not_linked(one: Facts, other: Facts, band: str) -> None:
    home = "广州市越秀区中山二路58号3栋502室"
    found = judged(replace(one, address=home), replace(other, address=home))
    assert (found.band, found.reason) == (band, "twin")


def test_a_mother_and_her_named_child_with_her_card_are_two() -> None:
    mother = Facts("李芳", "female", date(1990, 3, 7), "440105199003072326", "13800138001", "越秀区1号")
    child = Facts("王小宝", "male", date(2026, 5, 1), "440105199003072326", "13800138001", "越秀区1号")
    assert judged(mother, child).band != "automatic"


def test_a_husband_and_a_wife_who_share_everything_else_are_two() -> None:
    husband = Facts("王强", "male", date(1960, 3, 7), None, "13800138001", "越秀区1号")
    wife = Facts("李芳", "female", date(1962, 8, 1), None, "13800138001", "越秀区1号")
    assert judged(husband, wife).band == "none"


def test_a_rare_name_with_a_mistyped_date_and_the_same_phone_is_linked() -> None:
    assert judged(facts(), facts(birth_date=date(1990, 7, 3))).band == "automatic"


def test_a_homophone_with_another_sex_is_not_linked_by_itself() -> None:
    assert judged(facts(), facts("欧阳文进", sex="female")).band != "automatic"


def test_contradicting_cards_keep_two_apart_who_are_like_a_third() -> None:
    one = comparable(facts("王子轩", id_card=CARD))
    assert apart(one, comparable(facts("王子涵", id_card="440105199003072393")))
    assert not apart(one, comparable(facts("王子轩", id_card=CARD)))
    assert not apart(one, comparable(facts("王子轩")))


@pytest.mark.parametrize("said", [{"vip": True}, {"name": "贵宾3"}, {"name": "匿名"}])
def test_a_vip_is_nobody_else_and_nobody_is_asked(said: dict[str, Any]) -> None:
    vip = replace(facts(id_card=CARD), **said)
    assert judged(vip, facts(id_card=CARD)).band == judged(vip, vip).band == "none"
    assert blocks(comparable(vip)) == set()


def test_who_is_no_vip_is_judged_by_the_name() -> None:
    assert judged(facts(vip=False), facts()).band == "automatic"
    assert judged(facts("贵宾3", id_card=CARD, vip=False), facts(id_card=CARD)).reason == "placeholder"
