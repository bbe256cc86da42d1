"""A rule set as files: read from a folder, written to one, and named by a digest."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.rules.versions.model import Files
from consortium.errors import PermanentError

LARGEST = 16 * 1024 * 1024
"""Bytes of a whole set."""
MOST = 5000
"""Files of a set."""


class UnfitFilesError(PermanentError):
    """Files that make no rule set: a path that leads elsewhere, none at all, too many or too large."""

    code = "unfit_files"


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return a set: every file below the subfolders of `folder`, except hidden and backup files.

    What lies beside the subfolders (a README) is not part of the set. Raises `UnfitFilesError`.
    """
    if not folder.is_dir():
        raise UnfitFilesError(
            f"{folder} is not a folder; name one that holds campuses/, shared/ and codes/",
            zh=f"{folder} 不是目录；请指定含 campuses/、shared/、codes/ 的目录",
        )
    found = {}
    for path in sorted(folder.glob("*/**/*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _ignored(name):
            found[name] = path.read_bytes()
    return checked_files(found)


def _ignored(name: str) -> bool:
    return any(part.startswith((".", "__")) or part.endswith("~") for part in name.split("/"))


def checked_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files in the order of their paths. Raises `UnfitFilesError`."""
    if not files:
        raise UnfitFilesError(
            "there are no files in it; a rule set has campuses/, shared/ and codes/",
            zh="其中没有文件；规则集应含 campuses/、shared/、codes/",
        )
    if len(files) > MOST:
        raise UnfitFilesError(f"{len(files)} files are more than the {MOST} of a rule set")
    for name in files:
        parts = name.split("/")
        clean = len(parts) > 1 and all(part and part.isprintable() for part in parts)
        if not clean or "\\" in name or ":" in name or _ignored(name):
            shown = name[:200].encode("ascii", "backslashreplace").decode()
            raise UnfitFilesError(f"not a path of a rule set: {shown}; it looks like codes/sex.csv")
    size = sum(map(len, files.values()))
    if size > LARGEST:
        raise UnfitFilesError(f"{size} bytes are more than the {LARGEST} of a rule set")
    return dict(sorted(files.items()))


def digest_of(files: Files) -> str:
    """Return the SHA-256 over all paths and contents, each with its length, in the order of paths."""
    hashed = hashlib.sha256()
    for name, content in sorted(files.items()):
        path = name.encode()
        hashed.update(b"%d:%s%d:" % (len(path), path, len(content)))
        hashed.update(content)
    return hashed.hexdigest()


@contextmanager
def laid_out(files: Files) -> Iterator[Path]:
    """Give a folder that holds the set for as long as the block lasts. Raises `UnfitFilesError`, OSError."""
    with tempfile.TemporaryDirectory(prefix="yilian-rules-") as name:
        folder = Path(name)
        for path, content in checked_files(files).items():
            target = folder / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise UnfitFilesError(f"{path} is a file and a folder at once") from error
        yield folder


def compiled(files: Files) -> RuleSet:
    """Compile a set. Raises `InvalidRulesError` with every mistake, `UnfitFilesError`, OSError."""
    with laid_out(files) as folder:
        try:
            return RuleSet.load(folder)
        except UnicodeDecodeError as error:
            raise InvalidRulesError("a file is not UTF-8; ./yilian rules lint") from error
        except RecursionError as error:
            raise InvalidRulesError("a file is nested too deep") from error
