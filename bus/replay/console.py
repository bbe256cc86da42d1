"""`yilian messages replay`: one message, many by the filters of `list`, or an edited one."""

from __future__ import annotations

import argparse
import getpass
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa

from bus.finding import Filters
from bus.replay import edit, one, run
from bus.replay.ledger import ReasonMissingError, Who
from consortium.errors import PermanentError
from runtime.words import words

Say = Callable[[str], None]
Tell = Callable[[dict[str, Any], str], int]
"""Gives a result: as JSON, or as the sentence."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `messages replay` takes beside the filters."""
    parser.add_argument(
        "id",
        type=int,
        nargs="?",
        help=words(
            "one message; without it all that the filters name", "一条消息；省略则为筛选条件命中的全部消息"
        ),
    )
    parser.add_argument(
        "--why",
        help=words(
            "kept with the replay; no patient data. Required",
            "原因（必填），随重放记录保存；请勿填写患者信息",
        ),
    )
    parser.add_argument(
        "--by",
        default=None,
        help=words("who does this; by default the user of this machine", "操作人；默认为本机当前用户"),
    )
    parser.add_argument(
        "--edited",
        type=Path,
        metavar="FILE",
        help=words("send this corrected body in its place", "以更正后的内容代替原消息"),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help=words("say how many and which, and change nothing", "只统计将处理哪些消息，不作更改"),
    )


def filters_of(options: argparse.Namespace) -> Filters:
    """Return the filters that were given."""
    return Filters(**{field.name: getattr(options, field.name) for field in fields(Filters)})


def replay_main(
    engine: sa.Engine, options: argparse.Namespace, routing_key: str, tell: Tell, say: Say
) -> int:
    """Run the command; returns its exit code. Raises PermanentError with what to do."""
    if options.id is None:
        return _many(engine, options, routing_key, tell, say)
    who = Who(options.by or getpass.getuser(), _why(options))
    if options.edited is not None:
        made = edit.edit(engine, options.id, options.edited.read_bytes(), who, routing_key)
        return tell(
            {"ready": [str(made)], "edited_from": str(options.id)},
            words(f"message {made} goes in its place", f"由消息 {made} 代替它继续处理"),
        )
    ready = one.replay(engine, options.id, who, routing_key)
    named = ", ".join(map(str, ready[:20]))
    sentence = words(f"{len(ready)} on their way again: {named}", f"{len(ready)} 条继续处理：{named}")
    return tell({"ready": [str(id_) for id_ in ready]}, sentence)


def _why(options: argparse.Namespace) -> str:
    if options.why is None and sys.stdin.isatty():
        options.why = input(words("why? ", "原因："))
    if not (options.why or "").strip():
        raise ReasonMissingError(
            "say why with --why: a replay keeps its reason for those who look later",
            zh="请用 --why 填写原因：重放记录会保存原因，供日后查阅",
        )
    return str(options.why)


def _many(engine: sa.Engine, options: argparse.Namespace, routing_key: str, tell: Tell, say: Say) -> int:
    filters = filters_of(options)
    if filters.empty:
        raise PermanentError(
            "say which: an id, or filters such as --code or --state held",
            zh="请指明哪些消息：给出编号，或 --code、--state held 等筛选条件",
        )
    if options.dry_run:
        with engine.connect() as connection:
            found = run.preview(connection, filters)
        codes = ", ".join(f"{code} {n}" for code, n in sorted(found.by_code.items())) or words(
            "none is held", "无"
        )
        going = found.total - found.passed
        sentence = words(
            f"{going} would go again, {found.passed} would be passed by; held: {codes}",
            f"将重放 {going} 条，跳过 {found.passed} 条；挂起原因：{codes}",
        )
        return tell(asdict(found), sentence)
    started = run.start(engine, filters, Who(options.by or getpass.getuser(), _why(options)))
    ready: list[int] = []
    with _stopping(engine, started.id):
        for page in run.drive(engine, started.id, routing_key):
            ready += page
            say(
                words(
                    f"replay {started.id}: {len(ready)} of {started.total}",
                    f"重放 {started.id}：{len(ready)}/{started.total}",
                )
            )
    with engine.connect() as connection:
        ended = run.show(connection, started.id) or started
    shown = {"replay": ended.id, "state": ended.state, "done": ended.done, "skipped": ended.skipped}
    sentence = words(
        f"replay {ended.id} {ended.state}: {ended.done} on their way again, {ended.skipped} passed by",
        f"重放 {ended.id}（{ended.state}）：{ended.done} 条继续处理，跳过 {ended.skipped} 条",
    )
    return tell({"ready": [str(id_) for id_ in ready], **shown}, sentence)


@contextmanager
def _stopping(engine: sa.Engine, replay_id: int) -> Iterator[None]:
    """Let Ctrl-C end the replay after the message it is at."""

    def end(_number: int, _frame: FrameType | None) -> None:
        with engine.begin() as connection:
            run.stop(connection, replay_id)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
