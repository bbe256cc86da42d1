"""One referral of a demonstration: each step taken over the API, told, and compared with what is promised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from consortium.notifications.model import PATIENT, STAFF
from consortium.referral.model import State, Words
from simulators.delivery import SimulatorError
from simulators.demos.narration import Narration
from simulators.demos.office import Office, awaited
from simulators.demos.referred import Sent

REFERRALS = "/api/v1/referrals"
QUARTER = timedelta(minutes=15)
Told = Mapping[str, Any]


class Case:
    """One referral, told while it goes."""

    def __init__(self, office: Office, narration: Narration) -> None:
        """Work at that office."""
        self.office = office
        self.say = narration
        self.id = ""

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"{REFERRALS}/{self.id}"

    @property
    def workflow(self) -> str:
        """Its workflow's id."""
        return f"referral-{self.id}"

    def begin(self, user: str, body: Told, path: str = REFERRALS) -> Told:
        """Write the draft; returns it."""
        shown: Told = self.office.send(user, path, body)
        self.id = shown["id"]
        return shown

    def take(self, user: str, step: str, state: State, said: Words, **details: Any) -> None:
        """Take a step, and see that the API answers with that state."""
        self.say.step(user, said)
        told = self.office.send(user, f"{self.path}/steps/{step}", details)
        self.say.stands(told)
        self.must(told, state, step)

    def must(self, told: Told, state: State, after: str) -> None:
        """Raise SimulatorError unless it is in that state."""
        if told["state"] != state:
            raise SimulatorError(
                f"after {after} the referral {self.id} is {told['state']}, and {state} was promised;"
                f" see ./yilian workflows show {self.workflow}"
            )

    def comes_to(self, user: str, state: State, why: str) -> Told:
        """Wait until it is in that state without anybody's step; returns it."""

        def there() -> Told | None:
            told: Told = self.office.read(user, self.path)
            return told if told["state"] == state else None

        told = awaited(
            there, lambda: f"{why}; see ./yilian logs worker, ./yilian workflows show {self.workflow}"
        )
        self.say.stands(told)
        return told

    def told_to(self, user: str, facility: str) -> None:
        """See that somebody has a notification of it, and say what it says."""
        self._on_duty(user, facility)

        def notification() -> Told | None:
            page = self.office.read(user, "/api/v1/notifications", limit=50, language="zh")
            mine = [one for one in page["items"] if one["workflow_id"] == self.workflow]
            return mine[0] if mine else None

        found = awaited(notification, lambda: f"{user} is told of the referral; see ./yilian logs worker")
        title = found["title"] or found["subject"]
        self.say.note(Words(f"{user} has the notification", f"{user} 收到通知：{title}"))

    def _on_duty(self, user: str, facility: str) -> None:
        """Let a member of staff have the duty that was told last: whose duty what is, each hospital says."""
        steps = self.office.read("ops", f"/api/v1/workflows/{self.workflow}")["steps"]
        duty = steps[-1]["duty"] if steps else ""
        if duty not in ("", STAFF, PATIENT):
            self.office.send("admin", f"/api/v1/notifications/duties/{facility}/{duty}/{user}", {}, "PUT")

    def heard(self, who: str, sent: Sent, said: Words) -> None:
        """Say what a campus's system sent, and where it is found in the bus."""
        self.say.step(who, said)
        numbers = ", ".join(map(str, sent.numbers))
        look = f"./yilian messages show {sent.numbers[0]}"
        self.say.note(
            Words(
                f"{sent.count} message(s) recorded: {numbers} ({look})",
                f"{sent.count} 条消息已入库：{numbers}",
            )
        )

    def submitted(self, user: str) -> None:
        """See that nothing is submitted without consent, record it, and submit."""
        self.say.step(user, Words("submits without consent, and is refused", "未取得知情同意即提交，被拒绝"))
        problem = self.office.refused(user, f"{self.path}/steps/submit", {}, 409)
        self.say.note(Words(problem["detail"], problem["detail_zh"]))
        self.say.step(user, Words("records the patient's written consent", "登记患者书面知情同意"))
        consent = {"given": True, "by_relation": "patient", "method": "written"}
        self.office.send(user, f"{self.path}/consent", consent)
        self.take(user, "submit", State.SUBMITTED, Words("submits", "提交转诊申请"))

    def booked(self, user: str) -> None:
        """Book the coming hour's first quarter."""
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        slot = {"slot_start": start.isoformat(), "slot_end": (start + QUARTER).isoformat()}
        self.take(user, "book", State.BOOKED, Words("books a time, within the hour", "预约一小时内"), **slot)

    def timeline(self, direction: str) -> None:
        """Write its way."""
        shown = self.office.read("doctor.main", self.path)
        title = {"up": Words("The way up", "上转全程"), "down": Words("The way down", "下转全程")}[direction]
        self.say.timeline(title, shown["events"])

    def closed_in_temporal(self) -> None:
        """See that its workflow has come to its end in Temporal, closed there as in PostgreSQL."""

        def ended() -> Told | None:
            found: Told = self.office.read("ops", f"/api/v1/workflows/{self.workflow}")
            return found if found["workflow"]["status"] != "running" else None

        found = awaited(ended, lambda: f"{self.workflow} ends in Temporal; see its history there")
        stored = (found["recorded"] or {"state": "unknown"})["state"]
        stood = (found["workflow"]["status"], found["workflow"]["state"], stored)
        if stood != ("completed", "closed", "closed"):
            raise SimulatorError(
                f"{self.workflow} is {', '.join(map(str, stood))} (Temporal, its state there, PostgreSQL),"
                f" and completed, closed, closed was promised; see ./yilian workflows show {self.workflow}"
            )
