"""`yilian rules backtest`: run a changed set over stored messages and print what would differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any

import sqlalchemy as sa

from bus.rules.dates import ImpossibleDateError, parse_datetime
from bus.rules.records import FreshRecords
from bus.rules.versions.backtest import Tally, backtest
from bus.rules.versions.folder import compiled, digest_of
from bus.rules.versions.model import SHORT
from bus.rules.versions.traffic import Span, read, span, take_additions
from bus.terminal import progress, show_json, show_table, write
from runtime.words import words

EVERY = 2.0
"""Seconds between two lines of progress."""
INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--since", type=_time, required=True, help="YYYY-MM-DD or YYYY-MM-DDTHH:MM")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--rules", metavar="DIR", help="folder of the changed rules; by default the checkout's"
    )
    which.add_argument("--version", metavar="DIGEST", help="a stored version in their place")
    parser.add_argument("--against", default="active", metavar="DIGEST", help="by default the active version")
    parser.add_argument("--facility", help="only messages of this campus")
    parser.add_argument("--limit", type=int, help="read at most so many messages")
    parser.add_argument(
        "--values", action="store_true", help="show values before and after: they may be a patient's"
    )
    parser.set_defaults(run=run)


def _time(text: str) -> datetime:
    try:
        return parse_datetime(text)
    except ImpossibleDateError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(engine: sa.Engine, options: argparse.Namespace) -> int:
    """Run it; Ctrl-C ends it with what was found until then."""
    from bus.rules.versions.console import files_of

    before = files_of(engine, options.against)
    name = f"{options.rules}/" if options.rules else options.version or "checkout"
    after = files_of(engine, name)
    reach = span(engine, options.since, facility=options.facility)
    tally = Tally(values=options.values)
    progress = _progress(reach, quiet=options.json and not sys.stderr.isatty())
    complete = True
    sets = compiled(before), compiled(after)
    take_additions(engine, *sets)
    try:
        records, messages = FreshRecords(engine.connect), read(engine, reach)
        for so_far in backtest(messages, *sets, tally, records):
            progress(so_far)
            if so_far.read == options.limit:
                break
    except KeyboardInterrupt:
        complete = False
    report = {
        "before": digest_of(before),
        "after": digest_of(after),
        "since": options.since,
        "stored": reach.count,
        "read": tally.read,
        "different": tally.different,
        "dropped": tally.dropped,
        "complete": complete and tally.read == reach.count,
        "differences": tally.report(),
    }
    if options.json:
        show_json(report)
    else:
        _tell(report)
    return 0 if complete else INTERRUPTED


def _progress(reach: Span, *, quiet: bool) -> Callable[[Tally], None]:
    told = monotonic()

    def tell(tally: Tally) -> None:
        nonlocal told
        if quiet or monotonic() - told < EVERY:
            return
        told = monotonic()
        progress(
            words(
                f"{tally.read} of {reach.count} read, {tally.different} differ",
                f"已读取 {tally.read}/{reach.count}，{tally.different} 条不同",
            )
        )

    return tell


def _tell(report: dict[str, Any]) -> None:
    if report["differences"]:
        names = ("what", "rule", "field", "before", "after")
        cells = [
            (*(one[name] for name in names), one["count"], " ".join(one["messages"][:5]))
            for one in report["differences"]
        ]
        columns = words("what rule field before after messages such-as", "差异 规则 字段 之前 之后 条数 例如")
        show_table(columns.split(), cells)
    for one in report["differences"]:
        for example in one.get("examples", ()):
            what, values = one["field"] or one["what"], (example["before"], example["after"])
            write(f"{what}  {example['message']}: {values[0]!r} → {values[1]!r}")
    if report["dropped"]:
        write(
            words(
                f"of {report['dropped']} messages the body was dropped by retention: nothing is said of them",
                f"{report['dropped']} 条消息的正文已按保留期清除，无法比较",
            )
        )
    before, after = report["before"][:SHORT], report["after"][:SHORT]
    stopped = "" if report["complete"] else words(" (stopped before the end)", "（提前结束）")
    write(
        words(
            f"{report['read']} of {report['stored']} messages read{stopped}; {report['different']} would be"
            f" decided otherwise by {after} than by {before}",
            f"共 {report['stored']} 条消息，已读取 {report['read']} 条{stopped}；{after} 与 {before} 相比，"
            f"{report['different']} 条结果不同",
        )
    )
