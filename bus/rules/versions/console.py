"""`yilian rules deploy|rollback|versions|status|diff|backtest`."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus.rules.versions import service, store
from bus.rules.versions.compare import compare
from bus.rules.versions.folder import read_folder
from bus.rules.versions.model import SHORT, RefusedRulesError
from bus.rules.versions.status import Status, notice, status
from bus.terminal import show_json, write
from consortium.errors import YilianError
from runtime import settings
from runtime.rules import UNDEFINED_TABLE, older
from runtime.words import words


def versions_main(argv: Sequence[str]) -> int:
    """Run `rules …`; returns 0, 1 when refused or failed, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    url = settings.load().database_url
    if not url:
        return _fail("the database is not known: run ./yilian up first, or set YILIAN_DATABASE_URL")
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": 5, "application_name": "rules"},
        hide_parameters=True,
    )
    try:
        return int(options.run(engine, options))
    except RefusedRulesError as error:
        return _refused(error, options)
    except YilianError as error:
        return _fail(str(error))
    except sa.exc.OperationalError:
        return _fail("the database cannot be reached: see ./yilian status")
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        return _fail(older())
    finally:
        engine.dispose()


def _parser() -> argparse.ArgumentParser:
    from bus.rules.versions import backtest_console

    parser = argparse.ArgumentParser(prog="yilian rules", description="Versions of the rule set.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("deploy", help="check a folder of rules and make it the active set")
    one.add_argument("--rules", type=Path, help="folder; by default the setting rules_dir")
    one.add_argument("--note", default="", help="why; kept with the version")
    one.add_argument("--by", help="who does this; by default the user of this machine")
    one.set_defaults(run=_deploy)
    one = commands.add_parser("rollback", help="make an earlier version the active set again")
    one.add_argument("version", nargs="?", default="previous", metavar="DIGEST|previous")
    one.add_argument("--note", default="")
    one.add_argument("--by")
    one.set_defaults(run=_rollback)
    one = commands.add_parser("versions", help="the stored versions and the ledger, newest first")
    one.add_argument("--limit", type=int, default=20)
    one.set_defaults(run=_versions)
    one = commands.add_parser("status", help="which set is active, and whether the checkout has another")
    one.set_defaults(run=_status)
    one = commands.add_parser("diff", help="what differs between two sets")
    for name in ("before", "after"):
        one.add_argument(name, help="digest, active, previous, checkout, or a folder")
    one.set_defaults(run=_diff)
    backtest_console.configure(commands.add_parser("backtest", help="a changed set over stored messages"))
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _deploy(engine: sa.Engine, options: argparse.Namespace) -> int:
    folder = options.rules or settings.load().rules_dir
    outcome = service.deploy(engine, read_folder(folder), options.by or getpass.getuser(), options.note)
    return _outcome(outcome, options)


def _rollback(engine: sa.Engine, options: argparse.Namespace) -> int:
    outcome = service.rollback(engine, options.version, options.by or getpass.getuser(), options.note)
    return _outcome(outcome, options)


def _outcome(outcome: service.Outcome, options: argparse.Namespace) -> int:
    if options.json:
        return show_json(
            {
                "digest": outcome.digest,
                "previous": outcome.previous,
                "changed": outcome.activation is not None,
                "activation": outcome.activation and dataclasses.asdict(outcome.activation),
            }
        )
    short = outcome.digest[:SHORT]
    if outcome.activation is None:
        write(words(f"{short} is active already; nothing was changed", f"{short} 已生效；未做更改"))
        return 0
    before = outcome.previous[:SHORT] if outcome.previous else "-"
    write(
        words(
            f"{short} is active (before: {before}); the router takes it with its next batch."
            " To take it back: ./yilian rules rollback",
            f"{short} 已生效（此前：{before}）；路由器从下一批消息起使用。撤回：./yilian rules rollback",
        )
    )
    return 0


def _refused(error: RefusedRulesError, options: argparse.Namespace) -> int:
    if options.json:
        show_json({"changed": False, "errors": [dataclasses.asdict(one) for one in error.findings]})
    else:
        _fail(str(error))
    return 1


def _versions(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        stored = store.versions(connection, options.limit)
        ledger = store.ledger(connection, options.limit)
        active = store.active_digest(connection)
    if options.json:
        return show_json(
            {
                "active": active,
                "versions": [dataclasses.asdict(version) for version in stored],
                "activations": [dataclasses.asdict(line) for line in ledger],
            }
        )
    table = Table("version", "stored at", "author", "rules", "tests", "note", box=None)
    for version in stored:
        mark = " *" if version.digest == active else ""
        cells = (version.short + mark, _at(version.created_at), version.author)
        table.add_row(*map(escape, (*cells, str(version.rules), str(version.tests), version.note)))
    Console().print(table)
    write(words("\nactivations, newest first (* is active)", "\n启用记录，最新在前（* 为当前生效）"))
    for line in ledger:
        write(
            f"  {_at(line.at)}  {line.digest[:SHORT]}  {line.action:<8}  {line.author}  {line.note}".rstrip()
        )
    return 0


def _status(engine: sa.Engine, options: argparse.Namespace) -> int:
    found = status(engine, settings.load().rules_dir)
    if options.json:
        return show_json({**dataclasses.asdict(found), "drifted": found.drifted})
    _tell(found)
    return 0


def _tell(found: Status) -> None:
    if found.active is None:
        write("no rule set is active yet: ./yilian up activates that of the checkout")
        return
    active = found.active
    write(f"active    {active.digest[:SHORT]} since {_at(active.at)}, {active.action} by {active.author}")
    if active.note:
        write(f"          {active.note}")
    if found.router is None:
        write("router    has not given a sign of life")
    else:
        write(f"router    decides by {found.router.rules} (said {found.router.age:.0f} s ago)")
        if found.router.not_loaded:
            write(f"          could not load {found.router.not_loaded}: ./yilian logs router")
    differs = found.checkout.differs
    write(
        f"checkout  {(found.checkout.digest or 'no rule set')[:SHORT]}{'' if found.drifted else ', the same'}"
    )
    for path in differs[:20]:
        write(f"          differs: {path}")
    if told := notice(found):
        write("\n" + told)


def _diff(engine: sa.Engine, options: argparse.Namespace) -> int:
    changes = compare(files_of(engine, options.before), files_of(engine, options.after))
    if options.json:
        return show_json({"files": [dataclasses.asdict(change) for change in changes]})
    for change in changes:
        write(f"{change.change} {change.path}")
        if change.diff:
            write(change.diff + "\n")
    if not changes:
        write(words("no difference", "没有差异"))
    return 0


def files_of(engine: sa.Engine, name: str) -> dict[str, bytes]:
    """Return the set that a person names: checkout, a folder, active, previous, or a digest.

    Raises YilianError.
    """
    if name == "checkout":
        return read_folder(settings.load().rules_dir)
    if "/" in name or name == ".":
        return read_folder(Path(name))
    with engine.connect() as connection:
        return store.files(connection, store.named(connection, name))


def _at(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def _fail(text: str) -> int:
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(text)
    return 1
