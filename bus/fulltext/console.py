"""`yilian documents search` and `yilian rebuild`: find documents by their text; make an index anew."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from bus.fulltext.indexer import Indexer
from bus.fulltext.rebuild import Rebuilt, rebuild
from bus.identity.naming import linked_person
from bus.terminal import audited, progress, show_json, show_table, takes_json, with_database, write
from consortium.access.model import Action
from consortium.documents.fulltext import Answer, Hit, Scope, search
from consortium.errors import PermanentError
from consortium.records.query import STORE
from runtime import settings
from runtime.contents import opened_store
from runtime.words import words

INDEXES = ("documents",)
MOST = 100


def search_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `documents search` takes."""
    parser.add_argument("text", metavar="TEXT", help=words("terms with spaces between", "检索词，以空格分隔"))
    parser.add_argument("--why", required=True, help=words("reason, for the audit", "原因，记入审计"))
    parser.add_argument(
        "--patient", help=words("of one person: id, or CAMPUS:NUMBER", "仅某人：人员编号，或 院区:患者编号")
    )
    parser.add_argument("--facility", help=words("from this campus", "仅该院区的文档"))
    parser.add_argument(
        "--replaced", action="store_true", help=words("also what others replace", "包括已被替换的文档")
    )
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--after", help=words("cursor of the next page", "下一页的游标"))
    takes_json(parser)
    parser.set_defaults(run=search_main)


def search_main(options: argparse.Namespace) -> int:
    """Run `documents search`; returns 0, also when nothing is found."""
    return with_database(lambda engine: _search(engine, options))


def _search(engine: sa.Engine, options: argparse.Namespace) -> int:
    if not 1 <= options.limit <= MOST:
        raise PermanentError(f"--limit is 1 to {MOST}", zh=f"--limit 应为 1 至 {MOST}")
    with engine.begin() as connection:
        person = linked_person(connection, options.patient) if options.patient else None
        scope = Scope(person, options.facility, options.replaced, restricted=person is not None)
        found = search(connection, options.text, scope, limit=options.limit, after=options.after)
        persons = sorted({hit.person_id for hit in found.hits})
        by, what = getpass.getuser(), "documents search"
        audited(connection, by, Action.DOCUMENT_SEARCH, what, options.why, persons)
    if options.json:
        return show_json(asdict(found))
    show_table(
        words("at campus id document found", "时间 院区 编号 文档 内容").split(),
        [
            (f"{hit.at:%Y-%m-%d}", hit.facility, hit.id, hit.title or hit.type_name, _marked(hit))
            for hit in found.hits
        ],
    )
    write(_told(found))
    return 0


def _marked(hit: Hit) -> str:
    return "".join(f"【{each.text}】" if each.match else each.text for each in hit.snippet)


def _told(found: Answer) -> str:
    lines = list(_lines(found))
    return "\n".join(lines) if lines else words("that is all", "已到末页")


def _lines(found: Answer) -> Iterator[str]:
    if found.total is not None and found.more:
        yield words(f"{found.total:,} documents and more", f"共 {found.total:,} 份以上")
    elif found.total is not None:
        yield words(f"{found.total:,} documents", f"共 {found.total:,} 份")
    if found.after:
        yield words(f"next page: --after {found.after}", f"下一页：--after {found.after}")


def rebuild_main(argv: Sequence[str]) -> int:
    """Run `rebuild INDEX`; returns 0 when it was done, 1 when it cannot be, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="yilian rebuild",
        description=words(
            "Make an index anew from what it was made of. It may be stopped, and run again to go on.",
            "由原始数据重建索引。可随时停止，再次运行即继续。",
        ),
    )
    parser.add_argument("index", choices=INDEXES)
    parser.add_argument(
        "--again",
        action="store_true",
        help=words(
            "from the beginning, not where it was stopped, and with those given up",
            "从头开始，不续做，并重读已放弃的文档",
        ),
    )
    takes_json(parser)
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _rebuild(engine, options))


def _rebuild(engine: sa.Engine, options: argparse.Namespace) -> int:
    store = opened_store(settings.load())
    indexer = Indexer(engine.execution_options(**{STORE: store}), store)
    done = rebuild(indexer, lambda now, all_: progress(f"{now}/{all_}"), again=options.again)
    if options.json:
        return show_json(asdict(done))
    write(_rebuilt(done))
    return 0


def _rebuilt(done: Rebuilt) -> str:
    return words(
        f"{done.documents} documents read, {done.resumed_at} of them before it was stopped; {done.heads} with"
        f" wrong columns mended, {done.orphans} texts of no document removed",
        f"已重建 {done.documents} 份文档（其中此前已完成 {done.resumed_at} 份）；"
        f"修正索引字段 {done.heads} 份，清除无主文本 {done.orphans} 份",
    )
