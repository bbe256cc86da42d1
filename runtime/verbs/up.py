"""`./yilian up`: starts everything, plays the sample day once, says where everything is."""

from __future__ import annotations

import argparse
import time

from runtime import sample, screen, start, state
from runtime.catalogue import endpoints
from runtime.refusals import checked
from runtime.rules import rules_notice
from runtime.settings import home
from runtime.words import console, words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("set up what is missing and start everything", "安装缺少的组件并启动全部服务")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--no-sample",
        action="store_true",
        help=words("start empty: play no sample day", "空库启动：不写入示例数据"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Start, wait until all is healthy, play the sample day, print the closing screen."""
    out = console()
    began = time.monotonic()

    told = ""

    def report(line: str) -> None:
        nonlocal told
        if line == told:  # progress that has not moved
            return
        told = line
        out.print(f"{time.monotonic() - began:6.1f} s  {line}", markup=False, soft_wrap=True)

    report(words(f"state lies in {home()}", f"数据目录：{home()}"))
    try:
        start.begin(report)
        start.wait_until_healthy(report)
        if not arguments.no_sample:
            sample.play(report)
    except KeyboardInterrupt:
        report(
            words(
                "interrupted; what was started goes on: ./yilian up continues, ./yilian down stops it",
                "已中断；已启动的服务仍在运行：./yilian up 继续启动，./yilian down 停止",
            )
        )
        return 130
    settings = checked()
    if different := rules_notice(settings):
        report(different)
    screen.show(out, settings, endpoints(settings), sample.played(), str(home() / "generated.toml"))
    record = state.read()
    late = [name for name, c in record.conditions.items() if not c.ready] if record else []
    if late:
        report(
            words(
                f"still on the way, and not needed by the rest: {', '.join(late)} (./yilian status)",
                f"尚在准备，不影响其余服务：{'、'.join(late)}（./yilian status 查看）",
            )
        )
    report(words("everything is healthy", "全部服务正常"))
    return 0
