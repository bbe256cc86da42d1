"""`yilian codes unmapped|map|history`: codes that no table knows, and mapping them."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
from collections.abc import Sequence

import sqlalchemy as sa

from bus import terminal
from bus.codes.mapping import map_code, tables_in_force
from bus.codes.worklist import worklist
from consortium.access.model import Action
from consortium.terminology import maps
from runtime import settings


def codes_main(argv: Sequence[str]) -> int:
    """Run `codes …`; returns 0, 1 when it is refused, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return terminal.with_database(lambda engine: int(options.run(engine, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian codes", description="Codes of campuses, and what they mean."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("unmapped", help="codes that no table knows, those that hold most first")
    one.add_argument("--facility", help="campus code, such as MAIN")
    one.add_argument("--table", help="such as main-lab-items")
    one.set_defaults(run=_unmapped)
    two = commands.add_parser("map", help="say what a code means, and let go on what waited for it")
    _code(two)
    two.add_argument("target", help="the consortium's code")
    two.add_argument("--name", help="its name; needed when the table does not have the target yet")
    two.add_argument("--system", help="its code system, such as http://loinc.org")
    two.add_argument("--why", required=True, help="who decided it, by which source; no patient data")
    two.add_argument("--by", default=None, help="who you are; by default the name you are signed in with")
    two.set_defaults(run=_map)
    three = commands.add_parser("history", help="what people said a code means, oldest first")
    _code(three)
    three.set_defaults(run=_history)
    for command in (one, two, three):
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _code(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="such as main-lab-items")
    parser.add_argument("facility", help="campus code, such as MAIN")
    parser.add_argument("code", help="the campus's code")


def _unmapped(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        tables = tables_in_force(connection, settings.load().rules_dir)
        found = worklist(connection, tables, facility=options.facility, code_table=options.table)
    if options.json:
        return terminal.show_json({"unmapped": [dataclasses.asdict(code) for code in found]})
    if not found:
        terminal.write("every code that messages brought is mapped")
        return 0
    columns = ("campus", "table", "code", "seen", "last", "held", "behind", "mapped since")
    rows = [
        (c.facility, c.code_table, c.code, c.seen, f"{c.last_at.astimezone():%Y-%m-%d %H:%M}", c.held,
         c.behind, c.mapped_to) for c in found
    ]  # fmt: skip
    return terminal.show_table(columns, rows)


def _map(engine: sa.Engine, options: argparse.Namespace) -> int:
    chosen, by = settings.load(), options.by or getpass.getuser()
    wanted = maps.Mapping(
        options.table, options.facility, options.code, options.target, options.name, options.system
    )
    campuses = [campus.code for campus in chosen.campuses]
    done = map_code(engine, chosen.rules_dir, campuses, wanted, by=by, why=options.why)
    what = f"code {wanted.code} of {wanted.facility} in {wanted.code_table}"
    terminal.note(engine, by, Action.CODE_MAP_WRITE, what, f"mapped to {wanted.target}: {options.why}")
    if options.json:
        entry = dataclasses.asdict(done.entry) if done.entry else None
        return terminal.show_json({"entry": entry, "released": [str(id_) for id_ in done.released]})
    terminal.write(f"{what} means {wanted.target}" + ("" if done.entry else ", as before"))
    terminal.write(f"{len(done.released)} messages on their way again")
    return 0


def _history(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = maps.history(connection, options.table, options.facility, options.code)
    if options.json:
        return terminal.show_json({"history": [dataclasses.asdict(entry) for entry in found]})
    rows = [
        (f"{e.mapped_at.astimezone():%Y-%m-%d %H:%M}", e.target, e.name, e.mapped_by, e.why) for e in found
    ]
    return terminal.show_table(("at", "target", "name", "by", "why"), rows)
