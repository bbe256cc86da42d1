"""Whether one may go out now, to which address and in which words: asked again before every attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus.delivery.decide import State
from bus.notifying.current import CurrentBook, StoredNames
from bus.notifying.port import Outgoing
from bus.notifying.rows import Due, Rows
from bus.notifying.spreading import DECEASED, NO_ADDRESS, NOBODY, REASONS, hand_over
from consortium.notifications import contacts
from consortium.notifications.contacts import Contact
from consortium.notifications.model import Channel
from consortium.notifications.rendering import RenderError, Rendering
from consortium.notifications.templates import Book, Template
from consortium.notifications.timing import free_at, hours, quiet_until
from runtime.campuses import Campus


@dataclass(frozen=True, slots=True)
class NotNow:
    """Why it does not go out."""

    state: State
    code: str
    reason: str | None = None
    not_before: datetime | None = None


FORGOTTEN = (
    "it may have arrived, and the other side does not know its key any more: ask the provider or the"
    " recipient, then discard or resend"
)


@dataclass(frozen=True, slots=True)
class Preparing:
    """Prepares what goes through one channel."""

    channel: Channel
    rows: Rows
    book: CurrentBook
    campuses: Callable[[], Sequence[Campus]]
    keys_seconds: float

    def prepare(self, connection: sa.Connection, due: Due, now: datetime) -> Outgoing | NotNow:
        """Read address, preferences and words as they are at this moment.

        Raises SQLAlchemy's errors, TemplatesError.
        """
        if due.expires_at is not None and now >= due.expires_at:
            return NotNow(State.DISCARDED, "expired", "it is of no use any more")
        if due.unsure and due.tried_at and (now - due.tried_at).total_seconds() >= self.keys_seconds:
            return NotNow(State.AMBIGUOUS, "keys_forgotten", FORGOTTEN)
        book = self.book.get(connection)
        template = book.templates.get(due.template)
        if template is None:
            reason = f"the deployed rules have no template {due.template}: deploy it, then resend"
            return NotNow(State.PARKED, "no_template", reason)
        if due.party.kind == "duty":
            return self._handed_over(connection, due, template)
        known = contacts.contact(connection, due.party)
        why_not = self._withheld(known) or self._timed(connection, due, book, template, known, now)
        return why_not or self._made(connection, due, book, template, known)

    def _handed_over(self, connection: sa.Connection, due: Due, template: Template) -> NotNow:
        if hand_over(connection, due, template):
            return NotNow(State.DISCARDED, "handed_over", "those who have the duty now are told")
        return NotNow(State.PARKED, NOBODY, REASONS[NOBODY])

    def _withheld(self, known: Contact) -> NotNow | None:
        if known.gone == DECEASED:
            return NotNow(State.DISCARDED, DECEASED, "the patient has died")
        if known.gone is not None:
            return NotNow(State.PARKED, known.gone, REASONS[known.gone])
        if not known.wants(self.channel):
            return NotNow(State.DISCARDED, "declined", "the recipient does not want to be told by it")
        if self.channel not in known.addresses:
            return NotNow(State.PARKED, NO_ADDRESS, REASONS[NO_ADDRESS])
        return None

    def _timed(
        self,
        connection: sa.Connection,
        due: Due,
        book: Book,
        template: Template,
        known: Contact,
        now: datetime,
    ) -> NotNow | None:
        """Put off what is not urgent: quiet hours, and too many within the hour."""
        if template.urgent:
            return None
        policy, preferred = book.policy, known.preferences.quiet
        quiet = preferred or (hours(policy.quiet) if policy.quiet else None)
        if quiet and (ends := quiet_until(now, *quiet)):
            return NotNow(State.QUEUED, "quiet_hours", None, ends)
        most = next((limit for name, limit in policy.hourly.items() if name == self.channel.value), None)
        if most is not None and (free := free_at(self.rows.sent_lately(connection, due), most)):
            return NotNow(State.QUEUED, "hourly_limit", None, free)
        return None

    def _made(
        self, connection: sa.Connection, due: Due, book: Book, template: Template, known: Contact
    ) -> Outgoing | NotNow:
        rendering = Rendering(book, known.preferences.language, StoredNames(connection, self.campuses))
        form = link = ""
        try:
            parts = rendering.parts(template, self.channel, due.variables)
            if self.channel is Channel.WECHAT and template.wechat is not None:
                form = template.wechat.template
                if template.wechat.link:
                    link = rendering.value(template, self.channel, template.wechat.link, due.variables)
        except RenderError as error:
            return NotNow(State.PARKED, error.code, f"{error}: correct it, then resend")
        return Outgoing(str(due.key), known.addresses[self.channel], parts, form, link)
