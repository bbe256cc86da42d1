"""A database with people to tell, the doubles, and a line through each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from bus.notifying.current import CurrentBook
from bus.notifying.line import Line
from bus.notifying.mail import MailPort
from bus.notifying.port import Port
from bus.notifying.preparing import Preparing
from bus.notifying.rows import Rows
from bus.notifying.running import spreading
from bus.notifying.sms import SmsPort
from bus.notifying.smtp import MailServer
from bus.notifying.wechat import WeChatPort
from bus.rules.sending.base import Retry
from consortium.notifications import contacts, queue
from consortium.notifications.contacts import Duty
from consortium.notifications.model import Channel, Notice, Party
from runtime.notifications import SmsShape, WeChatAccount
from runtime.settings import Settings
from simulators.notifications.kept import Kept
from simulators.notifications.mailbox import mailbox
from simulators.notifications.providers import SmsGateway, WeChat, serving
from tests.conftest import CHECKOUT

PHONE, MAILBOX, OPENID = "13800138000", "chen@example.org", "oChen"
COORDINATOR = "coordinator.huangpu"
NOW = datetime.now(UTC)
ABOUT = UUID("0c5e0000-0000-4000-8000-000000000001")
VALUES: Mapping[str, str] = {
    "sender": "MAIN",
    "reference": "R-7",
    "urgency": "urgent",
    "due": "2026-11-26T09:00:00+08:00",
}


def connected(url: str) -> sa.Engine:
    return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), hide_parameters=True)


def received(step: str = "received", **more: Any) -> Notice:
    """That a referral came: for Huangpu's coordinator, unless `more` says otherwise."""
    told: dict[str, Any] = {
        "workflow_id": f"referral-{ABOUT}",
        "step": step,
        "subject": "referral",
        "subject_id": ABOUT,
        "facility": "HP",
        "template": "referral-received",
        "values": VALUES,
    }
    whom = {} if {"duty", "person_id", "recipient"} & set(more) else {"recipient": COORDINATOR}
    return Notice(**{**told, **whom, **more})


@dataclass
class Rig:
    """What a test works with."""

    url: str
    engine: sa.Engine
    kept: dict[Channel, Kept]
    ports: dict[Channel, Port]
    rules: Path
    sms: str
    """Address of the gateway's double."""

    def ask(self, *notices: Notice) -> list[bool]:
        """Ask in one transaction."""
        with self.engine.begin() as connection:
            return [queue.ask(connection, notice) for notice in notices]

    def spread(self) -> int:
        return spreading(self.engine, CurrentBook(self.rules))

    def line(self, channel: Channel) -> Line:
        port = self.ports[channel]
        campuses = Settings().roster
        made = Rows(self.engine, channel)
        preparing = Preparing(channel, made, CurrentBook(self.rules), lambda: campuses.now, port.keys_seconds)
        retry = Retry(first_seconds=30.0, longest_seconds=60.0)
        return Line(preparing, port, self.engine, retry=retry, chance=lambda: 0.0, ask_after=0.0)

    def person(self, phone: str | None, **more: Any) -> UUID:
        """A golden person."""
        values = {"id": uuid4(), "phone": phone, "deceased": None, "active": True} | more
        with self.engine.begin() as connection:
            connection.execute(PERSON, values)
        found: UUID = values["id"]
        return found

    def contact(self, username: str, phone: str | None = PHONE, **more: Any) -> None:
        told = {"phone": phone, "email": None, "wechat": None, "language": "zh", "by": "admin"} | more
        with self.engine.begin() as connection:
            contacts.keep(connection, Party.staff(username), **told)

    def duty(self, duty: Duty, *usernames: str) -> None:
        with self.engine.begin() as connection:
            for username in usernames:
                contacts.assign(connection, duty, username)

    def rows(self, query: str = "") -> list[tuple[Any, ...]]:
        """The dispatches: channel, party, state, code, attempts."""
        wanted = query or "SELECT channel, party, state, code, attempts FROM workflow.dispatch ORDER BY id"
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(wanted))]

    def states(self) -> list[tuple[str, str | None]]:
        return [(row[2], row[3]) for row in self.rows()]

    def later(self, minutes: float) -> None:
        """Let time pass for what waits."""
        moved = ("not_before", "tried_at", "sent_at")
        columns = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in moved)
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(f"UPDATE workflow.dispatch SET {columns}"),  # noqa: S608 - constants
                {"seconds": minutes * 60},
            )


PERSON = sa.text(
    "INSERT INTO identity.person (id, name, phone, deceased, active, changed_at)"
    " VALUES (:id, '王小明', :phone, :deceased, :active, now())"
)
ACCOUNT = sa.text(
    "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
    " VALUES (:username, '协调员', 'coordinator', 'HP', '-')"
)


def awake(folder: Path) -> Path:
    """Return rules as Yilian comes with them, but without quiet hours: tests run at any time of the day."""
    copytree(CHECKOUT / "rules" / "notifications", folder / "notifications")
    policy = folder / "notifications" / "policy.yaml"
    kept = [line for line in policy.read_text("utf-8").splitlines() if not line.startswith("quiet:")]
    policy.write_text("\n".join(kept), "utf-8")
    return folder


@contextmanager
def rig(url: str, *, honours: bool = True, asks: bool = False) -> Iterator[Rig]:
    """A rig whose doubles honour keys or not, and whose gateway says what it has or not."""
    engine = connected(url)
    kept = {channel: Kept(honours) for channel in (Channel.SMS, Channel.WECHAT, Channel.EMAIL)}
    with engine.begin() as connection:
        for username in (COORDINATOR, "second.huangpu"):
            connection.execute(ACCOUNT, {"username": username})
    with (
        TemporaryDirectory() as folder,
        serving(SmsGateway, kept[Channel.SMS]) as sms,
        serving(WeChat, kept[Channel.WECHAT]) as wechat,
        mailbox(kept[Channel.EMAIL]) as mail,
    ):
        shape = SmsShape(
            keys_hours=24.0 if honours else 0.0,
            status_address=f"{sms}/status/{{key}}" if asks else "",
            reference_field="id",
        )
        account = WeChatAccount(
            address=wechat, app_id="wx1", templates={"referral": "T1", "appointment": "T2"}
        )
        ports: dict[Channel, Port] = {
            Channel.SMS: SmsPort(f"{sms}/send", "", shape, patience=2.0),
            Channel.WECHAT: WeChatPort(account, "s"),
            Channel.EMAIL: MailPort(MailServer(mail), "yilian@localhost", patience=2.0),
        }
        made = Rig(url, engine, kept, ports, awake(Path(folder)), f"{sms}/send")
        made.contact(COORDINATOR)
        yield made
    engine.dispose()
