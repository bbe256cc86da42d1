"""`yilian master …`: import, list, show and export master data, and who is told of its changes."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from bus import terminal
from bus.campuses.following import take_deployed
from bus.master_data import standing, subscribing
from bus.master_data.imports import import_rows
from bus.master_data.show import imported_data, recorded_data, standing_data
from bus.master_data.subscribing import Wanted
from bus.rules.destinations import AnyDestination
from bus.rules.versions.destinations import CurrentDestinations
from consortium.access.model import Action
from consortium.terminology import csv_form, service, store, subscribers
from consortium.terminology.model import FIELDS, GROUP, Kind, Recorded
from consortium.terminology.service import Import, Imported
from runtime import settings
from runtime.words import words

NOTHING = "(nothing)"
IMPORTS = 50
"""Imports that a history without a code shows."""


def master_main(argv: Sequence[str]) -> int:
    """Run `master …`; returns 0, 1 when it is refused, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return terminal.with_database(lambda engine: int(options.run(engine, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian master", description=words("Master data (主数据).", "主数据管理。")
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "import",
        help=words(
            "take in a CSV file: differences are shown, history is kept", "导入 CSV 文件：显示差异，保留历史"
        ),
    )
    _kind(one)
    one.add_argument("file", type=Path)
    one.add_argument(
        "--dry-run",
        action="store_true",
        help=words("show the differences and change nothing", "只显示差异，不作更改"),
    )
    one.add_argument(
        "--charset", default="utf-8", help=words("of the file: utf-8, gb18030", "文件字符集：utf-8、gb18030")
    )
    _by(one)
    one.set_defaults(run=_import)
    two = commands.add_parser("list", help=words("what is in force", "列出当前有效的条目"))
    _kind(two)
    two.add_argument(
        "--text", help=words("part of the name, or beginning of the code", "名称中的文字，或代码的开头")
    )
    two.add_argument("--limit", type=int, default=100)
    two.set_defaults(run=_list)
    three = commands.add_parser("show", help=words("what a code means", "查看一个代码的含义"))
    _kind(three)
    three.add_argument("code")
    three.set_defaults(run=_show)
    for command in (two, three):
        command.add_argument(
            "--on",
            type=date.fromisoformat,
            default=None,
            help=words("a day; by default today", "日期；默认为今天"),
        )
    four = commands.add_parser(
        "history",
        help=words(
            "every version of a code; without one, the imports", "一个代码的全部版本；省略代码则列出导入记录"
        ),
    )
    _kind(four)
    four.add_argument("code", nargs="?")
    four.set_defaults(run=_history)
    five = commands.add_parser(
        "export",
        help=words(
            "every period as CSV; imported again it changes nothing",
            "导出各有效期为 CSV；原样再导入不产生更改",
        ),
    )
    _kind(five)
    five.set_defaults(run=_export)
    for command in (two, three, four, five):
        command.add_argument("--owner", help=words("campus code, or GROUP", "院区代码，或 GROUP（医联体）"))
    six = commands.add_parser(
        "fields", help=words("the columns of a kind, and what they mean", "一类主数据的列及其含义")
    )
    _kind(six)
    six.set_defaults(run=_fields)
    _subscriptions(commands)
    for command in commands.choices.values():
        terminal.takes_json(command)
    return parser


def _subscriptions(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    one = commands.add_parser(
        "subscribe", help=words("tell a system of every change", "订阅：向某系统通知每次变更")
    )
    one.add_argument(
        "name", help=words("of a-z, 0-9 and -, such as main-his", "名称，由 a-z、0-9 和 - 组成，如 main-his")
    )
    one.add_argument(
        "kinds",
        nargs="+",
        choices=subscribers.SUBSCRIBABLE,
        metavar="KIND",
        help=", ".join(subscribers.SUBSCRIBABLE),
    )
    one.add_argument(
        "--to",
        metavar="DESTINATION",
        help=words(
            "by which destination; by default the one of its own name", "投递到哪个目的系统；默认与名称相同"
        ),
    )
    one.add_argument(
        "--present",
        action="store_true",
        help=words("tell it what there is already, too", "同时通知已有的条目"),
    )
    _by(one)
    one.set_defaults(run=_subscribe)
    two = commands.add_parser("unsubscribe", help=words("tell a system no more", "取消订阅"))
    two.add_argument("name")
    _by(two)
    two.set_defaults(run=_unsubscribe)
    commands.add_parser(
        "subscribers",
        help=words("who is told of what, and what waits for each", "列出订阅方、订阅内容及待送达的变更"),
    ).set_defaults(run=_subscribers)


def _kind(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", type=Kind, choices=list(Kind), metavar="KIND", help=", ".join(Kind))


def _by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by",
        default=None,
        help=words("who you are; by default the name you are signed in with", "操作人；默认为当前登录名"),
    )


def _who(options: argparse.Namespace) -> str:
    return str(options.by or getpass.getuser())


def _import(engine: sa.Engine, options: argparse.Namespace) -> int:
    try:
        data = options.file.read_bytes()
    except OSError as error:
        return terminal.fail(f"{options.file} cannot be read: {error.strerror}")
    what = Import(options.kind, options.file.name, csv_form.decode(data, options.charset))
    owners = [*(campus.code for campus in take_deployed(settings.load(), engine).campuses), GROUP]
    rows = service.read(what, owners)
    with engine.begin() as connection:
        done = import_rows(connection, what, rows, by=_who(options), dry_run=options.dry_run)
    if done.recorded:
        counts = f"{len(done.plan.added)} added, {len(done.plan.changed)} changed"
        terminal.note(engine, _who(options), Action.MASTER_DATA_WRITE, f"import of {what.kind}", counts)
    if options.json:
        return terminal.show_json(imported_data(done, dry_run=options.dry_run))
    return _tell(done, dry_run=options.dry_run)


def _tell(done: Imported, *, dry_run: bool) -> int:
    plan = done.plan
    for entry in plan.added:
        terminal.write(f"+ {entry.owner} {entry.code} {entry.name} (from {entry.valid_from})")
    for one in plan.changed:
        terminal.write(f"~ {one.entry.owner} {one.entry.code} (from {one.entry.valid_from})")
        for found in one.differences:
            terminal.write(f"    {found.field}: {found.before or NOTHING} -> {found.after or NOTHING}")
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {plan.unchanged} as before"
    terminal.write(f"{counts}; nothing was written, for this is a dry run" if dry_run else counts)
    return 0


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = store.on(
            connection,
            options.kind,
            options.on or date.today(),  # noqa: DTZ011 - the day where the person sits
            owner=options.owner,
            text=options.text,
            limit=options.limit,
        )
    status = _entries(found, options)
    if len(found) == options.limit and not options.json:
        terminal.write("there may be more: narrow it by --text or --owner, or give a larger --limit")
    return status


def _show(engine: sa.Engine, options: argparse.Namespace) -> int:
    day = options.on or date.today()  # noqa: DTZ011 - the day where the person sits
    with engine.connect() as connection:
        found = service.show(connection, options.kind, options.code, options.owner, day)
    if not found:
        return terminal.fail(
            f"no {options.kind} {options.code} is in force on {day}; see ./yilian master history"
        )
    return _entries(found, options)


def _history(engine: sa.Engine, options: argparse.Namespace) -> int:
    if options.code is None:
        return _imports(engine, options)
    with engine.connect() as connection:
        found = store.history(connection, options.kind, options.code, options.owner)
    return _entries(found, options)


def _imports(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = store.imports(connection, options.kind, IMPORTS)
    if options.json:
        return terminal.show_json({"imports": found})
    columns = ("id", "imported_at", "source", "added", "changed", "unchanged", "imported_by")
    return terminal.show_table(columns, [[row[name] for name in columns] for row in found])


def _entries(found: Sequence[Recorded], options: argparse.Namespace) -> int:
    if options.json:
        return terminal.show_json({"entries": [recorded_data(one) for one in found]})
    columns = ("owner", "code", "name", "from", "to", "version", "by", "source")
    rows = [
        (e.owner, e.code, e.name, e.valid_from, e.valid_to, one.version, one.recorded_by, one.source)
        for one in found
        for e in (one.entry,)
    ]
    return terminal.show_table(columns, rows)


def _export(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        text = service.export(connection, options.kind, options.owner)
    return terminal.show_json({"csv": text}) if options.json else _plain(text)


def _plain(text: str) -> int:
    terminal.write(text.removesuffix("\n"))
    return 0


def _fields(engine: sa.Engine, options: argparse.Namespace) -> int:
    del engine
    fields = [
        {"name": "owner", "meaning": "campus code, or GROUP", "required": True, "choices": []},
        {"name": "code", "meaning": "the code", "required": True, "choices": []},
        {"name": "name", "meaning": "its name", "required": True, "choices": []},
        {"name": "valid_from", "meaning": "first day in force", "required": True, "choices": []},
        {"name": "valid_to", "meaning": "last day in force; empty: open", "required": False, "choices": []},
        *(
            {"name": f.name, "meaning": f.meaning, "required": f.required, "choices": list(f.choices)}
            for f in FIELDS[options.kind]
        ),
    ]
    if options.json:
        return terminal.show_json({"fields": fields})
    rows = [
        (f["name"], f["meaning"], "must be given" if f["required"] else "", ", ".join(f["choices"]))  # type: ignore[arg-type] # a list of texts
        for f in fields
    ]
    return terminal.show_table(("column", "means", "", "one of"), rows)


def _specs(connection: sa.Connection) -> Mapping[str, AnyDestination]:
    return CurrentDestinations(settings.load().rules_dir).get(connection)


def _subscribe(engine: sa.Engine, options: argparse.Namespace) -> int:
    wanted = Wanted(options.name, options.kinds, options.to, options.present)
    with engine.begin() as connection:
        one = subscribing.subscribe(connection, wanted, _specs(connection), _who(options))
    what, told = f"subscriber {one.name}", f"told of {', '.join(one.kinds)} by {one.destination}"
    terminal.note(engine, _who(options), Action.MASTER_DATA_WRITE, what, told)
    return _subscribers(engine, options)


def _unsubscribe(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        known = subscribing.unsubscribe(connection, options.name)
    if not known:
        return terminal.fail(
            words(
                f"there is no subscriber {options.name}; see ./yilian master subscribers",
                f"没有订阅方 {options.name}；请查看 ./yilian master subscribers",
            )
        )
    what = f"subscriber {options.name}"
    terminal.note(engine, _who(options), Action.MASTER_DATA_WRITE, what, "told no more")
    return _subscribers(engine, options)


def _subscribers(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = standing.standings(connection, _specs(connection))
    if options.json:
        return terminal.show_json({"subscribers": [standing_data(one) for one in found]})
    now = datetime.now(UTC)
    columns = words(
        "name,kinds,destination,waiting,oldest waits,last sent",
        "名称,种类,目的系统,待送达,最早已等待,最近送达",
    )
    rows = [
        (
            one.subscriber.name,
            ", ".join(one.subscriber.kinds),
            one.subscriber.destination,
            one.waiting,
            f"{(now - one.oldest).total_seconds():.0f} s" if one.oldest else None,
            f"{one.sent_at.astimezone():%Y-%m-%d %H:%M:%S}" if one.sent_at else None,
        )
        for one in found
    ]
    status = terminal.show_table(columns.split(","), rows)
    for one in found:
        if one.problem is not None:
            terminal.write(f"{one.subscriber.name}: {words(one.problem.text, one.problem.zh)}")
    return status
