"""Names as they are compared."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.identity import names

HANZI = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
NAMES = st.text(HANZI, min_size=2, max_size=6)


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(name: str) -> None:
    assert names.key(names.key(name)) == names.key(name)


@given(NAMES, st.sampled_from([" ", "\u3000", "\u200b", "\ufeff", "\u00a0", "\t"]), st.integers(0, 6))
def test_spaces_and_hidden_characters_do_not_count(name: str, hidden: str, place: int) -> None:
    assert names.key(name[:place] + hidden + name[place:]) == names.key(name)


@given(NAMES, NAMES)
def test_different_characters_are_different_names(left: str, right: str) -> None:
    assert (names.key(left) == names.key(right)) == (left == right)


@given(NAMES, NAMES, st.sampled_from(names.DOTS), st.sampled_from(names.DOTS))
def test_the_dot_of_a_minority_name_is_one_dot(first: str, second: str, one: str, other: str) -> None:
    assert names.key(first + one + second) == names.key(first + other + second)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ＷＡＮＧ 珅", "Wang珅"),
        ("买买提·吐尔逊", "买买提•吐尔逊"),
        ("买买提·吐尔逊", "买买提．吐尔逊"),
        (unicodedata.normalize("NFD", "José"), unicodedata.normalize("NFC", "José")),
    ],
)
def test_these_are_written_alike(left: str, right: str) -> None:
    assert names.key(left) == names.key(right)


@pytest.mark.parametrize(
    ("left", "right"), [("张伟", "章玮"), ("王珅", "王申"), ("刘洋", "劉洋"), ("李靑", "李青")]
)
def test_homophones_and_variants_stay_different(left: str, right: str) -> None:
    assert names.key(left) != names.key(right)


@pytest.mark.parametrize(
    "name",
    [
        "无名氏", "无名氏1", "无名", "未知", "未知名", "不详", "某某", "李某",
        "某某之子", "李红之婴", "王芳之女", "王芳之子A", "陈丽的女婴", "赵敏之大", "张三之双胞胎2", "新生儿",
        "周静新生儿", "刘梅女婴", "未 知", "无名氏（急诊）", "Unknown", "",
    ],
)  # fmt: skip
def test_these_are_no_names(name: str) -> None:
    assert names.is_placeholder(name)


@pytest.mark.parametrize(
    "name",
    [
        "匿名",
        "匿 名",
        "VIP",
        "ＶＩＰ０１",
        "vip-12",
        "VIP张",
        "贵宾3",
        "保密",
        "保密(产科)",
        "化名李某",
        "Anonymous",
    ],
)
def test_these_are_aliases_and_no_names(name: str) -> None:
    assert names.is_alias(name)
    assert names.is_placeholder(name)


@pytest.mark.parametrize("name", ["无名氏", "张**", "王芳之女", "Vipul Sharma", "王保密", "贵斌", ""])
def test_these_are_no_aliases(name: str) -> None:
    assert not names.is_alias(name)


@pytest.mark.parametrize(
    "name",
    [
        "王珅",
        "欧阳子之",
        "婴宁",
        "李子",
        "买买提·吐尔逊",
        "未央",
        "无忌",
        "Anne Wu",
        "白某一",
        "Vipul Sharma",
    ],
)
def test_these_are_names(name: str) -> None:
    assert not names.is_placeholder(name)
