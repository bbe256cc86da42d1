"""Destinations that take master data: what they may be, and the paths by which they read a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.master_data.outbox import _entry_change, _map_change
from bus.rules.finding import Finding, Severity
from bus.rules.lint import lint
from bus.rules.lint_master_data import ENTRY, MAPPED
from runtime.settings import CHECKOUT
from tests.unit.bus.master_data.examples import DEPARTMENT, MAPPING
from tests.unit.bus.rules.test_destinations import REST, TABLES, WARD, rules
from tests.unit.bus.rules.test_destinations_page import BLOCK, NAMED
from tests.unit.bus.rules.test_lint import TESTED

BODY = """
master_data: [department, code-map]
body:
  resourceType: {const: Organization}
  identifier: {value: code, system: owner}
  name: name
  type: attributes.type
  mapped: target
"""


def found(tmp_path: Path, hook: str, ward: str = WARD) -> list[Finding]:
    return list(lint(rules(tmp_path, TESTED, ward, hook)).of(Severity.ERROR))


def plain(text: str) -> str:
    """Return a REST destination without the body and the address that read a message."""
    kept = [line for line in text.splitlines() if not line.startswith(("body:", " ", "address:"))]
    return "\n".join([*kept, "address: https://portal.example/in"])


def test_paths_into_a_change_are_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, plain(REST) + BODY) == []


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("nmae", "name", "a change of master data has no field 'nmae'; did you mean name?"),
        ("attributes.sort", "attributes.type", "attributes has no field 'sort'"),
        ("attributes", "attributes.type", "attributes is an object: name one of its fields"),
        ("change.patient.name", "name", "change is a value and has no fields"),
    ],
)
def test_a_path_that_no_change_has_is_named(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    [one] = found(tmp_path, plain(REST) + BODY.replace(f": {right}\n", f": {wrong}\n"))
    assert one.code == "bad-path"
    assert said in one.message


def test_a_table_of_messages_takes_no_master_data(tmp_path: Path) -> None:
    codes = {one.code for one in found(tmp_path, TABLES + "master_data: [staff]\n")}
    assert codes == {"bad-path"}


@pytest.mark.parametrize(
    ("ward", "said"),
    [
        (WARD + "master_data: [staff]\n", "MLLP carries HL7 v2: tell this system by a destination of kind"),
        (
            plain(REST).replace("lab-hook", "ward-b") + "\nmaster_data: [staf]\n",
            "staf is no kind of master data",
        ),
        (
            plain(REST).replace("lab-hook", "ward-b") + "\nmaster_data: [staff]\norder: none\n",
            "changes arrive in their order",
        ),
    ],
)
def test_what_cannot_take_it_is_refused(tmp_path: Path, ward: str, said: str) -> None:
    assert any(said in one.message for one in found(tmp_path, plain(REST), ward))


def test_the_keys_are_those_of_what_is_sent() -> None:
    assert {"change", *_entry_change(DEPARTMENT)[1]} == {*ENTRY, "attributes"}
    assert {"change", *_map_change(MAPPING)[1]} == set(MAPPED)


def test_the_examples_of_the_page_are_taken(tmp_path: Path) -> None:
    made = rules(tmp_path, TESTED, WARD)
    page = (CHECKOUT / "docs" / "master-data.md").read_text(encoding="utf-8")
    blocks = {head[1]: block for block in BLOCK.findall(page) if (head := NAMED.search(block))}
    assert len(blocks) == 3
    for name, block in blocks.items():
        (made / "destinations" / f"{name}.yaml").write_text(block, encoding="utf-8")
    assert list(lint(made).of(Severity.ERROR)) == []
