"""The registry for programs: what the command line prints as JSON, and the API answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bus.registry.impact import Impact
from bus.registry.model import Entry, Flow, Outward

DAY = 86400.0


def entry_json(one: Entry) -> dict[str, Any]:
    """Return a system as one row of the list."""
    said = one.declared
    return {
        "facility": one.facility,
        "sender": one.code,
        "name": said.name.model_dump() if said else None,
        "owner": said.owner.model_dump() if said else None,
        "vendor": said.vendor if said else None,
        "version": said.version if said else None,
        "declared": said is not None,
        "endpoints": list(one.endpoints),
        "message_types": {flow.message_type: flow.messages for flow in one.flows if flow.last_seen},
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
        "today": sum(flow.today for flow in one.flows),
        "held_today": one.held_today,
        "rules": list(dict.fromkeys(rule for flow in one.flows if flow.last_seen for rule in flow.rules)),
        "receives": [to.name for to in one.receives],
        "subscriptions": [told.name for told in one.subscriptions],
        "health": one.health.value,
        "silent": one.silent,
        "drift": [asdict(drift) for drift in one.drift],
    }


def details_json(one: Entry) -> dict[str, Any]:
    """Return all that is known of a system."""
    said = one.declared
    return {
        **entry_json(one),
        "senders": list(said.names) if said else [one.code],
        "services": [service.model_dump() for service in said.services] if said else [],
        "asks": list(one.asks),
        "flows": [flow_json(flow) for flow in one.flows],
        "destinations": [outward_json(to) for to in one.receives],
        "told": [asdict(told) for told in one.subscriptions],
    }


def impact_json(found: Impact) -> dict[str, Any]:
    """Return what breaks if a system goes away."""
    return {
        "facility": found.facility,
        "sender": found.code,
        "stops": [flow_json(flow) for flow in found.stops if flow.last_seen],
        "rules": [asdict(one) for one in found.rules],
        "destinations": [asdict(one) for one in found.destinations],
        "workflows": [asdict(one) for one in found.workflows],
        "systems": [asdict(one) for one in found.systems],
        "unreceived": [outward_json(to) for to in found.unreceived],
        "untold": [asdict(told) for told in found.untold],
        "unasked": list(found.unasked),
    }


def flow_json(flow: Flow) -> dict[str, Any]:
    """Return messages of one type; `per_day` over the days in which they came."""
    return {**asdict(flow), "per_day": per_day(flow)}


def per_day(flow: Flow) -> float:
    """Return how many messages came a day, between the first and the last; at least over one day."""
    if flow.first_seen is None or flow.last_seen is None:
        return 0.0
    days = max(1.0, (flow.last_seen - flow.first_seen).total_seconds() / DAY)
    return round(flow.messages / days, 1)


def outward_json(to: Outward) -> dict[str, Any]:
    """Return a destination, and what waits for it; its address is for those who run it."""
    return {
        "name": to.name,
        "facility": to.facility,
        "kind": to.kind,
        "deployed": to.deployed,
        "rules": list(to.rules),
        "open": dict(to.open),
        "oldest": to.oldest,
        "alerts": list(to.alerts),
    }
