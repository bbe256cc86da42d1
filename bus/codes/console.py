"""`yilian codes unmapped|map|history`: codes that no table knows, and mapping them."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from bus import terminal
from bus.campuses.following import take_deployed
from bus.codes.mapping import map_code, tables_in_force
from bus.codes.worklist import worklist
from bus.rules.codes import EQUIVALENT, INVERSE
from consortium.access.model import Action
from consortium.terminology import maps
from runtime import settings
from runtime.words import words


def codes_main(argv: Sequence[str]) -> int:
    """Run `codes …`; returns 0, 1 when it is refused, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return terminal.with_database(lambda engine: int(options.run(engine, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian codes",
        description=words("Codes of campuses, and what they mean.", "各院区代码及其含义。"),
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "unmapped",
        help=words(
            "codes that no table knows, those that hold most first",
            "列出码表中没有的代码，挂起消息最多的在前",
        ),
    )
    one.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    one.add_argument("--table", help=words("such as main-lab-items", "码表名，如 main-lab-items"))
    one.set_defaults(run=_unmapped)
    two = commands.add_parser(
        "map",
        help=words(
            "say what a code means, and let go on what waited for it", "为代码建立映射，并放行因此挂起的消息"
        ),
    )
    _code(two)
    two.add_argument("target", help=words("the consortium's code", "平台标准代码"))
    two.add_argument(
        "--name",
        help=words(
            "its name; needed when the table does not have the target yet",
            "代码名称；码表中尚无该标准代码时必填",
        ),
    )
    two.add_argument(
        "--system", help=words("its code system, such as http://loinc.org", "代码系统，如 http://loinc.org")
    )
    _held_so(two)
    two.add_argument(
        "--why",
        required=True,
        help=words(
            "who decided it, by which source; no patient data", "由谁、依据什么确定；请勿填写患者信息"
        ),
    )
    two.add_argument(
        "--by",
        default=None,
        help=words("who you are; by default the name you are signed in with", "操作人；默认为当前登录名"),
    )
    two.set_defaults(run=_map)
    three = commands.add_parser(
        "history", help=words("what people said a code means, oldest first", "代码映射的历史，最早在前")
    )
    _code(three)
    three.set_defaults(run=_history)
    for command in (one, two, three):
        terminal.takes_json(command)
    return parser


def _code(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help=words("such as main-lab-items", "码表名，如 main-lab-items"))
    parser.add_argument("facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    parser.add_argument("code", help=words("the campus's code", "院区自己的代码"))


def _held_so(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--valid-from",
        type=date.fromisoformat,
        metavar=words("DAY", "日期"),
        help=words("first day in force, such as 2026-01-31; without it since ever", "生效日，默认一直有效"),
    )
    parser.add_argument(
        "--valid-to",
        type=date.fromisoformat,
        metavar=words("DAY", "日期"),
        help=words(
            "last day in force; without it until the next period of the code",
            "失效日（含当日），默认至下一有效期",
        ),
    )
    parser.add_argument(
        "--relationship",
        choices=tuple(INVERSE),
        help=words("of the target to the code; without it equivalent", "标准代码与院区代码的关系，默认等价"),
    )
    parser.add_argument(
        "--owner", help=words("who answers for it; without it the campus", "维护方，默认为院区")
    )


def _unmapped(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        tables = tables_in_force(connection, settings.load().rules_dir)
        found = worklist(connection, tables, facility=options.facility, code_table=options.table)
    if options.json:
        return terminal.show_json({"unmapped": [dataclasses.asdict(code) for code in found]})
    if not found:
        terminal.write(words("every code that messages brought is mapped", "消息中出现的代码均已映射"))
        return 0
    columns = words(
        "campus,table,code,seen,last,held,behind,mapped since", "院区,码表,代码,次数,最近,挂起,等待,已映射为"
    ).split(",")
    rows = [
        (c.facility, c.code_table, c.code, c.seen, f"{c.last_at.astimezone():%Y-%m-%d %H:%M}", c.held,
         c.behind, c.mapped_to) for c in found
    ]  # fmt: skip
    return terminal.show_table(columns, rows)


def _map(engine: sa.Engine, options: argparse.Namespace) -> int:
    chosen, by = take_deployed(settings.load(), engine), options.by or getpass.getuser()
    wanted = maps.Mapping(
        options.table,
        options.facility,
        options.code,
        options.target,
        options.name,
        options.system,
        valid_from=options.valid_from,
        valid_to=options.valid_to,
        relationship=options.relationship,
        owner=options.owner,
    )
    campuses = [campus.code for campus in chosen.campuses]
    done = map_code(engine, chosen.rules_dir, campuses, wanted, by=by, why=options.why)
    what = f"code {wanted.code} of {wanted.facility} in {wanted.code_table}"
    terminal.note(engine, by, Action.CODE_MAP_WRITE, what, f"mapped to {wanted.target}: {options.why}")
    if options.json:
        entry = dataclasses.asdict(done.entry) if done.entry else None
        return terminal.show_json({"entry": entry, "released": [str(id_) for id_ in done.released]})
    same = "" if done.entry else words(", as before", "（与此前相同）")
    terminal.write(
        words(
            f"{what} means {wanted.target}",
            f"{wanted.code_table} 中 {wanted.facility} 的代码 {wanted.code} 映射为 {wanted.target}",
        )
        + same
    )
    count = len(done.released)
    terminal.write(words(f"{count} messages on their way again", f"{count} 条消息继续处理"))
    return 0


def _history(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = maps.history(connection, options.table, options.facility, options.code)
    if options.json:
        return terminal.show_json({"history": [dataclasses.asdict(entry) for entry in found]})
    rows = [
        (
            f"{e.mapped_at.astimezone():%Y-%m-%d %H:%M}", e.target, e.name, e.relationship or EQUIVALENT,
            e.valid_from, e.valid_to, e.owner or e.facility, e.mapped_by, e.why,
        )
        for e in found
    ]  # fmt: skip
    columns = words(
        "at,target,name,relationship,from,to,owner,by,why",
        "时间,标准代码,名称,关系,生效,失效,维护方,操作人,原因",
    ).split(",")
    return terminal.show_table(columns, rows)
