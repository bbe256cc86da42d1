"""The files that docs/destinations.md shows are files that would be taken, and that editors know."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from adapters.soap.contract import Contract
from adapters.soap.interfaces import interfaces
from adapters.soap.wsdl import render
from bus.rules.destinations import KINDS, SoapDestination, load_destinations
from bus.rules.loader import load_rules
from bus.rules.schema import schema_of
from bus.rules.sending.pins import SUMS, read_pinned
from runtime.settings import CHECKOUT
from tests.unit.bus.rules.test_ruleset import RULE, folder

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^name: (\S+)$", re.MULTILINE)


@pytest.fixture
def blocks() -> dict[str, str]:
    """The page's files by name; those without one are parts of one rule."""
    page = (CHECKOUT / "docs" / "destinations.md").read_text(encoding="utf-8")
    found = {"": ""}
    for block in BLOCK.findall(page):
        name = NAMED.search(block)
        key = name[1] if name else ""
        found[key] = found.get(key, "") + block
    return found


@pytest.fixture
def rules(blocks: dict[str, str], tmp_path: Path) -> Path:
    """A rule book with all of them."""
    made = folder(tmp_path, RULE + blocks.pop(""))
    pinned = made / "destinations" / "hp-emr"
    pinned.mkdir(parents=True)
    wsdl = render(interfaces()["patient"], "http://nowhere.example")
    (pinned / "patient.wsdl").write_bytes(wsdl)
    (pinned / SUMS).write_text(f"{hashlib.sha256(wsdl).hexdigest()}  patient.wsdl\n")
    for name, block in blocks.items():
        (made / "destinations" / f"{name}.yaml").write_text(block, encoding="utf-8")
    return made


def test_the_examples_of_the_page_are_taken_and_there_is_one_of_each_kind(rules: Path) -> None:
    found = load_destinations(rules)
    assert found.errors == ()
    assert {spec.kind for spec in found.by_name.values()} == set(KINDS)
    [rule] = load_rules(rules).rules
    assert [one.to for one in rule.spec.sendings] == ["ward-b", "lab-portal"]
    [test] = rule.spec.tests
    assert {*test.answers} == {*(test.expect.sent or ())} == {"ward-b", "lab-portal"}


def test_the_soap_example_fits_its_wsdl(rules: Path) -> None:
    spec = load_destinations(rules).by_name["hp-emr"]
    assert isinstance(spec, SoapDestination)
    assert Contract(spec, read_pinned(rules / "destinations" / "hp-emr")).version.name == "V12"


def test_editors_know_the_examples_and_a_mistake_in_them(blocks: dict[str, str]) -> None:
    schema = schema_of("destination")
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, block in blocks.items():
        if name:
            data = yaml.safe_load(block)
            jsonschema.validate(data, schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**data, "adress": "x"}, schema)
