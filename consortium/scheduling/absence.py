"""Who acts while somebody is away. Pure decisions; the tables are `absences`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from consortium.errors import ConflictError

EVERY_DUTY = ""
"""The duty of an absence that is from all of them."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is away from `since` until just before `until`, both with zone."""

    username: str
    since: datetime
    until: datetime
    covered_by: str | None = None
    """Who acts meanwhile; None: whoever holds the duty next."""
    duty: str = EVERY_DUTY
    """From which duty alone."""

    def concerns(self, duty: str) -> bool:
        """Tell whether it is from that duty; `EVERY_DUTY` asks for any."""
        return EVERY_DUTY in (self.duty, duty) or self.duty == duty

    def meets(self, since: datetime, until: datetime) -> bool:
        """Tell whether some instant of it lies in that time."""
        return self.since < until and since < self.until


@dataclass(frozen=True, slots=True)
class Duty:
    """What somebody of an organisation has to do, and the people for it."""

    organisation: str
    name: str
    holders: tuple[str, ...]
    """Usernames, who is asked first."""
    absences: tuple[Absence, ...] = ()


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts."""

    username: str
    chain: tuple[str, ...]
    """The holder, who covers for them, and so on to `username`."""

    @property
    def instead_of(self) -> str | None:
        """Return the holder whom somebody else acts for; None when the holder acts."""
        return self.chain[0] if len(self.chain) > 1 else None


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody acts: to be escalated."""

    chains: tuple[tuple[str, ...], ...]
    """For each holder, who was asked in turn; the last is away without cover, or stands there twice."""

    @property
    def reason(self) -> str:
        """Say it in a sentence."""
        if not self.chains:
            return "nobody holds the duty"
        return "; ".join(" → ".join(chain) + " is away" for chain in self.chains)


class CoverCycleError(ConflictError):
    """Those who cover for each other are away at the same time; the text names them."""

    code = "cover_cycle"


def who_acts(duty: Duty, at: datetime) -> Acting | Nobody:
    """Decide who has a duty at an instant: the first holder who is there or whose cover is.

    A cycle of covers, which `refuse_cycle` keeps out, counts as nobody there.
    """
    chains = []
    for holder in duty.holders:
        chain, there = _chain(duty, holder, at)
        if there:
            return Acting(chain[-1], chain)
        chains.append(chain)
    return Nobody(tuple(chains))


def _chain(duty: Duty, holder: str, at: datetime) -> tuple[tuple[str, ...], bool]:
    chain: tuple[str, ...] = (holder,)
    while absence := in_force(duty.absences, chain[-1], duty.name, at):
        if absence.covered_by is None:
            return chain, False
        if absence.covered_by in chain:
            return (*chain, absence.covered_by), False
        chain = (*chain, absence.covered_by)
    return chain, True


def in_force(absences: Iterable[Absence], username: str, duty: str, at: datetime) -> Absence | None:
    """Return somebody's absence from a duty at an instant; one from that duty goes before one from all."""
    theirs = [one for one in absences if one.username == username and one.since <= at < one.until]
    exact = [one for one in theirs if one.duty == duty]
    return next(iter(exact or [one for one in theirs if one.duty == EVERY_DUTY]), None)


def refuse_cycle(absences: Iterable[Absence], new: Absence) -> None:
    """Refuse an absence by which, at some instant, people would cover for each other in a circle.

    `absences` are those in force without the new one. Raises CoverCycleError.
    """
    known = tuple(absences)
    if new.covered_by is None:
        return
    if circle := _circle(known, new, (new.username, new.covered_by), new.since, new.until):
        raise CoverCycleError(
            f"they would cover for each other in a circle: {' → '.join(circle)};"
            " name somebody else, or another time",
            zh=f"代班形成循环：{' → '.join(circle)}；请指定其他人或其他时间",
        )


def _circle(
    absences: tuple[Absence, ...], new: Absence, path: tuple[str, ...], since: datetime, until: datetime
) -> tuple[str, ...] | None:
    """Follow covers from the end of the path, through the time that all of them are away."""
    if path[-1] == new.username:
        return path
    for one in absences:
        if one.username != path[-1] or one.covered_by is None or one.covered_by in path[1:]:
            continue
        if one.concerns(new.duty) and one.meets(since, until):
            further = (max(since, one.since), min(until, one.until))
            if circle := _circle(absences, new, (*path, one.covered_by), *further):
                return circle
    return None
