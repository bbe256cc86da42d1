"""`yilian identity …`: who is who. Pairs to look at, decisions, the ledger, register once, figures."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import sqlalchemy as sa

from bus.identity import printing, sizing
from bus.identity.naming import number_named, person_named
from bus.identity.registrations import registrations, speeds
from bus.rules.versions.destinations import CurrentDestinations
from bus.terminal import audited, show_json, takes_json, with_database, write
from consortium.access.model import Action
from consortium.errors import PermanentError
from consortium.identity import dossier, reading, review, stewardship
from consortium.identity.candidates import candidates
from consortium.identity.figures import figures
from consortium.identity.review import Review
from consortium.identity.settling import settled
from runtime import settings
from runtime.words import words

Run = Callable[[sa.Engine, argparse.Namespace], int]
PEOPLE = 500
"""Golden records computed in one transaction."""


def identity_main(argv: Sequence[str]) -> int:
    """Run `identity …`; returns 0, 1 when it cannot be done, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    options.by = getattr(options, "by", None) or getpass.getuser()
    return with_database(lambda engine: int(options.run(engine, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian identity", description=words("Who is who.", "患者主索引：谁是谁。")
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Run, english: str, zh: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=words(english, zh))
        one.set_defaults(run=run)
        takes_json(one)
        return one

    one = command("reviews", _reviews, "pairs to look at, oldest first", "列出待审核的成对编号，最早在前")
    one.add_argument("--state", choices=get_args(review.State), action="append")
    one.add_argument("--reason", help=words("such as probable, overlay", "原因，如 probable、overlay"))
    _facility(one)
    one.add_argument("--limit", type=int, default=50)
    one.add_argument("--after", help=words("cursor of the next page", "下一页的游标"))
    one = command("show", _show, "one pair, side by side", "并排查看一对编号")
    _review(one)
    one = command("claim", _claim, "take a pair for oneself", "认领一对编号")
    _review(one)
    _by(one)
    one = command("release", _release, "give a pair back to the queue", "退回一对编号")
    _review(one)
    _by(one)
    one = command("decide", _decide, "say whether they are one person", "裁定是否为同一人")
    _review(one)
    one.add_argument("says", choices=get_args(review.Says))
    _why(one)
    one = command("undo", _undo, "take the decision of a review back", "撤销一次审核裁定")
    _review(one)
    _why(one)
    one = command("person", _person, "who a person is: reasons, numbers, ledger", "查看一个人的编号与台账")
    one.add_argument("person", help=words("id, or CAMPUS:NUMBER", "人员编号，或 院区:患者编号"))
    one = command("link", _pair, "say that two numbers are one person", "裁定两个编号为同一人")
    one.set_defaults(says="same")
    _numbers(one)
    one = command("never-same", _pair, "say that two numbers are two people", "裁定两个编号不是同一人")
    one.set_defaults(says="different")
    _numbers(one)
    one = command("separate", _separate, "split numbers off their person", "将编号从其所属人员拆出")
    one.add_argument("numbers", nargs="+", help=words("CAMPUS:NUMBER", "院区:患者编号"))
    _why(one)
    one = command("revoke", _revoke, "take a decision back", "撤销一项裁定")
    one.add_argument("decision", type=int)
    _why(one)
    one = command("undo-move", _undo_move, "undo a line of the ledger", "撤销台账中的一次合并或拆分")
    one.add_argument("move", type=int)
    _why(one)
    one = command(
        "registrations",
        _registrations,
        "how fast campuses hear of new people",
        "各院区获知新建档患者的用时",
    )
    _facility(one)
    one.add_argument("--days", type=int, default=1)
    one.add_argument("--limit", type=int, default=20)
    one = command("dashboard", _dashboard, "duplicates, overlays, review load", "重复建档、占用、审核负荷")
    _facility(one)
    one.add_argument("--days", type=int, default=30)
    one = command("model", sizing.run, "the matching model, and its size", "匹配模型及其规模")
    sizing.arguments(one)
    command("recompute", _recompute, "compute golden records by the rules of now", "按现行规则重新计算主记录")
    return parser


def _review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=UUID, help=words("of the review", "审核编号"))


def _facility(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))


def _numbers(parser: argparse.ArgumentParser) -> None:
    for name in ("left", "right"):
        parser.add_argument(name, help=words("CAMPUS:NUMBER", "院区:患者编号"))
    _why(parser)


def _why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--why", required=True, help=words("kept; no patient data", "原因，予以保存；请勿填写患者信息")
    )
    _by(parser)


def _by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by",
        default=None,
        help=words("who does this; by default the user of this machine", "操作人；默认为本机当前用户"),
    )


def _reviews(engine: sa.Engine, options: argparse.Namespace) -> int:
    wanted = review.Wanted(
        states=options.state or review.STANDING,
        reason=options.reason,
        facility=options.facility,
        limit=options.limit,
        after=options.after,
    )
    with engine.connect() as connection:
        found = review.reviews(connection, wanted)
    return printing.reviews(found, as_json=options.json)


def _show(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        one = _found(connection, options.id)
        sides = candidates(connection, [one.left_id, one.right_id])
        persons = sorted({side.linked.person_id for side in sides.values()})
        audited(connection, options.by, Action.IDENTITY_READ, f"review {one.id}", "shown", persons)
    return printing.review(one, sides, as_json=options.json)


def _claim(engine: sa.Engine, options: argparse.Namespace) -> int:
    return _change(engine, options, lambda c, one: review.claim(c, one, options.by), "claimed")


def _release(engine: sa.Engine, options: argparse.Namespace) -> int:
    return _change(
        engine, options, lambda c, one: review.release(c, one, options.by, anybody=True), "released"
    )


def _decide(engine: sa.Engine, options: argparse.Namespace) -> int:
    says, why, by = options.says, options.why, options.by
    return _change(engine, options, lambda c, one: review.decide(c, one, says, why, by), f"{says}: {why}")


def _undo(engine: sa.Engine, options: argparse.Namespace) -> int:
    why, by = options.why, options.by
    return _change(engine, options, lambda c, one: review.undo(c, one, why, by), f"undone: {why}")


def _change(
    engine: sa.Engine,
    options: argparse.Namespace,
    change: Callable[[sa.Connection, Review], Review],
    what: str,
) -> int:

    def work(connection: sa.Connection) -> Review:
        before = _found(connection, options.id)
        one = change(connection, before)
        linked = reading.by_id(connection, [one.left_id, one.right_id]).values()
        persons = sorted({each.person_id for each in linked})
        audited(connection, options.by, Action.IDENTITY_DECIDE, f"review {before.id}", what, persons)
        return one

    one = settled(engine, work)
    return printing.reviews(review.Reviews([one], None), as_json=options.json)


def _person(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        id_ = person_named(connection, options.person)
        one = dossier.dossier(connection, id_)
        if one is None:
            raise PermanentError(words(f"there is no person {id_}", f"没有编号为 {id_} 的人员"))
        audited(connection, options.by, Action.IDENTITY_READ, f"person {id_}", "shown", [id_])
    return printing.person(one, as_json=options.json)


def _pair(engine: sa.Engine, options: argparse.Namespace) -> int:

    def work(connection: sa.Connection) -> Done:
        pair = (
            number_named(connection, options.left).patient.id,
            number_named(connection, options.right).patient.id,
        )
        made = stewardship.decide(connection, pair, options.says, options.why, options.by)
        return _done(connection, [made], pair, options)

    return _tell(settled(engine, work), options)


def _separate(engine: sa.Engine, options: argparse.Namespace) -> int:

    def work(connection: sa.Connection) -> Done:
        found = [number_named(connection, text) for text in options.numbers]
        ids = [one.patient.id for one in found]
        made = stewardship.separate(connection, found[0].person_id, ids, options.why, options.by)
        return _done(connection, made, ids, options)

    return _tell(settled(engine, work), options)


def _revoke(engine: sa.Engine, options: argparse.Namespace) -> int:

    def work(connection: sa.Connection) -> Done:
        one = stewardship.verdict(connection, options.decision)
        if one is None:
            raise PermanentError(
                words(f"there is no decision {options.decision}", f"没有编号为 {options.decision} 的裁定")
            )
        stewardship.revoke(connection, one, options.why, options.by)
        return _done(connection, [one.id], [one.left_id, one.right_id], options)

    return _tell(settled(engine, work), options)


def _undo_move(engine: sa.Engine, options: argparse.Namespace) -> int:

    def work(connection: sa.Connection) -> Done:
        moved = stewardship.move(connection, options.move)
        if moved is None:
            raise PermanentError(
                words(f"the ledger has no line {options.move}", f"台账中没有第 {options.move} 行")
            )
        made = stewardship.undo(connection, moved, options.why, options.by)
        return _done(connection, made, [moved.source_patient_id], options)

    return _tell(settled(engine, work), options)


def _registrations(engine: sa.Engine, options: argparse.Namespace) -> int:
    since = datetime.now(UTC) - timedelta(days=options.days)
    with engine.connect() as connection:
        specs = CurrentDestinations(settings.load().rules_dir).get(connection)
        campuses = {name: spec.facility for name, spec in specs.items()}
        found = registrations(
            connection, campuses, since=since, facility=options.facility, limit=options.limit
        )
        heard = speeds(connection, campuses, since=since, facility=options.facility)
    return printing.registrations(found, heard, as_json=options.json)


def _dashboard(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = figures(connection, options.facility, datetime.now(UTC), options.days)
    return printing.figures(found, as_json=options.json)


def _recompute(engine: sa.Engine, options: argparse.Namespace) -> int:
    after: UUID | None = UUID(int=0)
    changed = 0
    while after is not None:
        with engine.begin() as connection:
            number, after = dossier.recompute(connection, after, PEOPLE, datetime.now(UTC))
        changed += number
    if options.json:
        return show_json({"changed": changed})
    write(words(f"{changed} golden records changed", f"{changed} 条主记录有变化"))
    return 0


@dataclass(frozen=True, slots=True)
class Done:
    """What a decision did: the decisions made or taken back, and the people whose the numbers are now."""

    decisions: Sequence[int]
    persons: Sequence[UUID]


def _done(
    connection: sa.Connection, made: Sequence[int], ids: Sequence[int], options: argparse.Namespace
) -> Done:
    persons = sorted({one.person_id for one in reading.by_id(connection, ids).values()})
    what = "decision " + ", ".join(map(str, made))
    reason = f"{options.command}: {options.why}"
    audited(connection, options.by, Action.IDENTITY_DECIDE, what, reason, persons)
    return Done(made, persons)


def _tell(done: Done, options: argparse.Namespace) -> int:
    if options.json:
        return show_json(asdict(done))
    made, persons = (", ".join(map(str, each)) for each in (done.decisions, done.persons))
    write(words(f"decision {made}; persons now: {persons}", f"裁定 {made}；现属人员：{persons}"))
    return 0


def _found(connection: sa.Connection, id_: UUID) -> Review:
    one = review.get(connection, id_)
    if one is None:
        raise PermanentError(
            words(
                f"there is no review {id_}; see ./yilian identity reviews",
                f"没有编号为 {id_} 的审核；请查看 ./yilian identity reviews",
            )
        )
    return one
