"""What is recognised, for how long, and of which quality: one reviewed file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from consortium.errors import PermanentError

PATH = Path("codes") / "mutual-recognition.yaml"
"""Below the folder of rules."""


class CatalogueError(PermanentError):
    """The file cannot be used; the message says where and why."""

    code = "bad_recognition_file"
    field = "recognition"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(_Part):
    """One laboratory panel or examination."""

    code: Annotated[str, Field(min_length=1)]
    """The consortium's code, as the campuses' codes are mapped to it."""
    system: str | None = None
    name: str
    kind: Literal["lab", "exam"]
    valid_days: Annotated[int, Field(ge=1)]
    """Days after which a repeat is due."""


class Quality(_Part):
    """What a report must be to be recognised."""

    statuses: tuple[Literal["preliminary", "final", "corrected"], ...] = ("final", "corrected")
    recognise_critical: bool = False
    without_campuses: tuple[str, ...] = ()


class Catalogue(_Part):
    """The whole file."""

    version: str
    items: tuple[Item, ...]
    quality: Quality = Quality()

    @model_validator(mode="after")
    def _once(self) -> Catalogue:
        keys = [(item.system, item.code) for item in self.items]
        twice = {code for (system, code) in keys if keys.count((system, code)) > 1}
        if twice:
            raise ValueError(f"an item stands twice: {', '.join(sorted(twice))}")
        return self

    def find(self, code: str, system: str | None) -> Item | None:
        """Return the item of a code; without a system only where one item has that code."""
        found = [i for i in self.items if i.code == code and system in (None, i.system)]
        return found[0] if len(found) == 1 else None


def load(rules_dir: Path) -> Catalogue:
    """Read the file of a rules folder. Raises CatalogueError."""
    path = rules_dir / PATH
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CatalogueError(f"{PATH} is missing in the folder of rules") from None
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{PATH}: {error}") from error
