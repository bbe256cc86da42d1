"""XSLT 1.0 stylesheets under `rules/xslt`: an XML message is transformed before its rule's map reads it.

They are read by the one hardened parser, may neither import others nor reach files or the network, and are
compiled once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from bus.rules.decision import Hold, HoldingError
from bus.rules.run import Leaf, Run
from bus.sources.source import Source
from bus.sources.xml import XmlSource
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

XSL = "http://www.w3.org/1999/XSL/Transform"


# The stubs of lxml leave the class empty.
CLOSED: etree.XSLTAccessControl = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined]
"""Neither files nor the network."""


class StylesheetError(ValueError):
    """A stylesheet that cannot be used; the text says where and why."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def read_stylesheet(path: Path) -> etree.XSLT:
    """Read and compile a stylesheet. Raises `StylesheetError`."""
    try:
        root = parse_xml(path.read_bytes())
        for other in root.iter(f"{{{XSL}}}import", f"{{{XSL}}}include"):
            line: Any = other.sourceline
            raise StylesheetError("imports and includes are not taken: write one file", line or 1)
        return etree.XSLT(root, access_control=CLOSED)
    except ForbiddenXmlError as error:
        raise StylesheetError(str(error)) from error
    except MalformedXmlError as error:
        raise StylesheetError(f"not well-formed XML, {error}", error.line or 1) from error
    except etree.XSLTParseError as error:
        entry = next((e for e in error.error_log if e.line > 0), None)
        raise StylesheetError(f"not XSLT 1.0: {error}", entry.line if entry else 1) from error


def transformed_leaf(stylesheet: etree.XSLT, name: str, inner: Leaf) -> Leaf:
    """Return the closure of a map that reads what the stylesheet makes of the message."""

    def leaf(run: Run, source: Source) -> Any:
        if not isinstance(source, XmlSource):
            raise _wrong(name, "the message is no XML", None)
        try:
            made = source.transformed(stylesheet)
        except etree.XSLTApplyError as error:
            # Its text may be a message of the stylesheet's, with a patient's data in it.
            read = etree.QName(source.element).localname
            raise _wrong(name, f"it failed on {read}{_at(error)}", read) from error
        if made is None:
            read = etree.QName(source.element).localname
            raise _wrong(name, f"it makes no document of {read}", read)
        return inner(run, made)

    return leaf


def _at(error: etree.XSLTApplyError) -> str:
    """Return the line of the stylesheet at which it failed, where libxslt knows it."""
    entry = next((one for one in error.error_log if one.line > 0), None)
    return f", in its line {entry.line}" if entry else ""


def _wrong(name: str, what: str, field: str | None) -> HoldingError:
    reason = f"the stylesheet {name}: {what}; correct the stylesheet or the rule, then replay"
    hold = Hold("bad_transformation", reason, step=f"xslt {name}", field=field, target="map")
    return HoldingError(hold)
