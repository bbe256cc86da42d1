"""Sending on purpose what a destination has had: a new generation of a delivery, linked to the one that it
repeats, with who asked for it and why.

It goes behind what the patient has queued there now, those of one request in the order of their first
generation. It has an id of its own, so whatever a receiver knows a delivery by is new (docs/destinations.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import trace
from bus.delivery.control import NoDeliveryError
from consortium.errors import ConflictError, PermanentError

MOST = 100_000
"""Deliveries of one request at most."""
LOCKS = 0x594C_4147
"""First key of the advisory locks by which requests for one destination go one after the other."""


class NothingToSendError(ConflictError):
    """A delivery that cannot be sent again; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries; None: any. At least one is given."""

    id: int | None = None
    since: datetime | None = None
    """Delivered, or given up, at that time or later."""
    until: datetime | None = None
    """… and before that."""
    facility: str | None = None
    message_type: str | None = None
    control_id: str | None = None
    patient_number: str | None = None

    @property
    def empty(self) -> bool:
        """Whether everything fits."""
        return all(value is None for value in asdict(self).values())


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent again."""

    total: int
    patients: int
    first: datetime | None
    """When the earliest of them was delivered."""
    last: datetime | None
    passed: int
    """Passed by: its bytes were dropped by retention, or it is on its way again already."""
    followed: int
    """Of the patients, how many were sent something later that is not among them: they would have the older
    state last.
    """


@dataclass(frozen=True, slots=True)
class Begun:
    """What is sent again."""

    again_id: int
    ids: Sequence[int]
    """The new deliveries, in order."""
    passed: int


# Of each message, or change of it, the newest generation that is done; `root` is its first one's id.
_CHOSEN = """
WITH fitting AS (
  SELECT DISTINCT d.message_id, d.part
    FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id
   WHERE d.destination = :name AND d.done_at IS NOT NULL
     AND (CAST(:id AS bigint) IS NULL OR d.id = :id)
     AND (CAST(:since AS timestamptz) IS NULL OR d.done_at >= :since)
     AND (CAST(:until AS timestamptz) IS NULL OR d.done_at < :until)
     AND (CAST(:facility AS text) IS NULL OR i.facility = :facility)
     AND (CAST(:message_type AS text) IS NULL OR i.message_type = :message_type)
     AND (CAST(:control_id AS text) IS NULL OR i.control_id = :control_id)
     AND (CAST(:patient_number AS text) IS NULL OR i.patient_number = :patient_number)
), found AS (
  SELECT DISTINCT ON (d.message_id, d.part) d.*, min(d.id) OVER whole AS root,
         bool_or(d.done_at IS NULL) OVER whole AS on_its_way, max(d.generation) OVER whole AS newest,
         d.body IS NULL AND NOT EXISTS (SELECT FROM bus.inbox i JOIN bus.body b
           ON b.id = i.id AND b.received_at = i.received_at WHERE i.id = d.message_id) AS dropped
    FROM bus.delivery d JOIN fitting f USING (message_id, part)
   WHERE d.destination = :name
  WINDOW whole AS (PARTITION BY d.message_id, d.part)
   ORDER BY d.message_id, d.part, (d.done_at IS NULL), d.generation DESC
), chosen AS (SELECT * FROM found WHERE NOT on_its_way AND NOT dropped)
"""
_PREVIEW = sa.text(
    _CHOSEN  # noqa: S608 - constants
    + """, latest AS (
  SELECT patient_key, max(root) AS root FROM chosen GROUP BY patient_key
), later AS (
  SELECT DISTINCT l.patient_key FROM latest JOIN bus.delivery l
      ON l.patient_key = latest.patient_key AND l.id > latest.root
   WHERE l.destination = :name AND l.generation = 0 AND l.state <> 'discarded'
     AND l.id > (SELECT min(root) FROM latest)
     AND NOT EXISTS (SELECT FROM chosen c WHERE c.message_id = l.message_id AND c.part = l.part)
)
SELECT (SELECT count(*) FROM chosen) AS total, (SELECT count(*) FROM latest) AS patients,
       (SELECT min(done_at) FROM chosen) AS first, (SELECT max(done_at) FROM chosen) AS last,
       (SELECT count(*) FROM found WHERE on_its_way OR dropped) AS passed,
       (SELECT count(*) FROM later) AS followed
"""
)
_COUNT = sa.text(
    _CHOSEN  # noqa: S608 - constants
    + "SELECT (SELECT count(*) FROM chosen) AS total,"
    " (SELECT count(*) FROM found WHERE on_its_way OR dropped) AS passed"
)
_QUEUE = sa.text(
    _CHOSEN  # noqa: S608 - constants
    + """, queued AS (
  INSERT INTO bus.delivery
    (destination, message_id, part, patient_key, other_key, form, body, generation, again_of, again_id)
  SELECT destination, message_id, part, patient_key, other_key, form, body, newest + 1, id, :again_id
    FROM chosen ORDER BY root
  RETURNING id, message_id, again_of, generation
), told AS (
  INSERT INTO bus.trace (message_id, step, detail)
  SELECT message_id, :step, jsonb_build_object('destination', CAST(:name AS text), 'delivery', id,
    'again_of', again_of, 'generation', generation, 'by', CAST(:by AS text), 'why', CAST(:why AS text))
    FROM queued
)
SELECT id FROM queued ORDER BY id
"""
)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(:locks, hashtext(:name))")
_BEGIN = sa.text(
    "INSERT INTO bus.delivery_again (by, why, destination, request, idempotency_key)"
    " VALUES (:by, :why, :name, CAST(:request AS jsonb), :key)"
    " ON CONFLICT (by, idempotency_key) DO NOTHING RETURNING id"
)
_KNOWN = sa.text(
    "SELECT id, why = :why AND destination = :name AND request = CAST(:request AS jsonb) AS same"
    " FROM bus.delivery_again WHERE by = :by AND idempotency_key = :key"
)
_MADE = sa.text("SELECT id FROM bus.delivery WHERE again_id = :id ORDER BY id")
_STATE = sa.text("SELECT state, done_at FROM bus.delivery WHERE id = :id AND destination = :name")


def preview(connection: sa.Connection, name: str, wanted: Wanted) -> Preview:
    """Say what would be sent again to a destination, and change nothing. Raises as `send`."""
    _check(connection, name, wanted)
    return Preview(**connection.execute(_PREVIEW, _values(name, wanted)).mappings().one())


def send(
    connection: sa.Connection, name: str, wanted: Wanted, by: str, why: str, key: str | None = None
) -> Begun:
    """Queue the deliveries again, in the caller's transaction. `why` must hold no patient data; `key` makes
    the same request again the same one.

    Raises NoDeliveryError and NothingToSendError for one delivery, PermanentError for a request that names
    nothing or too much, ConflictError for a key that was used for another.
    """
    if not why.strip():
        raise PermanentError(
            "say why: it is kept for those who look later", zh="请填写原因：予以保存，供日后查阅"
        )
    connection.execute(_LOCK, {"locks": LOCKS, "name": name})
    values = {"by": by, "why": why.strip(), "name": name, "key": key, "request": _request(wanted)}
    again_id = connection.execute(_BEGIN, values).scalar_one_or_none()
    if again_id is None:
        return _known(connection, values)
    _check(connection, name, wanted)
    found = connection.execute(_COUNT, _values(name, wanted)).one()
    if found.total > MOST:
        raise PermanentError(
            f"{found.total} deliveries are more than {MOST} at a time: take a shorter time in parts",
            zh=f"共 {found.total} 次投递，超过每次 {MOST} 次的上限：请缩短时间范围分批进行",
        )
    told = {"again_id": again_id, "step": trace.DELIVERY_AGAIN, "by": by, "why": why.strip()}
    ids = connection.execute(_QUEUE, {**_values(name, wanted), **told}).scalars().all()
    if wanted.id is not None and not ids:
        raise NothingToSendError(
            f"delivery {wanted.id} cannot be sent again: it is on its way again already, or its bytes were"
            " dropped by retention",
            zh=f"投递 {wanted.id} 无法再次发送：它已在重新发送中，或其内容已按保留期清除",
        )
    return Begun(again_id, ids, found.passed)


def _known(connection: sa.Connection, values: dict[str, Any]) -> Begun:
    row = connection.execute(_KNOWN, values).one()
    if not row.same:
        raise ConflictError(
            "this Idempotency-Key was used for another request; use a new one",
            zh="该 Idempotency-Key 已用于另一次请求；请换用新的",
        )
    return Begun(row.id, connection.execute(_MADE, {"id": row.id}).scalars().all(), 0)


def _check(connection: sa.Connection, name: str, wanted: Wanted) -> None:
    if wanted.empty:
        raise PermanentError(
            "say which: a delivery, or filters such as since",
            zh="请指明哪些：给出投递编号，或 since 等筛选条件",
        )
    if wanted.id is None:
        return
    row = connection.execute(_STATE, {"id": wanted.id, "name": name}).one_or_none()
    if row is None:
        raise NoDeliveryError(
            f"{name} has no delivery {wanted.id}; ./yilian messages show ID lists those of a message",
            zh=f"{name} 没有编号为 {wanted.id} 的投递；可用 ./yilian messages show 编号 查看",
        )
    if row.done_at is None:
        raise NothingToSendError(
            f"delivery {wanted.id} is {row.state}: only one that is done is sent again; one that is parked or"
            " ambiguous is resent or discarded",
            zh=f"投递 {wanted.id} 的状态为 {row.state}：只有已完成的才能再次发送；"
            "被搁置或结果不明的请用 resend 或 discard",
        )


def _values(name: str, wanted: Wanted) -> dict[str, Any]:
    return {"name": name, **asdict(wanted)}


def _request(wanted: Wanted) -> str:
    given = {name: value for name, value in asdict(wanted).items() if value is not None}
    return json.dumps(given, default=datetime.isoformat, ensure_ascii=False, sort_keys=True)
