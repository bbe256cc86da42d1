"""The affinity domain: which codes, MIME types and identifier domains documents may be described with.

One published file, `rules/codes/affinity-domain.yaml`, read by this one loader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from consortium.documents.hl7types import is_oid
from consortium.documents.model import Code
from consortium.errors import PermanentError

FILE = Path("codes") / "affinity-domain.yaml"
"""Below the rules folder."""
LISTS = (
    "class",
    "type",
    "format",
    "confidentiality",
    "facility_type",
    "practice_setting",
    "event",
    "content_type",
    "folder",
    "association",
)
"""The lists of codes that the file must have."""

_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class AffinityDomainError(PermanentError):
    """The file cannot be used; the message says where and why."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authority(_Closed):
    """An identifier domain for patients."""

    oid: _Text
    name: _Text
    zh: _Text
    en: _Text
    consortium: bool = False
    """Whether documents carry the patient's id in this domain."""
    facility_type: str | None = None
    """Of a campus: the kind of facility that the documents which the bus records there are from."""


class Concept(_Closed):
    """One code."""

    code: _Text
    zh: _Text
    en: _Text
    system: str | None = None
    """Where it is not that of its list."""
    class_: str | None = Field(default=None, alias="class")
    """Of a type: the class its documents are found under."""


class CodeList(_Closed):
    """The codes that one attribute may have."""

    zh: _Text
    en: _Text
    system: _Text
    concepts: tuple[Concept, ...] = Field(min_length=1)
    open: bool = False
    """Whether a code that is not listed is taken too."""

    def coded(self) -> Iterator[tuple[Code, Concept]]:
        """Return each concept with its code as metadata has it."""
        for each in self.concepts:
            yield Code(each.code, each.system or self.system, each.zh), each


class _File(_Closed):
    version: int
    assigning_authorities: tuple[Authority, ...]
    mime_types: tuple[_Text, ...]
    codes: Mapping[str, CodeList]


@dataclass(frozen=True, slots=True)
class AffinityDomain:
    """The file, checked."""

    authorities: tuple[Authority, ...]
    mime_types: frozenset[str]
    codes: Mapping[str, CodeList]
    _known: Mapping[tuple[str, str, str], Concept]

    @property
    def consortium(self) -> str:
        """OID of the domain whose patient ids documents carry."""
        return next(each.oid for each in self.authorities if each.consortium)

    def takes(self, list_: str, code: Code) -> bool:
        """Whether an attribute may have that code."""
        return self.codes[list_].open or (list_, code.code, code.scheme) in self._known

    def concept(self, list_: str, code: Code) -> Concept | None:
        """Return what the file says of a code."""
        return self._known.get((list_, code.code, code.scheme))

    def code(self, list_: str, value: str) -> Code:
        """Return a listed code with its system and Chinese display. Raises KeyError."""
        for code, concept in self.codes[list_].coded():
            if concept.code == value:
                return code
        raise KeyError(value)

    def facility(self, oid: str) -> str | None:
        """Return the campus whose patient numbers that domain holds."""
        return next((each.name for each in self.authorities if each.oid == oid and not each.consortium), None)


def load(rules_dir: Path) -> AffinityDomain:
    """Read and check the file. Raises AffinityDomainError."""
    path = rules_dir / FILE
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise AffinityDomainError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise AffinityDomainError(f"{path}: {error}") from error
    if problems := list(_problems(found)):
        raise AffinityDomainError(f"{path}: " + "; ".join(problems))
    known = {
        (name, code.code, code.scheme): concept
        for name, listed in found.codes.items()
        for code, concept in listed.coded()
    }
    return AffinityDomain(found.assigning_authorities, frozenset(found.mime_types), found.codes, known)


def _problems(found: _File) -> Iterator[str]:
    if missing := [name for name in LISTS if name not in found.codes]:
        yield f"codes has no list {', '.join(missing)}"
        return
    if unknown := [name for name in found.codes if name not in LISTS]:
        yield f"codes has a list that nothing reads: {', '.join(unknown)}"
    if sum(each.consortium for each in found.assigning_authorities) != 1:
        yield "exactly one of assigning_authorities is the consortium's (consortium: true)"
    yield from (f"{each.oid} is no OID" for each in found.assigning_authorities if not is_oid(each.oid))
    kinds = {None, *(concept.code for concept in found.codes["facility_type"].concepts)}
    for each in found.assigning_authorities:
        if each.facility_type not in kinds:
            yield f"{each.oid}: facility_type must be one of the list facility_type"
    classes = {concept.code for concept in found.codes["class"].concepts}
    for name, listed in found.codes.items():
        pairs = [(code.code, code.scheme) for code, _ in listed.coded()]
        yield from (f"{name}: {pair[0]} is there twice" for pair in set(pairs) if pairs.count(pair) > 1)
    for concept in found.codes["type"].concepts:
        if concept.class_ not in classes:
            yield f"type {concept.code}: class must be one of the list class"
