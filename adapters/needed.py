"""What a rule set needs of this machine's settings and does not find: said after a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.files.settings import sources
from adapters.tables.settings import campuses
from bus.rules.destinations import FilesDestination, load_destinations
from runtime.settings import Settings


def needed(rules_dir: Path, settings: Settings) -> Iterator[str]:
    """Give each setting that is missing, and what stands still without it. The folder has no mistakes."""
    for source in sources(rules_dir):
        if source.name not in settings.file_places:
            yield f"file_places.{source.name}: until it is set, no files of {source.facility} are read there"
    for campus in campuses(rules_dir):
        if not campus.known_url(settings):
            name = campus.source
            yield f"table_sources.{name}: until it is set, the open tables of {campus.facility} are not read"
    for name, spec in load_destinations(rules_dir).by_name.items():
        if isinstance(spec, FilesDestination) and spec.place not in settings.file_places:
            yield f"file_places.{spec.place}: until it is set, what goes to {name} waits"
