"""The PIX manager and PDQ supplier: from the bytes of a message to the bytes of its answer."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import structlog

from bus.campuses.charsets import Charsets
from bus.hl7.ack import Code, Wrong
from bus.hl7.header import Header, peek
from bus.hl7.message import Message, parse
from bus.hl7.problem import DATA_TYPE, UNSUPPORTED_TYPE, HL7Error
from bus.pix import answers, feed, questions
from bus.pix.applications import Application, Check, application, entry
from bus.pix.domains import Domains
from bus.pix.feed import Transaction
from bus.pix.intake import Intake, Taken
from bus.pix.problem import Fault, FaultsError
from consortium.access import audit
from consortium.errors import RetryableError
from runtime.settings import Settings

log = structlog.get_logger("bus.pix")

TRIES = 3
"""How often a feed is taken that another transaction was in the way of."""
QUESTIONS = {
    "QBP^Q23": Transaction.QUERY,
    "QBP^Q22": Transaction.DEMOGRAPHICS,
    "QCN^J01": Transaction.DEMOGRAPHICS,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    body: bytes
    wrong: Wrong | None = None
    """Why a feed was refused, to be kept among the refusals."""


class Manager:
    """Answers one message after another; several threads may ask at a time."""

    def __init__(
        self, settings: Settings, engine: sa.Engine, *, endpoint: str = "pix",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._engine = engine
        self._clock = clock
        self._domains = Domains(settings)
        self._charsets = Charsets(settings.roster)
        self._told = settings.pix
        window = timedelta(days=settings.dedupe_days)
        self._intake = Intake(settings.routing_key, window, endpoint)
        good = timedelta(minutes=settings.pix.pointer_minutes)
        self._asking = questions.Asking(self._domains, settings.pix.page, good)
        self._prefix = f"P{int(clock().timestamp()):X}{os.getpid():X}-"
        self._count = itertools.count(1)

    def answer(self, raw: bytes, check: Check | None = None) -> Reply:
        """Do what a message says and return the answer; every outcome is in the audit.

        `check` knows for whom the connection's certificate may speak.

        Raises:
            HL7Error: its MSH cannot be read.
            RetryableError: the database is away; nothing was done.
        """
        header = peek(raw, self._charsets)
        transaction = self._transaction(header)
        who: Application | None = None
        try:
            if check is not None:
                _certified(check, header)
            who = application(header, self._told.known(self._charsets))
            message = _parsed(raw, header)
            if transaction is None:
                raise _unsupported()
            if header.message_type.startswith("ADT^"):
                return self._feed(header, message, raw, who)
            return self._question(header, message, who, transaction)
        except FaultsError as error:
            self._audit_refusal(header, who, transaction, error)
            return self._refused(header, error, feed=not header.message_type.startswith("Q"))

    def _transaction(self, header: Header) -> Transaction | None:
        if header.message_type.startswith("ADT^"):
            return feed.FEEDS.get(header.message_type[4:], Transaction.FEED)
        return QUESTIONS.get(header.message_type)

    def _feed(self, header: Header, message: Message, raw: bytes, who: Application) -> Reply:
        event = header.message_type[4:]
        stated = feed.read(message, event, self._domains, who.may_feed)
        taken = self._tried(stated, header, raw, who)
        log.info("fed", message_id=taken.message_id, message_type=header.message_type)
        return Reply(answers.acknowledged(header, self._stamp(), Code.ACCEPT))

    def _tried(self, stated: feed.Feed, header: Header, raw: bytes, who: Application) -> Taken:
        """Take a feed, and again where another transaction took its number at the same moment."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(RetryableError):
                return self._take(stated, header, raw, who)
        return self._take(stated, header, raw, who)

    def _take(self, stated: feed.Feed, header: Header, raw: bytes, who: Application) -> Taken:
        """Commit a feed's effects and its row in the audit together."""
        with self._engine.begin() as connection:
            taken = self._intake.take(connection, stated, header, raw, who.title)
            what = "told before" if taken.repeated else "taken"
            reason = f"{header.message_type} {what}, message {taken.message_id}"
            row = entry(who, header, stated.transaction.value, "allowed", reason, persons=taken.persons)
            audit.append(connection, row)
        return taken

    def _question(
        self, header: Header, message: Message, who: Application, transaction: Transaction
    ) -> Reply:
        """Answer once the audit's row is committed."""
        with self._engine.begin() as connection:
            answered = self._asking.answer(connection, header, message, who, self._stamp)
            row = entry(
                who, header, transaction.value, answered.outcome, answered.reason, persons=answered.persons
            )
            audit.append(connection, row)
        return Reply(answered.body)

    def _refused(self, header: Header, error: FaultsError, *, feed: bool) -> Reply:
        body = answers.acknowledged(header, self._stamp(), error.msa, error.faults)
        first = error.faults[0]
        place = [str(part) for part in first.place]
        location = "-".join((place[0], place[2])) if len(place) > 2 else "".join(place[:1])
        wrong = Wrong(first.condition, location, first.reason, first.code)
        return Reply(body, wrong if feed or error.msa is Code.REJECT else None)

    def _audit_refusal(
        self, header: Header, who: Application | None, transaction: Transaction | None, error: FaultsError
    ) -> None:
        name = transaction.value if transaction else "HL7"
        with self._engine.begin() as connection:
            audit.append(connection, entry(who, header, name, "refused", str(error)))

    def _stamp(self) -> answers.Stamp:
        return answers.Stamp(self._clock(), f"{self._prefix}{next(self._count)}")


def _certified(check: Check, header: Header) -> None:
    try:
        check(header.facility, header.sender)
    except HL7Error as error:
        raise FaultsError.of(error, Code.REJECT) from error


def _parsed(raw: bytes, header: Header) -> Message:
    """Split a message. Raises FaultsError for what is no message inside."""
    if b"\0" in raw:
        fault = Fault(DATA_TYPE, (), "bad_character", "the message holds a NUL, which no text can")
        raise FaultsError(fault)
    message = parse(raw, header.codec)
    try:
        message.all  # noqa: B018 - it is split when it is looked at
    except HL7Error as error:
        raise FaultsError.of(error) from error
    return message


def _unsupported() -> FaultsError:
    reason = "MSH-9 is not taken here: feeds are ADT, questions QBP^Q22 and QBP^Q23, cancellations QCN^J01"
    return FaultsError(Fault(UNSUPPORTED_TYPE, ("MSH", 1, 9), "unknown_type", reason), msa=Code.REJECT)
