"""Reads the facts of the registry. Every statement reads the counted systems or an index of open rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from bus.alerts import store as alerts
from bus.delivery.overview import OPEN
from bus.registry.join import joined
from bus.registry.model import Entry, Facts, Link, Outward, Subscription
from bus.rules.destinations import AnyDestination, MllpDestination, PixV3Destination
from bus.rules.ruleset import RuleSet
from bus.rules.systems import SystemsFile
from bus.systems import Seen, fitting, held_today, seen
from consortium.terminology import subscribers

NEWEST = 200
"""Messages of a type among which a sender's newest is looked for, to see which version it writes."""
UNTOLD = sa.text(
    "SELECT destination, count(*) AS number FROM bus.outbox"
    " WHERE delivered_at IS NULL AND destination = ANY(:names) GROUP BY 1"
)
HEADS = sa.text(
    "SELECT w.facility, w.sender, w.message_type, substring(b.body FROM 1 FOR 1024) AS head"
    " FROM unnest(CAST(:facilities AS text[]), CAST(:senders AS text[]), CAST(:types AS text[]))"
    " AS w (facility, sender, message_type)"
    " CROSS JOIN LATERAL (SELECT n.id, n.received_at FROM (SELECT i.id, i.received_at, i.sender"
    " FROM bus.inbox i WHERE i.facility = w.facility AND i.message_type = w.message_type"
    " ORDER BY i.id DESC LIMIT :newest) n WHERE n.sender = w.sender ORDER BY n.id DESC LIMIT 1) m"
    " JOIN bus.body b ON b.id = m.id AND b.received_at = m.received_at"
)


def registry(
    connection: sa.Connection,
    rules: RuleSet,
    destinations: Mapping[str, AnyDestination],
    declared: Mapping[str, SystemsFile],
    patience: Mapping[str, float],
) -> tuple[list[Entry], dict[str, Link]]:
    """Return every system, and the rules that link them. `patience`: seconds of silence by campus that mean
    nothing.
    """
    links = links_of(rules)
    rows = seen(connection)
    facts = Facts(
        declared={facility: spec.systems for facility, spec in declared.items()},
        seen=rows,
        destinations=_outwards(connection, destinations, links),
        subscriptions=_subscriptions(connection),
        held=held_today(connection),
        versions=_versions(connection, declared, rows),
        patience=patience,
    )
    return joined(facts, partial(fitting, rules)), links


def links_of(rules: RuleSet) -> dict[str, Link]:
    """Return the rules by name: what each makes of a message, and where it sends it on."""
    return {
        rule.spec.name: Link(
            rule.spec.name,
            rule.spec.facility,
            rule.spec.kind.value if rule.spec.kind else None,
            [sending.to for sending in rule.spec.sendings],
        )
        for rule in rules.rules
    }


def _outwards(
    connection: sa.Connection, destinations: Mapping[str, AnyDestination], links: Mapping[str, Link]
) -> dict[str, Outward]:
    open_: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for row in connection.execute(OPEN):
        open_.setdefault(row.destination, {})[row.state] = row.number
        oldest[row.destination] = min(row.oldest, oldest.get(row.destination, row.oldest))
    troubles: dict[str, list[str]] = {}
    for alert in alerts.alerts(connection):
        if alert.name.startswith("destination_"):
            troubles.setdefault(alert.subject, []).append(alert.name)
    return {
        name: Outward(
            name=name,
            facility=spec.facility,
            kind=spec.kind,
            rules=[link.name for link in links.values() if name in link.destinations],
            notices_of=spec.pix.domains
            if isinstance(spec, MllpDestination | PixV3Destination) and spec.pix
            else (),
            open=open_.get(name, {}),
            oldest=oldest.get(name),
            alerts=sorted(troubles.get(name, ())),
        )
        for name, spec in destinations.items()
    }


def _subscriptions(connection: sa.Connection) -> dict[str, Subscription]:
    known = {one.lying: one for one in subscribers.listed(connection)}
    waiting = {row.destination: row.number for row in connection.execute(UNTOLD, {"names": list(known)})}
    return {
        one.name: Subscription(one.name, one.kinds, waiting.get(lying, 0), one.destination)
        for lying, one in known.items()
    }


def _versions(
    connection: sa.Connection, declared: Mapping[str, SystemsFile], rows: list[Seen]
) -> dict[tuple[str, str, str], str]:
    """Return what MSH-12 of each system's newest message says, where a version is declared."""
    asked = sorted(
        {
            (row.facility, row.sender, row.message_type)
            for row in rows
            if row.facility in declared
            for one in declared[row.facility].systems
            if row.sender in one.names
            if any(s.contract.kind == "hl7v2" for s in one.service_of(row.message_type))
        }
    )
    if not asked:
        return {}
    facilities, senders, types = (list(column) for column in zip(*asked, strict=True))
    values = {"facilities": facilities, "senders": senders, "types": types, "newest": NEWEST}
    found = connection.execute(HEADS, values)
    read = {(row.facility, row.sender, row.message_type): version_of(bytes(row.head)) for row in found}
    return {key: version for key, version in read.items() if version}


def version_of(head: bytes) -> str:
    """Return MSH-12.1 of the beginning of an HL7 v2 message; empty where it says none."""
    at = head.find(b"MSH")
    if at < 0 or len(head) < at + 5:
        return ""
    fields = head[at:].partition(b"\r")[0].split(head[at + 3 : at + 4])
    component = head[at + 4 : at + 5]
    return fields[11].partition(component)[0].decode("ascii", "replace").strip() if len(fields) > 11 else ""
