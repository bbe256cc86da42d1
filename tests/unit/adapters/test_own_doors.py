"""Destinations that lead back into the platform are found before a message goes round."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.own_doors import check
from adapters.patterns import meet
from bus.rules.finding import Finding
from bus.rules.lint import lint
from runtime.mllp import MllpEndpoint
from runtime.settings import CHECKOUT, FilePlace, Settings
from tests.unit.bus.rules.test_ruleset import CODES

RULE = """name: NAME
facility: FACILITY
description: a rule
match: MATCH
kind: KIND
map:
  patient: {number: {const: P1}}
destinations:
  - {to: TO, send: SEND}
"""
HEAD = "name: NAME\ndescription: another system\nfacility: GROUP\n"
MLLP = HEAD + "kind: mllp\naddress: ADDRESS\n"
REST = HEAD + "kind: rest\naddress: ADDRESS\n"
FILES = HEAD + "kind: files\nplace: drop\nfile: 'FILE'\n"
TABLE = (
    HEAD + "kind: tables\ndatabase: theirs\ntable: TABLE\nkey: [no]\ncolumns: {no: change.patient.number}\n"
)
CSV = (
    "facility: NS\nsender: HIS\npattern: 'patients_*.csv'\nmessage_type: csv:patient\ncsv: {}\npatient: no\n"
)
ADT = 'msg.type == "ADT^A08"'


class Made:
    """A folder of rules, its settings, and what lint says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {}
        for name in ("campuses/nansha/files", "codes", "destinations"):
            (folder / name).mkdir(parents=True)
        (folder / "codes" / "sex.csv").write_text(CODES)

    def rule(self, name: str, match: str, to: str, *, facility: str = "HP", send: str = "raw") -> Made:
        where = self.folder / "campuses" / facility.lower()
        where.mkdir(exist_ok=True)
        text = RULE.replace("NAME", name).replace("FACILITY", facility).replace("MATCH", match)
        (where / f"{name}.yaml").write_text(
            text.replace("TO", to).replace("SEND", send).replace("KIND", "patient")
        )
        return self

    def to(self, name: str, text: str, **said: str) -> Made:
        for key, value in {"NAME": name, **said}.items():
            text = text.replace(key, value)
        (self.folder / "destinations" / f"{name}.yaml").write_text(text)
        return self

    def source(self) -> Made:
        (self.folder / "campuses" / "nansha" / "files" / "ns_patients.yaml").write_text(CSV)
        return self

    def having(self, **settings: Any) -> Made:
        self.settings.update(settings)
        return self

    def found(self) -> list[Finding]:
        report = lint(self.folder, [check(Settings(**self.settings))])
        unread = [one for one in report.findings if one.severity == "error"]
        assert all(one.code in ("loop", "own-door") for one in unread), unread
        return unread

    def only(self, code: str) -> Finding:
        (one,) = self.found()
        assert one.code == code, one
        return one


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_a_rule_that_sends_into_our_own_listener_is_a_loop_by_file_line_and_column(made: Made) -> None:
    found = made.rule("adt", ADT, "ward").to("ward", MLLP, ADDRESS="127.0.0.1:2575").only("loop")
    assert (found.file, found.line, found.column) == ("campuses/hp/adt.yaml", 9, 5)
    assert "adt (campuses/hp/adt.yaml:9) sends to ward, which is the MLLP listener mllp (127.0.0.1:2575)" in (
        found.message
    )
    assert "and adt takes it again" in found.message


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        ("localhost:2575", {}),
        ("bus.example:2575", {"reached_as": ("mllp://bus.example",)}),
        ("10.0.0.5:2576", {"mllp_host": "10.0.0.5", "mllp_port": 2576}),
        ("localhost:3600", {}),
        ("127.0.0.1:2599", {"mllp_endpoints": (MllpEndpoint(name="plain", port=2599),)}),
    ],
)
def test_every_listener_is_known(made: Made, address: str, settings: dict[str, Any]) -> None:
    made.rule("adt", ADT, "ward").to("ward", MLLP, ADDRESS=address).having(**settings).only("loop")


@pytest.mark.parametrize("address", ["127.0.0.1:2576", "ward.example:2575", "10.0.0.5:2575"])
def test_another_system_is_no_door_of_ours(made: Made, address: str) -> None:
    assert made.rule("adt", ADT, "ward").to("ward", MLLP, ADDRESS=address).found() == []


def test_a_door_behind_which_no_rule_sends_back_is_named_too(made: Made) -> None:
    address = "http://127.0.0.1:8080/api/v1/upload/NS/patient"
    made.rule("adt", ADT, "ns", send="canonical").to("ns", REST, ADDRESS=address)
    found = made.only("own-door")
    assert (found.file, found.line) == ("campuses/hp/adt.yaml", 9)
    assert "ns, which is the upload /api/v1/upload/NS/patient" in found.message
    assert "no rule takes what arrives there" in found.message


def test_a_chain_over_two_doors_is_told_from_both_ends(made: Made) -> None:
    rest = 'msg.type == "rest:patient" && msg.protocol == "rest"'
    made.to("ns", REST, ADDRESS="http://localhost:8080/api/v1/upload/NS/patient")
    made.to("back", MLLP, ADDRESS="localhost:2575")
    made.rule("hp-adt", 'msg.type in ["ADT^A01", "ADT^A08"]', "ns", facility="NS", send="canonical")
    made.rule("ns-rest", rest, "back", facility="NS", send="hl7")
    first, second = made.found()
    assert (first.file, second.file) == ("campuses/ns/hp-adt.yaml", "campuses/ns/ns-rest.yaml")
    assert [one.code for one in (first, second)] == ["loop", "loop"]
    assert "hp-adt (campuses/ns/hp-adt.yaml:9) sends to ns" in first.message
    assert ", then ns-rest (campuses/ns/ns-rest.yaml:9) sends to back" in first.message
    assert "and hp-adt takes it again" in first.message


def test_what_arrives_is_not_what_the_rule_takes(made: Made) -> None:
    """The built message says that the platform sent it; the rule takes the HIS's alone."""
    match = f'{ADT} && msg.sender == "HIS"'
    made.rule("adt", match, "back", send="hl7").to("back", MLLP, ADDRESS="localhost:2575").only("own-door")


def test_an_earlier_rule_that_takes_it_ends_the_chain(made: Made) -> None:
    made.to("back", MLLP, ADDRESS="localhost:2575").to("away", MLLP, ADDRESS="ward.example:2575")
    made.rule("a-first", 'msg.sender == "YILIAN"', "away").rule("b-second", ADT, "back", send="hl7")
    assert [(one.code, one.file) for one in made.found()] == [("own-door", "campuses/hp/b-second.yaml")]


@pytest.mark.parametrize("file", ["patients_{control_id}.csv", "{control_id}.csv"])
def test_a_folder_that_is_read_as_a_source(made: Made, tmp_path: Path, file: str) -> None:
    drop = str(tmp_path / "drop")
    made.source().to("drop-off", FILES, FILE=file)
    made.having(file_places={"ns_patients": FilePlace(url=drop), "drop": FilePlace(url=f"{drop}/")})
    made.rule("csv", 'msg.type == "csv:patient"', "drop-off", facility="NS")
    assert "the folder of the file source ns_patients (NS)" in made.only("loop").message


@pytest.mark.parametrize(
    ("file", "there"), [("{control_id}.hl7", "drop"), ("patients_{control_id}.csv", "other")]
)
def test_a_folder_or_a_name_that_is_not_read(made: Made, tmp_path: Path, file: str, there: str) -> None:
    made.source().to("drop-off", FILES, FILE=file)
    places = {"ns_patients": str(tmp_path / "drop"), "drop": str(tmp_path / there)}
    made.having(file_places={name: FilePlace(url=url) for name, url in places.items()})
    assert made.rule("csv", 'msg.type == "csv:patient"', "drop-off", facility="NS").found() == []


def test_a_table_that_is_read_as_a_source(made: Made) -> None:
    described = made.folder / "campuses" / "hy" / "tables"
    described.mkdir(parents=True)
    shutil.copy(CHECKOUT / "rules" / "campuses" / "huiya" / "tables" / "huiya.yaml", described)
    made.to("huiya", TABLE, TABLE="public.patient").to("inbound", TABLE, TABLE="inbound_patient")
    made.having(
        huiya_url="postgresql://reader@127.0.0.1:5432/huiya",
        delivery_secrets={"theirs": "postgresql+psycopg://writer@localhost:5432/huiya"},
    )
    made.rule("patient", 'msg.type == "table:patient"', "huiya", facility="HY", send="canonical")
    made.rule("other", 'msg.type == "table:charge"', "inbound", facility="HY", send="canonical")
    found = made.only("loop")
    assert "the open table patient of HY" in found.message


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8080/soap/patient", "the SOAP upload /soap/patient"),
        ("https://bus.example/fhir", "the FHIR endpoint /fhir"),
        ("https://bus.example/api/v1/messages", "this platform's API (/api/v1/messages)"),
    ],
)
def test_every_way_in_of_the_api_is_known(made: Made, address: str, said: str) -> None:
    made.rule("adt", ADT, "us", send="canonical").to("us", REST, ADDRESS=address)
    assert said in made.having(reached_as=("https://bus.example",)).only("own-door").message


def test_a_destination_that_no_rule_names_is_named_in_its_own_file(made: Made) -> None:
    found = made.to("ward", MLLP, ADDRESS="localhost:2575").only("own-door")
    assert (found.file, found.line) == ("destinations/ward.yaml", 5)


NAMES = st.text(alphabet="ab*?", max_size=6)


@given(NAMES, NAMES, st.text(alphabet="ab", max_size=6))
def test_patterns_that_both_fit_a_name_meet(one: str, other: str, name: str) -> None:
    assert meet(one, other) == meet(other, one)
    if fnmatch.fnmatchcase(name, one) and fnmatch.fnmatchcase(name, other):
        assert meet(one, other)


@given(st.text(alphabet="ab", max_size=5), NAMES)
def test_a_plain_name_meets_just_the_patterns_that_fit_it(name: str, pattern: str) -> None:
    assert meet(name, pattern) == fnmatch.fnmatchcase(name, pattern)


def test_a_class_is_any_character() -> None:
    assert meet("lab_[0-9]*.csv", "lab_7.csv")
    assert not meet("lab_[0-9]*.csv", "lab_.csv")
