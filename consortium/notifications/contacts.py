"""How people are reached and want to be, and who has which duty. Addresses are read when they are needed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from uuid import UUID

from sqlalchemy import Connection, text

from consortium.identity import search
from consortium.notifications.model import Channel, Party

_CONTACT = text(
    "SELECT phone, email, wechat, language, channels, quiet_from, quiet_until FROM workflow.contact"
    " WHERE party = :party"
)
_KEEP = text(
    "INSERT INTO workflow.contact AS c (party, phone, email, wechat, language, changed_by)"
    " VALUES (:party, :phone, :email, :wechat, :language, :by) ON CONFLICT (party) DO UPDATE SET"
    " phone = excluded.phone, email = excluded.email, wechat = excluded.wechat,"
    " language = excluded.language, changed_by = excluded.changed_by, changed_at = clock_timestamp()"
)
_PREFER = text(
    "INSERT INTO workflow.contact AS c (party, language, channels, quiet_from, quiet_until, changed_by)"
    " VALUES (:party, :language, CAST(:channels AS text[]), :quiet_from, :quiet_until, :by)"
    " ON CONFLICT (party) DO UPDATE SET language = excluded.language, channels = excluded.channels,"
    " quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,"
    " changed_by = excluded.changed_by, changed_at = clock_timestamp()"
)
_ACCOUNT = text("SELECT disabled FROM access.account WHERE username = :username")
_HOLDERS = text(
    "SELECT d.username FROM workflow.duty d JOIN access.account a ON a.username = d.username"
    " AND NOT a.disabled WHERE d.facility = :facility AND d.duty = :duty AND d.code = :code"
    " AND d.since <= clock_timestamp() AND (d.until IS NULL OR d.until > clock_timestamp())"
    " ORDER BY d.username"
)
_ASSIGN = text(
    "INSERT INTO workflow.duty (facility, duty, code, username) VALUES (:facility, :duty, :code, :username)"
    " ON CONFLICT (facility, duty, code, username) DO UPDATE SET"
    " since = least(duty.since, excluded.since), until = NULL"
)
_RELIEVE = text(
    "UPDATE workflow.duty SET until = clock_timestamp() WHERE facility = :facility AND duty = :duty"
    " AND code = :code AND username = :username AND (until IS NULL OR until > clock_timestamp())"
)
_MOBILE = re.compile(r"(?<!\d)(?:\+?(?:00)?86)?(1[3-9]\d{9})(?!\d)")


@dataclass(frozen=True, slots=True)
class Preferences:
    """How somebody wants to be told."""

    language: str = "zh"
    channels: Sequence[str] | None = None
    """Of the outward ones; None: every one."""
    quiet: tuple[time, time] | None = None
    """From and until, local time; None: as the policy says."""


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """How somebody is reached. Its repr says nothing: it holds addresses."""

    addresses: dict[Channel, str]
    preferences: Preferences
    gone: str | None = None
    """Why nothing is sent to them any more: `closed_account`, `deceased`, `unknown_person`."""

    def wants(self, channel: Channel) -> bool:
        """Whether they want to be told by it."""
        chosen = self.preferences.channels
        return chosen is None or channel.value in chosen


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty at a campus, for all of it or narrowed to a department or staff number."""

    facility: str
    duty: str
    code: str = ""


def contact(connection: Connection, party: Party) -> Contact:
    """Return how a party is reached now; a patient by the golden record."""
    row = connection.execute(_CONTACT, {"party": str(party)}).one_or_none()
    found: dict[Channel, str | None] = {}
    chosen = Preferences()
    if row is not None:
        found = {Channel.SMS: row.phone, Channel.EMAIL: row.email, Channel.WECHAT: row.wechat}
        quiet = None if row.quiet_from is None else (row.quiet_from, row.quiet_until)
        chosen = Preferences(row.language, row.channels, quiet)
    gone = None
    if party.kind == "person":
        phone, gone = _patient(connection, UUID(party.key))
        found[Channel.SMS] = phone
    elif party.kind == "staff":
        closed = connection.execute(_ACCOUNT, {"username": party.key}).scalar_one_or_none()
        gone = None if closed is False else "closed_account"
    addresses = {channel: address.strip() for channel, address in found.items() if address}
    return Contact({channel: address for channel, address in addresses.items() if address}, chosen, gone)


def preferences(connection: Connection, party: Party) -> Preferences:
    """Return how a party wants to be told."""
    return contact(connection, party).preferences


def _patient(connection: Connection, id_: UUID) -> tuple[str | None, str | None]:
    """Return a patient's telephone, or why there is nobody to tell."""
    row = current(connection, id_)
    if row is None:
        return None, "unknown_person"
    return mobile(row["phone"]), "deceased" if row["deceased"] else None


def mobile(written: str | None) -> str | None:
    """Return the first Chinese mobile number in what a desk wrote down; a landline takes no SMS."""
    digits = unicodedata.normalize("NFKC", written or "").replace(" ", "").replace("-", "")
    found = _MOBILE.search(digits)
    return found[1] if found else None


def current(connection: Connection, id_: UUID) -> search.Row | None:
    """Return who a golden person is now: whoever has the numbers of one that was merged into another."""
    row = search.person(connection, id_)
    if row is None or row["active"]:
        return row
    heirs = search.successors(connection, id_)
    # Numbers that went to several people: nobody knows for whom it was meant.
    return search.person(connection, heirs[0]) if len(heirs) == 1 else None


def holders(connection: Connection, duty: Duty) -> list[str]:
    """Return the accounts that have a duty: those of its department or number, else those of all of it."""
    for code in dict.fromkeys((duty.code, "")):
        values = {"facility": duty.facility, "duty": duty.duty, "code": code}
        if found := list(connection.execute(_HOLDERS, values).scalars()):
            return found
    return []


def keep(
    connection: Connection,
    party: Party,
    *,
    phone: str | None,
    email: str | None,
    wechat: str | None,
    language: str,
    by: str,
) -> None:
    """Say how somebody is reached; their preferences stay."""
    values = {"party": str(party), "phone": phone, "email": email, "wechat": wechat}
    connection.execute(_KEEP, values | {"language": language, "by": by})


def prefer(connection: Connection, party: Party, chosen: Preferences, by: str) -> None:
    """Say how somebody wants to be told; their addresses stay."""
    begins, ends = chosen.quiet or (None, None)
    values = {"party": str(party), "language": chosen.language, "by": by}
    channels = None if chosen.channels is None else list(chosen.channels)
    connection.execute(_PREFER, values | {"channels": channels, "quiet_from": begins, "quiet_until": ends})


def assign(connection: Connection, duty: Duty, username: str) -> None:
    """Give an account a duty."""
    connection.execute(_ASSIGN, _of(duty, username))


def relieve(connection: Connection, duty: Duty, username: str) -> bool:
    """Take a duty from an account; False when it had none."""
    return connection.execute(_RELIEVE, _of(duty, username)).rowcount == 1


def _of(duty: Duty, username: str) -> dict[str, str]:
    return {"facility": duty.facility, "duty": duty.duty, "code": duty.code, "username": username}
