"""`yilian alerts list`: what is wrong now, or was."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from bus.alerts.store import Alert, alerts, untold
from bus.terminal import show_json, show_table, takes_json, with_database, write
from runtime.words import words


def alerts_main(argv: Sequence[str]) -> int:
    """Run `alerts …`; returns 0, 1 when the database cannot be asked, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="yilian alerts", description=words("What is wrong with the bus.", "总线的告警。")
    )
    parser.add_argument("command", choices=("list",))
    parser.add_argument(
        "--all", action="store_true", help=words("those that were cleared, too", "包括已解除的告警")
    )
    parser.add_argument("--limit", type=int, default=100)
    takes_json(parser)
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _list(engine, options))


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = alerts(connection, every=options.all, limit=options.limit)
        failed = untold(connection)
    if options.json:
        shown = {
            "alerts": [dataclasses.asdict(one) for one in found],
            "untold": [dataclasses.asdict(one) for one in failed],
        }
        return show_json(shown)
    columns = words("id raised alert of state what", "编号 时间 告警 对象 状态 内容").split()
    show_table(columns, [_cells(one) for one in found])
    for one in failed:
        write(
            words(
                f"{one.count} not told by {one.channel} yet: {one.last_error} after {one.attempts} tries",
                f"{one.count} 条尚未经 {one.channel} 送达：已尝试 {one.attempts} 次，{one.last_error}",
            )
        )
    return 0


def _cells(one: Alert) -> tuple[str, ...]:
    raised = f"{one.raised_at.astimezone():%Y-%m-%d %H:%M}"
    return (str(one.id), raised, one.name, one.subject, _state(one), one.detail)


def _state(one: Alert) -> str:
    if one.cleared_at:
        return words("cleared", "已解除")
    if one.acknowledged_by:
        return words(f"taken by {one.acknowledged_by}", f"{one.acknowledged_by} 处理中")
    return words("open", "未处理")
