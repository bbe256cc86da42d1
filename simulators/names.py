"""Chinese names with the skew of real ones: few surnames for most, and different names that sound alike."""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulators.hazards import hazardous_ideographs


@dataclass(frozen=True, slots=True)
class Name:
    """A name in PID-5's two parts. What has no such parts (买买提's) stands whole in `family`."""

    family: str
    given: str = ""

    def __str__(self) -> str:
        return self.family + self.given


SURNAMES = dict(
    zip(
        "李王张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
        "郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余"
        "于杜叶程苏魏吕丁任沈姚卢单仇解区",
        (
            *(
                794,
                741,
                707,
                538,
                453,
                308,
                290,
                229,
                205,
                202,
                167,
                154,
                129,
                126,
                118,
                116,
                106,
                101,
                97,
                95,
            ),
            *(93, 85, 79, 73, 68, 66, 65, 61, 60, 57, 55, 54, 53, 52, 51, 50, 50, 49, 48, 48),
            *(48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 5, 4, 4, 4),
        ),
        strict=True,
    )
)
"""Surname to share, in ten thousandths. The last four are not read as the character usually is."""

COMPOUND_SURNAMES = ("欧阳", "司徒", "上官", "诸葛", "司马", "皇甫", "尉迟", "令狐")
GIVEN = {
    "male": "伟强磊军勇涛明超杰辉鹏斌波刚浩宇轩博文俊峰建国志华子睿晨阳旭凯",
    "female": "芳娜敏静丽艳娟霞秀英玲燕红梅雪琳婷欣怡慧颖佳梓涵诗雅洁莉萍丹",
}
MINORITY_NAMES = {
    "male": ("买买提·吐尔逊", "扎西·次仁", "阿卜杜拉·艾合买提", "巴特尔·苏和"),
    "female": ("阿依古丽·买买提", "古丽娜尔·阿不都", "卓玛·央金", "萨仁·图雅"),
}
HOMOPHONES = (
    (Name("张", "伟"), Name("章", "玮")),
    (Name("李", "静"), Name("黎", "婧")),
    (Name("王", "珅"), Name("汪", "申")),
    (Name("曾", "艳"), Name("曾", "燕")),
    (Name("于", "洋"), Name("余", "阳")),
)
"""Pairs that sound the same and are different people."""

UNKNOWN = Name("无名氏")


def ordinary(rng: random.Random, sex: str) -> Name:
    """Return a common name."""
    family = rng.choices(tuple(SURNAMES), tuple(SURNAMES.values()))[0]
    return Name(family, _given(rng, sex))


def compound(rng: random.Random, sex: str) -> Name:
    """Return a name with a surname of two characters."""
    return Name(rng.choice(COMPOUND_SURNAMES), _given(rng, sex))


def minority(rng: random.Random, sex: str) -> Name:
    """Return a name with a middle dot."""
    return Name(rng.choice(MINORITY_NAMES[sex]))


def newborn(rng: random.Random, sex: str) -> Name:
    """Return the name of a child not named yet: the mother's and 之子 or 之女."""
    return Name(f"{ordinary(rng, 'female')}之{'子' if sex == 'male' else '女'}")


def rare(place: int) -> Name:
    """Return the `place`-th name of three hazardous ideographs; 155 of them hold all 464."""
    characters = hazardous_ideographs()
    chosen = [characters[(place * 3 + k) % len(characters)] for k in range(3)]
    return Name(chosen[0], "".join(chosen[1:]))


def _given(rng: random.Random, sex: str) -> str:
    return "".join(rng.choices(GIVEN[sex], k=rng.choices((1, 2), (3, 7))[0]))
