"""The files beside a destination's file, as they were reviewed: each by its SHA-256.

`SHA256SUMS` is what `sha256sum *.wsdl *.xsd > SHA256SUMS` writes, and `sha256sum --check` reads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from consortium.errors import PermanentError

SUMS = "SHA256SUMS"
LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[A-Za-z0-9._-]+)")


def read_pinned(folder: Path) -> Mapping[str, bytes]:
    """Return the files that `SHA256SUMS` in a folder lists, by name.

    Raises PermanentError when one is missing or is not what was reviewed.
    """
    return {name: _read(folder / name, digest) for name, digest in _sums(folder).items()}


def _sums(folder: Path) -> Mapping[str, str]:
    how = f"in {folder.name}/ run: sha256sum *.wsdl *.xsd > {SUMS}"
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(f"there is no {folder.name}/{SUMS}: {how}") from error
    found = [LINE.fullmatch(line) for line in lines]
    if not found or not all(found):
        raise PermanentError(f"{folder.name}/{SUMS} has a line that is no digest and name: {how}")
    return {match["name"]: match["digest"] for match in found if match}


def _read(path: Path, digest: str) -> bytes:
    shown = f"{path.parent.name}/{path.name}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PermanentError(f"{shown} cannot be read, and {SUMS} lists it") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise PermanentError(
            f"{shown} is not the file that {SUMS} lists: review it, then write its new digest"
        )
    return content
