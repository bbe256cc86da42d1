"""Which destinations lead into a door of this platform itself: `rules lint` looks for what comes back.

Compared are addresses as they are written; no name is resolved. Where others reach the platform by another
address, through a proxy or a load balancer, the setting `reached_as` has it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa

from adapters.files import settings as files
from adapters.patterns import meet
from adapters.tables import settings as tables
from bus.rules.destinations import (
    AnyDestination,
    FilesDestination,
    MllpDestination,
    TablesDestination,
    load_destinations,
)
from bus.rules.lint import Check
from bus.rules.loader import load_rules
from bus.rules.loops import HL7, Door, loops
from bus.rules.marks import RuleError
from bus.rules.sending.verify import INSERTED
from consortium.errors import PermanentError
from runtime.mllp import loopback
from runtime.settings import FilePlace, Settings

EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened at
THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
PORTS: Mapping[str, int] = {"http": 80, "https": 443, "mllp": 2575, "sftp": 22}


def check(settings: Settings) -> Check:
    """Return what `rules lint` and `rules deploy` ask for destinations that lead back into the platform."""

    def mistakes(rules_dir: Path) -> Iterator[RuleError]:
        own = OwnDoors(settings, rules_dir)
        found = {
            name: door
            for name, to in load_destinations(rules_dir).by_name.items()
            if (door := own.door(to)) is not None
        }
        if found:  # the rules are read once more for this alone: hardly ever
            yield from loops(load_rules(rules_dir), found)

    return mistakes


class OwnDoors:
    """The doors of the platform, as its settings and the sources of a folder of rules have them."""

    def __init__(self, settings: Settings, rules_dir: Path) -> None:
        self._settings = settings
        self._files = _sources(rules_dir)
        self._tables = [(one, one.known_url(settings)) for one in _described(rules_dir)]

    def door(self, to: AnyDestination) -> Door | None:
        """Return the door that a destination leads into; None: it leads elsewhere, as far as is known."""
        if isinstance(to, MllpDestination):
            return self._listener(to)
        if isinstance(to, FilesDestination):
            return self._folder(to)
        if isinstance(to, TablesDestination):
            return self._table(to)
        return self._http(to.address)

    def _listener(self, to: MllpDestination) -> Door | None:
        told = self._settings
        listeners = [("mllp", told.mllp_host, told.mllp_port), ("pix", told.pix_host, told.pix_port)]
        listeners += [(one.name, one.host, one.port) for one in told.mllp_endpoints]
        name = next((n for n, host, port in listeners if _same(host, port, to.host, to.port)), None)
        if name is None and ("mllp", to.host.lower(), to.port) in self._reached_as():
            name = "mllp"
        shown = f"the MLLP listener {name} ({to.address})"
        return None if name is None else Door(shown, "mllp", carries=HL7)

    def _http(self, address: str) -> Door | None:
        url = urlsplit(address)
        host, port = url.hostname or "", url.port or PORTS[url.scheme]
        told = self._settings
        known = {(host_, port_) for scheme, host_, port_ in self._reached_as() if scheme != "mllp"}
        if _same(told.api_host, told.api_port, host, port) or (host.lower(), port) in known:
            return _api(url)
        return None

    def _reached_as(self) -> set[tuple[str, str, int]]:
        urls = [urlsplit(address) for address in self._settings.reached_as]
        return {(url.scheme, (url.hostname or "").lower(), url.port or PORTS[url.scheme]) for url in urls}

    def _folder(self, to: FilesDestination) -> Door | None:
        there = self._settings.file_places.get(to.place)
        for source in self._files:
            here = self._settings.file_places.get(source.name)
            name = INSERTED.sub("*", to.file)
            if there and here and _folder(there) == _folder(here) and meet(name, source.pattern):
                return _file_source(source)
        return None

    def _table(self, to: TablesDestination) -> Door | None:
        there = self._settings.delivery_secrets.get(to.database, "")
        for campus, url in self._tables:
            if there and url and _database(there) == _database(url):
                for table in campus.tables:
                    if _same_table(table.name, to.table):
                        shown = f"the open table {table.name} of {campus.facility}"
                        types = frozenset({f"table:{table.name}"})
                        return Door(shown, "tables", campus.facility, types=types)
        return None


def _sources(rules_dir: Path) -> tuple[files.Source, ...]:
    try:
        return files.sources(rules_dir)
    except PermanentError:
        return ()  # their own check says what is wrong with them


def _described(rules_dir: Path) -> tuple[tables.Campus, ...]:
    try:
        return tables.campuses(rules_dir)
    except PermanentError:
        return ()  # likewise


def _api(url: SplitResult) -> Door:
    match url.path.strip("/").split("/"):
        case ["api", "v1", "upload", facility, kind] if "{" not in facility + kind:
            types = frozenset({f"rest:{kind}"})
            return Door(f"the upload {url.path}", "rest", facility, types=types, begins=("rest:", "cda:"))
        case ["soap", interface]:
            types = frozenset({f"soap:{interface}"})
            return Door(f"the SOAP upload {url.path}", "soap", types=types)
        case ["fhir", *_]:
            return Door("the FHIR endpoint /fhir", "fhir", begins=("fhir:",))
    return Door(f"this platform's API ({url.path or '/'})", "")


def _file_source(source: files.Source) -> Door:
    name = f"the folder of the file source {source.name} ({source.facility})"
    if source.hl7 is not None:
        return Door(name, "files", source.facility, carries=HL7)
    if source.cda is not None:
        return Door(name, "files", source.facility, source.sender, begins=("cda:",))
    return Door(name, "files", source.facility, source.sender, frozenset({source.message_type}))


def _same(listens: str, on: int, host: str, port: int) -> bool:
    """Whether an address is that of a listener, as far as its name says."""
    asked, mine = host.strip("[]").lower(), listens.lower()
    if port != on:
        return False
    here = asked in THIS_MACHINE or loopback(asked)
    if loopback(mine):
        return here
    if mine in EVERYWHERE:
        return here or asked in (platform.node().lower(), *EVERYWHERE)
    return asked == mine


def _folder(place: FilePlace) -> tuple[str, int, str]:
    url = urlsplit(place.url)
    if url.scheme == "sftp":
        return (url.hostname or "").lower(), url.port or PORTS["sftp"], url.path.rstrip("/")
    return "", 0, str(Path(url.path if url.scheme == "file" else place.url).resolve())


def _database(url: str) -> tuple[str, str, int | None, str]:
    known = sa.make_url(url)
    host = (known.host or "localhost").lower()
    same = "localhost" if host in THIS_MACHINE else host
    return known.get_backend_name(), same, known.port, known.database or ""


def _same_table(one: str, other: str) -> bool:
    """Whether two names are of one table; a name without its schema may be in any."""
    names: Sequence[list[str]] = [name.lower().split(".") for name in (one, other)]
    shorter = min(map(len, names))
    return names[0][-shorter:] == names[1][-shorter:]
