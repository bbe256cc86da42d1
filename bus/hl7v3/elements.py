"""Reading v3 elements: what must be there, where it is, and data types (ITS for XML, release 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from lxml import etree

from bus.hl7v3.names import NAMESPACE, tag
from consortium.errors import PermanentError

Element: TypeAlias = "etree._Element"  # noqa: SLF001 - lxml has no public name of it
DATA_TYPE, MISSING = "SYN102", "SYN100"
"""Codes of acknowledgement details for what does not follow the syntax (AcknowledgementDetailCode)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a message that could be read; no text repeats a value."""

    code: str
    text: str
    location: str
    """XPath without prefixes, as IHE has it: /PRPA_IN201309UV02/controlActProcess/…"""


class ProblemError(PermanentError):
    """A message that is answered by an acknowledgement that says what is wrong."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{one.location}: {one.text}" for one in problems))
        self.problems = problems


class StructureError(PermanentError):
    """A message that lacks what it is made of, or is another than is taken here; `path` says where."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path, self.text = path, text


@dataclass(frozen=True, slots=True)
class Id:
    """An instance identifier (II)."""

    root: str
    extension: str | None = None
    authority: str | None = None
    """assigningAuthorityName."""

    @property
    def text(self) -> str:
        """Both parts, as one key."""
        return self.root if self.extension is None else f"{self.root}^{self.extension}"


def path(element: Element) -> str:
    """Return where an element is; a number where it has siblings of its name."""
    steps: list[str] = []
    at: Element | None = element
    while at is not None and etree.QName(at).namespace == NAMESPACE:
        steps.append(f"{etree.QName(at).localname}{_place(at)}")
        at = at.getparent()
    return "/" + "/".join(reversed(steps))


def _place(element: Element) -> str:
    parent = element.getparent()
    same = [] if parent is None else parent.findall(str(element.tag))
    return f"[{same.index(element) + 1}]" if len(same) > 1 else ""


def below(element: Element, steps: str) -> Iterator[Element]:
    """Give the elements at a path of names joined by `/`."""
    yield from element.iterfind("/".join(tag(step) for step in steps.split("/")))


def first(element: Element, steps: str) -> Element | None:
    """Return the first element at a path."""
    return next(below(element, steps), None)


def needed(element: Element, steps: str) -> Element:
    """Return the element at a path. Raises StructureError."""
    found = first(element, steps)
    if found is None:
        raise StructureError(f"{path(element)}/{steps}", "it must be there")
    return found


def code(element: Element | None) -> str | None:
    """Return a coded value's code."""
    return None if element is None else element.get("code")


def identifier(element: Element) -> Id:
    """Read an II. Raises StructureError."""
    root, authority = (element.get(name, "").strip() for name in ("root", "assigningAuthorityName"))
    if not root and not authority:
        raise StructureError(path(element), "an id needs its root: the object identifier of its domain")
    return Id(root, element.get("extension", "").strip() or None, authority or None)


def day(element: Element) -> date:
    """Read the day of a TS. Raises ProblemError for a part of one."""
    try:
        return datetime.strptime(element.get("value", "")[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        text = "give a whole day, as 19800131"
        raise ProblemError(Problem(DATA_TYPE, text, path(element))) from None


def truth(element: Element) -> bool:
    """Read a BL. Raises ProblemError."""
    value = element.get("value", "")
    if value not in ("true", "false"):
        raise ProblemError(Problem(DATA_TYPE, "true or false", path(element)))
    return value == "true"


def texts(element: Element, *names: str) -> list[str]:
    """Return the texts of an element's parts of those names, in the order in which they are asked for."""
    found = [text.strip() for name in names for one in below(element, name) if (text := one.text or "")]
    return [text for text in found if text]


def joined(parts: list[str]) -> str:
    """Join the parts of a name or an address: without blanks where they are Chinese."""
    chinese = any(ord(character) > 0x2E7F for part in parts for character in part)
    return ("" if chinese else " ").join(parts)
