"""`yilian messages list|show|replay|discard|retention`: where a message is, and letting it go on."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import held
from bus.campuses.following import take_deployed
from bus.delivery.recomputing import recomputing
from bus.fhir.systems import Systems
from bus.finding import State
from bus.journal import Entry, Page, search
from bus.journey import Holding, Journey, Outgoing, journey
from bus.replay import console as replaying
from bus.replay.ledger import Replayed
from bus.retention import console as retaining
from bus.rules.dates import ImpossibleDateError, parse_datetime
from bus.rules.versions.destinations import CurrentDestinations
from bus.sent_forms import How, Sent, sent
from bus.terminal import fail, progress, show_json, show_table, takes_json, with_database, write
from runtime import settings
from runtime.keeping import keep
from runtime.words import words

NAMES = {
    "id": "编号", "at": "时间", "state": "状态", "facility": "院区", "sender": "发送系统",
    "message_type": "类型", "control_id": "控制号", "protocol": "协议", "endpoint": "接入",
    "patient_number": "患者编号", "visit_number": "就诊编号", "code": "代码", "reason": "原因",
    "rule": "规则", "step": "步骤", "field": "字段", "size": "字节数", "blocked_by": "排在其后",
}  # fmt: skip
"""What a message's heading is called in Chinese."""
TOLD = {
    How.KEPT: ("as they went out", "实际发出的内容"),
    How.RECOMPUTED: ("recomputed, not kept", "当时未保存，按现行规则重新生成"),
    How.NOT_SENT: ("as they would go out", "尚未发出，按现行规则生成"),
    How.DROPPED: ("not kept any more", "已不再保存"),
}
"""How what was sent is known."""


def messages_main(argv: Sequence[str]) -> int:
    """Run `messages …`; returns 0, 1 when there is no such message, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: int(options.run(engine, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian messages",
        description=words("Find messages and let them go on.", "查找消息，处理挂起的消息。"),
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "list", help=words("messages and refusals, newest first", "列出消息与被拒收的内容，最新在前")
    )
    _filters(one)
    one.add_argument("--limit", type=int, default=50)
    one.add_argument(
        "--after",
        help=words("cursor of the next page, as the page before gave it", "下一页的游标，由上一页给出"),
    )
    one.set_defaults(run=_list)
    one = commands.add_parser("show", help=words("the whole way of one message", "一条消息的完整经过"))
    one.add_argument("id", help=words("its id, or r123 for a refusal", "消息编号；拒收记录写作 r123"))
    one.set_defaults(run=_show)
    one = commands.add_parser(
        "replay", help=words("let messages go through the rules again", "让消息重新经过规则处理")
    )
    replaying.arguments(one)
    _filters(one)
    one.set_defaults(run=_replay)
    one = commands.add_parser(
        "discard",
        help=words(
            "give a held message up; it has no effect, those behind it go on",
            "放弃一条挂起的消息：它不产生任何结果，排在其后的消息继续处理",
        ),
    )
    one.add_argument("id", type=int)
    one.add_argument(
        "--why",
        required=True,
        help=words("kept in the trace; no patient data", "原因，写入处理轨迹；请勿填写患者信息"),
    )
    one.add_argument("--by", default=None)
    one.set_defaults(run=_discard)
    one = commands.add_parser(
        "retention", help=words("what is kept how long, and what goes next", "各类内容的保留期与下次清除")
    )
    retaining.arguments(one)
    one.set_defaults(run=_retention)
    for command in commands.choices.values():
        takes_json(command)
    return parser


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    parser.add_argument(
        "--type",
        dest="message_type",
        help=words("such as ADT^A01 or soap:patient", "消息类型，如 ADT^A01、soap:patient"),
    )
    parser.add_argument("--control-id")
    parser.add_argument(
        "--patient", dest="patient_number", help=words("patient number at its campus", "患者在本院区的编号")
    )
    parser.add_argument(
        "--visit", dest="visit_number", help=words("visit number at its campus", "就诊在本院区的编号")
    )
    parser.add_argument(
        "--number",
        help=words(
            "of an order, report (accession), document, charge or appointment that was recorded",
            "已记录的医嘱、报告（检查号）、文书、收费或预约的编号",
        ),
    )
    parser.add_argument("--state", type=State, choices=list(State), metavar="{" + ",".join(State) + "}")
    parser.add_argument(
        "--code",
        help=words(
            "why it is held or was refused, such as unmapped_code", "挂起或拒收的原因代码，如 unmapped_code"
        ),
    )
    parser.add_argument(
        "--rule",
        help=words("the rule that recorded it, or for which it is held", "处理它的规则，或使它挂起的规则"),
    )
    parser.add_argument(
        "--since",
        type=_time,
        help=words("YYYY-MM-DD or YYYY-MM-DDTHH:MM", "起始时间，YYYY-MM-DD 或 YYYY-MM-DDTHH:MM"),
    )
    parser.add_argument("--until", type=_time)
    parser.add_argument("--text", help=words("part of the reason", "原因中包含的文字"))


def _time(text: str) -> datetime:
    try:
        return parse_datetime(text)
    except ImpossibleDateError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    filters = replaying.filters_of(options)
    with engine.connect() as connection:
        found = search(connection, filters, Page(options.limit, options.after))
    if options.json:
        return show_json({"messages": [dataclasses.asdict(e) for e in found.entries], "next": found.next})
    columns = words(
        "id at state facility type control-id reason", "编号 时间 状态 院区 类型 控制号 原因"
    ).split()
    show_table(columns, [_line(entry) for entry in found.entries])
    if found.next:
        write(words(f"more: --after {found.next}", f"下一页：--after {found.next}"))
    return 0


def _line(entry: Entry) -> tuple[str, ...]:
    at = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
    texts = (entry.facility, entry.message_type, entry.control_id, entry.reason)
    return (entry.id, at, entry.state.value, *(text or "" for text in texts))


def _show(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = journey(connection, options.id)
        out = _sent(connection, found)
    if found is None:
        return fail(
            words(
                f"there is no message {options.id}; find it with ./yilian messages list",
                f"没有编号为 {options.id} 的消息；请用 ./yilian messages list 查找",
            )
        )
    if options.json:
        return show_json({**dataclasses.asdict(found), "sent": [_as_json(one) for one in out]})
    return _tell(found, out)


def _sent(connection: sa.Connection, found: Journey | None) -> list[Sent]:
    if found is None or found.entry.id.startswith("r"):
        return []
    loaded = take_deployed(settings.load(), connection.engine)
    specs = CurrentDestinations(loaded.rules_dir).get(connection)
    return sent(connection, int(found.entry.id), recomputing(specs, Systems(loaded)))


def _as_json(one: Sent) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "body": one.text, "answer": one.answer_text}


def _tell(found: Journey, out: Sequence[Sent]) -> int:
    for name, value in dataclasses.asdict(found.entry).items():
        if value is not None:
            write(f"{words(name.replace('_', ' '), NAMES.get(name, name)):>15}  {value}")
    if found.trace_id:
        write(f"{words('trace id', '追踪编号'):>15}  {found.trace_id}")
    for title, lines in (
        (
            words("steps", "处理轨迹"),
            [f"{s.at.astimezone():%H:%M:%S.%f}  {s.step}  {_brief(s.detail)}" for s in found.steps],
        ),
        (
            words("held", "挂起"),
            [f"{h.code}: {h.reason} ({_released(h)})" for h in found.holds],
        ),
        (words("same control id", "相同控制号"), found.same_control_id),
        (words("waiting behind it", "排在其后等待"), found.waiting),
        (words("replays", "重放"), [_again(replayed) for replayed in found.replays]),
        (words("outgoing", "对外发送"), [_going(one) for one in found.outgoing]),
    ):
        if lines:
            write(f"\n{title}")
        for line in lines:
            write(f"  {line}")
    for one in out:
        _tell_sent(one)
    if found.body_dropped is not None:
        write(f"\n{found.body_dropped}")
        return 0
    charset = found.charset or words("not known", "未知")
    write(words(f"\nbody ({charset})", f"\n正文（{charset}）") + f"\n{found.body}")
    return 0


def _tell_sent(one: Sent) -> None:
    again = words(f", again of {one.again_of}", f"，重发自 {one.again_of}") if one.again_of else ""
    write(
        words(f"\nsent to {one.destination}", f"\n发往 {one.destination}")
        + f" ({one.form}, {words('delivery', '投递')} {one.id}{again}, {one.state})"
    )
    at = f"{one.sent_at.astimezone():%Y-%m-%d %H:%M:%S}" if one.sent_at else words("never", "未发送")
    facts = (
        (words("on the wire", "发出"), at),
        (words("rules", "规则版本"), one.rules),
        (words("place", "去向"), one.place),
        (words("bytes", "内容"), words(*TOLD[one.how])),
        (words("answer", "应答"), one.code),
    )
    for name, value in facts:
        if value is not None:
            write(f"  {name}: {value}")
    for text in (one.text, one.answer_text):
        if text:
            write(f"\n{text}")


def _released(hold: Holding) -> str:
    if hold.released_by is None:
        return words("released by nobody yet", "尚未放行")
    return words(f"released by {hold.released_by}", f"由 {hold.released_by} 放行")


def _going(one: Outgoing) -> str:
    at = words(f"delivered {one.delivered_at}", f"送达 {one.delivered_at or '—'}")
    return f"{one.destination} {one.dedupe_key} {at}"


def _again(replayed: Replayed) -> str:
    edited = f"{replayed.original_id} → {replayed.message_id}"
    way = edited if replayed.effect == "edited" else replayed.effect
    who = words(f"by {replayed.by}: {replayed.reason}", f"{replayed.by}：{replayed.reason}")
    return f"{replayed.at.astimezone():%Y-%m-%d %H:%M:%S}  {way}  {who}"


def _brief(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False) if detail else ""


def _replay(engine: sa.Engine, options: argparse.Namespace) -> int:
    def tell(result: dict[str, Any], sentence: str) -> int:
        if options.json:
            return show_json(result)
        write(sentence)
        return 0

    return replaying.replay_main(engine, options, settings.load().routing_key, tell, progress)


def _discard(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        ready = held.discard(connection, options.id, options.by or getpass.getuser(), options.why)
    return _ready(ready, options)


def _retention(engine: sa.Engine, options: argparse.Namespace) -> int:
    return retaining.retention_main(engine, options, keep(settings.load()))


def _ready(ids: Sequence[int], options: argparse.Namespace) -> int:
    if options.json:
        return show_json({"ready": [str(id_) for id_ in ids]})
    named = ", ".join(map(str, ids[:20]))
    told = words(f"{len(ids)} on their way again", f"{len(ids)} 条继续处理")
    write(told + (words(f": {named}", f"：{named}") if ids else ""))
    return 0
