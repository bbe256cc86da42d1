"""A process goes by the campuses that are deployed: one that joins is known without a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from bus.hl7.charset import codec_for
from bus.rules.versions.described import Following, Look, deployed
from runtime.campuses import Campus, Roster, read_campuses
from runtime.settings import Settings

log = structlog.get_logger("bus.campuses")

BELOW = ("campuses/",)
"""Where campuses lie in a rule set."""
LOOK = 1.0
"""Seconds between looks at what is deployed."""


def take_from(folder: Path, roster: Roster) -> bool:
    """Go by the campuses of a folder of rules; whether they are others. Raises PermanentError."""
    found = read_campuses(folder)
    for one in found:
        codec_for(one.charset)
    return roster.take(found)


class Follower:
    """Looks at the deployed campuses again and again. What cannot be read leaves those that are known."""

    def __init__(self, look: Look, settings: Settings) -> None:
        self._deployed = Following(look, lambda reason: log.error("campuses_not_read", reason=reason))
        self._settings = settings

    def follow(self) -> None:
        """Take in what is deployed now, if it is something else."""
        self._deployed.follow(self._take)

    def _take(self, folder: Path) -> None:
        if take_from(folder, self._settings.roster):
            self._tell()

    def _tell(self) -> None:
        campuses = self._settings.campuses
        log.info("campuses", count=len(campuses))
        for reason in strangers(self._settings, campuses):
            log.warning("setting_names_no_campus", reason=reason)


def strangers(told: Settings, campuses: Sequence[Campus]) -> Iterator[str]:
    """Give a sentence for each setting that names a campus that there is not."""
    known = {one.code for one in campuses} | {"GROUP"}
    named = [
        *((f"mllp_endpoints.{one.name}", who.campuses) for one in told.mllp_endpoints for who in one.senders),
        *((f"gateways.{one.name}", one.campuses) for one in told.gateways),
        ("pix.applications", tuple(one.facility for one in told.pix.applications)),
    ]
    for where, codes in named:
        if unknown := sorted(set(codes) - known):
            yield (
                f"{where} names {', '.join(unknown)}, which is no campus of the deployed rules:"
                " rules/campuses/*/campus.yaml"
            )


def take_deployed(settings: Settings, engine: sa.Engine) -> Settings:
    """Go by the campuses that are deployed now; return the settings. For a command, which ends soon.

    Raises SQLAlchemy's errors, PermanentError, OSError.
    """
    found = deployed(engine, settings.rules_dir, BELOW, None)
    if found is not None:
        with found:
            take_from(found.folder, settings.roster)
    return settings


@contextmanager
def following(settings: Settings, engine: sa.Engine) -> Iterator[None]:
    """Go by the deployed campuses inside the block, as they are at each moment but `LOOK`."""
    follower = Follower(partial(deployed, engine, settings.rules_dir, BELOW), settings)
    follower.follow()
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(LOOK):
            follower.follow()

    thread = threading.Thread(target=run, name="campuses", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
