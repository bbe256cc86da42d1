"""A planted bug: the adapter acknowledges before the commit."""

from __future__ import annotations

import sys

from adapters.mllp.__main__ import main
from bus.envelope import Arrival, Outcome, Receipt
from bus.inbox import Inbox
from bus.inbox.group import Told

_take = Inbox.take


def take(inbox: Inbox, arrival: Arrival, told: Told) -> None:
    """Promise at once what is stored later, or never."""
    _take(inbox, arrival, _forget)
    told(Receipt(0, Outcome.STORED))


def _forget(outcome: Receipt | Exception) -> None:
    del outcome


if __name__ == "__main__":
    Inbox.take = take  # type: ignore[method-assign,assignment]
    sys.exit(main())
