"""From a request to a row for each person and channel, once, in one transaction.

A row is made for every channel of the template that a person wants and has an address for. A patient without
one gets a row all the same, and so do a duty that nobody has and an account that is closed: it waits for a
person, who can telephone. Staff without an address read it in the application.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bus.notifying.rows import Due
from consortium.notifications import contacts
from consortium.notifications.contacts import Contact, Duty
from consortium.notifications.model import PATIENT, STAFF, Channel, Party
from consortium.notifications.templates import Book, Template

AT_ONCE = 100
"""Requests in one transaction."""
NOBODY = "nobody_on_duty"
NO_ADDRESS = "no_address"
CLOSED, UNKNOWN = "closed_account", "unknown_person"
REASONS = {
    NOBODY: "nobody has this duty: assign it; in the application it waits for whoever gets it",
    NO_ADDRESS: "there is no way to reach them: complete the record or contact, then resend; or telephone",
    CLOSED: "the account is closed, or there is none of that name: tell whoever does their work",
    UNKNOWN: "there is no such patient any more, or their numbers went to several people: find out who it is",
}
"""Why one waits for a person who finds out whom to tell."""
DECEASED = "deceased"

_WAITING = sa.text(
    "SELECT id, facility, duty, recipient, person_id, template, created_at, expires_at"
    " FROM workflow.notification WHERE spread_at IS NULL"
    " AND (template IS NULL OR template = ANY(:known))"
    " ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_INSERT = sa.text(
    "INSERT INTO workflow.dispatch (notification_id, channel, party, state, code, reason, expires_at)"
    " VALUES (:notification_id, :channel, :party, :state, :code, :reason, :expires_at)"
    " ON CONFLICT (notification_id, party, channel) DO NOTHING"
)
_SPREAD = sa.text("UPDATE workflow.notification SET spread_at = clock_timestamp() WHERE id = ANY(:ids)")
_EXPIRE = sa.text(
    "UPDATE workflow.dispatch SET state = 'discarded', code = 'expired', done_at = clock_timestamp(),"
    " reason = 'it is of no use any more' WHERE done_at IS NULL AND state = 'queued'"
    " AND expires_at <= clock_timestamp()"
)


@dataclass(frozen=True, slots=True)
class Target:
    """One row to be."""

    party: Party
    channel: Channel
    code: str | None = None
    """Why it waits for a person from the beginning; None: it is to be sent."""


def spread(connection: sa.Connection, book: Book, limit: int = AT_ONCE) -> int:
    """Make the rows of requests whose template is known; returns how many requests there were."""
    values = {"known": list(book.templates), "limit": limit}
    waiting = connection.execute(_WAITING, values).all()
    for row in waiting:
        if row.template is not None:
            _of(connection, row, book.templates[row.template])
    if waiting:
        connection.execute(_SPREAD, {"ids": [row.id for row in waiting]})
    return len(waiting)


def expire(connection: sa.Connection) -> int:
    """Discard what is queued and late, also of a channel that has no port; returns how many."""
    return connection.execute(_EXPIRE).rowcount


def hand_over(connection: sa.Connection, due: Due, template: Template) -> bool:
    """Spread one of a duty that nobody had to those who have it now; False when nobody has it yet."""
    targets = list(_targets(connection, due, template.outward))
    if any(target.code == NOBODY for target in targets):
        return False
    _insert(connection, due.notification_id, targets, due.expires_at)
    return True


def _of(connection: sa.Connection, row: Any, template: Template) -> None:
    ends: datetime = row.expires_at or row.created_at + timedelta(hours=template.expires_hours)
    _insert(connection, row.id, _targets(connection, row, template.outward), ends)


def _insert(
    connection: sa.Connection, notification_id: int, targets: Iterable[Target], ends: datetime | None
) -> None:
    for target in targets:
        connection.execute(
            _INSERT,
            {
                "notification_id": notification_id,
                "channel": target.channel.value,
                "party": str(target.party),
                "state": "parked" if target.code else "queued",
                "code": target.code,
                "reason": REASONS.get(target.code or ""),
                "expires_at": ends,
            },
        )


def _targets(connection: sa.Connection, row: Any, outward: Sequence[Channel]) -> Iterator[Target]:
    if not outward:
        return
    parties = _parties(connection, row)
    if not parties:
        yield Target(Party.nobody(row.facility, row.duty, row.recipient), outward[0], NOBODY)
    for party in parties:
        yield from _of_party(party, contacts.contact(connection, party), outward)


def _of_party(party: Party, known: Contact, outward: Sequence[Channel]) -> Iterator[Target]:
    if known.gone is not None:
        if known.gone != DECEASED:
            yield Target(party, outward[0], known.gone)
        return
    wanted = [channel for channel in outward if known.wants(channel)]
    reached = [channel for channel in wanted if channel in known.addresses]
    for channel in reached:
        yield Target(party, channel)
    if wanted and not reached and party.kind == "person":
        yield Target(party, wanted[0], NO_ADDRESS)


def _parties(connection: sa.Connection, row: Any) -> list[Party]:
    if row.duty == PATIENT:
        return [Party.person(row.person_id)]
    if row.duty == STAFF:
        return [Party.staff(row.recipient)]
    duty = Duty(row.facility, row.duty, row.recipient or "")
    return [Party.staff(username) for username in contacts.holders(connection, duty)]
