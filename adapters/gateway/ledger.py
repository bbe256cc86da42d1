"""The hub's side of the line in PostgreSQL: messages, refusals and the position of the spool, together."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa
import structlog
from psycopg.types.json import Jsonb

from adapters.gateway.codec import Message, Received, Refused, Status, Taken, item, time_of
from adapters.gateway.decide import Position, fresh
from bus.envelope import Arrival, Outcome, Refusal
from bus.inbox import accept_in, refuse_in

_BEGIN = sa.text(
    "INSERT INTO bus.gateway_spool (gateway, spool, position, mark) VALUES (:gateway, :spool, 0, '')"
    " ON CONFLICT DO NOTHING"
)
_POSITION = sa.text(
    "SELECT position, mark FROM bus.gateway_spool WHERE gateway = :gateway AND spool = :spool FOR UPDATE"
)
_MOVE = sa.text(
    "UPDATE bus.gateway_spool SET position = :position, mark = :mark, moved_at = clock_timestamp()"
    " WHERE gateway = :gateway AND spool = :spool"
)
_SEEN = sa.text(
    "INSERT INTO bus.gateway AS g (name, campuses, last_message, spooled, oldest_seconds, detail)"
    " VALUES (:name, :campuses, CASE WHEN :brought THEN clock_timestamp() END, :spooled, :oldest,"
    " CAST(:detail AS jsonb)) ON CONFLICT (name) DO UPDATE SET campuses = excluded.campuses,"
    " last_seen = clock_timestamp(), last_message = coalesce(excluded.last_message, g.last_message),"
    " spooled = excluded.spooled, oldest_seconds = excluded.oldest_seconds, detail = excluded.detail"
)
_NOW = sa.text("SELECT 1")
"""Begins the transaction of SQLAlchemy's connection, in which psycopg's own then is."""
_TRACE = (
    "INSERT INTO bus.trace (message_id, step, detail) SELECT id, 'gateway', detail"
    " FROM unnest(%s::bigint[], %s::jsonb[]) AS spooled (id, detail)"
)

log = structlog.get_logger("adapters.gateway")


class ForeignCampusError(Exception):
    """An entry speaks for a campus that the gateway may not speak for."""

    def __init__(self, facility: str) -> None:
        super().__init__(facility)
        self.facility = facility


@dataclass(frozen=True, slots=True)
class Speaker:
    """A gateway that has proved who it is."""

    name: str
    campuses: frozenset[str]


class Ledger:
    """Takes batches. SQLAlchemy's errors pass through: nothing is committed then."""

    def __init__(self, engine: sa.Engine, routing_key: str, window: timedelta) -> None:
        """`window`: how long a control id stays known."""
        self._engine = engine
        self._routing_key = routing_key
        self._window = window

    def take(self, speaker: Speaker, batch: Received) -> Position:
        """Commit what is new of a batch; return how far its spool is committed, and note the sign of life.

        Raises GapError, HistoryError, ForeignCampusError; nothing is stored then.
        """
        place = {"gateway": speaker.name, "spool": uuid.UUID(bytes=batch.spool)}
        with self._engine.begin() as connection:
            if batch.entries:
                connection.execute(_BEGIN, place)
            row = connection.execute(_POSITION, place).one_or_none()
            known = Position(row[0], bytes(row[1])) if row and row[0] else None
            new = fresh(known, batch)
            _check(speaker, new)
            if new:
                self._put(_raw(connection), speaker, new)
                known = Position(new[-1].seq, new[-1].mark)
                connection.execute(_MOVE, {**place, "position": known.seq, "mark": known.mark})
            _see(connection, speaker, batch.status, brought=bool(new))
        return known or Position(0, b"")

    def see(self, speaker: Speaker, status: Status) -> None:
        """Note a sign of life of a gateway whose batch is not taken."""
        with self._engine.begin() as connection:
            _see(connection, speaker, status, brought=False)

    def refuse(self, refusal: Refusal) -> None:
        """Keep a caller that was turned away before it could bring anything."""
        with self._engine.begin() as connection:
            connection.execute(_NOW)
            refuse_in(_raw(connection), [refusal])

    def _put(self, connection: psycopg.Connection[Any], speaker: Speaker, new: Sequence[Taken]) -> None:
        """Store entries in their order; one that cannot be stored is kept among the refusals, whole."""
        try:
            with connection.transaction():
                self._put_all(connection, speaker, new)
        except (psycopg.DataError, psycopg.IntegrityError, ValueError) as error:
            if len(new) > 1:
                for one in new:
                    self._put(connection, speaker, [one])
                return
            log.warning("not_storable", name=speaker.name, error=type(error).__name__)
            refuse_in(connection, [_unstorable(speaker, new[0], error)])

    def _put_all(self, connection: psycopg.Connection[Any], speaker: Speaker, new: Sequence[Taken]) -> None:
        messages = [entry for entry in new if isinstance(entry.payload, Message)]
        arrivals = [_arrival(speaker, entry) for entry in messages]
        receipts = accept_in(connection, arrivals, routing_key=self._routing_key, window=self._window)
        refuse_in(
            connection, [_refusal(speaker, entry) for entry in new if isinstance(entry.payload, Refused)]
        )
        stored = [
            (receipt.id, Jsonb({"gateway": speaker.name, "number": entry.seq, "taken_at": _at(entry)}))
            for entry, receipt in zip(messages, receipts, strict=True)
            if receipt.outcome is not Outcome.DUPLICATE
        ]
        if stored:
            connection.execute(_TRACE, ([number for number, _ in stored], [detail for _, detail in stored]))


def _check(speaker: Speaker, new: Sequence[Taken]) -> None:
    for entry in new:
        payload = entry.payload
        # A refusal names whatever its sender wrote; it is shown, and decides nothing.
        if isinstance(payload, Message) and payload.facility not in speaker.campuses:
            raise ForeignCampusError(payload.facility)


def _arrival(speaker: Speaker, entry: Taken) -> Arrival:
    arrival = item(entry.payload)
    assert isinstance(arrival, Arrival)  # noqa: S101 - the caller chose messages
    return arrival._replace(endpoint=f"{speaker.name}/{arrival.endpoint.lstrip('/')}")


def _refusal(speaker: Speaker, entry: Taken) -> Refusal:
    refusal = item(entry.payload)
    assert isinstance(refusal, Refusal)  # noqa: S101 - the caller chose refusals
    where = f"{speaker.name}/{refusal.endpoint.lstrip('/')}"
    return replace(refusal, endpoint=where, reason=f"{refusal.reason} (at the gateway, {_at(entry)})")


def _unstorable(speaker: Speaker, entry: Taken, error: Exception) -> Refusal:
    payload = entry.payload
    told = {name: _clean(getattr(payload, name)) for name in ("facility", "control_id", "message_type")}
    return Refusal(
        protocol=_clean(payload.protocol) or "",
        endpoint=f"{speaker.name}/{(_clean(payload.endpoint) or '').lstrip('/')}",
        peer=speaker.name,
        code="not_storable",
        reason=f"the inbox cannot store it ({type(error).__name__}): its sender was told that it was taken at"
        f" the gateway, {_at(entry)}; it is kept here whole",
        body=payload.body,
        size=len(payload.body),
        **told,
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode().replace("\0", "�")


def _at(entry: Taken) -> str:
    return time_of(entry.at).astimezone().isoformat(timespec="milliseconds")


def _see(connection: sa.Connection, speaker: Speaker, status: Status, *, brought: bool) -> None:
    detail = msgspec.to_builtins(status)
    told = {
        "name": speaker.name,
        "campuses": sorted(speaker.campuses),
        "brought": brought,
        "spooled": max(0, status.spooled),
        "oldest": max(0.0, status.oldest_seconds),
        "detail": msgspec.json.encode(detail).decode(),
    }
    connection.execute(_SEEN, told)


def _raw(connection: sa.Connection) -> psycopg.Connection[Any]:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - the engine's driver is psycopg
    return raw
