"""One specification: the loader, the schemas for editors and the reference say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from bus.rules.console import rules_main
from bus.rules.converters import CONVERTERS
from bus.rules.marks import read_marked
from bus.rules.reference import PAGE, reference
from bus.rules.schema import FILES, as_text, schema_of
from bus.rules.spec import CONVERTERS_MEAN, ON_MISS_MEANS, ORDER_MEANS, Converter, OnMiss, OrderClass
from runtime.settings import CHECKOUT

RULE: dict[str, Any] = {
    "name": "a",
    "facility": "HY",
    "description": "x",
    "match": "true",
    "kind": "patient",
    "map": {"patient": {"number": "no"}},
}
FOLDERS = {
    "rule": [
        "campuses/*/*.yaml",
        "!campuses/*/campus.yaml",
        "!campuses/*/capabilities.yaml",
        "!campuses/*/systems.yaml",
    ],
    "shared": ["shared/*.yaml"],
    "destination": ["destinations/*.yaml", "campuses/*/destinations/*.yaml"],
    "campus": ["campuses/*/campus.yaml"],
    "capabilities": ["campuses/*/capabilities.yaml"],
    "systems": ["campuses/*/systems.yaml"],
    "calendar": ["calendars/*.yaml"],
}
"""Where an editor finds the files of each schema, and with `!` where not."""


def files(name: str) -> list[Path]:
    """Return this repository's files that a schema is for."""
    rules = CHECKOUT / "rules"
    found = {path for one in FOLDERS[name] if one[0] != "!" for path in rules.glob(one)}
    return sorted(found - {path for one in FOLDERS[name] if one[0] == "!" for path in rules.glob(one[1:])})


@pytest.mark.parametrize(
    "name", ["rule", "shared", "campus", "capabilities", "systems", "calendar"]
)  # destinations: see test_destinations_page
def test_the_schema_takes_every_file_of_this_repository(name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert files(name)
    for file in files(name):
        jsonschema.validate(read_marked(file, file.name).data, schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"facilty": "HY"},
        {"kind": "person"},
        {"map": {"patient": {"nam": "no"}}},
        {"map": {"reports": {"results": {"item": {"cod": "x"}}}}},
        {"map": {"patient": {"number": {"path": "no", "lookup": "t", "on_miss": "shrug"}}}},
        {"map": {"patient": {"birth_date": {"path": "b", "as": "day"}}}},
        {"map": {"patient": [{"number": "no"}]}},
        {"tests": [{"name": "x", "given": {}, "expect": {"kinds": "x"}}]},
    ],
)
def test_the_schema_knows_a_mistake_where_an_editor_can_show_it(wrong: dict[str, Any]) -> None:
    schema = schema_of("rule")
    jsonschema.validate(RULE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(RULE | wrong, schema)


@pytest.mark.parametrize("name", FILES)
def test_the_schemas_in_the_repository_are_up_to_date(name: str) -> None:
    kept = (CHECKOUT / "rules" / FILES[name]).read_text(encoding="utf-8")
    assert kept == as_text(schema_of(name)), "run ./yilian rules schema --write"


def test_the_reference_in_the_repository_is_up_to_date() -> None:
    kept = (CHECKOUT / PAGE).read_text(encoding="utf-8")
    assert kept == reference(), "run ./yilian rules docs --write"


def test_every_editor_setting_leads_to_a_schema() -> None:
    told = json.loads((CHECKOUT / ".vscode" / "settings.json").read_text(encoding="utf-8"))["yaml.schemas"]
    said = {file: [where] if isinstance(where, str) else where for file, where in told.items()}
    there = {
        name: [f"!rules/{one[1:]}" if one[0] == "!" else f"rules/{one}" for one in FOLDERS[name]]
        for name in FOLDERS
    }
    assert said == {f"./rules/{file}": there[name] for name, file in FILES.items()}


def test_every_word_of_the_language_has_a_meaning() -> None:
    assert set(CONVERTERS_MEAN) == set(CONVERTERS) == set(get_args(Converter))
    assert set(ON_MISS_MEANS) == set(OnMiss)
    assert set(ORDER_MEANS) == set(OrderClass)


def test_the_commands_print_what_the_repository_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    assert rules_main(["schema", "shared"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("shared")
    assert rules_main(["docs"]) == 0
    assert capsys.readouterr().out.strip() == reference().strip()
