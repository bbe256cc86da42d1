"""`./yilian export start|status|pause|resume|cancel|list`: the same jobs as `/fhir/$export`."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from api.failures import FailureError
from api.fhir.export import files, jobs
from api.fhir.export.asked import Asked, address, asked
from api.fhir.export.jobs import Job, Part
from bus.terminal import fail, note, progress, show_json, show_table, takes_json, with_database, write
from consortium.access import audit, sign_in
from consortium.access.model import GROUPS_OWN, USUAL_PURPOSE, Action
from consortium.access.policy import decide
from consortium.errors import PermanentError
from runtime import settings
from runtime.words import words

LOOK = 0.5
"""Seconds between looks of who waits."""
WHAT = "yilian export"
STATES = {
    "active": ("being made", "导出中"),
    "paused": ("paused", "已暂停"),
    "done": ("done", "已完成"),
    "failed": ("failed", "失败"),
}
COMMANDS = {
    "status": ("how far an export is, and its files", "查看导出进度与文件"),
    "pause": ("stop working at it for now", "暂停导出"),
    "resume": ("go on behind the last file recorded", "继续导出"),
    "cancel": ("end it and remove its files", "取消导出并删除文件"),
}


def export_main(argv: Sequence[str]) -> int:
    """Run `export …`; returns 0, 1 when it cannot be done, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _run(engine, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=WHAT,
        description=words(
            "Export records as NDJSON files (FHIR bulk data).",
            "以 NDJSON 文件导出诊疗数据（FHIR 批量导出）。",
        ),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("start", help=words("begin an export", "开始导出"))
    start.add_argument(
        "--user",
        required=True,
        help=words("whose it is; they alone download it over the API", "导出所属用户，只有其可经接口下载"),
    )
    start.add_argument("--type", default="", help=words("such as Patient,Encounter", "如 Patient,Encounter"))
    start.add_argument(
        "--since", default="", help=words("only what changed since then", "只导出此后变更的数据")
    )
    for name, text in COMMANDS.items():
        one = commands.add_parser(name, help=words(*text))
        one.add_argument("id", type=UUID)
        if name != "status":
            one.add_argument("--by", default=None, help=words("who does it; else the login", "操作人"))
        takes_json(one)
    for name in ("start", "status"):
        commands.choices[name].add_argument(
            "--wait", action="store_true", help=words("follow it to its end", "等待至结束")
        )
    takes_json(start)
    takes_json(commands.add_parser("list", help=words("all exports that are kept", "列出全部导出任务")))
    return parser


def _run(engine: sa.Engine, options: argparse.Namespace) -> int:
    if options.command == "list":
        return _list(engine, as_json=options.json)
    if options.command == "start":
        try:
            job = _start(engine, options)
        except FailureError as error:
            one = error.failure
            return fail("; ".join([one.detail, *(f"{e.field}: {e.message}" for e in one.errors)]))
    else:
        job = _known(engine, options.id)
    if options.command in ("pause", "resume", "cancel"):
        return _change(engine, job, options)
    return _show(engine, _followed(engine, job) if options.wait else job, as_json=options.json)


def _start(engine: sa.Engine, options: argparse.Namespace) -> Job:
    """Begin an export as a user who may. Raises FailureError, YilianError."""
    user, given = sign_in.by_name(engine, options.user), [("_type", options.type), ("_since", options.since)]
    purpose = USUAL_PURPOSE[user.role]
    decision = decide(user, Action.RECORD_EXPORT, GROUPS_OWN, purpose)
    wanted: Asked = asked(given, "")
    with engine.begin() as connection:
        job = jobs.start(connection, user.username, address(wanted), wanted) if decision.allow else None
        reason = f"export {job.id} {job.whose()} begun" if job else decision.reason
        outcome: audit.Outcome = "allowed" if job else "refused"
        audit.append(
            connection,
            audit.entry(user, Action.RECORD_EXPORT, purpose, WHAT, outcome, reason, request_id="console"),
        )
    if job is None:
        raise PermanentError(
            f"{user.username} may not export: {decision.reason}", zh=f"用户 {user.username} 无权导出"
        )
    return job


def _known(engine: sa.Engine, id_: UUID) -> Job:
    with engine.connect() as connection:
        job = jobs.find(connection, id_)
    if job is None:
        raise PermanentError(
            f"there is no export {id_}: ./yilian export list shows them",
            zh=f"没有导出任务 {id_}：请用 ./yilian export list 查看",
        )
    return job


def _change(engine: sa.Engine, job: Job, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        if options.command == "cancel":
            done = jobs.remove(connection, job.id)
        elif options.command == "pause":
            done = jobs.switch(connection, job.id, "active", "paused")
        else:
            done = jobs.switch(connection, job.id, "paused", "active")
    if not done:
        now = words(*STATES[job.state])
        return fail(words(f"it cannot be done: the export is {now}", f"无法执行：导出任务{now}"))
    by = options.by or getpass.getuser()
    what = f"export {job.id} {job.whose()}: {options.command}, {job.lines} resources"
    note(engine, by, Action.RECORD_EXPORT, WHAT, what)
    if options.command == "cancel":
        files.remove(files.folder(settings.load()), job.id)
    if options.json:
        return show_json({"id": job.id, "done": options.command})
    write(words("done", "完成"))
    return 0


def _followed(engine: sa.Engine, job: Job) -> Job:
    """Tell how far it is until it ends; it goes on where the person stops looking."""
    said = ""
    while job.state == "active":
        line = _how_far(job)
        if line != said:
            progress(line)
        said = line
        time.sleep(LOOK)
        job = _known(engine, job.id)
    return job


def _how_far(job: Job) -> str:
    said = words(
        f"{job.percent}%, {job.lines} resources in {job.parts} files",
        f"{job.percent}%，{job.parts} 个文件，{job.lines} 条资源",
    )
    return f"{said}: {job.error}" if job.error else said


def _show(engine: sa.Engine, job: Job, *, as_json: bool) -> int:
    with engine.connect() as connection:
        made = jobs.parts(connection, job.id)
    if as_json:
        show_json(_plain(job) | {"files": [_file(job, part) for part in made]})
    else:
        write(f"{job.id}  {words(*STATES[job.state])}  {_how_far(job)}")
        for part in made:
            write(f"  {part.lines:>9}  {_file(job, part)['path']}")
    return int(job.state == "failed")


def _file(job: Job, part: Part) -> dict[str, object]:
    root = files.folder(settings.load())
    counts = {"type": part.type, "count": part.lines, "persons": part.persons, "bytes": part.size}
    return counts | {"path": str(files.place_of(root, job.id, part.name))}


def _plain(job: Job) -> dict[str, object]:
    names = ("id", "username", "types", "since", "transaction_time", "state", "percent", "lines", "parts")
    more = ("error", "created_at", "ended_at")
    return {name: getattr(job, name) for name in (*names, *more)} | {"named_persons": len(job.persons)}


def _list(engine: sa.Engine, *, as_json: bool) -> int:
    with engine.connect() as connection:
        found = jobs.everyones(connection)
    if as_json:
        return show_json({"exports": [_plain(job) for job in found]})
    columns = words("id,whose,begun,state,how far", "编号,所属用户,开始时间,状态,进度").split(",")
    return show_table(columns, [_cells(job) for job in found])


def _cells(job: Job) -> tuple[object, ...]:
    begun = f"{job.created_at.astimezone():%Y-%m-%d %H:%M}"
    return (job.id, job.username, begun, words(*STATES[job.state]), _how_far(job))
