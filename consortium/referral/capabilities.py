"""What each hospital is registered and equipped for: `rules/campuses/<name>/capabilities.yaml`, reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from consortium.errors import PermanentError

FILE = "capabilities.yaml"
Code = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class CapabilitiesError(PermanentError):
    """A file that cannot be used; the message says which and why."""

    code = "bad_capabilities_file"


class Named(BaseModel):
    """A code with its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    name: Annotated[str, Field(min_length=1, max_length=100)]


class Approval(BaseModel):
    """One approval inside the hospital (院内审批) before a referral is submitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["medical_affairs"])]
    name: Annotated[str, Field(min_length=1, max_length=40, examples=["医务科"])]
    by: Literal["doctor", "coordinator"] = Field(description="role of whoever gives it")
    duty: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] | None = Field(
        default=None,
        description="those alone who have this duty, or cover for who has; absent: all of the role",
    )


class Capabilities(BaseModel):
    """One hospital."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    facility: Code = Field(description="campus code")
    subjects: tuple[Named, ...] = Field(
        default=(), description="registered clinical subjects (核准诊疗登记科目), codes of the national list"
    )
    equipment: tuple[Named, ...] = Field(default=(), description="equipment that can be used for patients")
    techniques: tuple[Named, ...] = Field(default=(), description="techniques that are done here")
    emergency_places: int | None = Field(
        default=None, ge=0, description="casualties that can be taken in at once; absent: not told"
    )
    rehabilitation: bool | None = Field(default=None, description="whether rehabilitation is done here")
    hospice: bool | None = Field(default=None, description="whether hospice care is given here")
    common_diseases: tuple[Code, ...] = Field(
        default=(), description="beginnings of ICD-10 codes of common diseases that are treated here"
    )
    chronic_diseases: tuple[Code, ...] = Field(
        default=(), description="beginnings of ICD-10 codes of chronic diseases that are followed up here"
    )
    approval: tuple[Approval, ...] = Field(
        default=(),
        description="approvals that a referral from here needs before it is submitted: in their order,"
        " each by somebody else",
    )

    @field_validator("approval")
    @classmethod
    def _each_once(cls, chain: tuple[Approval, ...]) -> tuple[Approval, ...]:
        if len({one.code for one in chain}) != len(chain):
            raise ValueError("each approval has a code of its own")
        return chain

    def can(self, code: str) -> bool:
        """Whether a piece of equipment or a technique is here."""
        return any(code == one.code for one in (*self.equipment, *self.techniques))

    def registered(self, code: str) -> bool:
        """Whether a clinical subject is registered, by itself or by the one that it is a part of (03.04)."""
        return any(code == one.code or code.startswith(f"{one.code}.") for one in self.subjects)


def load(rules_dir: Path) -> Mapping[str, Capabilities]:
    """Read the files of a rules folder, by campus; a hospital without one is not told of.

    Raises CapabilitiesError.
    """
    found: dict[str, Capabilities] = {}
    for path in sorted(rules_dir.glob(f"campuses/*/{FILE}")):
        shown = path.relative_to(rules_dir)
        try:
            one = Capabilities.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
            raise CapabilitiesError(f"{shown} is wrong; ./yilian rules lint says where: {error}") from error
        found[one.facility] = one
    return found
