"""What to do with a control id that is already in the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bus.envelope import Outcome


@dataclass(frozen=True, slots=True)
class Known:
    """A message stored before under the same facility, sender and control id."""

    id: int
    generation: int
    digest: bytes
    fresh: bool
    """Whether it was received inside the window."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Either a duplicate of the message `id`, or something to store as `generation`."""

    outcome: Outcome
    id: int | None
    generation: int


def decide(known: Sequence[Known], digest: bytes) -> Decision:
    """Tell a retry (same content inside the window) from a control id used again.

    Used again inside the window with other content is a conflict; after the window it is a new message.
    """
    newest_first = sorted(known, key=lambda k: -k.generation)
    following = newest_first[0].generation + 1 if newest_first else 0
    for message in newest_first:
        if message.fresh and message.digest == digest:
            return Decision(Outcome.DUPLICATE, message.id, message.generation)
    if any(message.fresh for message in known):
        return Decision(Outcome.CONFLICT, None, following)
    return Decision(Outcome.STORED, None, following)
