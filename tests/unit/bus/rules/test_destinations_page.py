"""The files that docs/destinations.md shows are files that would be taken."""

from __future__ import annotations

import re
from pathlib import Path

from bus.rules.destinations import load_destinations
from bus.rules.loader import load_rules
from runtime.settings import CHECKOUT
from tests.unit.bus.rules.test_ruleset import RULE, folder

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_are_taken(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "destinations.md").read_text(encoding="utf-8")
    ward, portal, naming = BLOCK.findall(page)
    rules = folder(tmp_path, RULE + naming)
    (rules / "destinations").mkdir()
    (rules / "destinations" / "ward-b.yaml").write_text(ward, encoding="utf-8")
    (rules / "destinations" / "lab-portal.yaml").write_text(portal, encoding="utf-8")
    found = load_destinations(rules)
    assert found.errors == ()
    [rule] = load_rules(rules).rules
    assert [one.to for one in rule.spec.sendings] == ["ward-b", "lab-portal"]
