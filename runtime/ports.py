"""Ports on loopback: which are free, and which to take."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on that port of loopback, and of all addresses, now."""
    for host in (LOOPBACK, ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def any_free() -> int:
    """Return a port that the kernel holds free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(host: str, port: int, timeout: float = 2.0) -> bool:
    """Return whether something accepts a TCP connection there within `timeout` seconds."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def next_free(preferred: int, taken: Collection[int], free: Callable[[int], bool] = is_free) -> int:
    """Return the first port from `preferred` upwards that is free and not in `taken`.

    Raises `OSError` when none of the next thousand is.
    """
    for port in range(preferred, min(preferred + 1000, 65536)):
        if port not in taken and free(port):
            return port
    raise OSError(f"no free port between {preferred} and {preferred + 999} on {LOOPBACK}")


def assign(
    preferred: Mapping[str, int],
    kept: Mapping[str, int],
    fixed: Mapping[str, int],
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """Choose a port for each name: the fixed one as it is, else the kept one while free, else the next free.

    `preferred` holds the defaults, `kept` what an earlier start chose, `fixed` what a person set.
    """
    chosen = {name: fixed[name] for name in preferred if name in fixed}
    for name, default in preferred.items():
        if name in chosen:
            continue
        start = kept.get(name, default)
        if start in chosen.values() or not free(start):
            start = next_free(default, set(chosen.values()), free)
        chosen[name] = start
    return chosen
