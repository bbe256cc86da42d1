"""How much memory processes really take: proportional set size (PSS), in which shared pages count once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runtime.process import Identity, alive


def pss(members: Iterable[Identity]) -> int:
    """Return the sum over those that still run, in bytes. What may not be read counts nothing."""
    return sum(_pss(member.pid) for member in members if alive(member))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # ended meanwhile, or another user's
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
