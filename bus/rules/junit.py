"""Results of rule tests in the JUnit form that CI servers read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from lxml import etree

from bus.rules.coverage import Covered
from bus.rules.marks import RuleError
from bus.rules.trial import Outcome

NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit(outcomes: Sequence[Outcome], errors: Sequence[RuleError], covered: Mapping[str, Covered]) -> bytes:
    """Return the document: a suite for each rule, and one for the mistakes that kept rules from loading."""
    root = etree.Element("testsuites", name="yilian rules")
    if errors:
        suite = _suite(root, "lint", len(errors), errors=len(errors), seconds=0.0)
        for error in errors:
            case = _case(suite, error.file, error.line, f"line {error.line}", 0.0)
            etree.SubElement(case, "error", message=_text(error.message), type=error.code).text = str(error)
    for rule, group in groupby(outcomes, key=lambda outcome: outcome.rule):
        _rule(root, rule, list(group), covered.get(rule))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _rule(root: etree._Element, rule: str, outcomes: Sequence[Outcome], covered: Covered | None) -> None:
    failed = sum(bool(outcome.differences) for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    suite = _suite(root, rule, len(outcomes), failures=failed, seconds=seconds)
    if covered is not None:
        properties = etree.SubElement(suite, "properties")
        for name, value in (("branches", covered.total), ("covered", covered.covered)):
            etree.SubElement(properties, "property", name=name, value=str(value))
        for branch in covered.missing:
            etree.SubElement(properties, "property", name="uncovered", value=_text(str(branch)))
    for outcome in outcomes:
        case = _case(suite, outcome.file, outcome.line, outcome.test, outcome.seconds)
        if outcome.differences:
            failure = etree.SubElement(case, "failure", message=_text(outcome.differences[0]))
            failure.text = _text("\n".join(outcome.differences))


def _suite(
    root: etree._Element, name: str, tests: int, *, seconds: float, failures: int = 0, errors: int = 0
) -> etree._Element:
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
    return etree.SubElement(root, "testsuite", {"name": name, "time": f"{seconds:.6f}", **counts})


def _case(suite: etree._Element, file: str, line: int, name: str, seconds: float) -> etree._Element:
    classname = file.rpartition(".")[0].replace("/", ".")
    return etree.SubElement(
        suite,
        "testcase",
        classname=classname,
        name=_text(name),
        file=file,
        line=str(line),
        time=f"{seconds:.6f}",
    )


def _text(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
