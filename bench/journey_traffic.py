"""What the main campus sends in `bench journey`: of five messages two are reports of 20 results; 1.2 kB on
average.

The codes are those that the campus's rules map, so that every message is recorded.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from bench.load import GIVEN, SURNAMES
from simulators import id_card

BLOCK = 400
"""Patients whose first messages come before their second ones: several connections keep each patient's
order.
"""
_TESTS = [f"L0{100 + n}" for n in range(1, 9)] + [f"L0{200 + n}" for n in range(1, 7)]
_DAY = "20260105"


@dataclass(frozen=True, slots=True)
class Visit:
    """One patient at one visit."""

    number: str
    person: str
    """PID-3 to PID-8 as HIS sends them, and as LIS does, who knows no ID card."""
    brief: str
    visit: str
    rng: random.Random


def messages(run: str, count: int) -> list[tuple[bytes, bytes]]:
    """Return (control id, frame) for each, in whole blocks; the same run gives the same bytes."""
    made: list[tuple[bytes, bytes]] = []
    for block in range(blocks(count)):
        visits = [_visit(run, block * BLOCK + place) for place in range(BLOCK)]
        for kind, (name, codec, body) in enumerate(_KINDS):
            made += [_framed(visit, f"{visit.number}{kind}", name, codec, body) for visit in visits]
    return made


def blocks(count: int) -> int:
    """Return how many blocks hold at least so many messages."""
    return -(-count // (BLOCK * len(_KINDS)))


def sizes(count: int) -> tuple[int, int]:
    """Return how many messages and how many reports these blocks hold."""
    return blocks(count) * BLOCK * len(_KINDS), blocks(count) * BLOCK * REPORTS


def report(run: str, place: int) -> tuple[str, bytes]:
    """Return the number of a report of a patient of its own, and its frame."""
    visit = _visit(run, place)
    return f"R{visit.number}9", _framed(visit, f"{visit.number}9", "ORU^R01^ORU_R01", "utf-8", _results)[1]


def _visit(run: str, place: int) -> Visit:
    rng = random.Random(f"{run}/{place}")
    number = f"{run}{place:06d}"
    name = f"{rng.choice(SURNAMES)}^{''.join(rng.choices(GIVEN, k=2))}"
    born, sex = date(rng.randint(1930, 2015), rng.randint(1, 12), rng.randint(1, 28)), rng.choice("MF")
    card, birth = id_card.make(id_card.AREAS[0], born, rng.randint(0, 999)), f"{born:%Y%m%d}"
    ids = f"{number}^^^MAIN^MR~{card}^^^&2.16.156.10011.1.3&ISO^NI"
    street = f"广东省广州市天河区中山路{rng.randint(1, 900)}号{rng.randint(1, 30)}栋"
    return Visit(
        number,
        f"{ids}||{name}||{birth}|{sex}|||{street}||13{rng.randint(10**8, 10**9 - 1)}",
        f"{number}^^^MAIN^MR||{name}||{birth}|{sex}",
        f"PV1|1|O|0102||||1011^李建华|||0102^呼吸内科|||||||||V{number}^^^MAIN^VN{'|' * 25}{_DAY}073153\r",
        rng,
    )


def _framed(
    visit: Visit, control_id: str, kind: str, codec: str, body: Callable[[Visit, str], str]
) -> tuple[bytes, bytes]:
    utf8 = codec == "utf-8"
    who = (
        f"LIS|MAIN|YILIAN|CONSORTIUM|{_DAY}080624+0800"
        if utf8
        else f"HIS|MAIN|YILIAN|CONSORTIUM|{_DAY}073717"
    )
    version, charset = ("2.5", "UNICODE UTF-8") if utf8 else ("2.4", "GB 18030-2000")
    head = f"MSH|^~\\&|{who}||{kind}|{control_id}|P|{version}||||||{charset}\r"
    return control_id.encode(), b"\x0b" + (head + body(visit, control_id)).encode(codec) + b"\x1c\r"


def _registration(visit: Visit, control_id: str) -> str:
    del control_id
    return f"EVN|A04|{_DAY}073025\rPID|1||{visit.person}\r{visit.visit}"


def _order(visit: Visit, control_id: str) -> str:
    item = "LP001^血常规^MAINLIS|S|||||||||||1011^李建华||||||||LAB"
    return (
        f"PID|1||{visit.person}\r{visit.visit}"
        f"ORC|NW|O{control_id}|||SC||^^^{_DAY}073717^^S||{_DAY}073717|||1011^李建华\rOBR|1|O{control_id}||{item}\r"
    )


def _results(visit: Visit, control_id: str) -> str:
    at = f"{_DAY}080624+0800"
    rows = []
    for place in range(20):
        code = _TESTS[place % len(_TESTS)]
        value, flag = f"{visit.rng.uniform(1, 90):.2f}", visit.rng.choice("NNNHL")
        rows.append(
            f"OBX|{place + 1}|NM|{code}^检验项目^MAINLIS|{place}|{value}|g/L|3.5-90|{flag}|||F|||{at}\r"
        )
    item = f"LP001^血常规^MAINLIS|||{at}|||||||||1011^李建华||||||{at}||LAB|F|||||||6002&谢思敏"
    order = f"OBR|1|O{visit.number}1|R{control_id}|{item}\r"
    return f"PID|1||{visit.brief}\r{visit.visit}{order}{''.join(rows)}"


def _charges(visit: Visit, control_id: str) -> str:
    rows = [
        f"FT1|{n}|{control_id}-{n}||{_DAY}075137||CG|C000{n}^诊查费|||1|{visit.rng.randint(5, 300)}.00&CNY"
        "|||^城乡居民医保|||||||1011^李建华\r"
        for n in range(1, 5)
    ]
    return f"EVN|P03|{_DAY}075137\rPID|1||{visit.person}\r{visit.visit}{''.join(rows)}"


_KINDS = (
    ("ADT^A04", "gb18030", _registration),
    ("ORM^O01", "gb18030", _order),
    ("ORU^R01^ORU_R01", "utf-8", _results),
    ("DFT^P03", "gb18030", _charges),
    ("ORU^R01^ORU_R01", "utf-8", _results),
)
REPORTS = 2
"""Reports among these five."""
