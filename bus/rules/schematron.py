"""ISO Schematron (XSLT 1.0) under `rules/schematron`: what an XML message must say before its map reads it.

A schema is read by the one hardened parser, may neither include others nor reach files or the network, and is
compiled once. An assertion has an id; its text says what is wrong and what to do, in Chinese and English, and
quotes nothing of the message. `role="warning"` lets the message go on; anything else holds it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree
from lxml.isoschematron import Schematron as IsoSchematron  # type: ignore[import-not-found]  # the stubs lack it

from bus.rules.decision import Hold, HoldingError, Warned
from bus.rules.run import Leaf, Run
from bus.rules.stylesheet import CLOSED
from bus.sources.source import Source
from bus.sources.xml import XmlSource
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml
from bus.sources.xsd import place

SCH = "http://purl.oclc.org/dsdl/schematron"
SVRL = "http://purl.oclc.org/dsdl/svrl"
TOLD = 10
"""Violations that the reason of a held message tells of."""


class SchematronError(ValueError):
    """A schema that cannot be used; the text says where and why."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Severity(enum.Enum):
    """What becomes of a message that breaks an assertion."""

    ERROR = "error"
    """It is held."""
    WARNING = "warning"
    """It goes on; the trace says so."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One assertion that does not hold. Nothing here quotes the message."""

    id: str
    severity: Severity
    path: str
    """Element names joined by `/`, repeated ones with their number."""
    text: str


class Schematron:
    """A compiled schema."""

    def __init__(self, name: str, program: etree.XSLT) -> None:
        self.name = name
        self._program = program

    def violations(self, root: etree._Element) -> list[Violation]:
        """Return what does not hold, in document order. Raises `etree.XSLTApplyError`."""
        report = self._program(root)
        wrong = report.getroot().iter(f"{{{SVRL}}}failed-assert", f"{{{SVRL}}}successful-report")
        return [_violation(root, one) for one in wrong]


def _violation(root: etree._Element, one: etree._Element) -> Violation:
    warning = one.get("role") == Severity.WARNING.value
    text = " ".join("".join(map(str, one.itertext())).split())
    where = place(root, one.get("location"), numbered=True)
    return Violation(one.get("id", ""), Severity.WARNING if warning else Severity.ERROR, where, text)


def read_schematron(path: Path) -> Schematron:
    """Read and compile a schema. Raises `SchematronError`."""
    return Schematron(path.name, _compiled(path.read_bytes()))


@lru_cache(maxsize=64)
def _compiled(content: bytes) -> etree.XSLT:
    try:
        root = parse_xml(content)
        _refuse(root)
        schema = IsoSchematron(root, include=False, store_xslt=True)
        return etree.XSLT(schema.validator_xslt, access_control=CLOSED)
    except ForbiddenXmlError as error:
        raise SchematronError(str(error)) from error
    except MalformedXmlError as error:
        raise SchematronError(f"not well-formed XML, {error}", error.line or 1) from error
    except (etree.SchematronParseError, etree.XSLTError, etree.XPathError) as error:
        raise SchematronError(f"not ISO Schematron over XSLT 1.0: {error}") from error


def _refuse(root: etree._Element) -> None:
    """Refuse what would reach another file, and assertions that nobody can name or that quote the message."""
    for element in root.iter():
        line: Any = element.sourceline
        name = etree.QName(element)
        if name.namespace != SCH:
            raise SchematronError(f"{name.localname} is no element of ISO Schematron", line or 1)
        if name.localname == "include" or element.get("href") is not None:
            raise SchematronError("includes are not taken: write one file", line or 1)
        if name.localname in ("assert", "report") and not element.get("id"):
            raise SchematronError("an assertion needs an id, by which it is told", line or 1)
        if name.localname in ("value-of", "name"):
            reason = "a text must not quote the message (value-of, name): who reads it may not see patients"
            raise SchematronError(reason, line or 1)


def checked_leaf(schemas: Sequence[Schematron], inner: Leaf) -> Leaf:
    """Return the closure of a map that is asked only for messages that the schemas accept."""

    def leaf(run: Run, source: Source) -> Any:
        if not isinstance(source, XmlSource):
            name = schemas[0].name
            reason = f"the Schematron {name}: the message is no XML; correct the rule, then replay"
            hold = Hold("bad_transformation", reason, step=f"schematron {name}", target="map")
            raise HoldingError(hold)
        errors: list[tuple[str, Violation]] = []
        for schema in schemas:
            for one in _violations(schema, source):
                if one.severity is Severity.ERROR:
                    errors.append((schema.name, one))
                else:
                    run.warnings.append(Warned(one.id, one.path, one.text))
        if errors:
            raise HoldingError(_hold(errors), blocks=False)
        return inner(run, source)

    return leaf


def _violations(schema: Schematron, source: XmlSource) -> list[Violation]:
    try:
        return schema.violations(source.element)
    except etree.XSLTApplyError as error:
        reason = f"the Schematron {schema.name}: it failed on this message; correct it, then replay"
        hold = Hold("bad_transformation", reason, step=f"schematron {schema.name}", target="map")
        read = etree.QName(source.element).localname
        raise HoldingError(replace(hold, field=read)) from error


def _hold(errors: Sequence[tuple[str, Violation]]) -> Hold:
    name, first = errors[0]
    told = [f"{one.id} {one.path}: {one.text}" for _, one in errors[:TOLD]]
    if len(errors) > TOLD:
        told.append(f"and {len(errors) - TOLD} more, which ./yilian documents validate lists")
    return Hold("schematron", "; ".join(told), step=f"schematron {name}", field=first.path, target="map")
