"""`yilian gateway …`: what a campus's engineer does with the gateway on the front machine."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import getpass
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.table import Table

from adapters.gateway.checking import check
from adapters.gateway.pending import Pending
from adapters.gateway.settings import GatewaySettings, load
from adapters.gateway.spool import FILE, Level
from adapters.gateway.standing import Standing, standing
from adapters.gateway.trouble import Trouble, told
from bus.logging import configure
from consortium.access.passwords import hash_password
from consortium.errors import PermanentError, YilianError
from runtime.words import complain, console, words

OK, WRONG, USAGE = 0, 1, 2


def gateway_main(argv: Sequence[str]) -> int:
    """Run a command; returns 0, 1 when something is wrong, 2 for a wrong command line or setting."""
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except PermanentError as error:
        complain(str(error))
        return USAGE
    except YilianError as error:
        complain(str(error))
        return WRONG


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="yilian gateway",
        description=words(
            "The gateway on a campus's front machine: takes messages here, forwards them to the hub.",
            "院区前置机上的网关：在本机接收消息，转发至中心。",
        ),
    )
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], english: str, zh: str
    ) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=words(english, zh), description=words(english, zh))
        one.set_defaults(run=run)
        return one

    settled = [
        verb("run", _run, "run until SIGTERM", "运行，直至收到 SIGTERM"),
        verb("status", _status, "what is spooled, and how the line stands", "查看暂存数量与线路状态"),
        verb(
            "check",
            _check,
            "try settings, spool, line, certificate and account",
            "检查设置、暂存库、线路、证书与账户",
        ),
        verb(
            "renew",
            _renew,
            "send all that is left again, after the hub said gap",
            "中心报告缺口后，重发现存的全部消息",
        ),
    ]
    for one in settled:
        one.add_argument(
            "--config",
            type=Path,
            help=words(
                "the settings; else $YILIAN_GATEWAY_CONFIG", "设置文件；缺省取 $YILIAN_GATEWAY_CONFIG"
            ),
        )
    for one in settled[1:3]:
        one.add_argument("--json", action="store_true", help=words("for programs", "供程序读取"))
    verb(
        "password", _password, "print the hash of a password, for accounts", "输出密码的哈希值，用于 accounts"
    )
    return top


def _run(options: argparse.Namespace) -> int:
    from adapters.gateway.agent import run  # the listeners take their time to import

    configure("gateway")
    settings = load(options.config)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    return uvloop.run(run(settings))


def _status(options: argparse.Namespace) -> int:
    settings = load(options.config)
    found = standing(settings.spool.folder)
    if options.json:
        _write(
            json.dumps({"name": settings.name, **dataclasses.asdict(found)}, ensure_ascii=False, default=str)
        )
        return OK
    console().print(_table(settings, found))
    return OK if found.running and found.state == "up" else WRONG


def _table(settings: GatewaySettings, found: Standing) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        (words("gateway", "网关"), settings.name),
        (
            words("process", "进程"),
            words("runs", "运行中") if found.running else words("does not run", "未运行"),
        ),
        (words("line", "线路"), f"{told(Trouble(found.state, found.detail))} · {_time(found.since)}"),
        (
            words("spooled", "暂存"),
            words(f"{found.spooled} messages", f"{found.spooled} 条消息")
            + f" · {found.spooled_bytes / 1024 / 1024:.1f} MiB",
        ),
        (words("oldest", "最早一条"), _time(found.oldest)),
        (words("last confirmed", "最近确认"), f"{found.confirmed} · {_time(found.confirmed_at)}"),
        (words("disk free", "磁盘剩余"), f"{found.disk_free // 1024**2} MiB"),
    ]
    for name, value in rows:
        table.add_row(name, value.replace("[", r"\["))
    return table


def _check(options: argparse.Namespace) -> int:
    settings = load(options.config)
    findings = asyncio.run(check(settings))
    if options.json:
        _write(json.dumps([dataclasses.asdict(one) for one in findings], ensure_ascii=False))
    else:
        for one in findings:
            console().print(
                f"{'✓' if one.good else '✗'} {one.what}: {one.text}", markup=False, soft_wrap=True
            )
    return OK if all(one.good for one in findings) else WRONG


def _renew(options: argparse.Namespace) -> int:
    settings = load(options.config)
    path = settings.spool.folder / FILE
    if not path.exists():
        raise PermanentError(words(f"there is no spool in {path.parent}", f"{path.parent} 中没有暂存库"))
    with closing(
        Pending(path, settings.spool.bounds, Level(), lambda: datetime.now(UTC).timestamp())
    ) as pending:
        count = pending.renew(everything=True)
    _write(words(f"{count} messages will be sent again", f"将重发 {count} 条消息"))
    return OK


def _password(options: argparse.Namespace) -> int:
    del options
    if sys.stdin.isatty():
        given = getpass.getpass(words("password: ", "密码："))
        if given != getpass.getpass(words("again: ", "再次输入：")):
            raise PermanentError(words("the two differ", "两次输入不一致"))
    else:
        given = sys.stdin.readline().rstrip("\n")
    if len(given) < 12:
        raise PermanentError(words("give at least 12 characters", "密码至少 12 个字符"))
    _write(hash_password(given))
    return OK


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
