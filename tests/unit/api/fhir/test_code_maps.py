"""Code tables as ConceptMaps: valid R4, and translated in both directions."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from api.failures import FailureError
from api.fhir.code_maps import CODES, MAP, VALUES, Match, Question, Row, rows_of, translate
from api.fhir.terminology_resources import (
    OWNER,
    VALIDITY,
    concept_map,
    master_code_system,
    table_code_system,
    translation,
    value_set,
)
from api.fhir.translating import asked
from bus.fhir.systems import Systems
from bus.rules.code_files import load_tables
from bus.rules.codes import CodeTable, Target
from consortium.terminology.model import Entry, Kind
from runtime.settings import CHECKOUT, Settings

SYSTEMS = Systems(Settings())
MAIN, HP = SYSTEMS.of("MAIN", "dictionary"), SYSTEMS.of("HP", "dictionary")
LOINC = "http://loinc.org"
TABLE = CodeTable(
    "items",
    {
        ("MAIN", "K"): Target("2823-3", "钾", LOINC),
        ("MAIN", "K2"): Target("2823-3", "钾", LOINC),
        ("HP", "K"): Target("own", "本院项目", None),
        ("*", "N"): Target("2951-2", "钠", LOINC),
        ("*", "K"): Target("everyones", None, None),
    },
    {("MAIN", "CL"): Target("2075-0", "氯", LOINC), ("MAIN", "K"): Target("2951-2", "钠", LOINC)},
)
ROWS = rows_of(TABLE, SYSTEMS)


def found(code: str, **more: Any) -> list[tuple[str, str, str]]:
    return [(m.equivalence, m.system, m.code) for m in translate(ROWS, Question(code, **more), SYSTEMS)]


def test_a_code_is_translated_as_the_rules_look_it_up() -> None:
    assert found("K", system=HP) == [("equivalent", CODES + "items", "own")]
    assert found("K", system=MAIN) == [("wider", LOINC, "2823-3")]  # the file, not the addition
    assert found("CL", system=MAIN) == [("equivalent", LOINC, "2075-0")]
    assert found("N", system=MAIN) == [("equivalent", LOINC, "2951-2")]  # a row for all
    assert found("N", system="urn:oid:1.2.3") == []
    assert found("K2", system=HP) == []


def test_without_a_system_every_campus_is_asked() -> None:
    assert {system for _, system, _ in found("K")} == {LOINC, CODES + "items"}


def test_a_target_is_a_value_set_or_a_code_system() -> None:
    assert found("K", system=MAIN, target=LOINC) == found("K", system=MAIN, target=VALUES + "items")
    assert found("K", system=HP, target=LOINC) == []
    assert found("K", target=VALUES + "others") == []


def test_a_target_is_translated_back_to_every_code_that_means_it() -> None:
    assert found("2823-3", system=LOINC, reverse=True) == [("narrower", MAIN, "K"), ("narrower", MAIN, "K2")]
    assert found("own", reverse=True) == [("equivalent", HP, "K")]
    assert found("2823-3", system=LOINC, reverse=True, target=HP) == []
    assert found("2823-3", system="http://snomed.info/sct", reverse=True) == []


@pytest.mark.parametrize("table", load_tables(CHECKOUT / "rules", []).values(), ids=lambda table: table.name)
def test_every_table_of_the_rules_goes_there_and_back(table: CodeTable) -> None:
    rows = rows_of(table, SYSTEMS)
    for row in rows:
        there = translate(rows, Question(row.code, row.source), SYSTEMS)
        assert [(m.system, m.code) for m in there] == [(row.system, row.target)]
        back = translate(rows, Question(row.target, row.system, reverse=True), SYSTEMS)
        assert (row.source, row.code) in [(m.system, m.code) for m in back]
    valid(concept_map(table.name, rows))
    valid(value_set(table.name, rows))
    if own := table_code_system(table.name, rows):
        valid(own)


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


def test_a_concept_map_has_a_group_for_each_campus_and_system() -> None:
    resource = valid(concept_map("items", ROWS))
    assert resource["url"] == MAP + "items"
    assert resource["targetUri"] == VALUES + "items"
    pairs = [(group["source"], group["target"]) for group in resource["group"]]
    assert len(pairs) == len(set(pairs)) == 4
    [main] = [group for group in resource["group"] if group["source"] == MAIN]
    assert [element["code"] for element in main["element"]] == ["CL", "K", "K2"]
    assert main["element"][1]["target"][0]["equivalence"] == "wider"


def test_its_version_is_another_when_its_content_is() -> None:
    assert concept_map("items", ROWS)["version"] == concept_map("items", ROWS[::-1])["version"]
    assert concept_map("items", ROWS)["version"] != concept_map("items", ROWS[1:])["version"]


def test_a_table_without_rows_is_valid() -> None:
    for resource in (concept_map("empty", []), value_set("empty", [])):
        valid(resource)
    assert table_code_system("empty", []) is None


def test_master_data_is_a_code_system_without_codes_of_other_systems() -> None:
    own = Entry(Kind.LAB_ITEM, "MAIN", "L1", "钾", date(2020, 1, 1))
    loinc = Entry(Kind.LAB_ITEM, "MAIN", "2823-3", "钾", date(2020, 1, 1), None, {"system": LOINC})
    resource = valid(master_code_system(Kind.LAB_ITEM, "MAIN", [own, loinc]))
    assert resource["id"] == "lab-item.MAIN"
    assert resource["concept"] == [{"code": "L1", "display": "钾"}]


def test_the_answer_says_what_was_found_or_where_to_look() -> None:
    some = valid(translation([Match("items", "wider", LOINC, "2823-3", "钾")], "K"))
    assert some["parameter"][0] == {"name": "result", "valueBoolean": True}
    none = valid(translation([], "K"))
    assert none["parameter"][0] == {"name": "result", "valueBoolean": False}
    assert "K" in none["parameter"][1]["valueString"]


def test_the_in_parameters_are_read() -> None:
    one = asked([("url", MAP + "items"), ("code", "K"), ("system", MAIN), ("reverse", "false")])
    assert (one.url, one.questions) == (MAP + "items", (Question("K", MAIN),))
    assert asked([("coding", f"{MAIN}|K")]).questions == (Question("K", MAIN),)
    concept = {"coding": [{"system": MAIN, "code": "K"}, {"code": "K2"}]}
    both = asked([("codeableConcept", concept), ("reverse", True), ("target", HP)])
    assert both.questions == (Question("K", MAIN, HP, True), Question("K2", None, HP, True))


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("system", MAIN)],
        [("code", "")],
        [("code", "K"), ("code", "K2")],
        [("code", "K"), ("reverse", "perhaps")],
        [("code", "K"), ("dependency", "x")],
    ],
)
def test_what_cannot_be_answered_as_asked_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(FailureError):
        asked(pairs)


CODES_ = st.text("KNXY12", min_size=1, max_size=2)
TARGETS = st.builds(Target, CODES_, st.none(), st.sampled_from([None, LOINC]))


@given(st.dictionaries(st.tuples(st.sampled_from(["MAIN", "HP", "*"]), CODES_), TARGETS, max_size=12), CODES_)
def test_a_translation_is_what_the_table_finds(rows: dict[tuple[str, str], Target], code: str) -> None:
    table = CodeTable("t", rows)
    all_rows: list[Row] = rows_of(table, SYSTEMS)
    for facility in ("MAIN", "HP"):
        target = table.find(facility, code, date(2026, 1, 1))
        answers = translate(all_rows, Question(code, SYSTEMS.of(facility, "dictionary")), SYSTEMS)
        assert [match.code for match in answers] == ([target.code] if target else [])


JULY = date(2026, 7, 1)
DATED = CodeTable(
    "items",
    {("MAIN", "GLU"): Target("2345-7", "葡萄糖", LOINC, relationship="narrower")},
    dated={
        ("MAIN", "K"): (
            Target("old", None, LOINC),
            Target("2823-3", None, LOINC, JULY, relationship="wider", owner="检验科"),
        )
    },
)


@pytest.mark.parametrize(
    ("on", "code", "equivalence"), [("2026-06-30", "old", "equivalent"), ("2026-07-01", "2823-3", "wider")]
)
def test_a_code_is_translated_on_a_day(on: str, code: str, equivalence: str) -> None:
    rows = rows_of(DATED, SYSTEMS, date.fromisoformat(on))
    there = translate(rows, Question("K", MAIN), SYSTEMS)
    assert [(match.code, match.equivalence) for match in there] == [(code, equivalence)]
    back = translate(rows, Question("2345-7", LOINC, reverse=True), SYSTEMS)
    assert [(match.code, match.equivalence) for match in back] == [("GLU", "wider")]


def test_a_concept_map_shows_every_period_with_its_days_and_owner() -> None:
    resource = valid(concept_map("items", rows_of(DATED, SYSTEMS)))
    _, potassium = resource["group"][0]["element"]
    old, new = potassium["target"]
    assert old["extension"] == [{"url": VALIDITY, "valuePeriod": {"end": "2026-06-30"}}]
    assert new["extension"] == [
        {"url": VALIDITY, "valuePeriod": {"start": "2026-07-01"}},
        {"url": OWNER, "valueString": "检验科"},
    ]
    assert (old["equivalence"], new["equivalence"]) == ("equivalent", "wider")


def test_the_date_of_a_question_is_a_day() -> None:
    assert asked([("code", "K"), ("date", "2026-07-01")]).on == JULY
    assert asked([("code", "K"), ("date", "2026-06-30T20:00:00Z")]).on == JULY
    for wrong in ("2026-02-30", "soon", "2026"):
        with pytest.raises(FailureError):
            asked([("code", "K"), ("date", wrong)])
