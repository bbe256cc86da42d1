"""The reviewed files of working time, `rules/calendars/<name>.yaml`: public holidays, make-up days, hours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from consortium.errors import PermanentError
from consortium.scheduling.working_time import DAY_MINUTES, Span, WorkingCalendar

FOLDER = Path("calendars")
"""Below the folder of rules."""
NAME = "consortium"
"""The calendar that deadlines go by."""
EVERYBODY = "*"
"""Whose hours are those of every organisation without its own."""

_SPAN = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")


class CalendarFileError(PermanentError):
    """A calendar cannot be used; the message says where and why."""

    code = "bad_calendar"


def span(text: str) -> Span:
    """Return the minutes of the day that `08:00-12:00` means. Raises ValueError."""
    found = _SPAN.fullmatch(text)
    if found:
        hour, minute, to_hour, to_minute = map(int, found.groups())
        start, end = hour * 60 + minute, to_hour * 60 + to_minute
        if start < end <= DAY_MINUTES:
            return start, end
    raise ValueError(f"not a span of a day, such as 08:00-12:00 (to at most 24:00): {text}")


def _apart(texts: tuple[str, ...]) -> tuple[str, ...]:
    spans = [span(text) for text in texts]
    if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
        raise ValueError("spans of a day must be in order and must not overlap")
    return texts


Spans = Annotated[
    tuple[Annotated[str, Field(pattern=_SPAN.pattern, examples=["08:00-12:00"])], ...],
    AfterValidator(_apart),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Holiday(_Part):
    """A public holiday: its days off, weekends among them included."""

    name: Annotated[str, Field(min_length=1, examples=["春节"])]
    first: date = Field(alias="from", description="first day off")
    last: date = Field(alias="to", description="last day off")

    def days(self) -> Iterator[date]:
        """Give its days."""
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))

    @model_validator(mode="after")
    def _forward(self) -> Holiday:
        if self.last < self.first:
            raise ValueError(f"{self.name} ends before it begins")
        return self


class Year(_Part):
    """The days of one year that are not as their weekday is."""

    year: int = Field(ge=2000, le=2200)
    status: Literal["official", "provisional"] = Field(
        description="official: the State Council's notice of the year; provisional: the law's days alone"
    )
    source: Annotated[str, Field(min_length=1)] = Field(description="the notice, by title and date")
    holidays: tuple[Holiday, ...] = Field(min_length=1)
    make_up: tuple[date, ...] = Field(default=(), description="days of weekends that are worked (调休上班)")

    def off(self) -> Iterator[date]:
        """Give the days off."""
        for holiday in self.holidays:
            yield from holiday.days()

    @model_validator(mode="after")
    def _sound(self) -> Year:
        off = list(self.off())
        for day in (*off, *self.make_up):
            if day.year != self.year:
                raise ValueError(f"{day} is not in {self.year}")
        for what, days in (("off", off), ("made up for", self.make_up)):
            if twice := {day for day in days if days.count(day) > 1}:
                raise ValueError(f"{what} twice: {_listed(twice)}")
        if both := set(off) & set(self.make_up):
            raise ValueError(f"both off and made up for: {_listed(both)}")
        if not_weekend := {day for day in self.make_up if day.weekday() < 5}:
            raise ValueError(f"a make-up day falls on a weekend; this one does not: {_listed(not_weekend)}")
        return self


def _listed(days: set[date]) -> str:
    return ", ".join(day.isoformat() for day in sorted(days))


class Hours(_Part):
    """When an organisation works; a day that is not named is off."""

    mon: Spans = ()
    tue: Spans = ()
    wed: Spans = ()
    thu: Spans = ()
    fri: Spans = ()
    sat: Spans = ()
    sun: Spans = ()
    make_up: Spans = Field(min_length=1, description="of a make-up day")

    @property
    def weekly(self) -> tuple[tuple[Span, ...], ...]:
        """Return the spans of Monday to Sunday."""
        week = (self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun)
        return tuple(tuple(map(span, day)) for day in week)

    @model_validator(mode="after")
    def _some(self) -> Hours:
        if not any(self.weekly):
            raise ValueError("no day of the week has working hours; no deadline would ever come")
        return self


class CalendarFile(_Part):
    """A working calendar of Yilian."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", examples=["consortium"])]
    zone: str = Field(examples=["Asia/Shanghai"])
    years: tuple[Year, ...] = Field(min_length=1)
    hours: dict[str, Hours] = Field(description="by organisation code; `*` for all without their own")

    @model_validator(mode="after")
    def _whole(self) -> CalendarFile:
        years = [one.year for one in self.years]
        if years != list(range(years[0], years[0] + len(years))):
            raise ValueError("years must follow each other without a gap")
        if EVERYBODY not in self.hours:
            raise ValueError(f'hours lack "{EVERYBODY}", which is for every organisation without its own')
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {self.zone}") from None
        return self

    def calendar(
        self, organisation: str, *, emergency: bool = False, provisional: bool = False
    ) -> WorkingCalendar:
        """Return when an organisation works.

        `emergency`: around the clock. `provisional`: years that are not official yet are reckoned with; the
        caller says so by `provisional_years`.
        """
        hours = self.hours.get(organisation, self.hours[EVERYBODY])
        return WorkingCalendar(
            name=self.name,
            zone=ZoneInfo(self.zone),
            weekly=hours.weekly,
            make_up=tuple(map(span, hours.make_up)),
            holidays=frozenset(day for year in self.years for day in year.off()),
            make_up_days=frozenset(day for year in self.years for day in year.make_up),
            years={one.year: one.status == "official" for one in self.years},
            accepts_provisional=provisional,
            around_the_clock=emergency,
        )

    def holiday(self, day: date) -> str | None:
        """Return the name of the public holiday that a day belongs to."""
        named = (holiday.name for year in self.years for holiday in year.holidays if day in holiday.days())
        return next(named, None)


def load(rules_dir: Path, name: str = NAME) -> CalendarFile:
    """Read a calendar of a folder of rules. Raises CalendarFileError."""
    return _read(rules_dir / FOLDER / f"{name}.yaml", name)


def mistakes(rules_dir: Path) -> Mapping[Path, str]:
    """Return what is wrong with which file."""
    found: dict[Path, str] = {}
    for path in sorted((rules_dir / FOLDER).glob("*.yaml")):
        try:
            _read(path, path.stem)
        except CalendarFileError as error:
            found[FOLDER / path.name] = str(error)
    return found


def _read(path: Path, name: str) -> CalendarFile:
    shown = FOLDER / path.name
    try:
        read = CalendarFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CalendarFileError(
            f"{shown} is missing in the folder of rules; deadlines in working time need it",
            zh=f"规则目录缺少 {shown}，无法计算工作时限",
        ) from None
    except ValidationError as error:
        raise CalendarFileError(f"{shown}: {_told(error.errors())}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CalendarFileError(f"{shown}: {error}") from error
    if read.name != name:
        raise CalendarFileError(f"{shown}: its name is {read.name}; name it as its file, {name}")
    return read


def _told(errors: Sequence[Any]) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in errors)
