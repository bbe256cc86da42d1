"""From the notices of a step to what people are told: in which words, and who instead of somebody away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from consortium.notifications import contacts, queue
from consortium.notifications.model import Notice as Asked
from consortium.referral import cover, invited
from consortium.referral.links import Links
from consortium.referral.model import Party, Step
from consortium.referral.notices import FOLLOW_UP, NEXT_APPROVAL, REMIND, Notice

DUTIES: Mapping[Party, str] = {
    Party.SENDING_DOCTOR: "referral_doctor",
    Party.SENDING_COORDINATOR: "referral_coordinator",
    Party.RECEIVING_DOCTOR: "referral_doctor",
    Party.RECEIVING_COORDINATOR: "referral_coordinator",
}
"""The duty of each party, as hospitals give it to accounts."""
PROGRESS, EMERGENCY, UNTOLD = "referral-progress", "referral-emergency", "referral-tell-patient"
OF_STAFF: Mapping[str, str] = {
    Step.SUBMIT: "referral-received",
    NEXT_APPROVAL: "referral-approval",
    Step.RETURN_FOR_INFO: "referral-returned",
    Step.ACCEPT: "referral-accepted",
    Step.REJECT: "referral-rejected",
    Step.REFER_ONWARD: "referral-onward",
    Step.BOOK: "referral-booked",
    Step.RESCHEDULE: "referral-booked",
    Step.DECLINE: "referral-declined",
    Step.MISS: "referral-no-show",
    Step.ARRIVE: "referral-arrived",
    Step.RETURN_OUTCOME: "referral-outcome",
    Step.REQUEST_CANCEL: "referral-cancel-asked",
    Step.CONFIRM_CANCEL: "referral-cancelled",
    Step.EXPIRE: "referral-expired",
    Step.ESCALATE: "referral-escalated",
    REMIND: "referral-reminder",
    FOLLOW_UP: "referral-follow-up",
}
"""Templates by what happened; anything else is told as progress, in the application alone."""
APPOINTMENT, VISIT, NEWS = "patient-appointment", "patient-visit", "patient-referral"
WITH_TIME = frozenset({Step.BOOK.value, Step.RESCHEDULE.value, REMIND})

_TOLD = sa.text(
    "SELECT EXISTS (SELECT FROM workflow.notification WHERE workflow_id = :workflow_id AND step = :step)"
)


@dataclass(frozen=True, slots=True)
class Telling:
    """`consortium.referral.notices.Tell` by notifications. Without links the patient calls the hospital."""

    links: Links | None = None

    def __call__(self, connection: sa.Connection, notice: Notice) -> None:
        """Ask that it be told, once however often the step is tried; the referral's row is locked."""
        once = {"workflow_id": notice.workflow_id, "step": notice.step}
        if connection.execute(_TOLD, once).scalar_one():
            return
        if notice.party is Party.PATIENT:
            queue.ask(connection, self._of_patient(connection, notice))
            return
        for asked in _of_staff(connection, notice, _template(notice)):
            queue.ask(connection, asked)

    def _of_patient(self, connection: sa.Connection, notice: Notice) -> Asked:
        """Return what tells the patient, or the sender where nobody knows who the patient is."""
        if notice.person_id is None:
            return _asked(notice, UNTOLD, recipient=notice.values["created_by"])
        if notice.what not in WITH_TIME:
            return _asked(notice, NEWS, news=notice.what)
        link = self._link(connection, notice)
        return _asked(notice, APPOINTMENT, link=link) if link else _asked(notice, VISIT)

    def _link(self, connection: sa.Connection, notice: Notice) -> str | None:
        if self.links is None:
            return None
        return self.links.link(invited.booked_by(connection, {"id": notice.subject_id}))


def _template(notice: Notice) -> str:
    if notice.values["urgency"] == "emergency":
        return EMERGENCY
    return OF_STAFF.get(notice.what, PROGRESS)


def _of_staff(connection: sa.Connection, notice: Notice, template: str) -> list[Asked]:
    """Return what tells one person, or all who have the duty and whoever covers for them."""
    name = notice.duty or DUTIES[notice.party]
    now = datetime.now(UTC)
    known = cover.duty_at(connection, notice.facility, name, now)
    if notice.recipient is not None and (there := cover.acting(known, notice.recipient, now)):
        return [_asked(notice, template, recipient=there)]
    code = notice.department or None
    holders = contacts.holders(connection, contacts.Duty(notice.facility, name, code or ""))
    covering = cover.having(connection, notice.facility, name, now, code or "") - {*holders}
    return [
        _asked(notice, template, duty=name, recipient=code),
        *(_asked(notice, template, recipient=username) for username in sorted(covering)),
    ]


def _asked(
    notice: Notice, template: str, *, duty: str = "", recipient: str | None = None, **more: str
) -> Asked:
    to_staff = bool(duty or recipient)
    values = {name: value for name, value in notice.values.items() if name != "created_by"}
    return Asked(
        workflow_id=notice.workflow_id,
        step=notice.step,
        subject=notice.subject,
        subject_id=notice.subject_id,
        facility=notice.facility,
        duty=duty,
        recipient=recipient,
        person_id=None if to_staff else notice.person_id,
        template=template,
        values=values | more,
        level=notice.level,
    )
