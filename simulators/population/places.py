"""Addresses as people say them and as each campus writes them down."""

from __future__ import annotations

import random
from typing import NamedTuple

from simulators.population.drawing import Draw

_GUANGZHOU = "越秀9 荔湾9 海珠12 天河12 白云14 黄埔12 番禺7 花都4 南沙3 增城4 从化2"
_DISTRICTS = Draw(
    [f"广州市{each[:2]}区" for each in _GUANGZHOU.split()]
    + ["惠州市大亚湾区", "惠州市惠阳区", "惠州市惠城区", "惠州市惠东县", "佛山市南海区", "佛山市禅城区"]
    + ["东莞市南城街道", "深圳市龙岗区", "清远市清城区"],
    [float(each[2:]) for each in _GUANGZHOU.split()] + [6, 4, 3, 2, 2, 1.5, 1.5, 1.5, 1],
)
_ROAD_FIRST = "中人解东环江科开新建和文东沿黄大光康富民胜工北南西龙石沙海惠"
_ROAD_SECOND = "山民放风市南学泰港设平明湖江埔德复乐华主利业园岗溪塘湾河角阳"
_ROADS = [f"{a}{b}{kind}" for a in _ROAD_FIRST for b in _ROAD_SECOND for kind in ("路", "街", "大道")]
_ESTATES = [
    f"{a}{b}{kind}"
    for a in "翠金锦碧丽保万雅华祥时云"
    for b in "湖城桂利科居景福苑泰"
    for kind in ("花园", "小区", "苑", "村")
]


class Address(NamedTuple):
    """Where a household lives."""

    district: str
    """City and district."""
    road: str
    number: int
    estate: str
    building: int
    room: int

    def written(self, form: int) -> str:
        """Return it in one of four forms: in full, without the province, short, or only to the building."""
        head = f"{self.district}{self.road}{self.number}号"
        if form == 0:
            return f"广东省{head}{self.estate}{self.building}栋{self.room}房"
        if form == 1:
            return f"{head}{self.estate}{self.building}座{self.room}"
        if form == 2:
            return f"{self.district[3:]}{self.road}{self.number}号{self.building}-{self.room}"
        return f"广东{head}{self.building}栋"


def address(rng: random.Random) -> Address:
    """Return some address."""
    building, floor = rng.randrange(1, 30), rng.randrange(1, 33)
    return Address(
        _DISTRICTS(rng), rng.choice(_ROADS), rng.randrange(1, 600), rng.choice(_ESTATES), building,
        floor * 100 + rng.randrange(1, 9),
    )  # fmt: skip
