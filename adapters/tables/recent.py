"""Control ids that this process has brought to the inbox lately.

The overlap is read again on every poll; without this each of its rows would be a duplicate for the inbox to
look up. It is only a saving: what is forgotten is found to be a duplicate by the inbox.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from bus.envelope import Arrival


class Recent:
    """The last `most` control ids of one table."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._known: OrderedDict[str, None] = OrderedDict()

    def unknown(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return those not brought lately; seeing one again keeps it known."""
        return [arrival for arrival in arrivals if not self._seen(arrival.control_id)]

    def learn(self, arrivals: Sequence[Arrival]) -> None:
        """Remember arrivals that are committed."""
        for arrival in arrivals:
            self._known[arrival.control_id] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _seen(self, control_id: str) -> bool:
        if control_id not in self._known:
            return False
        self._known.move_to_end(control_id)
        return True
