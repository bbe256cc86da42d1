"""`yilian messages retention`: what is kept, how large it is, what the next run drops; and running it now."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bus.retention.decide import Keep
from bus.retention.run import Gone, Plan, last, plan, run
from bus.terminal import show_json, show_table, write
from runtime.words import words

LOOK_BACK = timedelta(days=30)
KINDS = {
    "kept_bodies": ("bodies that outlived their day", "逾期留存的正文"),
    "deliveries": ("deliveries and their answers", "投递及应答"),
    "refused_bodies": ("bytes of refusals", "被拒消息的字节"),
    "traces": ("traces (messages)", "轨迹（按消息）"),
    "outbox": ("events that were told", "已送达的事件"),
    "refusals": ("refusals", "拒收记录"),
    "index_rows": ("index rows", "索引行"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--apply",
        action="store_true",
        help=words("run it now; it also runs by itself", "立即执行；平时自动执行"),
    )
    what.add_argument(
        "--dry-run",
        action="store_true",
        help=words("change nothing; this is the default", "不作更改（默认）"),
    )


def retention_main(engine: sa.Engine, options: argparse.Namespace, keep: Keep) -> int:
    """Run the command; returns its exit code. Raises YilianError."""
    now = datetime.now(UTC)
    if options.apply:
        return _apply(engine, keep, now, as_json=options.json)
    with engine.connect() as connection:
        found, before = plan(connection, keep, now), last(connection, now - LOOK_BACK)
    if options.json:
        return show_json({"keep_days": asdict(keep), **asdict(found), "last_30_days": before})
    return _tell(found, keep, before)


def _apply(engine: sa.Engine, keep: Keep, now: datetime, *, as_json: bool) -> int:
    done = []
    for gone in run(engine, keep, now):
        done.append(asdict(gone))
        if not as_json:
            write(_line(gone))
    if as_json:
        return show_json({"done": done})
    write(words("done", "完成") if done else words("nothing is old enough", "没有到期的内容"))
    return 0


def _line(gone: Gone) -> str:
    what = words(*KINDS.get(gone.what, ("bodies", "正文")))
    subject = f"{what} {gone.day}" if gone.day else what
    if gone.put_off:
        return words(f"{subject}: left, {gone.put_off}", f"{subject}：未清除（{gone.put_off}）")
    spared = words(f", {gone.spared} of unfinished messages kept", f"，保留未完成消息的正文 {gone.spared} 条")
    return words(f"{subject}: {gone.count} dropped", f"{subject}：清除 {gone.count}") + (
        spared if gone.spared else ""
    )


def _tell(found: Plan, keep: Keep, before: list[Any]) -> int:
    going = {one.partition.day: one.unfinished for one in found.going}
    stays, goes = words("stays", "保留"), words("dropped by the next run", "下次清除")
    rows: list[tuple[object, ...]] = []
    for one in found.partitions:
        spared = going.get(one.day)
        fate = stays if spared is None else goes
        if spared is not None and spared.bodies:
            fate += words(f", {spared.bodies} kept: not finished", f"，{spared.bodies} 条未完成，保留")
        rows.append((one.day, one.bodies, _size(one.bytes), fate))
    rows.append((words("kept", "逾期留存"), found.kept.bodies, _size(found.kept.bytes), ""))
    show_table(
        words("day bodies size next", "日期 正文 大小 下次").split(),
        rows,
    )
    counted = [(words(*KINDS[name]), count) for name, count in found.rows.items()]
    write("")
    show_table((words("rows", "内容"), words("would go", "将清除")), counted)
    write(f"\n{_days(keep)}")
    for row in before:
        write(f"  {row['at']:%Y-%m-%d %H:%M}  {row['what']}  {row['dropped']}")
    return 0


def _days(keep: Keep) -> str:
    ever = words("for ever", "永久")
    bodies, traces, index = (
        words(f"{days} days", f"{days} 天") if days else ever
        for days in (keep.bodies, keep.traces, keep.index)
    )
    return words(
        f"kept: bodies {bodies}, traces {traces}, index rows {index}, the audit for ever; gone in 30 days:",
        f"保留：正文 {bodies}，轨迹 {traces}，索引行 {index}，审计永久；近 30 天已清除：",
    )


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
