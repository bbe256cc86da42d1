"""What the adapter is told of a source of files: `rules/campuses/<campus>/files/<source>.yaml`.

The file says what the files are and is reviewed like a rule. Where they lie, and how to sign in there, is the
setting `file_places` under the source's name, so that no secret and no address is in a reviewed file.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bus.hl7.charset import codec_for
from bus.hl7.problem import HL7Error
from bus.rules.marks import Marked, Place, RuleError, checked, read_marked, validated

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Character = Annotated[str, StringConstraints(min_length=1, max_length=1)]

UNFINISHED = (".*", "*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", "*~")
"""Names under which programs write what is not complete; never taken, whatever the pattern."""


class Closed(BaseModel):
    """Frozen, and closed: a misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Complete(StrEnum):
    """How a file tells that nobody writes it any more."""

    STABLE = "stable"
    """Its size and time are the same at two looks, `settle` seconds apart."""
    DONE = "done"
    """A second file, its name followed by `done_suffix`, lies beside it."""
    RENAME = "rename"
    """It is written under another name; under this one it is complete."""


class Edits(StrEnum):
    """What a known key with other content is."""

    NEW = "new"
    """The record's next version: a message of its own."""
    CONFLICT = "conflict"
    """A control id used twice: stored, held for a person."""


class Group(Closed):
    """Consecutive rows that belong together and travel as one record, as the items of a lab report."""

    by: tuple[Column, ...] = Field(min_length=1, description="columns whose values they share")
    as_: Column = Field(alias="as", description="the key in the message under which the rows stand")


class Csv(Closed):
    """Comma-separated values (RFC 4180) and their relatives."""

    charset: str = Field(default="UTF-8", description="UTF-8, GB18030, GBK, BIG5 …; no UTF-16")
    delimiter: Character = ","
    quote: Character | None = '"'
    escape: Character | None = None
    header: bool = Field(default=True, description="whether the first record names the columns")
    columns: tuple[Column, ...] = Field(
        default=(), description="the columns' names, in order; they go before the header's own"
    )
    group: Group | None = None

    @property
    def codec(self) -> str:
        """The Python codec of the charset."""
        return codec_for(self.charset)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            codec = self.codec
        except HL7Error as error:
            raise ValueError(f"charset: {self.charset!r} is not known here") from error
        if codec.startswith("iso2022"):
            raise ValueError(f"charset: {self.charset!r} switches by escapes and is not read from CSV")
        if not self.header and not self.columns:
            raise ValueError("columns: without a header the columns must be named here")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: a name stands there twice")
        return self


class Xml(Closed):
    """An XML document with many records."""

    record: Column = Field(description="local name of the element that is one record")
    charset: str = Field(default="", description="only where the document declares a wrong one, or none")


class Cda(Closed):
    """One WS/T 500 document (HL7 CDA R2) in each file; what it is and whose it is, it says itself."""


class Hl7(Closed):
    """HL7 v2 messages, one or many, with or without the batch envelope FHS, BHS, BTS, FTS."""

    charset: str = Field(default="", description="for an empty MSH-18; by default the campus's")


class Source(Closed):
    """One kind of files from one place."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=60)
    facility: str = Field(min_length=1, max_length=20, description="campus code; files speak for it alone")
    sender: str = Field(default="", max_length=200, description="sending system, as rules see it; HL7: MSH-3")
    description: str = ""
    pattern: str = Field(
        min_length=1, description="names that are taken, as lab_*.csv; upper and lower differ"
    )
    message_type: str = Field(default="", description="csv:<name> or xml:<name>; HL7: MSH-9; cda: its kind")
    csv: Csv | None = None
    xml: Xml | None = None
    hl7: Hl7 | None = None
    cda: Cda | None = None
    key: tuple[Column, ...] = Field(
        default=(), description="columns or paths that make the control id; none: the content's digest"
    )
    edits: Edits = Edits.NEW
    patient: Column | None = Field(default=None, description="column or path of the patient number")
    visit: Column | None = Field(default=None, description="column or path of the visit number")
    time: Column | None = Field(default=None, description="column or path of the time at which it was made")
    complete: Complete = Complete.STABLE
    done_suffix: str = Field(default=".done", pattern=r"^\.[A-Za-z0-9._-]+$")
    interval: float = Field(default=5, gt=0, description="seconds between two looks")
    settle: float = Field(default=10, ge=0, description="seconds for which a file must not have changed")
    page: int = Field(default=200, ge=1, le=5000, description="records in one transaction")
    most_bad: int = Field(
        default=100, ge=0, le=10_000, description="records refused before the file is, whole"
    )
    file_limit: int = Field(default=4 * 1024**3, ge=1, description="largest file, bytes")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        formats = [name for name in ("csv", "xml", "hl7", "cda") if getattr(self, name) is not None]
        if len(formats) != 1:
            raise ValueError("write one of csv, xml, hl7 and cda")
        if formats == ["hl7"]:
            self._nothing_of_its_own("an HL7 message says so itself (MSH-9, MSH-10, PID-3, PV1-19)")
            return self
        if not self.sender:
            raise ValueError("sender: name the system whose files these are")
        if formats == ["cda"]:
            self._nothing_of_its_own("a document says so itself in its header")
        elif not self.message_type.removeprefix(f"{formats[0]}:").strip() or not self.message_type.startswith(
            f"{formats[0]}:"
        ):
            raise ValueError(f"message_type: write {formats[0]}: and a name, as {formats[0]}:lab_result")
        return self

    def _nothing_of_its_own(self, because: str) -> None:
        told = [n for n in ("key", "patient", "visit", "time", "message_type") if getattr(self, n)]
        if told:
            raise ValueError(f"{', '.join(told)}: {because}")

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which a CSV file cannot be read."""
        grouped = self.csv.group.by if self.csv and self.csv.group else ()
        named = (self.patient, self.visit, self.time)
        return tuple(dict.fromkeys([*self.key, *grouped, *[name for name in named if name]]))

    def takes(self, name: str) -> bool:
        """Tell whether a file of that name is one of these."""
        if any(fnmatch.fnmatchcase(name, unfinished) for unfinished in UNFINISHED):
            return False
        if self.complete is Complete.DONE and name.endswith(self.done_suffix):
            return False
        return fnmatch.fnmatchcase(name, self.pattern)


def load(path: Path, shown: str = "") -> Source:
    """Read one source's file; raises RuleError naming the file, the line and the wrong key."""
    return checked(Source, _marked(path, shown or path.name))


def _marked(path: Path, shown: str) -> Marked:
    marked = read_marked(path, shown)
    if not isinstance(marked.data, dict):
        raise marked.error((), "write keys and values, as adapters/files/README.md shows")
    return replace(marked, data={**marked.data, "name": path.stem})


def sources(rules_dir: Path) -> tuple[Source, ...]:
    """Read every source of every campus; raises PermanentError for a mistake or a name used twice."""
    found = {path.stem: load(path, shown) for path, shown in _files(rules_dir)}
    for twice in _twice(rules_dir):
        raise twice
    return tuple(found.values())


def mistakes(rules_dir: Path) -> list[RuleError]:
    """Return every mistake in the files of all sources, for `rules lint`."""
    errors: list[RuleError] = []
    for path, shown in _files(rules_dir):
        try:
            validated(Source, _marked(path, shown), errors)
        except RuleError as error:
            errors.append(error)
    return [*errors, *_twice(rules_dir)]


def _files(rules_dir: Path) -> list[tuple[Path, str]]:
    paths = sorted(rules_dir.glob("campuses/*/files/*.yaml"))
    return [(path, path.relative_to(rules_dir).as_posix()) for path in paths]


def _twice(rules_dir: Path) -> Iterator[RuleError]:
    first: dict[str, str] = {}
    for path, shown in _files(rules_dir):
        if path.stem in first:
            reason = f"another campus has a source of that name, {first[path.stem]}: rename this file"
            yield RuleError(shown, Place(1), reason, "duplicate-name")
        first.setdefault(path.stem, shown)
