"""`yilian systems list|show|impact`: what is connected, what breaks without it; `gateways`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from bus.campuses.following import take_deployed
from bus.gateways import Gateway, gateways
from bus.registry.console import show_details, show_impact, show_list
from bus.registry.finding import found as found_in
from bus.registry.impact import impact
from bus.registry.model import Entry, Link
from bus.registry.read import registry
from bus.registry.shown import details_json, entry_json, impact_json
from bus.rules.destinations import load_destinations
from bus.rules.ruleset import RuleSet
from bus.rules.systems import load_declared
from bus.rules.versions.deciding import deciding
from bus.terminal import show_json, show_table, takes_json, with_database, write
from runtime import settings
from runtime.settings import Settings
from runtime.tended import patience
from runtime.words import words


def systems_main(argv: Sequence[str]) -> int:
    """Run `systems …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="yilian systems", description=words("The campuses' systems.", "各院区的业务系统。")
    )
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "list": words("what is connected, and how it stands", "已接入的系统及其状态"),
        "show": words("all that is known of one system", "一个系统的全部信息"),
        "impact": words("what breaks if it goes away", "若其停用，受影响的部分"),
        "gateways": words("gateways on front machines", "前置机网关"),
    }
    for name, help_ in helps.items():
        command = commands.add_parser(name, help=help_)
        if name in ("show", "impact"):
            command.add_argument("code", help=words("such as HIS", "如 HIS"))
        command.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
        takes_json(command)
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _run(engine, options))


def _run(engine: sa.Engine, options: argparse.Namespace) -> int:
    known = take_deployed(settings.load(), engine)
    with engine.connect() as connection:
        if options.command == "gateways":
            return _gateways(gateways(connection), options, known.alert_gateway_minutes * 60)
        entries, links = _registry(connection, known)
    if options.command == "list":
        return _list(entries, options)
    one = found_in(entries, options.code, options.facility)
    if options.command == "show":
        return show_json(details_json(one)) if options.json else show_details(one)
    broken = impact(one, entries, links)
    return show_json(impact_json(broken)) if options.json else show_impact(broken)


def _registry(connection: sa.Connection, known: Settings) -> tuple[list[Entry], dict[str, Link]]:
    with deciding(connection, known.rules_dir) as folder:
        rules = RuleSet.load(folder)
        destinations, declared = load_destinations(folder).by_name, load_declared(folder).by_facility
    return registry(connection, rules, destinations, declared, patience(known))


def _list(entries: Sequence[Entry], options: argparse.Namespace) -> int:
    shown = [one for one in entries if options.facility in {None, one.facility}]
    if options.json:
        return show_json({"systems": [entry_json(one) for one in shown]})
    return show_list(shown)


def _gateways(found: Sequence[Gateway], options: argparse.Namespace, patience: float) -> int:
    """Print the gateways that speak for a campus; 0: every one, too, that is late."""
    shown = [one for one in found if options.facility in {None, *one.campuses}]
    if options.json:
        return show_json({"gateways": [dataclasses.asdict(one) for one in shown]})
    if not shown:
        write(
            words(
                "no gateway has called yet: docs/gateway.md says how to put one on a front machine",
                "尚无网关接入：部署前置机网关请参见 docs/gateway.md",
            )
        )
        return 0
    columns = words(
        "gateway,campuses,last seen,last message,spooled,oldest,", "网关,院区,最近上线,最近消息,积压,最早,"
    )
    return show_table(columns.split(","), [_cells_of_gateway(one, patience) for one in shown])


def _cells_of_gateway(one: Gateway, patience: float) -> tuple[str, ...]:
    seen = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M:%S}"
    last = f"{one.last_message.astimezone():%Y-%m-%d %H:%M:%S}" if one.last_message else ""
    late = 0 < patience < max(one.silent_seconds, one.oldest_seconds)
    state = ""
    if late:
        silent = one.silent_seconds >= one.oldest_seconds
        state = words("silent", "静默") if silent else words("late", "积压超时")
    oldest = f"{one.oldest_seconds:.0f} s"
    return (one.name, ", ".join(one.campuses), seen, last, str(one.spooled), oldest, one.full or state)
