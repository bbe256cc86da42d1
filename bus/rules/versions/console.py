"""`yilian rules deploy|rollback|versions|status|diff|backtest`."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from bus.rules.delivering import Deliveries
from bus.rules.lint import Check, Needed
from bus.rules.versions import service, store
from bus.rules.versions.compare import compare
from bus.rules.versions.folder import read_folder
from bus.rules.versions.model import SHORT, RefusedRulesError
from bus.rules.versions.status import Status, notice, status
from bus.terminal import fail, show_json, show_table, takes_json, told, with_database, write
from runtime import settings
from runtime.words import words


def versions_main(
    argv: Sequence[str],
    checks: Sequence[Check] = (),
    deliveries: Deliveries | None = None,
    needed: Needed | None = None,
) -> int:
    """Run `rules …`; returns 0, 1 when refused or failed, 2 for a wrong command line. `checks`: what
    `deploy` looks at beside the rules; `deliveries`: see `bus.rules.trial.run_tests`; `needed`: the settings
    that a deployed folder lacks here.
    """
    known = argparse.Namespace(checks=checks, deliveries=deliveries, needed=needed)
    try:
        options = _parser().parse_args(argv, known)
    except SystemExit as end:
        return int(end.code or 0)

    def run(engine: sa.Engine) -> int:
        try:
            return int(options.run(engine, options))
        except RefusedRulesError as error:
            return _refused(error, options)

    return with_database(run)


def _parser() -> argparse.ArgumentParser:
    from bus.rules.versions import backtest_console

    parser = argparse.ArgumentParser(
        prog="yilian rules", description=words("Versions of the rule set.", "规则集的版本。")
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "deploy",
        help=words(
            "check a folder of rules and make it the active set", "检查规则目录，通过后启用为生效版本"
        ),
    )
    one.add_argument(
        "--rules",
        type=Path,
        help=words("folder; by default the setting rules_dir", "规则目录；默认为配置项 rules_dir"),
    )
    one.add_argument("--note", default="", help=words("why; kept with the version", "说明，随版本保存"))
    one.add_argument(
        "--by", help=words("who does this; by default the user of this machine", "操作人；默认为本机当前用户")
    )
    one.set_defaults(run=_deploy)
    one = commands.add_parser(
        "rollback", help=words("make an earlier version the active set again", "回退到较早的版本")
    )
    one.add_argument("version", nargs="?", default="previous", metavar="DIGEST|previous")
    one.add_argument("--note", default="")
    one.add_argument("--by")
    one.set_defaults(run=_rollback)
    one = commands.add_parser(
        "versions",
        help=words("the stored versions and the ledger, newest first", "列出已存版本与启用记录，最新在前"),
    )
    one.add_argument("--limit", type=int, default=20)
    one.set_defaults(run=_versions)
    one = commands.add_parser(
        "status",
        help=words(
            "which set is active, and whether the checkout has another", "查看生效版本，以及本地目录是否不同"
        ),
    )
    one.set_defaults(run=_status)
    one = commands.add_parser("diff", help=words("what differs between two sets", "比较两个版本的差异"))
    for name in ("before", "after"):
        one.add_argument(
            name,
            help=words(
                "digest, active, previous, checkout, or a folder",
                "版本摘要、active、previous、checkout 或目录",
            ),
        )
    one.set_defaults(run=_diff)
    backtest_console.configure(
        commands.add_parser(
            "backtest", help=words("a changed set over stored messages", "用新版本重新判定已存消息，比较结果")
        )
    )
    for command in commands.choices.values():
        takes_json(command)
    return parser


def _deploy(engine: sa.Engine, options: argparse.Namespace) -> int:
    folder = options.rules or settings.load().rules_dir
    outcome = service.deploy(
        engine,
        read_folder(folder),
        options.by or getpass.getuser(),
        options.note,
        also=options.checks,
        deliveries=options.deliveries,
    )
    shown = _outcome(outcome, options)
    if options.needed is not None and not options.json:
        _tell_needed(list(options.needed(folder)))
    return shown


def _tell_needed(missing: Sequence[str]) -> None:
    if missing:
        head = "not set on this machine (.yilian/settings.toml, then ./yilian up):"
        write(words(head, "本机尚未配置（写入 .yilian/settings.toml 后运行 ./yilian up）："))
        for one in missing:
            write(f"  {one}")


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
        write(words(f"{short} is active already; nothing was changed", f"{short} 已是生效版本；未做更改"))
        return 0
    before = outcome.previous[:SHORT] if outcome.previous else "-"
    write(
        words(
            f"{short} is active (before: {before}); the router takes it with its next batch."
            " To take it back: ./yilian rules rollback",
            f"{short} 已生效（此前：{before}）；路由进程从下一批消息起使用。回退：./yilian rules rollback",
        )
    )
    return 0


def _refused(error: RefusedRulesError, options: argparse.Namespace) -> int:
    if options.json:
        show_json({"changed": False, "errors": [dataclasses.asdict(one) for one in error.findings]})
        return 1
    return fail(told(error))


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
    cells = [
        (
            v.short + (" *" if v.digest == active else ""),
            _at(v.created_at),
            v.author,
            v.rules,
            v.tests,
            v.note,
        )
        for v in stored
    ]
    columns = words("version,stored at,author,rules,tests,note", "版本,保存时间,作者,规则,测试,说明")
    show_table(columns.split(","), cells)
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
        write(
            words(
                "no rule set is active yet: ./yilian up activates that of the checkout",
                "尚无生效的规则集：./yilian up 会启用本地目录的规则",
            )
        )
        return
    active, at = found.active, _at(found.active.at)
    short = active.digest[:SHORT]
    write(
        words(
            f"active    {short} since {at}, {active.action} by {active.author}",
            f"生效      {short}，自 {at}，{active.author} {active.action}",
        )
    )
    if active.note:
        write(f"          {active.note}")
    _tell_router(found)
    digest = (found.checkout.digest or words("no rule set", "无规则集"))[:SHORT]
    same = "" if found.drifted else words(", the same", "，相同")
    write(words("checkout  ", "本地目录  ") + f"{digest}{same}")
    for path in found.checkout.differs[:20]:
        write("          " + words(f"differs: {path}", f"不同：{path}"))
    if noticed := notice(found):
        write("\n" + noticed)


def _tell_router(found: Status) -> None:
    if found.router is None:
        write(words("router    has not given a sign of life", "路由进程  没有心跳"))
        return
    rules, age = found.router.rules, f"{found.router.age:.0f}"
    write(words(f"router    decides by {rules} (said {age} s ago)", f"路由进程  使用 {rules}（{age} 秒前）"))
    if found.router.not_loaded:
        failed = found.router.not_loaded
        write(
            "          "
            + words(
                f"could not load {failed}: ./yilian logs router",
                f"无法加载 {failed}：见 ./yilian logs router",
            )
        )


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
