"""Everything that is wrong with a document, for the engineer who mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from bus.cda.heading import read_heading
from bus.cda.intake import parse_document
from bus.cda.problem import DocumentError
from bus.cda.schema import structure
from bus.rules.condition import read_condition
from bus.rules.loader import Rule
from bus.rules.schematron import Schematron, Severity, read_schematron
from bus.sources.cda import carried
from bus.sources.opening import CDA_TYPE


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. Nothing here quotes the document."""

    rule: str
    """`xsd`, the id of an assertion, or why the door would refuse it."""
    severity: Severity
    path: str
    chinese: str
    english: str


def schemas_of(rules: Sequence[Rule], type_: str, facility: str | None, rules_dir: Path) -> list[Schematron]:
    """Return what the rules check documents of a kind by: those of a campus, or of all."""
    names: dict[str, None] = {}
    for rule in rules:
        spec = rule.spec
        types = read_condition(spec.match, spec.facility).allowed("msg.type") or ()
        if facility in (None, spec.facility) and f"{CDA_TYPE}{type_}" in types:
            names.update(dict.fromkeys(spec.schematron))
    return [read_schematron(rules_dir / "schematron" / name) for name in names]


def document_of(body: bytes) -> etree._Element:
    """Parse a document, or the one that a SOAP upload carries. Raises `DocumentError`."""
    root = parse_document(body)
    try:
        inside = carried(root)
    except ValueError as error:
        raise DocumentError("malformed_xml", "", "内容不是 base64", "内容 is not base64") from error
    return root if inside is None else parse_document(inside)


def findings(root: etree._Element, schemas: Sequence[Schematron]) -> Iterator[Finding]:
    """Give every mistake: of the header, of the structure, of the content."""
    try:
        read_heading(root)
    except DocumentError as error:
        yield Finding(error.code, Severity.ERROR, error.path, error.chinese, error.english)
    for mistake in structure(root):
        yield Finding("xsd", Severity.ERROR, mistake.path, mistake.chinese, mistake.english)
    for schema in schemas:
        for one in schema.violations(root):
            chinese, _, english = one.text.partition(" | ")
            yield Finding(one.id, one.severity, one.path, chinese, english or chinese)
