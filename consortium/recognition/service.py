"""Answering what spares a planned laboratory test or examination."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from consortium.recognition.catalogue import Catalogue, Item
from consortium.recognition.judge import Judged, judge
from consortium.records import query
from consortium.records.query import Code, Search

LOOK_BACK = 3
"""How many times its validity an item is looked back for, so that an expired result is named as expired."""
MOST = 20
"""Reports of an item that are judged, the newest."""


def recognise(
    connection: sa.Connection, person: UUID, item: Item, catalogue: Catalogue, now: datetime
) -> list[Judged]:
    """Judge a person's reports of an item from every campus, the newest first."""
    search = Search(
        person=person,
        codes=(Code(item.code, item.system or ""),),
        categories=(item.kind,),
        since=now - timedelta(days=item.valid_days * LOOK_BACK),
        limit=MOST,
    )
    reports = query.reports(connection, search).rows
    results: dict[UUID, list[query.Row]] = {}
    for row in query.results_of(connection, reports):
        results.setdefault(row["report_id"], []).append(row)
    return [judge(item, catalogue.quality, one, results.get(one["id"], ()), now) for one in reports]
