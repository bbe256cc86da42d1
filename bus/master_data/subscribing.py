"""Subscribing to master data and leaving, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bus.master_data import outbox
from bus.master_data.fitting import misfit
from bus.rules.destinations import AnyDestination
from consortium.terminology import subscribers
from consortium.terminology.subscribers import BadSubscriptionError, Subscriber


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants a system to be told."""

    name: str
    kinds: Sequence[str]
    destination: str | None = None
    """None: the destination of its own name."""
    present: bool = False
    """Whether it is told what there is already, too."""


def subscribe(
    connection: sa.Connection, wanted: Wanted, specs: Mapping[str, AnyDestination], by: str
) -> Subscriber:
    """Register a subscriber, or change what it is told and how; what waits of kinds it is told no more is
    taken away. The same again changes nothing.

    A destination that is not deployed yet is taken: changes wait for it. Raises `BadSubscriptionError` for
    one that does not take these kinds.
    """
    if wanted.present:
        outbox.publish_present(connection, wanted.name, wanted.kinds)
    one = subscribers.subscribe(connection, wanted.name, wanted.kinds, by, destination=wanted.destination)
    unfit = misfit(one, specs)
    if unfit is not None and not unfit.missing:
        raise BadSubscriptionError(unfit.text, zh=unfit.zh)
    outbox.leave_out(connection, one)
    return one


def unsubscribe(connection: sa.Connection, name: str) -> bool:
    """Forget a subscriber and what waits for it; what is queued for delivery goes out. False: there was
    none.
    """
    known = subscribers.unsubscribe(connection, name)
    outbox.forget(connection, name)
    return known
