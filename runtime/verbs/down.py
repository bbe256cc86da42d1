"""`./yilian down`: stops everything, and with --purge deletes what it kept."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys

from runtime import process, state
from runtime.settings import home
from runtime.state import State
from runtime.waiting import until
from runtime.words import complain, words

DATA = (
    "postgres",
    "documents",
    "rabbitmq",
    "temporal",
    "airflow",
    "logs",
    "run",
    "generated.toml",
    "sample.json",
)
"""What --purge deletes in the home; settings.toml and the Python environment stay."""
_LONGEST = 120.0
"""Seconds given to the supervisor before its processes are ended for it."""


def summary() -> str:
    """Return what the command does, in one line."""
    return words("stop everything (--purge: and delete its data)", "停止全部服务（--purge：并删除数据）")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--purge", action="store_true", help=words("delete all data afterwards", "停止后删除全部数据")
    )
    parser.add_argument("--yes", action="store_true", help=words("do not ask", "不要求确认"))


def run(arguments: argparse.Namespace) -> int:
    """Stop, and purge when asked to and confirmed."""
    if arguments.purge and not arguments.yes and not _confirmed():
        complain(words("nothing was stopped or deleted", "已取消：未停止服务，也未删除数据"))
        return 1
    record = state.read()
    if record and record.running:
        print(
            words("stopping everything, the last started first …", "正在按启动的逆序停止全部服务……"),
            flush=True,
        )
    stopped = stop(record)
    print(words("stopped", "已停止") if stopped else words("nothing was running", "没有正在运行的服务"))
    if arguments.purge:
        purge()
        print(words(f"deleted the data in {home()}", f"已删除 {home()} 中的数据"))
    return 0


def _confirmed() -> bool:
    question = words(
        f"Delete all messages, records, logs and passwords in {home()}? Type yes: ",
        f"将删除 {home()} 中的全部消息、诊疗数据、日志与口令。请输入 yes 确认：",
    )
    if not sys.stdin.isatty():
        complain(
            words(
                "--purge asks first; without a terminal add --yes", "--purge 需要确认；非交互环境请加 --yes"
            )
        )
        return False
    return input(question).strip().lower() == "yes"


def stop(record: State | None) -> bool:
    """End the supervisor and all it started, or what a killed one left; return whether there was anything."""
    if record is None:
        return False
    running = record.running
    if running:
        process.send(record.supervisor, signal.SIGTERM)
        supervisor = record.supervisor
        until(lambda: not process.alive(supervisor), _LONGEST, 0.1)
        process.end([supervisor], grace=0.0)
    latest = state.read() or record
    left = latest.leftovers()
    if left:
        complain(
            words(
                f"ending {len(left)} processes that an earlier start left",
                f"正在结束上次启动遗留的 {len(left)} 个进程",
            )
        )
        end_leftovers(latest)
    return running or bool(left)


def end_leftovers(record: State) -> None:
    """End what an earlier start left: the databases by their own fast stop first, then all that is left."""
    postgres = record.conditions.get("postgres")
    if postgres and postgres.pid:
        first = [process.Identity(*m) for m in postgres.members if m[0] == postgres.pid]
        for identity in first:
            process.send(identity, signal.SIGINT)
    process.end(record.leftovers(), grace=20.0)
    process.end(record.leftovers(), grace=0.0)


def purge() -> None:
    """Delete the data in the home."""
    for name in DATA:
        target = home() / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
