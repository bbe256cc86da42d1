"""What goes wrong when the platform is set up, started or stopped, told to the person at the terminal."""

from __future__ import annotations

from pathlib import Path

from consortium.errors import PermanentError


class SetupError(PermanentError):
    """A step of set-up or start failed: what failed, what to do about it, and where its log lies."""

    def __init__(self, what: str, do: str, log: Path | None = None) -> None:
        """Keep the parts; `str()` gives them as lines."""
        super().__init__(what)
        self.what = what
        self.do = do
        self.log = log

    def __str__(self) -> str:
        """Return what failed, what to do, and the log, each on its own line."""
        lines = [self.what, f"  what to do: {self.do}"]
        if self.log:
            lines.append(f"  log: {self.log}")
        return "\n".join(lines)
