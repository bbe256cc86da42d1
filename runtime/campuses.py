"""The campuses of the consortium: each is a folder of the rule set, named by its `campus.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consortium.errors import PermanentError

FILE = "campus.yaml"
CHECKOUT_RULES = Path(__file__).resolve().parent.parent / "rules"


class Campus(BaseModel):
    """One hospital of the consortium: `rules/campuses/<name>/campus.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(
        pattern=r"^[A-Z][A-Z0-9_-]{0,19}$", description="namespace id, as in MSH-4: MAIN, HP, HY, NS"
    )
    name: str = Field(min_length=1, max_length=60, description="Chinese name, shown to people")
    english: str = Field(default="", max_length=60, description="English name, shown to people")
    oid: str = Field(
        pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$",
        max_length=64,
        description="identifier domain of the campus's patient numbers; its other numbers are arcs below it",
    )
    charset: str = Field(default="UNICODE UTF-8", description="HL7 table 0211 name used when MSH-18 is empty")


def read_campuses(rules_dir: Path) -> tuple[Campus, ...]:
    """Return the campuses of a folder of rules in the order of their domains; empty when it names none.

    Raises PermanentError naming the file that is wrong.
    """
    found = [_read(path) for path in sorted(rules_dir.glob(f"campuses/*/{FILE}"))]
    return tuple(sorted(found, key=lambda one: [int(arc) for arc in one.oid.split(".")]))


def of_today(deployed: Path, rules_dir: Path) -> Path:
    """Return the folder that describes campuses: what is deployed, or `rules_dir` when that is from before
    campuses were files of a rule set.
    """
    return deployed if any(deployed.glob(f"campuses/*/{FILE}")) else rules_dir


def _read(path: Path) -> Campus:
    try:
        return Campus.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        shown = f"campuses/{path.parent.name}/{FILE}"
        raise PermanentError(f"{shown} is wrong; ./yilian rules lint says where: {error}") from error


class Roster:
    """The campuses as this process knows them now. Safe for threads.

    Until `take` they are those of the rules folder. A folder that names none, such as one of before campuses
    were files, leaves those that Yilian comes with.
    """

    def __init__(self, rules_dir: Path) -> None:
        self._dir = rules_dir
        self._now: tuple[Campus, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Settings are the same by what they say, whatever was taken since."""
        return isinstance(other, Roster) and other._dir == self._dir

    def __hash__(self) -> int:
        return hash(self._dir)

    @property
    def now(self) -> tuple[Campus, ...]:
        """The campuses; another tuple whenever they are others. Raises PermanentError for a wrong file."""
        if not self._now:
            self._now = self.of_folder()
        return self._now

    def of_folder(self) -> tuple[Campus, ...]:
        """Read those of the rules folder. Raises PermanentError."""
        return read_campuses(self._dir) or read_campuses(CHECKOUT_RULES)

    def take(self, found: tuple[Campus, ...]) -> bool:
        """Go by these from now on, or by the folder's when there are none; whether they are others.

        Raises PermanentError.
        """
        wanted = found or self.of_folder()
        if wanted == self._now:
            return False
        self._now = wanted
        return True
