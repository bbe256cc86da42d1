"""Queueing notices: changes read, views compared, deliveries queued, all in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.delivery.queue import Queued
from bus.envelope import Arrival
from bus.fhir.systems import Systems
from bus.hl7.charset import codec_for
from bus.hl7.digest import digest
from bus.hl7v3.names import REVISE
from bus.inbox import accept_in
from bus.partition import patient_key
from bus.pix.domains import CONSORTIUM, Domains, Identifier
from bus.pix.notices import changes, compose, compose_v3
from bus.pix.notices.changes import Change
from bus.pix.notices.views import View, news, remember, view
from bus.router.verdicts import Verdicts
from bus.router.work import READY, Row
from bus.rules.sending.mllp import MllpDestination
from bus.rules.sending.pixv3 import PixV3Destination
from bus.rules.spec import Form
from consortium.access import audit
from consortium.access.model import GROUP, Purpose, Role
from runtime.settings import Settings

ENDPOINT = "pix-notices"
SENDER = "YILIAN"
Noticed = MllpDestination | PixV3Destination
"""Who can be told."""


@dataclass(frozen=True, slots=True)
class _Notice:
    """One message to one destination."""

    transaction: str
    event: str
    to: Noticed
    persons: tuple[uuid.UUID, ...]
    control_id: str
    body: bytes
    cause: int | None

    @property
    def type(self) -> str:
        """Type of the message."""
        return f"hl7v3:{self.event}" if isinstance(self.to, PixV3Destination) else f"ADT^{self.event}"


class Notifier:
    """Tells destinations of changed links."""

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        name: Callable[[], str] = lambda: f"N{uuid.uuid4().hex[:19].upper()}",
    ) -> None:
        """`name` gives a control id, new in each call."""
        self._engine = engine
        self._domains = Domains(settings)
        self._systems = Systems(settings)
        self._key = settings.routing_key
        self._window = timedelta(days=settings.dedupe_days)
        self._clock = clock
        self._name = name

    def step(self, destinations: Sequence[Noticed]) -> bool:
        """Queue what is to be told now; returns whether there may be more at once.

        Errors of the database pass; nothing is told then, and it is told in a later step.
        """
        with self._engine.connect() as connection:
            if changes.idle(connection):
                return False
        with self._engine.begin() as connection:
            before = changes.locked(connection)
            found, after = changes.settled(connection, before)
            told = [
                one for to in destinations if to.pix is not None for one in self._tell(connection, to, found)
            ]
            if after != before:
                changes.save(connection, after)
            # Last: the audit is written by one at a time.
            audit.append_all(connection, told)
        return not after.done

    def _tell(self, connection: sa.Connection, to: Noticed, found: Sequence[Change]) -> list[audit.Entry]:
        """Queue what a destination is to be told; return what the audit says of it."""
        assert to.pix is not None  # noqa: S101 - narrows: the caller looked
        mine = [one for one in found if one.facility in to.pix.domains]
        notices: list[_Notice] = []
        if to.pix.document_registry and isinstance(to, MllpDestination):
            notices += self._person_changes(to, mine)
        if to.pix.links:
            notices += self._link_changes(connection, to, mine)
        return [_entry(one, self._queue(connection, one)) for one in notices]

    def _link_changes(
        self, connection: sa.Connection, to: Noticed, mine: Sequence[Change]
    ) -> Iterator[_Notice]:
        assert to.pix is not None  # noqa: S101 - narrows: as above
        facilities = [domain for domain in to.pix.domains if domain != CONSORTIUM]
        for person, (change, parted) in _people(mine).items():
            seen = view(connection, person, facilities, with_person=CONSORTIUM in to.pix.domains)
            if not news(connection, to.name, seen, parted=parted):
                continue
            remember(connection, to.name, seen)
            others = {change.to_person, change.from_person} - {person, None}
            persons = (person, *(one for one in others if one is not None))
            yield self._link_changed(to, seen, persons, change.message_id)

    def _link_changed(
        self, to: Noticed, seen: View, persons: tuple[uuid.UUID, ...], cause: int | None
    ) -> _Notice:
        named, now, identifiers = self._name(), self._clock(), self._identifiers(seen)
        if isinstance(to, PixV3Destination):
            body = compose_v3.link_changed(identifiers, to, named, now, self._systems)
            return _Notice("ITI-46", REVISE, to, persons, named, body, cause)
        body = compose.link_changed(identifiers, to, named, now)
        return _Notice("ITI-10", "A31", to, persons, named, body, cause)

    def _person_changes(self, to: MllpDestination, mine: Sequence[Change]) -> Iterator[_Notice]:
        for one in mine:
            if one.from_person is None or one.from_person == one.to_person:
                continue
            domain = self._domains.of(one.facility)
            local = Identifier(domain, one.survivor or one.number)
            new = [Identifier(self._domains.person, str(one.to_person)), local]
            old = [Identifier(self._domains.person, str(one.from_person))]
            if one.survivor is not None:
                old.append(Identifier(domain, one.number))
            control_id = self._name()
            body = compose.person_changed(new, old, to, control_id, self._clock())
            persons = (one.to_person, one.from_person)
            yield _Notice("ITI-64", "A43", to, persons, control_id, body, one.message_id)

    def _identifiers(self, seen: View) -> list[Identifier]:
        found = [Identifier(self._domains.of(facility), number) for _, facility, number in seen.members]
        if seen.with_person:
            found.append(Identifier(self._domains.person, str(seen.person)))
        return found

    def _queue(self, connection: sa.Connection, notice: _Notice) -> int:
        """Keep a notice as a message of our own and queue its delivery; return the message's number."""
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        arrival = _arrival(notice)
        [receipt] = accept_in(driver, [arrival], routing_key=self._key, window=self._window)
        keys = tuple(patient_key(CONSORTIUM, str(person), self._key) for person in notice.persons[:2])
        verdicts = Verdicts()
        row = Row(receipt.id, keys, READY, 0, None, False, 0, self._clock(), receipt.id)
        detail: Mapping[str, Any] = {
            "kind": f"{notice.transaction} {notice.event}",
            "caused_by": notice.cause,
        }
        verdicts.record(row, None, detail)
        verdicts.deliver(Queued(notice.to.name, receipt.id, keys, Form.RAW, None))
        verdicts.write(connection)
        return receipt.id


def _people(mine: Sequence[Change]) -> dict[uuid.UUID, tuple[Change, bool]]:
    """Return the people whose links changed, each with its last change and whether a number left or was
    retired.
    """
    found: dict[uuid.UUID, tuple[Change, bool]] = {}
    for one in mine:
        for person in (one.from_person, one.to_person):
            if person is not None:
                parted = one.before or (person in found and found[person][1])
                found[person] = (one, parted)
    return found


def _entry(notice: _Notice, message_id: int) -> audit.Entry:
    """Return the audit's row: whose identifiers go to whom. What became of it, its delivery says."""
    return audit.Entry(
        request_id=f"{GROUP}:{notice.control_id}",
        username=ENDPOINT,
        role=Role.SYSTEM.value,
        organisation=GROUP,
        action=notice.transaction,
        purpose=Purpose.OPERATIONS.value,
        resource=notice.type,
        outcome="allowed",
        reason=f"told destination {notice.to.name}, message {message_id}",
        persons=notice.persons,
    )


def _arrival(notice: _Notice) -> Arrival:
    v2 = isinstance(notice.to, MllpDestination)
    codec = codec_for(notice.to.hl7.charset) if v2 else "utf-8"
    head, _, rest = notice.body.partition(b"\r")
    return Arrival(
        facility=GROUP,
        sender=SENDER,
        control_id=notice.control_id,
        message_type=notice.type,
        body=notice.body,
        charset=codec,
        protocol="mllp" if v2 else "soap",
        endpoint=ENDPOINT,
        digest=digest(head.decode(codec).split("|"), rest) if v2 else sha256(notice.body).digest(),
        patient_number=str(notice.persons[0]),
        other_patient_number=str(notice.persons[1]) if len(notice.persons) > 1 else None,
    )
