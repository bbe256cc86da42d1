"""What the linter says of destinations that take master data: each path, as a change is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bus.rules.finding import Finding, finding
from bus.rules.lint_shapes import At, mistake_in, reads
from bus.rules.loader import Loaded
from consortium.terminology.model import FIELDS, Kind
from consortium.terminology.subscribers import CODE_MAP

ENTRY = ("change", "kind", "owner", "code", "name", "valid_from", "valid_to", "version", "at")
"""Keys of a change of an entry, beside its attributes."""
MAPPED = (
    *("change", "kind", "table", "facility", "code", "target", "name", "system"),
    *("valid_from", "valid_to", "relationship", "owner", "at"),
)
"""Keys of an addition to a code table."""


def master_data_findings(loaded: Loaded) -> Iterator[Finding]:
    """Give the paths of destinations that no change of the master data they take has."""
    for name, spec in loaded.destinations.items():
        if not spec.master_data:
            continue
        root = At("a change of master data", _fields(spec.master_data), outermost=True)
        marked = loaded.destination_marks[name]
        for read in reads(spec):
            reason = mistake_in(read, root)
            if reason is not None:
                yield finding(marked.file, marked.place(read.place), "bad-path", reason)


def _fields(kinds: Sequence[str]) -> Mapping[str, At]:
    """Return what a change of any of these kinds has."""
    found = {name: At(name, None) for kind in kinds for name in (MAPPED if kind == CODE_MAP else ENTRY)}
    entries = [Kind(kind) for kind in kinds if kind != CODE_MAP]
    attributes = {field.name for kind in entries for field in FIELDS[kind]}
    if attributes:
        below = {name: At(f"attributes.{name}", None) for name in sorted(attributes)}
        found["attributes"] = At("attributes", below)
    return found
