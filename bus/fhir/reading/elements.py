"""FHIR's data types as the canonical model has them, for one resource at a time."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from bus.fhir.reading.issues import Issue
from bus.fhir.reading.keys import Key, Links
from bus.fhir.shapes import LOCAL, Resource
from consortium.records.model import Coded, Practitioner

_TIME = re.compile(r"\d{4}-\d\d-\d\d(T.+)?")


@dataclass
class Reader:
    """Reads one resource; what is wrong with it gathers in `issues`."""

    resource: Resource
    key: Key
    links: Links
    path: str
    issues: list[Issue] = field(default_factory=list)

    def wrong(self, element: str, text: str, code: str = "value") -> None:
        """Note that an element cannot be taken."""
        self.issues.append(Issue(f"{self.path}.{element}", text, code))

    def text(self, element: str) -> str | None:
        """Return a string element."""
        return self.resource.get(element) or None

    def word(self, element: str, value: Any, words: Mapping[str, str]) -> Any:
        """Return our word for a code; one without is an error, never left out."""
        if value is None:
            return None
        if str(value) not in words:
            self.wrong(element, f"not kept here; there are: {', '.join(words)}", "code-invalid")
        return words.get(str(value))

    def time(self, element: str, value: Any) -> datetime | None:
        """Return a dateTime or instant; a day alone is its midnight in the hospitals' zone."""
        if value is None:
            return None
        text = str(value)
        try:
            if _TIME.fullmatch(text):
                found = datetime.fromisoformat(text)
                return found if found.tzinfo else found.replace(tzinfo=LOCAL)
        except ValueError:
            pass
        self.wrong(element, "give a whole day or a time, as 2026-11-20T09:30:00+08:00")
        return None

    def day(self, element: str, value: Any) -> date | None:
        """Return a date; a part of one is an error."""
        try:
            return None if value is None else date.fromisoformat(str(value))
        except ValueError:
            self.wrong(element, "give a whole date, as 1980-01-31")
            return None

    def coded(self, element: str, concept: Any) -> Coded | None:
        """Return a CodeableConcept's first coding; the campus's own dictionary is no system."""
        if not concept:
            return None
        codings = [one for one in concept.get("coding", ()) if one.get("code")]
        if not codings:
            self.wrong(element, "a code is needed: coding with system, code and display", "required")
            return None
        first = codings[0]
        own = self.links.systems.of(self.key.facility, "dictionary")
        system = first.get("system")
        return Coded(
            code=first["code"],
            name=first.get("display") or concept.get("text") or None,
            system=None if system == own else system,
        )

    def practitioner(self, value: Any) -> Practitioner | None:
        """Return whom a reference names by the campus's staff number, or by name."""
        if not isinstance(value, dict):
            return None
        number = (value.get("identifier") or {}).get("value")
        name = value.get("display")
        return Practitioner(number=number or None, name=name or None) if number or name else None

    def target(self, element: str, kind: str, value: Any) -> Key | None:
        """Return to what a reference leads; one that leads nowhere known, or to another campus, is an
        error.
        """
        if value is None:
            return None
        found = self.links.target(value, kind)
        if found is None:
            advice = "by its identifier, by the fullUrl of an entry, or by an id of ours"
            self.wrong(element, f"it leads to no {kind} known here; name it {advice}", "not-found")
        elif found.facility != self.key.facility:
            self.wrong(element, "it leads to another campus", "business-rule")
            return None
        return found

    def number_of(self, element: str, kind: str, value: Any) -> str | None:
        """Return the number of what a reference leads to."""
        found = self.target(element, kind, value)
        return found.number if found else None

    def bytes(self, element: str, value: Any) -> bytes:
        """Return what base64 stands for."""
        try:
            return base64.b64decode(str(value), validate=True)
        except binascii.Error:
            self.wrong(element, "it is no base64")
            return b""


def codes(concepts: Iterable[Any], system: str) -> list[str]:
    """Return the codes of a system in some CodeableConcepts."""
    return [
        one["code"]
        for concept in concepts
        for one in concept.get("coding", ())
        if one.get("system") == system and one.get("code")
    ]


def inverse(words: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return FHIR's code → ours of a table that has ours → FHIR's, and what else is taken."""
    return {theirs: ours for ours, theirs in words.items()} | more


def given(**values: Any) -> dict[str, Any]:
    """Return the fields that have a value: what is not said is left as it is known."""
    return {name: value for name, value in values.items() if value is not None}
