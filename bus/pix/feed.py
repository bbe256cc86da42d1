"""ADT of a feed → what it states: pure (IHE ITI TF-2: 3.8.4.1, 3.30.4)."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bus.hl7.ack import Code
from bus.hl7.message import Message, Segment
from bus.hl7.problem import SEGMENT_SEQUENCE, UNKNOWN_KEY, UNSUPPORTED_EVENT
from bus.pix.domains import Domains, Identifier
from bus.pix.patient import May, any_number, own_number, patient
from bus.pix.problem import Fault, FaultsError
from consortium.records.model import Change, Kind, Merge


class Transaction(enum.StrEnum):
    """IHE's name of what is done."""

    FEED = "ITI-8"
    QUERY = "ITI-9"
    DEMOGRAPHICS = "ITI-21"
    MANAGEMENT = "ITI-30"


FEEDS = {
    **dict.fromkeys(("A01", "A04", "A05", "A08", "A40"), Transaction.FEED),
    **dict.fromkeys(("A28", "A31", "A47", "A24", "A37"), Transaction.MANAGEMENT),
}
"""Trigger events that are taken. A40 is in both transactions and does the same in both."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What one group of PID (and MRG) states."""

    facility: str
    change: Change
    renamed: bool = False
    """A47: the surviving number must be new."""


@dataclass(frozen=True, slots=True)
class Linked:
    """That two numbers are (A24), or are not by that (A37), one person."""

    left: Identifier
    right: Identifier
    same: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """What one message states."""

    transaction: Transaction
    event: str
    stated: tuple[Stated, ...] = ()
    linked: Linked | None = None

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """Return facility and number of every patient it is about, those of the first group first."""
        found: dict[tuple[str, str], None] = {}
        for one in self.stated:
            found[one.facility, one.change.patient.number] = None
            if one.change.merge:
                found[one.facility, one.change.merge.retired] = None
        for side in (self.linked.left, self.linked.right) if self.linked else ():
            found[str(side.domain.facility), side.value] = None
        return list(found)


def read(message: Message, event: str, domains: Domains, may: May) -> Feed:
    """Read a message whose MSH-9 is ADT^`event`.

    Raises FaultsError with the field at fault: AR for an event that is not taken, AE for the rest.
    """
    transaction = FEEDS.get(event)
    if transaction is None:
        reason = f"MSH-9 names an event that is not taken here; these are: {', '.join(sorted(FEEDS))}"
        fault = Fault(UNSUPPORTED_EVENT, ("MSH", 1, 9), "unknown_type", reason)
        raise FaultsError(fault, msa=Code.REJECT)
    pids = message.segments("PID")
    if not pids:
        raise _missing("PID")
    if event in {"A24", "A37"}:
        return Feed(transaction, event, linked=_linked(pids, domains, may, same=event == "A24"))
    if event in {"A40", "A47"}:
        merges = tuple(_merges(message, domains, may, renamed=event == "A47"))
        return Feed(transaction, event, merges)
    number = own_number(pids[0], 1, 3, domains, may)
    said = patient(pids[0], 1, number.value, domains, message.get("PV1-16"))
    return Feed(
        transaction,
        event,
        (Stated(str(number.domain.facility), Change(kind=Kind.PATIENT, patient=said)),),
    )


def _merges(message: Message, domains: Domains, may: May, *, renamed: bool) -> Iterator[Stated]:
    """Give each group of PID and MRG (ADT_A39, ADT_A30)."""
    groups = list(_groups(message))
    if not groups:
        raise _missing("MRG")
    for occurrence, (pid, mrg) in enumerate(groups, 1):
        surviving = own_number(pid, occurrence, 3, domains, may)
        retired = own_number(mrg, occurrence, 1, domains, may)
        if retired.domain != surviving.domain:
            reason = (
                "PID-3 and MRG-1 are numbers of two campuses: a number is retired for one of its own domain"
            )
            raise FaultsError(Fault(UNKNOWN_KEY, ("MRG", occurrence, 1, 1, 4), "other_domain", reason))
        said = patient(pid, occurrence, surviving.value, domains)
        merge = Merge(surviving=surviving.value, retired=retired.value)
        change = Change(kind=Kind.MERGE, patient=said, merge=merge)
        yield Stated(str(surviving.domain.facility), change, renamed)


def _groups(message: Message) -> Iterator[tuple[Segment, Segment]]:
    pid: Segment | None = None
    for segment in message.all:
        if segment.name == "PID":
            if pid is not None:
                raise _missing("MRG")
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                raise _missing("PID")
            yield pid, segment
            pid = None
    if pid is not None:
        raise _missing("MRG")


def _linked(pids: Sequence[Segment], domains: Domains, may: May, *, same: bool) -> Linked:
    if len(pids) != 2:
        raise _missing("PID", "a link is of two patients: two segments PID")
    left, right = (any_number(pid, n, domains) for n, pid in enumerate(pids, 1))
    if not any(may(str(side.domain.facility)) for side in (left, right)):
        reason = "neither patient is of the campus in MSH-4: one of them must be"
        raise FaultsError(Fault(UNKNOWN_KEY, ("PID", 1, 3, 1, 4), "wrong_campus", reason))
    if left == right:
        reason = "both segments PID have the same number: a link is of two"
        raise FaultsError(Fault(UNKNOWN_KEY, ("PID", 2, 3, 1, 1), "link_with_itself", reason))
    return Linked(left, right, same)


def _missing(segment: str, reason: str = "") -> FaultsError:
    text = reason or f"the message has no segment {segment} where one must be"
    return FaultsError(Fault(SEGMENT_SEQUENCE, (segment, 1), "missing_segment", text))
