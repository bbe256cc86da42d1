"""`yilian workflows list|show|schedules`: what runs, until when, and what holds it up. No patient."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from activities import overview, projections
from activities.client import connect
from activities.overview import Details, Standing, Wanted
from activities.projections import Recorded, Step
from activities.schedules import Planned, planned
from bus.terminal import show_json, show_table, takes_json, with_database, write
from runtime import settings
from runtime.settings import Settings
from runtime.words import words


def workflows_main(argv: Sequence[str]) -> int:
    """Run `workflows …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _run(engine, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian workflows", description=words("Where workflows stand.", "工作流的状态。")
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lists = commands.add_parser("list", help=words("what runs, newest first", "运行中的工作流，最新的在前"))
    lists.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    lists.add_argument("--type", help=words("such as critical_value", "如 critical_value"))
    lists.add_argument("--state", help=words("such as escalated", "如 escalated"))
    lists.add_argument("--closed", action="store_true", help=words("those that ended, too", "包括已结束的"))
    late = words("past their deadline alone", "仅显示已过期限的")
    lists.add_argument("--late", action="store_true", help=late)
    lists.add_argument("--limit", type=int, default=50, help=words("how many at most", "最多显示多少个"))
    shows = commands.add_parser("show", help=words("one, and what holds it up", "一个工作流及其阻塞原因"))
    shows.add_argument("id", help=words("workflow id", "工作流标识"))
    plans = commands.add_parser("schedules", help=words("what starts by the clock", "定时启动的工作流"))
    for one in (lists, shows, plans):
        takes_json(one)
    return parser


def _run(engine: sa.Engine, options: argparse.Namespace) -> int:
    known = settings.load()
    if options.command == "list":
        return _list(asyncio.run(_listed(known, options)), options)
    if options.command == "schedules":
        return _schedules(asyncio.run(_planned(known)), options)
    found = asyncio.run(_shown(known, options.id))
    with engine.connect() as connection:
        recorded = projections.recorded(connection, options.id)
        steps = projections.steps(connection, options.id)
    if not options.json:
        return _show(found, recorded, steps)
    kept = {
        "recorded": dataclasses.asdict(recorded) if recorded else None,
        "steps": [dataclasses.asdict(one) for one in steps],
    }
    return show_json(dataclasses.asdict(found) | kept)


async def _listed(known: Settings, options: argparse.Namespace) -> tuple[Standing, ...]:
    wanted = Wanted(options.facility, options.type, options.state, open=not options.closed, late=options.late)
    limit = max(1, min(options.limit, 1000))
    return (await overview.listed(await connect(known), wanted, datetime.now(UTC), limit)).items


async def _shown(known: Settings, workflow_id: str) -> Details:
    return await overview.shown(await connect(known), workflow_id)


async def _planned(known: Settings) -> list[Planned]:
    return await planned(await connect(known))


def _schedules(found: Sequence[Planned], options: argparse.Namespace) -> int:
    if options.json:
        return show_json({"schedules": [dataclasses.asdict(one) for one in found]})
    if not found:
        write(words("no workflow starts by the clock", "没有定时启动的工作流"))
        return 0
    columns = words("schedule,workflow,next,last,", "计划,工作流,下次,上次,").split(",")
    paused = words("paused", "已暂停")
    rows = [(p.name, p.workflow, _time(p.next), _time(p.last), paused * p.paused) for p in found]
    return show_table(columns, rows)


def _list(found: Sequence[Standing], options: argparse.Namespace) -> int:
    if options.json:
        return show_json({"workflows": [dataclasses.asdict(one) for one in found]})
    if not found:
        write(words("no such workflow", "没有符合条件的工作流"))
        return 0
    columns = words("workflow,campus,state,level,deadline,status", "工作流,院区,状态,升级,期限,运行状态")
    return show_table(columns.split(","), [_cells(one) for one in found])


def _cells(one: Standing) -> tuple[Any, ...]:
    return one.id, one.facility, one.state, one.level, _time(one.deadline), one.status


def _show(found: Details, recorded: Recorded | None, steps: Sequence[Step]) -> int:
    one = found.standing
    facts = [
        (words("workflow", "工作流"), one.id),
        (words("status", "运行状态"), one.status),
        (words("state in Temporal", "Temporal 中的状态"), one.state),
        (words("state recorded", "数据库中的状态"), recorded.state if recorded else None),
        (words("campus", "院区"), one.facility),
        (words("escalation level", "升级级别"), one.level),
        (words("deadline", "期限"), _time(one.deadline)),
        (words("started", "开始"), _time(one.started)),
        (words("closed", "结束"), _time(one.closed)),
        (words("events", "事件数"), found.events),
    ]
    show_table(("", ""), [fact for fact in facts if fact[1] is not None])
    if steps:
        columns = words("told,step,level,at", "通知对象,步骤,级别,时间").split(",")
        show_table(columns, [(s.duty, s.step, s.level, _time(s.at)) for s in steps])
    if found.pending:
        columns = words("not done yet,attempt,failure,again at", "未完成,次数,失败,下次").split(",")
        rows = [(p.activity, p.attempt, p.failure, _time(p.next_attempt)) for p in found.pending]
        show_table(columns, rows)
    return 0


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
