"""The words of notifications: what is asked for, channels, and whom something is for."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from consortium.errors import PermanentError

STAFF = "staff"
"""In the column `duty`: it is for one account."""
PATIENT = "patient"
"""In the column `duty`: it is for a patient."""

Language = str
"""`zh` or `en`."""
LANGUAGES = ("zh", "en")

Value = str | int
"""Of a variable: a code, a time in ISO 8601, an id, a number; see `consortium.notifications.values`."""


class Channel(enum.StrEnum):
    """A way to reach somebody. In the application everybody is told everything that is for them."""

    IN_APP = "in_app"
    SMS = "sms"
    WECHAT = "wechat"
    """A template message to a follower of an official account (公众号模板消息)."""
    EMAIL = "email"


OUTWARD = (Channel.SMS, Channel.WECHAT, Channel.EMAIL)
"""Those through which something leaves the platform."""


class NoticeError(PermanentError):
    """A notice that says of nobody, or of several at once, whom it is for."""

    code = "bad_notice"


@dataclass(frozen=True, slots=True)
class Notice:
    """That somebody is to be told something, once for each step of a workflow.

    It is for one account (`recipient` alone), for whoever has a duty at the facility (`duty`, narrowed by
    `recipient` to a department or staff number), or for a patient (`person_id`). It refers to its subject,
    which is read under the reader's own rights.
    """

    workflow_id: str
    step: str
    subject: str
    """What it is about: referral, consultation, critical_value …"""
    subject_id: UUID
    facility: str
    """Campus code of whom it is for; of a patient, of who tells them."""
    duty: str = ""
    recipient: str | None = None
    person_id: UUID | None = None
    template: str | None = None
    """Name of a file of rules/notifications; None: it is shown in the application by its subject alone."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Of the template's variables. Codes, times and ids rather than words: see docs/notifications.md."""
    level: int = 0
    """Escalation level."""
    expires_at: datetime | None = None
    """When nobody needs to be told any more; None: the template says after how long."""

    def __post_init__(self) -> None:
        """Refuse what cannot be addressed. Raises NoticeError."""
        if self.duty in (STAFF, PATIENT):
            raise NoticeError(f"{self.duty!r} is no duty: give recipient or person_id instead")
        if self.person_id is not None and (self.duty or self.recipient):
            raise NoticeError("a notice for a patient has neither duty nor recipient")
        if self.person_id is None and not self.duty and not self.recipient:
            raise NoticeError("a notice is for a recipient, a duty or a person: none is given")

    @property
    def audience(self) -> str:
        """What stands in the column `duty`."""
        if self.person_id is not None:
            return PATIENT
        return self.duty or STAFF


@dataclass(frozen=True, slots=True)
class Party:
    """One person who is told: an account, or a golden person. Never an address."""

    kind: str
    """staff or person; duty: nobody has that one."""
    key: str

    def __str__(self) -> str:
        """Return it as it stands in the database."""
        return f"{self.kind}:{self.key}"

    @classmethod
    def read(cls, text: str) -> Party:
        """Read what stands in the database."""
        kind, _, key = text.partition(":")
        return cls(kind, key)

    @classmethod
    def staff(cls, username: str) -> Party:
        """Return the party of an account."""
        return cls("staff", username)

    @classmethod
    def person(cls, id_: UUID) -> Party:
        """Return the party of a patient."""
        return cls("person", str(id_))

    @classmethod
    def nobody(cls, facility: str, duty: str, code: str | None) -> Party:
        """Return the party that stands for a duty that nobody has."""
        return cls("duty", "/".join(filter(None, (facility, duty, code))))
