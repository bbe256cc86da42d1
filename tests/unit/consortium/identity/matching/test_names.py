"""Chinese names taken apart and compared."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.identity.matching import Comparable, Name, blocks, comparable
from consortium.identity.matching.comparing import compare_names, strangers
from consortium.identity.matching.preparing import name
from consortium.identity.model import Facts, Former

HANZI = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)


def taken_apart(text: str) -> Name:
    found = name(text)
    assert found is not None
    return found


def called(text: str | None, *former: str) -> Comparable:
    return comparable(Facts(name=text), Former(name=former))


@pytest.mark.parametrize(
    ("text", "surname", "reading"),
    [
        ("单雄信", "单", "shan"),
        ("曾国藩", "曾", "zeng"),
        ("仇英", "仇", "qiu"),
        ("解缙", "解", "xie"),
        ("区健", "区", "ou"),
        ("查良镛", "查", "zha"),
        ("盖叫天", "盖", "ge"),
        ("华罗庚", "华", "hua"),
        ("任正", "任", "ren"),
        ("朴志明", "朴", "piao"),
        ("员半千", "员", "yun"),
        ("乐嘉", "乐", "yue"),
        ("翟志刚", "翟", "zhai"),
        ("冼星海", "冼", "xian"),
        ("吕布", "吕", "lv"),
        ("谌龙", "谌", "chen"),
        ("尉迟恭", "尉迟", "yuchi"),
        ("万俟卨", "万俟", "moqi"),
        ("长孙无忌", "长孙", "zhangsun"),
        ("澹台明", "澹台", "tantai"),
        ("欧阳修", "欧阳", "ouyang"),
        ("司马光", "司马", "sima"),
        ("歐陽修", "欧阳", "ouyang"),
        ("爱新觉罗玄烨", "爱新觉罗", "aixinjueluo"),
        ("欧阳", "欧", "ou"),
        ("王珅", "王", "wang"),
    ],
)
def test_a_surname_is_whole_and_read_as_a_surname(text: str, surname: str, reading: str) -> None:
    found = taken_apart(text)
    assert (found.surname, found.read[0][0]) == (surname, reading)


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        ("张伟", "张 伟", "exact"),
        ("劉洋", "刘洋", "exact"),
        ("葉國強", "叶国强", "exact"),
        ("李靑", "李青", "exact"),
        ("買買提·吐爾遜", "买买提•吐尔逊", "exact"),
        ("买买提·吐尔逊", "买买提．吐尔逊", "exact"),
        ("\ue81e明", "\u9fb4明", "exact"),
        ("\ue816明", "\U00020087明", "exact"),
        ("Zhang Wei", "WEI  ZHANG", "exact"),
        ("José Martí", "Jose Marti", "exact"),
        ("张伟", "章玮", "homophone"),
        ("张伟", "Zhang Wei", "homophone"),
        ("张小明", "Xiaoming Zhang", "homophone"),
        ("吕布", "LYU BU", "homophone"),
        ("单晓明", "Dan Xiaoming", "homophone"),
        ("曾悦", "曾乐", "homophone"),
        ("王小明", "王大明", "near"),
        ("王小明", "王明", "near"),
        ("王晓明", "王明晓", "near"),
        ("买买提·吐尔逊", "麦买提·吐尔逊", "homophone"),
        ("买买提·吐尔逊", "买买提·吐尔洪", "near"),
        ("Muhammad Ali", "Mohammad Ali", "near"),
        ("王珅", "王坤", "surname"),
        ("王建国", "王志强", "surname"),
        ("李秀英", "王秀英", "near"),
        ("李四", "王珅", "differs"),
        (None, "王珅", "missing"),
        ("王芳之子", "王芳", "missing"),
    ],
)
def test_names_are_as_alike_as_people_would_say(left: str | None, right: str | None, level: str) -> None:
    assert compare_names(called(left), called(right)) == level
    assert compare_names(called(right), called(left)) == level


def test_an_earlier_name_is_compared_too() -> None:
    assert compare_names(called("王美丽", "王招弟"), called("王招弟")) == "former"
    born = date(1990, 3, 7)
    renamed = comparable(Facts(name="王美丽", birth_date=born), Former(name=("王招弟",)))
    assert blocks(renamed) & blocks(comparable(Facts(name="王招弟", birth_date=date(1990, 8, 1))))


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        ("王珅", "王坤", False),
        ("张伟", "章玮", False),
        ("王小明", "王明", False),
        ("王建国", "王小明", True),
        ("王芳", "李芳", False),
        ("王珅", "李四", True),
    ],
)
def test_strangers_have_names_that_no_slip_explains(left: str, right: str, answer: bool) -> None:
    assert strangers(taken_apart(left), taken_apart(right)) is answer


@given(st.text(HANZI, min_size=2, max_size=5), st.text(HANZI, min_size=2, max_size=5))
def test_comparing_has_no_direction(left: str, right: str) -> None:
    one, other = called(left), called(right)
    assert compare_names(one, other) == compare_names(other, one)
    assert compare_names(one, one) in ("exact", "missing")


@given(st.text(max_size=20))
def test_any_text_is_a_name_or_none(text: str) -> None:
    found = name(text)
    assert found is None or (found.read and set(found.read) <= found.readings)
