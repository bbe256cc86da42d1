"""`yilian documents check`, `move`, `export`: is every content whole; into the store; all of one person."""

from __future__ import annotations

import argparse
import getpass
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bus.identity.naming import linked_person
from bus.terminal import audited, progress, show_json, show_table, takes_json, with_database, write
from consortium.access.model import Action
from consortium.documents.exporting import TABLE, Exported, export
from consortium.documents.moving import move
from consortium.documents.rebuilding import Standing, standing
from consortium.documents.upkeep import Report, Swept, check, sweep
from consortium.records.query import STORE
from runtime import settings
from runtime.contents import opened_store
from runtime.words import words

GRACE_HOURS = 24.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--sweep",
        action="store_true",
        help=words("remove contents that no document names", "清除没有文档引用的内容"),
    )
    parser.add_argument(
        "--older-than",
        metavar="HOURS",
        type=float,
        default=GRACE_HOURS,
        help=words("of what nothing names, look at what is older", "只看早于该小时数且无引用的内容"),
    )
    takes_json(parser)
    parser.set_defaults(run=check_main)


def move_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `move` takes."""
    takes_json(parser)
    parser.set_defaults(run=move_main)


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `export` takes."""
    parser.add_argument(
        "--patient", required=True, help=words("id, or CAMPUS:NUMBER", "人员编号，或 院区:患者编号")
    )
    parser.add_argument("--to", required=True, type=Path, help=words("a new folder", "新文件夹"))
    parser.add_argument("--why", required=True, help=words("reason, for the audit", "原因，记入审计"))
    parser.add_argument(
        "--replaced", action="store_true", help=words("also what others replace", "包括已被替换的文档")
    )
    takes_json(parser)
    parser.set_defaults(run=export_main)


def export_main(options: argparse.Namespace) -> int:
    """Write all documents of a person into a folder; returns 0 when each has its file."""
    return with_database(lambda engine: _export(engine, options))


def _export(engine: sa.Engine, options: argparse.Namespace) -> int:
    store = opened_store(settings.load())
    with engine.execution_options(**{STORE: store}).connect() as connection:
        person = linked_person(connection, options.patient)
        by, what = getpass.getuser(), "documents export"
        audited(connection, by, Action.RECORD_EXPORT, what, options.why, [person])
        connection.commit()  # what is taken out is in the audit, also where it ends midway
        done = export(connection, store, person, options.to, replaced=options.replaced)
    if options.json:
        show_json(asdict(done))
    else:
        _tell_exported(done, options.to)
    return 1 if done.without else 0


def _tell_exported(done: Exported, folder: Path) -> None:
    size = f"{done.bytes / 2**20:,.1f} MiB"
    write(
        words(
            f"{done.files} of {done.documents} documents, {size}, in {folder}; {TABLE} lists them",
            f"已导出 {done.files} 份文档（共 {done.documents} 份），{size}，位于 {folder}；目录见 {TABLE}",
        )
    )
    if done.without:
        numbers = ", ".join(done.without)
        write(words(f"without a file, {TABLE} says why: {numbers}", f"无文件（原因见 {TABLE}）：{numbers}"))


def move_main(options: argparse.Namespace) -> int:
    """Move the contents of documents that the bus took in out of PostgreSQL; returns the exit code."""
    return with_database(lambda engine: _move(engine, options))


def _move(engine: sa.Engine, options: argparse.Namespace) -> int:
    store = opened_store(settings.load())
    moved = move(engine, store, lambda done, all_: progress(f"{done}/{all_}"))
    if options.json:
        return show_json(asdict(moved))
    size = f"{moved.bytes / 2**20:,.1f} MiB"
    write(words(f"{moved.contents} contents moved, {size}", f"已移出 {moved.contents} 份内容，{size}"))
    return 0


def check_main(options: argparse.Namespace) -> int:
    """Run the command; returns 0 when every content is there and whole."""
    return with_database(lambda engine: _check(engine, options))


def _check(engine: sa.Engine, options: argparse.Namespace) -> int:
    known = settings.load()
    store = opened_store(known)
    found = check(engine, store, known.documents_repository, lambda done, all_: progress(f"{done}/{all_}"))
    before = datetime.now(UTC) - timedelta(hours=options.older_than)
    swept = sweep(engine, store, before, remove=options.sweep)
    with engine.connect() as connection:
        index = standing(connection)
    sound = found.sound and index.sound
    if options.json:
        show_json({**asdict(found), "sound": sound, "swept": asdict(swept), "index": asdict(index)})
    else:
        _tell(found, swept)
        _tell_index(index)
    return 0 if sound else 1


def _tell_index(index: Standing) -> None:
    write(
        words(
            f"index: {index.indexed} documents, {index.pending} to be read",
            f"全文索引：{index.indexed} 份文档，待读取 {index.pending} 份",
        )
    )
    if index.problems:
        reasons = ", ".join(f"{reason} {count}" for reason, count in index.problems.items())
        write(words(f"without text, or not all of it: {reasons}", f"无文本或文本不全：{reasons}"))
    if not index.sound:
        write(
            words(
                f"{index.missing} documents are not in the index, {index.orphans} texts are of no document:"
                " run ./yilian rebuild documents",
                f"未入索引的文档 {index.missing} 份，无主文本 {index.orphans} 份："
                "请运行 ./yilian rebuild documents",
            )
        )


def _tell(found: Report, swept: Swept) -> None:
    what = {
        words("content is missing", "内容缺失"): found.missing,
        words("content is damaged", "内容损坏"): found.damaged,
        words("registered and not held", "已登记但未存"): found.not_held,
    }
    rows = [(unique_id, kind) for kind, ids in what.items() for unique_id in ids]
    if rows:
        show_table(words("document trouble", "文档 问题").split(), rows)
        write(words("restore these contents from the backup", "请从备份恢复以上内容"))
    write(
        words(
            f"{found.contents} contents read, {len(rows)} documents with trouble",
            f"已读取 {found.contents} 份内容，{len(rows)} 份文档有问题",
        )
    )
    done = words("removed", "已清除") if swept.removed else words("--sweep removes them", "可用 --sweep 清除")
    if swept.orphans:
        size = f"{swept.bytes / 2**20:,.1f} MiB"
        write(
            words(
                f"{swept.orphans} contents that nothing names, {size}: {done}",
                f"无引用的内容 {swept.orphans} 份，{size}：{done}",
            )
        )
