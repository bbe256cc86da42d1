"""`bench rules` measures what it says: a hundred rules, ten of them asked, the last one deciding."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import rules
from bus.rules.ruleset import RuleSet


def test_of_a_hundred_rules_ten_are_for_the_campus_and_the_type(tmp_path: Path) -> None:
    rules.write_rules(tmp_path)
    made = RuleSet.load(tmp_path).rules
    mine = [
        rule for rule in made if rule.spec.facility == rules.CAMPUS and f'"{rules.TYPE}"' in rule.spec.match
    ]
    assert (len(made), len(mine)) == (100, 10)
    assert sum(".exists(" in rule.spec.match for rule in mine) == 3


def test_the_last_line_is_that_of_the_contract_and_each_decision_was_made() -> None:
    line = rules.measure(argparse.Namespace(messages=5, repeats=1)).line()
    assert set(line) == {"name", "figure", "unit", "control", "control_name", "ratio", "conditions"}
    rows = line["conditions"]["rows"]
    assert rows["parse"]["cpu_ms"] < rows["rules"]["cpu_ms"] == line["figure"]
