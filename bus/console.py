"""`yilian messages list|show|replay|discard`: where a message is, and letting it go on."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus import held
from bus.finding import State
from bus.journal import Entry, Page, search
from bus.journey import Journey, journey
from bus.replay import console as replaying
from bus.replay.ledger import Replayed
from bus.rules.dates import ImpossibleDateError, parse_datetime
from bus.terminal import show_json
from consortium.errors import PermanentError
from runtime import settings


def messages_main(argv: Sequence[str]) -> int:
    """Run `messages …`; returns 0, 1 when there is no such message, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    url = settings.load().database_url
    if not url:
        return _fail("the database is not known: run ./yilian up first, or set YILIAN_DATABASE_URL")
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 5}
    )
    try:
        return int(options.run(engine, options))
    except PermanentError as error:
        return _fail(str(error))
    except sa.exc.OperationalError:
        return _fail("the database cannot be reached: see ./yilian status")
    finally:
        engine.dispose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yilian messages", description="Find messages and let them go on.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("list", help="messages and refusals, newest first")
    _filters(one)
    one.add_argument("--limit", type=int, default=50)
    one.add_argument("--after", help="cursor of the next page, as the page before gave it")
    one.set_defaults(run=_list)
    one = commands.add_parser("show", help="the whole way of one message")
    one.add_argument("id", help="its id, or r123 for a refusal")
    one.set_defaults(run=_show)
    one = commands.add_parser("replay", help="let messages go through the rules again")
    replaying.arguments(one)
    _filters(one)
    one.set_defaults(run=_replay)
    one = commands.add_parser(
        "discard", help="give a held message up; it has no effect, those behind it go on"
    )
    one.add_argument("id", type=int)
    one.add_argument("--why", required=True, help="kept in the trace; no patient data")
    one.add_argument("--by", default=None)
    one.set_defaults(run=_discard)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--facility", help="campus code, such as MAIN")
    parser.add_argument("--type", dest="message_type", help="such as ADT^A01 or soap:patient")
    parser.add_argument("--control-id")
    parser.add_argument("--patient", dest="patient_number", help="patient number at its campus")
    parser.add_argument("--visit", dest="visit_number", help="visit number at its campus")
    parser.add_argument("--state", type=State, choices=list(State), metavar="{" + ",".join(State) + "}")
    parser.add_argument("--code", help="why it is held or was refused, such as unmapped_code")
    parser.add_argument("--rule", help="the rule that recorded it, or for which it is held")
    parser.add_argument("--since", type=_time, help="YYYY-MM-DD or YYYY-MM-DDTHH:MM")
    parser.add_argument("--until", type=_time)
    parser.add_argument("--text", help="part of the reason")


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
    table = Table("id", "at", "state", "facility", "type", "control id", "reason", box=None)
    for entry in found.entries:
        table.add_row(*map(escape, _line(entry)))
    Console().print(table)
    if found.next:
        _write(f"more: --after {found.next}")
    return 0


def _line(entry: Entry) -> tuple[str, ...]:
    at = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
    texts = (entry.facility, entry.message_type, entry.control_id, entry.reason)
    return (entry.id, at, entry.state.value, *(text or "" for text in texts))


def _show(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        found = journey(connection, options.id)
    if found is None:
        return _fail(f"there is no message {options.id}; find it with ./yilian messages list")
    return show_json(dataclasses.asdict(found)) if options.json else _tell(found)


def _tell(found: Journey) -> int:
    for name, value in dataclasses.asdict(found.entry).items():
        if value is not None:
            _write(f"{name.replace('_', ' '):>15}  {value}")
    if found.trace_id:
        _write(f"{'trace id':>15}  {found.trace_id}")
    for title, lines in (
        ("steps", [f"{s.at.astimezone():%H:%M:%S.%f}  {s.step}  {_brief(s.detail)}" for s in found.steps]),
        (
            "held",
            [f"{h.code}: {h.reason} (released by {h.released_by or 'nobody yet'})" for h in found.holds],
        ),
        ("same control id", found.same_control_id),
        ("waiting behind it", found.waiting),
        ("replays", [_again(replayed) for replayed in found.replays]),
        ("outgoing", [f"{o.destination} {o.dedupe_key} delivered {o.delivered_at}" for o in found.outgoing]),
    ):
        if lines:
            _write(f"\n{title}")
        for line in lines:
            _write(f"  {line}")
    _write(f"\nbody ({found.charset or 'not known'})\n{found.body}")
    return 0


def _again(replayed: Replayed) -> str:
    edited = f"{replayed.original_id} → {replayed.message_id}"
    way = edited if replayed.effect == "edited" else replayed.effect
    return f"{replayed.at.astimezone():%Y-%m-%d %H:%M:%S}  {way}  by {replayed.by}: {replayed.reason}"


def _brief(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False) if detail else ""


def _replay(engine: sa.Engine, options: argparse.Namespace) -> int:
    def tell(result: dict[str, Any], sentence: str) -> int:
        return show_json(result) if options.json else _write(sentence)

    say = Console(stderr=True, markup=False, highlight=False).print
    return replaying.replay_main(engine, options, settings.load().routing_key, tell, say)


def _discard(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.begin() as connection:
        ready = held.discard(connection, options.id, options.by or getpass.getuser(), options.why)
    return _ready(ready, options)


def _ready(ids: Sequence[int], options: argparse.Namespace) -> int:
    if options.json:
        return show_json({"ready": [str(id_) for id_ in ids]})
    _write(f"{len(ids)} on their way again" + (f": {', '.join(map(str, ids[:20]))}" if ids else ""))
    return 0


def _fail(text: str) -> int:
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(text)
    return 1


def _write(text: str) -> int:
    Console(markup=False, highlight=False, soft_wrap=True).print(text)
    return 0
