"""`yilian destinations send-again`: one delivery, or many by filters; ask first with --dry-run."""

from __future__ import annotations

import argparse
import getpass
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus.delivery import again as sending
from bus.delivery.again import Preview, Wanted
from bus.rules.dates import ImpossibleDateError, parse_datetime
from consortium.errors import PermanentError
from runtime.words import words


@dataclass(frozen=True, slots=True)
class Told:
    """What the command says."""

    result: dict[str, Any]
    sentence: str
    what: str
    """For the audit."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name")
    parser.add_argument(
        "id",
        type=int,
        nargs="?",
        help=words(
            "one delivery; without it all that the filters name", "一次投递；省略则为筛选条件命中的全部"
        ),
    )
    parser.add_argument(
        "--since",
        type=_time,
        help=words(
            "delivered then or later: YYYY-MM-DD or YYYY-MM-DDTHH:MM",
            "送达起始时间，YYYY-MM-DD 或 YYYY-MM-DDTHH:MM",
        ),
    )
    parser.add_argument("--until", type=_time)
    parser.add_argument("--facility", help=words("whose messages, such as MAIN", "消息来源院区，如 MAIN"))
    parser.add_argument("--type", dest="message_type", help=words("such as ORU^R01", "消息类型，如 ORU^R01"))
    parser.add_argument("--control-id")
    parser.add_argument(
        "--patient", dest="patient_number", help=words("patient number at its campus", "患者在本院区的编号")
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help=words("say how many, and change nothing", "只统计将发送多少，不作更改"),
    )
    parser.add_argument(
        "--why",
        help=words("kept; no patient data. Required", "原因（必填），予以保存；请勿填写患者信息"),
    )
    parser.add_argument(
        "--by",
        default=getpass.getuser(),
        help=words("who does this; by default the user of this machine", "操作人；默认为本机当前用户"),
    )


def again(connection: sa.Connection, options: argparse.Namespace) -> Told:
    """Do what was asked in the caller's transaction. Raises PermanentError with what to do."""
    wanted = Wanted(
        options.id,
        options.since,
        options.until,
        options.facility,
        options.message_type,
        options.control_id,
        options.patient_number,
    )
    name = str(options.name)
    if options.dry_run:
        found = sending.preview(connection, name, wanted)
        return Told(asdict(found), _preview(found), "")
    if not (options.why or "").strip():
        raise PermanentError(
            "say why with --why: it is kept for those who look later",
            zh="请用 --why 填写原因：予以保存，供日后查阅",
        )
    done = sending.send(connection, name, wanted, options.by, options.why)
    count, named = len(done.ids), ", ".join(map(str, done.ids[:20]))
    sentence = words(
        f"{count} queued again, {done.passed} passed by: {named}",
        f"已重新排队 {count} 次投递，跳过 {done.passed} 次：{named}",
    )
    which = options.id if options.id is not None else f"request {done.again_id}"
    return Told(asdict(done), sentence, f"send-again {name} {which}")


def _preview(found: Preview) -> str:
    told = words(
        f"{found.total} would be sent again, of {found.patients} patients; {found.passed} would be passed by",
        f"将再次发送 {found.total} 次投递，涉及 {found.patients} 名患者；跳过 {found.passed} 次",
    )
    if found.followed:
        told += words(
            f"\n{found.followed} of the patients were sent something later that is not among them: the"
            " receiver would have their older state last; take a later --until, or none",
            f"\n其中 {found.followed} 名患者其后另有投递不在此列：接收方最后得到的将是较旧的内容；"
            "请推迟或去掉 --until",
        )
    return told


def _time(text: str) -> datetime:
    try:
        return parse_datetime(text)
    except ImpossibleDateError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
