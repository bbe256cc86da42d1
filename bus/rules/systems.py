"""`campuses/<name>/systems.yaml`: a campus's systems, what they give and take, whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bus.rules.marks import Marked, RuleError, read_marked, validated
from bus.rules.spec import Closed, DestinationName

FILE = "systems.yaml"
Code = Annotated[str, StringConstraints(pattern=r"^[^\s/?#]{1,64}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Protocol = Literal["mllp", "soap", "rest", "fhir", "tables", "files"]


class Named(Closed):
    """A name for people, in both languages."""

    zh: Text = Field(description="Chinese")
    en: Text = Field(description="English")

    def __str__(self) -> str:
        return self.en


class Owner(Closed):
    """Who answers for a system: a role or a team, never a person's private number."""

    role: Text = Field(description="role or team, such as 信息科 HIS 组")
    mail: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        default=None, description="mail of the team"
    )


class Contract(Closed):
    """What both sides have agreed on: a standard or a published description, and its version."""

    kind: Literal["hl7v2", "wsdl", "openapi", "fhir", "table", "csv"] = Field(description="what describes it")
    version: Text = Field(description="of it; of `hl7v2` the one that MSH-12 must say")
    document: str | None = Field(
        default=None, description="where it is: an address such as `/soap/patient?wsdl`, a profile, a file"
    )


class Service(Closed):
    """Messages that a system gives to the bus."""

    types: list[Text] = Field(
        min_length=1, description="message types, as `messages list` shows them; `*` stands for any text"
    )
    protocol: Protocol = Field(description="how they come")
    address: str | None = Field(default=None, description="which door of ours, or where we fetch them")
    contract: Contract = Field(description="what describes them")


class DeclaredSystem(Closed):
    """One system of a campus."""

    code: Code = Field(description="as in MSH-3, or as the door names it; unique in the campus")
    senders: list[Code] = Field(
        default_factory=list, description="names by which its messages come; by default its code alone"
    )
    name: Named = Field(description="what people call it")
    vendor: Text | None = Field(default=None, description="who made it")
    version: str | None = Field(default=None, description="release that runs")
    owner: Owner = Field(description="who answers for it")
    services: list[Service] = Field(default_factory=list, description="what it gives")
    receives: list[DestinationName] = Field(
        default_factory=list, description="files of `rules/destinations` that reach it"
    )
    subscriptions: list[DestinationName] = Field(
        default_factory=list, description="names by which it subscribes to master data"
    )
    asks: list[Literal["pix", "pdq", "fhir", "xds"]] = Field(
        default_factory=list, description="questions it puts to the consortium, and cannot work without"
    )

    @property
    def names(self) -> list[str]:
        """Every name by which its messages come."""
        return self.senders or [self.code]

    def service_of(self, message_type: str) -> list[Service]:
        """Return the services that give messages of a type."""
        return [one for one in self.services if any(fits(message_type, t) for t in one.types)]


class SystemsFile(Closed):
    """The systems of one campus."""

    facility: Text = Field(description="campus code, such as MAIN")
    systems: list[DeclaredSystem] = Field(description="its systems")


@dataclass(frozen=True, slots=True)
class Declared:
    """Every file of a folder of rules, by campus, and every mistake in them."""

    by_facility: Mapping[str, SystemsFile]
    marks: Mapping[str, Marked]
    """Where the keys of each campus's file are."""
    errors: tuple[RuleError, ...]


def fits(message_type: str, pattern: str) -> bool:
    """Say whether a type is one that a service gives; `*` stands for any text."""
    return fnmatchcase(message_type, re.sub(r"([?\[])", r"[\1]", pattern))


def load_declared(rules_dir: Path) -> Declared:
    """Read `campuses/*/systems.yaml`; mistakes are collected, not raised."""
    found: dict[str, SystemsFile] = {}
    marks: dict[str, Marked] = {}
    errors: list[RuleError] = []
    for path in sorted((rules_dir / "campuses").glob(f"*/{FILE}")):
        try:
            marked = read_marked(path, path.relative_to(rules_dir).as_posix())
        except RuleError as error:
            errors.append(error)
            continue
        spec = validated(SystemsFile, marked, errors)
        if spec is None:
            continue
        if spec.facility in found:
            reason = (
                f"the systems of {spec.facility} are in {marks[spec.facility].file} already: keep one file"
            )
            errors.append(marked.error(("facility",), reason, "duplicate-name"))
            continue
        errors += _twice(spec, marked)
        found[spec.facility], marks[spec.facility] = spec, marked
    return Declared(found, marks, tuple(errors))


def _twice(spec: SystemsFile, marked: Marked) -> Iterator[RuleError]:
    """Give what two systems of a campus both claim: which of them it is could not be told."""
    taken: dict[tuple[str, str], str] = {}
    for number, one in enumerate(spec.systems):
        claims = [
            ("code", one.code, ("code",)),
            *(("sender", name, ("senders", at)) for at, name in enumerate(one.names)),
            *(("destination", name, ("receives", at)) for at, name in enumerate(one.receives)),
            *(("subscription", name, ("subscriptions", at)) for at, name in enumerate(one.subscriptions)),
        ]
        for kind, name, at in claims:
            if (kind, name) in taken:
                reason = f"the {kind} {name} is one of {taken[kind, name]}'s already: give it to one system"
                yield marked.error(("systems", number, *at), reason, "duplicate-name")
            taken[kind, name] = one.code
