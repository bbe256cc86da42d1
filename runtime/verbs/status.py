"""`./yilian status`: how each service is, where it is, and how much memory it takes."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.table import Table

from runtime import report, state
from runtime.catalogue import endpoints
from runtime.refusals import checked
from runtime.report import Report
from runtime.words import console, words

_MEBIBYTE = 1024 * 1024


def summary() -> str:
    """Return what the command does, in one line."""
    return words("show each service's health, address and memory", "显示各服务的健康状况、地址与内存")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--json",
        action="store_true",
        help=words("for programs; exits 0 whatever the health is", "供程序读取；无论健康与否均以 0 退出"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the report. Without --json the exit code is 0 when all is healthy, else 1."""
    taken = report.now()
    if arguments.json:
        print(json.dumps(as_json(taken, endpoints(checked())), ensure_ascii=False, indent=1))
        return 0
    if not taken.running:
        print(_nothing_runs())
        return 1
    console().print(table(taken))
    print(_total(taken))
    return 0 if taken.healthy else 1


def _nothing_runs() -> str:
    record = state.read()
    left = len(record.leftovers()) if record else 0
    if left:
        return words(
            f"the supervisor was killed and left {left} processes: ./yilian up or down ends them",
            f"守护进程被强行终止，遗留 {left} 个进程：运行 ./yilian up 或 ./yilian down 可结束它们",
        )
    return words("nothing runs here; start it with ./yilian up", "尚未运行；请用 ./yilian up 启动")


def as_json(taken: Report, places: dict[str, str]) -> dict[str, Any]:
    """Return the report as programs read it; memory in MiB."""
    services = {
        line.name: {
            "healthy": line.healthy,
            "url": line.url,
            "detail": line.detail,
            "state": line.state,
            "pid": line.pid,
            "restarts": line.restarts,
            "memory_mib": round(line.memory / _MEBIBYTE, 1),
        }
        for line in taken.lines
    }
    return {
        "healthy": taken.healthy,
        "services": services,
        "endpoints": places,
        "memory_mib": round(taken.memory / _MEBIBYTE, 1),
    }


def table(taken: Report) -> Table:
    """Return the report as people read it."""
    shown = Table(box=None, pad_edge=False)
    for heading in (words("service", "服务"), words("health", "状态"), words("address", "地址")):
        shown.add_column(heading, no_wrap=True)
    shown.add_column(words("memory", "内存"), justify="right", no_wrap=True)
    shown.add_column(words("detail", "说明"), overflow="fold")
    for line in taken.lines:
        health = f"[green]✓[/] {line.state}" if line.healthy else f"[red]✗ {line.state}[/]"
        detail = line.detail + (
            words(f" · restarted {line.restarts}×", f" · 已重启 {line.restarts} 次") if line.restarts else ""
        )
        shown.add_row(
            line.name, health, line.url, f"{line.memory / _MEBIBYTE:.0f} MiB", detail.replace("[", r"\[")
        )
    return shown


def _total(taken: Report) -> str:
    total, own = taken.memory / _MEBIBYTE, taken.supervisor_memory / _MEBIBYTE
    return words(
        f"memory in all: {total:.0f} MiB (PSS), of which the supervisor {own:.0f} MiB",
        f"内存合计：{total:.0f} MiB（PSS），其中守护进程 {own:.0f} MiB",
    )
