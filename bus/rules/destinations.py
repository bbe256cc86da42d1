"""Destination files: other systems to which messages are delivered, each read by its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bus.rules.marks import Marked, RuleError, checked, read_marked
from bus.rules.sending.base import Breaker, Destination, Order, Retry, Tls
from bus.rules.sending.files import FilesDestination
from bus.rules.sending.http import WebhookDestination
from bus.rules.sending.mllp import Acknowledgement, MllpDestination
from bus.rules.sending.notices import PixNotices
from bus.rules.sending.pins import SUMS, read_pinned
from bus.rules.sending.pixv3 import PixV3Destination
from bus.rules.sending.rest import RestDestination
from bus.rules.sending.shape import outer_paths
from bus.rules.sending.soap import SoapDestination
from bus.rules.sending.tables import TablesDestination
from consortium.errors import PermanentError

__all__ = [
    "KINDS",
    "Acknowledgement",
    "AnyDestination",
    "Breaker",
    "Destination",
    "Destinations",
    "FilesDestination",
    "MllpDestination",
    "Order",
    "PixNotices",
    "PixV3Destination",
    "RestDestination",
    "Retry",
    "SoapDestination",
    "TablesDestination",
    "Tls",
    "WebhookDestination",
    "load_destinations",
    "paths_of",
    "read_destination",
]

AnyDestination = (
    MllpDestination
    | WebhookDestination
    | RestDestination
    | SoapDestination
    | TablesDestination
    | FilesDestination
    | PixV3Destination
)
KINDS: Mapping[str, type[AnyDestination]] = {
    "mllp": MllpDestination,
    "webhook": WebhookDestination,
    "rest": RestDestination,
    "soap": SoapDestination,
    "tables": TablesDestination,
    "files": FilesDestination,
    "pixv3": PixV3Destination,
}


@dataclass(frozen=True, slots=True)
class Destinations:
    """All destination files of a folder of rules, and every mistake in them."""

    by_name: Mapping[str, AnyDestination]
    marks: Mapping[str, Marked]
    """Where the keys of each file are."""
    folders: Mapping[str, Path]
    """Where what each file pins lies."""
    errors: tuple[RuleError, ...]


def load_destinations(rules_dir: Path) -> Destinations:
    """Read `destinations/*.yaml` and `campuses/*/destinations/*.yaml`; mistakes are collected, not raised."""
    found: dict[str, AnyDestination] = {}
    marks: dict[str, Marked] = {}
    folders: dict[str, Path] = {}
    errors: list[RuleError] = []
    for path in destination_files(rules_dir):
        try:
            marked = read_marked(path, path.relative_to(rules_dir).as_posix())
            one = _read(marked, path)
            if one.name in found:
                reason = f"there is another {one.name}, {marks[one.name].file}: give this one another name"
                raise marked.error(("name",), reason, "duplicate-name")
            found[one.name], marks[one.name], folders[one.name] = one, marked, path.parent / one.name
        except RuleError as error:
            errors.append(error)
    return Destinations(found, marks, folders, tuple(errors))


def destination_files(rules_dir: Path) -> Iterator[Path]:
    """Give the files of destinations: those of the whole consortium first, then those of each campus."""
    yield from sorted(rules_dir.glob("destinations/*.yaml"))
    yield from sorted(rules_dir.glob("campuses/*/destinations/*.yaml"))


def read_destination(path: Path, shown: str) -> AnyDestination:
    """Read one file; `shown` names it in errors. Raises `RuleError`."""
    return _read(read_marked(path, shown), path)


def _read(marked: Marked, path: Path) -> AnyDestination:
    spec = _checked(marked)
    if spec.name != path.stem:
        raise marked.error(("name",), f"the file of {spec.name} is named {spec.name}.yaml")
    if isinstance(spec, SoapDestination):
        _check_pinned(spec, marked, path.parent / spec.name)
    return spec


def paths_of(spec: AnyDestination) -> Iterator[str]:
    """Return the paths into the whole message by which a destination reads it."""
    match spec:
        case RestDestination():
            yield from outer_paths(spec.body or {})
            yield from spec.asked_by
        case SoapDestination():
            yield from outer_paths(spec.arguments or {})
        case TablesDestination():
            yield from spec.each[:1] or outer_paths(dict(spec.columns))
        case FilesDestination():
            yield from spec.paths


def _checked(marked: Marked) -> AnyDestination:
    kind = marked.data.get("kind") if isinstance(marked.data, dict) else None
    model = KINDS.get(str(kind))
    if model is None:
        raise marked.error(("kind",), f"kind: one of {', '.join(KINDS)}")
    return checked(model, marked)


def _check_pinned(spec: SoapDestination, marked: Marked, folder: Path) -> None:
    try:
        pinned = read_pinned(folder)
    except PermanentError as error:
        raise marked.error(("wsdl",), str(error)) from error
    if spec.wsdl not in pinned:
        raise marked.error(("wsdl",), f"{spec.name}/{SUMS} does not list {spec.wsdl}")
