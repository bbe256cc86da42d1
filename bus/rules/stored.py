"""What rules say of a message of the inbox."""

from __future__ import annotations

from bus.envelope import Stored
from bus.rules.day import asked
from bus.rules.decision import Decision
from bus.rules.records import Records
from bus.rules.ruleset import RuleSet, unreadable
from bus.sources.opening import open_stored
from bus.sources.source import UnreadableError


def decided(rules: RuleSet, message: Stored, records: Records) -> Decision:
    """Return what a set makes of a message, by the message's own day and without any effect; of a body that
    does not parse, a `Hold`. Raises what `records` raises, and what a faulty rule function does.
    """
    try:
        return rules.decide(
            open_stored(message),
            message.facility,
            message.message_type,
            records,
            asked(message.message_time, message.received_at),
        )
    except UnreadableError as error:
        return unreadable(error)
