"""Who speaks: applications of campuses, known by MSH-3 and MSH-4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bus.hl7.ack import Code
from bus.hl7.header import Header
from bus.hl7.problem import UNKNOWN_KEY
from bus.pix.problem import Fault, FaultsError
from consortium.access import policy
from consortium.access.audit import Entry, Outcome
from consortium.access.model import Action, Purpose, Resource, Role, User
from runtime.pix import PixApplication

Check = Callable[[str, str], None]
"""Raises HL7Error for a campus (MSH-4) and application (MSH-3) whose certificate the connection's is not."""


@dataclass(frozen=True, slots=True)
class Application:
    """One that is known."""

    name: str
    """MSH-3."""
    facility: str
    """MSH-4: a campus's code, or GROUP."""
    asks: bool
    """Whether it may ask about patients."""

    @property
    def title(self) -> str:
        """What the audit and manual links call it."""
        return f"{self.name}|{self.facility}"

    @property
    def user(self) -> User:
        """Whom access control sees."""
        return User(self.title, self.name, Role.SYSTEM, self.facility)

    def may_feed(self, facility: str) -> bool:
        """Whether it may write patients of a campus: of its own."""
        resource = Resource(organisation=facility)
        return policy.decide(self.user, Action.RECORD_WRITE, resource, Purpose.OPERATIONS).allow


def application(header: Header, known: Sequence[PixApplication]) -> Application:
    """Return who sent a message. Raises FaultsError (AR) for somebody who is not known."""
    here = [one for one in known if one.facility == header.facility]
    for one in here:
        if header.sender and one.application in {header.sender, "*"}:
            return Application(header.sender, header.facility, one.asks)
    field = 3 if here else 4
    reason = (
        f"MSH-{field} names no application that is known here: list it in the setting pix.applications"
        if here
        else "MSH-4 names no campus whose applications are known here"
    )
    raise FaultsError(Fault(UNKNOWN_KEY, ("MSH", 1, field), "unknown_application", reason), msa=Code.REJECT)


def entry(
    who: Application | None, header: Header, transaction: str, outcome: Outcome, reason: str, **more: Any
) -> Entry:
    """Return the audit's row of a transaction; `more` are its other columns."""
    return Entry(
        request_id=f"{header.facility}:{header.control_id}"[:200],
        username=who.title if who else "-",
        role=Role.SYSTEM.value if who else "-",
        organisation=who.facility if who else "-",
        action=transaction,
        purpose=Purpose.TREATMENT.value if header.message_type[:3] == "QBP" else Purpose.OPERATIONS.value,
        resource=header.message_type,
        outcome=outcome,
        reason=reason,
        persons=more.get("persons", ()),
    )
