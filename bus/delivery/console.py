"""`yilian destinations list|show|pause|resume|drain|resend|discard|send-again`: other systems, what did not
reach them, and sending again what did.
"""

from __future__ import annotations

import argparse
import dataclasses
import getpass
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from bus.delivery import again_console, control, overview
from bus.delivery.control import Mode
from bus.delivery.decide import State
from bus.journey import readable
from bus.rules.destinations import AnyDestination
from bus.rules.versions.destinations import CurrentDestinations
from bus.terminal import audited, fail, show_json, show_table, takes_json, with_database, write
from consortium.access.model import Action
from consortium.errors import PermanentError
from runtime import settings
from runtime.words import words

Specs = Mapping[str, AnyDestination]


def destinations_main(argv: Sequence[str]) -> int:
    """Run `destinations …`; returns 0, 1 when it cannot be done, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _run(engine, options))


def _run(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        specs = CurrentDestinations(settings.load().rules_dir).get(connection)
    return int(options.run(engine, specs, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian destinations",
        description=words(
            "Other systems, and what did not reach them.", "对外投递的目的系统，以及未送达的消息。"
        ),
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "list",
        help=words(
            "every destination: mode, breaker, what waits", "列出全部目的系统：运行方式、熔断状态、积压"
        ),
    )
    one.set_defaults(run=_list)
    one = commands.add_parser(
        "show",
        help=words(
            "what waits for a person at one destination, or one delivery",
            "查看一个目的系统中待人工处理的消息，或其中一次投递",
        ),
    )
    one.add_argument("name")
    one.add_argument(
        "id", type=int, nargs="?", help=words("one delivery, with the answer to it", "一次投递，含对方应答")
    )
    one.add_argument("--state", type=State, choices=list(State), metavar="{" + ",".join(State) + "}")
    one.add_argument("--limit", type=int, default=50)
    one.add_argument(
        "--after", type=int, default=0, help=words("the last id of the page before", "上一页最后一条的编号")
    )
    one.set_defaults(run=_show)
    for name, mode, text in (
        ("pause", Mode.PAUSED, words("send nothing more; messages are queued", "暂停发送，消息继续排队")),
        ("resume", Mode.RUNNING, words("send again", "恢复发送")),
        ("drain", Mode.DRAINING, words("send what is queued now, then pause", "发完当前排队的消息后暂停")),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("name")
        one.set_defaults(run=_mode, mode=mode)
        _who_and_why(one)
    for name, text in (
        ("resend", words("send a parked or ambiguous delivery again", "重发一次被搁置或结果不明的投递")),
        (
            "discard",
            words("give it up; its patient's next ones go on", "放弃该次投递，同一患者的后续消息继续发送"),
        ),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("name")
        one.add_argument("id", type=int, nargs="?")
        one.add_argument(
            "--code",
            help=words("all that are stuck for this reason, such as AR", "因该原因停住的全部投递，如 AR"),
        )
        one.set_defaults(run=_decide, decide=control.resend if name == "resend" else control.discard)
        _who_and_why(one)
    one = commands.add_parser(
        "send-again",
        help=words(
            "send delivered messages again, on purpose: the receiver does them a second time",
            "有意再次发送已送达的消息：接收方会再次处理",
        ),
    )
    again_console.arguments(one)
    one.set_defaults(run=_again)
    for command in commands.choices.values():
        takes_json(command)
    return parser


def _who_and_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--why", required=True, help=words("kept; no patient data", "原因，予以保存；请勿填写患者信息")
    )
    parser.add_argument(
        "--by",
        default=None,
        help=words("who does this; by default the user of this machine", "操作人；默认为本机当前用户"),
    )


def _list(engine: sa.Engine, specs: Specs, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = overview.standings(connection, specs)
    if options.json:
        return show_json({"destinations": [dataclasses.asdict(one) for one in found]})
    columns = words(
        "name,to,mode,breaker,open,oldest,last hour: queued · answer",
        "名称,地址,运行方式,熔断器,未完成,最早,近一小时：排队 · 应答",
    )
    show_table(columns.split(","), [_line(one) for one in found])
    for one in found:
        if one.problem:
            write(f"{one.name}: {one.problem}")
    if not found:
        write(
            words(
                "no destination: write one in rules/destinations and deploy it (docs/destinations.md)",
                "尚无目的系统：请在 rules/destinations 中编写并启用（docs/destinations.md）",
            )
        )
    return 0


def _line(one: overview.Standing) -> tuple[str, ...]:
    to = f"{one.kind} {one.address}" if one.kind else words("no file names it", "没有对应的文件")
    counts = ", ".join(f"{state} {number}" for state, number in sorted(one.counts.items()))
    oldest = f"{one.oldest.astimezone():%m-%d %H:%M:%S}" if one.oldest else ""
    hour = one.last_hour
    times = f"{hour.delivered}: {hour.queued_p95:.2f} s, {hour.ack_p95:.2f} s (p95)" if hour else ""
    return (
        one.name,
        to,
        one.mode.value,
        one.breaker or words("not running", "未运行"),
        counts,
        oldest,
        times,
    )


def _show(engine: sa.Engine, specs: Specs, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        standing = _standing(connection, specs, options.name)
        if options.id is not None:
            return _one(connection, options)
        found = overview.deliveries(
            connection, options.name, state=options.state, after=options.after, limit=options.limit
        )
    if options.json:
        shown = [dataclasses.asdict(one) for one in found]
        return show_json({"destination": dataclasses.asdict(standing), "deliveries": shown})
    write(" · ".join(filter(None, _line(standing))))
    if standing.why:
        mode = standing.mode.value
        write(
            words(
                f"{mode} by {standing.changed_by}: {standing.why}",
                f"{mode}，操作人 {standing.changed_by}：{standing.why}",
            )
        )
    lines = [
        (o.id, o.state.value, o.message_id, o.facility, o.message_type, o.attempts, o.code, o.reason)
        for o in found
    ]
    columns = words("id state message from type tries code reason", "编号 状态 消息 来源 类型 次数 代码 原因")
    return show_table(columns.split(), lines)


def _one(connection: sa.Connection, options: argparse.Namespace) -> int:
    found = overview.delivery(connection, options.name, options.id)
    if found is None:
        return fail(
            words(
                f"{options.name} has no delivery {options.id}",
                f"{options.name} 没有编号为 {options.id} 的投递",
            )
        )
    kept = overview.answer(connection, options.id)
    values = {
        **dataclasses.asdict(found),
        "queued_for": found.queued_for,
        "acknowledged_in": found.acknowledged_in,
        "waiting_behind": overview.waiting_behind(connection, options.id),
        "answer": None if kept is None else readable(kept, "utf-8"),
    }
    if options.json:
        return show_json(values)
    for name, value in values.items():
        if value is not None and name != "answer":
            write(f"{name.replace('_', ' '):>16}  {value}")
    if kept is not None:
        write(words("\nanswer", "\n应答") + f"\n{values['answer']}")
    return 0


def _mode(engine: sa.Engine, specs: Specs, options: argparse.Namespace) -> int:
    by = options.by or getpass.getuser()
    with engine.begin() as connection:
        _standing(connection, specs, options.name)
        control.set_mode(connection, options.name, options.mode, by, options.why)
        audited(connection, by, Action.DESTINATION_MANAGE, f"{options.command} {options.name}", options.why)
        standing = _standing(connection, specs, options.name)
    if options.json:
        return show_json(dataclasses.asdict(standing))
    mode = standing.mode.value
    write(words(f"{options.name} is {mode}", f"{options.name} 当前状态：{mode}"))
    return 0


def _decide(engine: sa.Engine, specs: Specs, options: argparse.Namespace) -> int:
    by = options.by or getpass.getuser()
    if (options.id is None) == (options.code is None):
        return fail(
            words(
                "say which: an id, or --code for all that are stuck for one reason",
                "请指明哪些：给出编号，或用 --code 指定停住的原因",
            )
        )
    with engine.begin() as connection:
        _standing(connection, specs, options.name)
        ids = [options.id] if options.code is None else _with_code(connection, options)
        for id_ in ids:
            decided = options.decide(connection, id_, by, options.why)
            if decided.destination != options.name:
                raise control.NoDeliveryError(
                    f"delivery {id_} goes to {decided.destination}",
                    zh=f"投递 {id_} 的目的系统是 {decided.destination}",
                )
        if ids:
            what = f"{options.command} {options.name} {options.id or options.code}"
            audited(connection, by, Action.DELIVERY_DECIDE, what, options.why)
    if options.json:
        return show_json({"decided": list(ids)})
    told = (
        ", ".join(map(str, ids[:20]))
        if ids
        else words("none is stuck for that reason", "没有因该原因停住的投递")
    )
    write(f"{options.command}: {told}")
    return 0


def _again(engine: sa.Engine, specs: Specs, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        _standing(connection, specs, options.name)
        told = again_console.again(connection, options)
        if not options.dry_run:
            audited(connection, options.by, Action.DELIVERY_AGAIN, told.what, options.why)
    if options.json:
        return show_json(told.result)
    write(told.sentence)
    return 0


def _with_code(connection: sa.Connection, options: argparse.Namespace) -> list[int]:
    return list(control.stuck_ids(connection, options.name, code=options.code))


def _standing(connection: sa.Connection, specs: Specs, name: str) -> overview.Standing:
    for one in overview.standings(connection, specs):
        if one.name == name:
            return one
    known = ", ".join(sorted(specs)) or "none"
    raise PermanentError(
        f"there is no destination {name}; the rules in force have {known}",
        zh=f"没有名为 {name} 的目的系统；现行规则中有 {known}",
    )
