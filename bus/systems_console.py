"""`yilian systems list`: who sends what, and whether they still do; `gateways`: the front machines."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from bus.campuses.following import take_deployed
from bus.gateways import Gateway, gateways
from bus.rules.ruleset import RuleSet
from bus.rules.versions.deciding import deciding
from bus.systems import System, systems
from bus.terminal import show_json, show_table, takes_json, with_database, write
from runtime import settings
from runtime.tended import patience
from runtime.words import words


def systems_main(argv: Sequence[str]) -> int:
    """Run `systems …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="yilian systems", description=words("The campuses' systems.", "各院区的业务系统。")
    )
    parser.add_argument("command", choices=("list", "gateways"))
    parser.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    takes_json(parser)
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _list(engine, options))


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    known = take_deployed(settings.load(), engine)
    with engine.connect() as connection:
        if options.command == "gateways":
            return _gateways(gateways(connection), options, known.alert_gateway_minutes * 60)
        with deciding(connection, known.rules_dir) as folder:
            rules = RuleSet.load(folder)
        found = systems(connection, rules, patience(known), options.facility)
    if options.json:
        return show_json({"systems": [dataclasses.asdict(one) for one in found]})
    columns = words(
        "campus,system,by,types,last seen,today,held,rules,", "院区,系统,接入,类型,最近收到,今日,挂起,规则,"
    )
    return show_table(columns.split(","), [_cells(one) for one in found])


def _cells(one: System) -> tuple[str, ...]:
    last = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M}"
    texts = (one.facility, one.sender, ", ".join(one.endpoints), ", ".join(one.message_types), last)
    counts = (str(one.today), str(one.held_today), ", ".join(one.rules))
    return (*texts, *counts, words("silent", "静默") if one.silent else "")


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
