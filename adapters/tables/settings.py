"""What the poller is told of a campus's open tables: `rules/campuses/<campus>/tables/<name>.yaml`.

The file says what the tables are and is reviewed like a rule. Where the database is, and how to sign in
there, is the setting `table_sources` under the file's `source`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from bus.rules.marks import RuleError, checked, read_marked, validated
from consortium.errors import PermanentError
from runtime.settings import Settings

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$.]*$", max_length=128)]


class Closed(BaseModel):
    """Frozen, and closed: a misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Embed(Closed):
    """Rows of the same table that belong together and travel together."""

    by: Name = Field(description="the column whose value they share")
    as_: Name = Field(alias="as", description="the key in the message under which they stand")


class Table(Closed):
    """One open table."""

    name: Name
    key: Name = Field(description="primary key, one column of text")
    patient: Name = Field(description="column of the patient number")
    visit: Name | None = Field(default=None, description="column of the visit number")
    deleted: Name | None = Field(default=None, description="column that is 1 when the row was taken back")
    embed: Embed | None = None
    sweep: bool = Field(default=False, description="whether rows vanish without a trace: looked for by key")


class Campus(Closed):
    """The open tables of one hospital, and how they are read."""

    facility: str
    source: Name = Field(description="name of the database's URL in the setting table_sources")
    watermark: Name = Field(description="column that every insert and update sets")
    zone: str | None = Field(
        default=None, description="IANA zone of the watermark, where its type keeps none, as Asia/Shanghai"
    )
    interval: float = Field(gt=0, description="seconds between two polls")
    lag: float = Field(ge=0, description="seconds: younger rows wait for the next poll")
    overlap: float = Field(ge=0, description="seconds read again before the watermark")
    page: int = Field(default=500, ge=1, le=10_000, description="rows a page")
    sweep_page: int = Field(default=2000, ge=1, le=50_000, description="keys looked for in one poll")
    sweep_every: int = Field(default=1, ge=1, description="polls from one page of keys to the next")
    sweep_most: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="share of keys that may vanish at once; more is taken for a broken source",
    )
    tables: tuple[Table, ...] = Field(min_length=1)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        try:
            return zone if zone is None else ZoneInfo(zone).key
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone} is no time zone; write one as Asia/Shanghai") from error

    @property
    def lag_time(self) -> timedelta:
        """`lag` as a duration."""
        return timedelta(seconds=self.lag)

    @property
    def overlap_time(self) -> timedelta:
        """`overlap` as a duration."""
        return timedelta(seconds=self.overlap)

    def table(self, name: str) -> Table:
        """Return a table by name; raises PermanentError when there is none."""
        found = next((table for table in self.tables if table.name == name), None)
        if found is None:
            known = ", ".join(table.name for table in self.tables)
            raise PermanentError(f"{self.facility} has no open table {name!r}; it has {known}")
        return found

    def known_url(self, settings: Settings) -> str:
        """Return the URL of the campus's database, empty when it is not set.

        Huiya's, which `up` makes for the sample, has a setting of its own.
        """
        return settings.table_sources.get(self.source, "") or str(getattr(settings, self.source, ""))

    def url(self, settings: Settings) -> str:
        """Return the URL of the campus's database; raises PermanentError when the setting is empty."""
        url = self.known_url(settings)
        if not url:
            raise PermanentError(
                f"the setting {self.source} is empty; it must hold the URL of {self.facility}'s database:"
                " write it under [table_sources] in settings.toml, or set"
                f" YILIAN_TABLE_SOURCES__{self.source.upper()}"
            )
        return url


def load(path: Path, shown: str = "") -> Campus:
    """Read one campus's file; raises RuleError naming the file, the line and the wrong key."""
    return checked(Campus, read_marked(path, shown or path.name))


def mistakes(rules_dir: Path) -> list[RuleError]:
    """Return every mistake in the files of all campuses, for `rules lint` and `rules deploy`."""
    errors: list[RuleError] = []
    first: dict[str, str] = {}
    for path, shown in _files(rules_dir):
        try:
            marked = read_marked(path, shown)
        except RuleError as error:
            errors.append(error)
            continue
        found = validated(Campus, marked, errors)
        if found is not None and found.facility in first:
            reason = f"{first[found.facility]} has the open tables of {found.facility}: write them there"
            errors.append(marked.error(("facility",), reason, "duplicate-name"))
        if found is not None:
            first.setdefault(found.facility, shown)
    return errors


def campuses(rules_dir: Path) -> tuple[Campus, ...]:
    """Read every campus's file in a folder of rules. Raises RuleError."""
    return tuple(load(path, shown) for path, shown in _files(rules_dir))


def campus(facility: str, rules_dir: Path) -> Campus:
    """Return the open tables of a campus by its code; raises PermanentError when none are described."""
    found = next((known for known in campuses(rules_dir) if known.facility == facility), None)
    if found is None:
        raise PermanentError(f"no file in rules/campuses/*/tables describes the open tables of {facility}")
    return found


def _files(rules_dir: Path) -> list[tuple[Path, str]]:
    paths = sorted(rules_dir.glob("campuses/*/tables/*.yaml"))
    return [(path, path.relative_to(rules_dir).as_posix()) for path in paths]
