"""A planted bug: the adapter acknowledges before the commit."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from adapters.mllp.__main__ import main
from bus.envelope import Arrival, Outcome, Receipt
from bus.inbox import Inbox

_submit = Inbox.submit


def submit(inbox: Inbox, arrival: Arrival) -> asyncio.Future[Receipt]:
    """Promise at once what is stored later, or never."""
    _submit(inbox, arrival).add_done_callback(_forget)
    done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    done.set_result(Receipt(0, Outcome.STORED))
    return done


def _forget(stored: asyncio.Future[Any]) -> None:
    if not stored.cancelled():
        stored.exception()


if __name__ == "__main__":
    Inbox.submit = submit  # type: ignore[method-assign,assignment]
    sys.exit(main())
