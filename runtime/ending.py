"""The end of a process that may have asked Temporal."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

CLIENT = "temporalio.bridge.temporal_sdk_bridge"
"""The native part of Temporal's client, where it was used."""
READER_LEFT = 141
"""Exit code of one whose reader went away, as a shell has it for SIGPIPE."""


def end(code: int) -> NoReturn:
    """End the process with that exit code.

    Threads of Temporal's client may call into an interpreter that is being torn down, which aborts the
    process after its work is done (temporalio/sdk-python#300): where it was used, nothing is torn down.
    """
    if CLIENT not in sys.modules:
        sys.exit(code)
    try:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
    except BrokenPipeError:
        code = READER_LEFT
    os._exit(code)
