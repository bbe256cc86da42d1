"""A campus's systems.yaml: read, and every mistake named by its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bus.rules.lint import lint
from bus.rules.systems import fits, load_declared
from runtime.settings import CHECKOUT

FILE = "campuses/hy/systems.yaml"
RULE = """name: hy-patient
facility: HY
description: x
match: msg.type == "table:patient"
kind: patient
map: {patient: {number: no}}
"""
GOOD = """facility: HY
systems:
  - code: HIS
    name: {zh: 系统, en: system}
    owner: {role: 信息科}
    services:
      - types: ["table:patient"]
        protocol: tables
        contract: {kind: table, version: "1"}
"""
WARD = """name: ward
description: x
facility: HP
kind: mllp
address: "127.0.0.1:2575"
"""


def said(folder: Path, text: str, **files: str) -> list[str]:
    for name, content in {"hy/rule": RULE, "hy/systems": text, **files}.items():
        path = folder / "campuses" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (folder / "destinations").mkdir(exist_ok=True)
    (folder / "destinations" / "ward.yaml").write_text(WARD, encoding="utf-8")
    found = lint(folder).findings
    return [str(one) for one in found if one.file.endswith("systems.yaml")]


def test_a_good_file_has_nothing_said_of_it_and_is_no_rule(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD) == []
    [one] = load_declared(tmp_path).by_facility["HY"].systems
    assert (one.names, lint(tmp_path).rules) == (["HIS"], 1)


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (GOOD.replace("role:", "rôle:"), f"{FILE}:5:13: error unknown-key", "rôle"),
        (
            GOOD.replace("protocol: tables", "protocol: pigeon"),
            f"{FILE}:8:9: error unknown-word",
            "pigeon|mllp",
        ),
        (GOOD.replace("{kind: table, version", "{kind: table, versoin"), f"{FILE}:9:", "versoin"),
        (GOOD + "    receives: [wrad]\n", f"{FILE}:10:16: error unknown-destination", "wrad.yaml; .*ward"),
        (GOOD + "    receives: [ward]\n", f"{FILE}:10:16: error bad-key", "destination of HP"),
        (GOOD.replace("table:patient", "table:visit"), f"{FILE}:7:17: warning unrouted-type", "table:visit"),
        (GOOD + "    senders: [a, a]\n", f"{FILE}:10:18: error duplicate-name", "sender a"),
        (GOOD + GOOD.partition("systems:\n")[2], f"{FILE}:10:5: error duplicate-name", "code HIS"),
    ],
)
def test_a_mistake_is_named_by_its_place(tmp_path: Path, text: str, place: str, reason: str) -> None:
    found = said(tmp_path, text)
    assert any(one.startswith(place) and re.search(reason, one) for one in found), found


def test_a_campus_has_one_file(tmp_path: Path) -> None:
    [found] = said(tmp_path, GOOD, **{"hz/systems": GOOD})
    assert found.startswith("campuses/hz/systems.yaml:1:1: error duplicate-name")


def test_a_type_fits_its_own_name_and_a_star() -> None:
    assert fits("ADT^A01", "ADT^A01")
    assert fits("ADT^A01", "ADT^*")
    assert not fits("ADT^A01", "ORU^*")
    assert not fits("a", "?")
    assert not fits("a", "[a]")


def test_the_files_of_this_repository_declare_their_campuses() -> None:
    declared = load_declared(CHECKOUT / "rules")
    assert declared.errors == ()
    assert {"MAIN", "HP", "HY"} <= set(declared.by_facility)
