"""Approvals of a referral inside the sending hospital (院内审批), in the order that the hospital demands.

What is demanded is written down when the referral is begun, so that a changed file changes none under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.referral import cover, store
from consortium.referral.capabilities import Approval
from consortium.referral.decide import Refusal
from consortium.referral.model import Party, State, Words
from consortium.referral.store import Row

_C = store.APPROVAL.c
PARTIES = {"doctor": Party.SENDING_DOCTOR, "coordinator": Party.SENDING_COORDINATOR}


def demand(connection: sa.Connection, id_: UUID, chain: Sequence[Approval]) -> None:
    """Write down which approvals a referral needs, in their order."""
    for rank, one in enumerate(chain, 1):
        values = {"referral_id": id_, "rank": rank} | one.model_dump()
        connection.execute(sa.insert(store.APPROVAL).values(**values))


def of(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the approvals of a referral in their order; those without `username` are still to come."""
    statement = sa.select(store.APPROVAL).where(_C.referral_id == id_).order_by(_C.rank)
    return [dict(row) for row in connection.execute(statement).mappings()]


def pending(connection: sa.Connection, id_: UUID) -> Row | None:
    """Return the next approval; None: there is none, or none any more."""
    return next((one for one in of(connection, id_) if one["username"] is None), None)


def refusal(connection: sa.Connection, row: Row, party: Party, username: str, at: datetime) -> Refusal | None:
    """Say why somebody cannot give the next approval; None: they can."""
    chain = of(connection, row["id"])
    wanted = next((one for one in chain if one["username"] is None), None)
    if wanted is None:
        return Refusal("not-from-this-state", Words("there is nothing to approve", "没有待审批的环节"))
    name = wanted["name"]
    if party is not PARTIES[wanted["by"]]:
        en = f"the next approval is “{name}”, by a {wanted['by']} of the sending hospital"
        who = "医生" if wanted["by"] == "doctor" else "转诊管理人员"
        return Refusal("not-yours", Words(en, f"当前审批环节为“{name}”，由转出医院{who}审批"))
    if wanted["duty"] and username not in cover.having(
        connection, row["sending_facility"], wanted["duty"], at
    ):
        en = f"the next approval is “{name}”, by those who have the duty {wanted['duty']}"
        return Refusal("not-yours", Words(en, f"当前审批环节为“{name}”，仅限承担该职责的人员审批"))
    if username in {one["username"] for one in chain}:
        en = f"you approved it before; “{name}” is for somebody else"
        return Refusal("not-yours", Words(en, f"您已审批过，“{name}”须由他人审批"))
    if username == row["created_by"] and wanted["rank"] > 1:
        en = f"you applied yourself; “{name}” is for somebody else"
        return Refusal("not-yours", Words(en, f"您是申请人，“{name}”须由他人审批"))
    return None


def grant(connection: sa.Connection, id_: UUID, username: str, at: datetime) -> Row | None:
    """Give the next approval, and return the one after it."""
    wanted = pending(connection, id_)
    if wanted is not None:
        this = (_C.referral_id == id_, _C.rank == wanted["rank"])
        connection.execute(sa.update(store.APPROVAL).where(*this).values(username=username, at=at))
    return pending(connection, id_)


def void(connection: sa.Connection, id_: UUID) -> None:
    """Take all approvals back: what was approved has changed. The referral's events keep who gave them."""
    changed = sa.update(store.APPROVAL).where(_C.referral_id == id_)
    connection.execute(changed.values(username=None, at=None))


def waiting(connection: sa.Connection, facility: str, by: str, limit: int) -> list[dict[str, Any]]:
    """Return the drafts of a hospital whose next approval is by that role, the oldest first."""
    earlier = store.APPROVAL.alias()
    before = sa.exists().where(
        earlier.c.referral_id == _C.referral_id, earlier.c.username.is_(None), earlier.c.rank < _C.rank
    )
    next_ = sa.select(_C.referral_id).where(_C.by == by, _C.username.is_(None), ~before)
    statement = (
        store.select()
        .where(
            store.REFERRAL.c.sending_facility == facility,
            store.REFERRAL.c.state == State.DRAFT.value,
            store.REFERRAL.c.id.in_(next_),
        )
        .order_by(store.REFERRAL.c.created_at, store.REFERRAL.c.id)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]
