"""The questions: PIX query, demographics query with its pages, and cancelling it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bus.hl7.ack import Code
from bus.hl7.header import Header
from bus.hl7.message import Message, Segment
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, SEGMENT_SEQUENCE, TABLE_VALUE, UNKNOWN_KEY, HL7Error
from bus.pix import answers, continuation, criteria, query
from bus.pix.applications import Application
from bus.pix.continuation import Place
from bus.pix.domains import Domain, Domains, Identifier
from bus.pix.problem import Fault, FaultsError
from consortium.access.audit import Outcome
from consortium.identity.crossing import in_use
from consortium.identity.search import count, search

CROSSED, FOUND = "RSP^K23^RSP_K23", "RSP^K22^RSP_K21"
SECONDS = 10
"""After which a search is given up."""

Stamp = Callable[[], answers.Stamp]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and what the audit says of it."""

    body: bytes
    outcome: Outcome
    reason: str
    persons: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ask:
    """One question on its way."""

    connection: sa.Connection
    header: Header
    message: Message
    who: Application
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Asking:
    """Answers questions."""

    domains: Domains
    page: int
    """Most people in one answer."""
    good: timedelta
    """How long a continuation pointer is."""

    def answer(
        self, connection: sa.Connection, header: Header, message: Message, who: Application, stamp: Stamp
    ) -> Answered:
        """Answer a question. Raises FaultsError for one that is no question: without its segments."""
        ask = _Ask(connection, header, message, who, stamp)
        if header.message_type == "QCN^J01":
            return _cancelled(ask)
        qpd = message.segment("QPD")
        if qpd is None or qpd.get("1") is None:
            reason = "the query has no segment QPD with a query name (QPD-1)"
            raise FaultsError(Fault(SEGMENT_SEQUENCE, ("QPD", 1, 1), "missing_segment", reason))
        crossing_ = header.message_type == "QBP^Q23"
        kind, way = (CROSSED, self._cross) if crossing_ else (FOUND, self._find)
        try:
            with connection.begin_nested():
                _check_asked(ask)
                return way(ask, qpd)
        except FaultsError as error:
            refused = error
        except HL7Error as error:
            refused = FaultsError.of(error)
        body = answers.responded(header, stamp(), kind, refused.msa, qpd, faults=refused.faults)
        return Answered(body, "refused", str(refused))

    def _cross(self, ask: _Ask, qpd: Segment) -> Answered:
        question = query.read(qpd, self.domains)
        found = query.crossed(ask.connection, question, self.domains)
        body = answers.responded(
            ask.header, ask.stamp(), CROSSED, Code.ACCEPT, qpd, people=answers.crossed(found.others)
        )
        told = f"{len(found.others)} other identifiers"
        return Answered(body, "allowed", told, (found.person_id,))

    def _find(self, ask: _Ask, qpd: Segment) -> Answered:
        targets, unknown = query.named(qpd, 8, self.domains)
        if unknown:
            raise FaultsError(*unknown)
        wanted = replace(criteria.wanted(qpd, self.domains), limit=_quantity(ask.message, self.page))
        if targets and self.domains.person not in targets and self.domains.card not in targets:
            wanted = replace(wanted, known_at=tuple(str(one.facility) for one in targets))
        pointer = ask.message.get("DSC-1")
        place = Place(UUID(int=0), 0)
        if pointer is not None:
            place = continuation.find(ask.connection, ask.who.title, qpd, pointer)
            wanted = replace(wanted, after=place.after)
        ask.connection.execute(sa.text(f"SET LOCAL statement_timeout = '{SECONDS}s'"))
        try:
            found = search(ask.connection, wanted)
            total = count(ask.connection, wanted)
        except sa.exc.OperationalError as error:
            raise _too_slow(error) from error
        ask.connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        shown = place.shown + len(found.rows)
        following = None
        if found.after is not None:
            following = continuation.save(
                ask.connection, ask.who.title, qpd, Place(found.after, shown), self.good
            )
        people = [
            answers.demographics(row, place.shown + n, self._identifiers(row, targets))
            for n, row in enumerate(found.rows, 1)
        ]
        body = answers.responded(
            ask.header, ask.stamp(), FOUND, Code.ACCEPT, qpd, people=people, pointer=following,
            counts=answers.Counts(total, len(people), max(total - shown, 0)),
        )  # fmt: skip
        persons = tuple(row["id"] for row in found.rows)
        return Answered(body, "allowed", f"{len(people)} of {total} people", persons)

    def _identifiers(self, row: dict[str, Any], targets: Sequence[Domain]) -> list[Identifier]:
        """Return the identifiers of the domains asked for; where there is none, the domains alone."""
        known = query.told(in_use(row), targets, self.domains)
        return list(known) or [Identifier(domain, "") for domain in targets]


def _check_asked(ask: _Ask) -> None:
    if not ask.who.asks:
        reason = "this application may feed patients, and may not ask (pix.applications, asks)"
        raise FaultsError(Fault(UNKNOWN_KEY, ("MSH", 1, 3), "may_not_ask", reason), msa=Code.REJECT)
    if (ask.message.get("RCP-1") or "I") != "I":
        reason = "RCP-1 asks for an answer later; all are given at once: I"
        raise FaultsError(Fault(TABLE_VALUE, ("RCP", 1, 1), "not_immediate", reason))


def _quantity(message: Message, most: int) -> int:
    """Return how many people are wanted at once (RCP-2)."""
    number, unit = message.get("RCP-2.1"), message.get("RCP-2.2")
    if number is None:
        return most
    if not (number.isascii() and number.isdigit() and int(number[:9]) > 0) or (unit or "RD") != "RD":
        reason = "RCP-2 limits the answer by records: 10^RD"
        raise FaultsError(Fault(DATA_TYPE, ("RCP", 1, 2), "bad_quantity", reason))
    return min(int(number[:9]), most)


def _cancelled(ask: _Ask) -> Answered:
    qid = ask.message.segment("QID")
    tag = qid.get("1") if qid else None
    if tag is None:
        reason = "the cancellation names no query: QID-1 is its query tag (QPD-2)"
        raise FaultsError(Fault(REQUIRED_FIELD, ("QID", 1, 1), "missing_field", reason))
    forgotten = continuation.cancel(ask.connection, ask.who.title, tag)
    if not forgotten:
        reason = "no query of this application with that tag is open: it has ended, or was cancelled"
        fault = Fault(UNKNOWN_KEY, ("QID", 1, 1), "unknown_query", reason)
        body = answers.acknowledged(ask.header, ask.stamp(), Code.ERROR, [fault])
        return Answered(body, "refused", reason)
    body = answers.acknowledged(ask.header, ask.stamp(), Code.ACCEPT)
    return Answered(body, "allowed", f"{forgotten} continuation pointers cancelled")


def _too_slow(error: sa.exc.OperationalError) -> Exception:
    """Say that a search took too long; any other error of the database is none of the question's."""
    if getattr(error.orig, "sqlstate", None) != "57014":
        return error
    reason = f"the search took more than {SECONDS} s: say more of the patient, such as the date of birth"
    return FaultsError(Fault(REQUIRED_FIELD, ("QPD", 1, 3), "too_broad", reason))
