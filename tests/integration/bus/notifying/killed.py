"""Spreads and sends through one gateway, and is killed at a step: `python -m … STEP DATABASE RULES SMS KEYS`.

The steps, in order: `spreading` before its commit, `spread` behind it, `prepared` before the mark, `marked`
behind it and before the first byte, `sent` when the gateway has answered, `settled` behind the last commit.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bus.notifying.current import CurrentBook
from bus.notifying.line import Line
from bus.notifying.preparing import Preparing
from bus.notifying.rows import Due, Rows
from bus.notifying.sms import SmsPort
from bus.notifying.spreading import spread
from consortium.notifications.model import Channel
from runtime.notifications import SmsShape
from runtime.settings import Settings

STEPS = ("spreading", "spread", "prepared", "marked", "sent", "settled")


def die(step: str, at: str) -> None:
    """End as a machine that loses its power does, if this is the step."""
    if step == at:
        os.kill(os.getpid(), signal.SIGKILL)


class Killed(Rows):
    """Rows that end the process at a step."""

    step = ""

    def mark(self, due: Due) -> datetime | None:
        die(self.step, "prepared")
        found = super().mark(due)
        die(self.step, "marked")
        return found

    def settle(self, *arguments: Any, **named: Any) -> bool:
        die(self.step, "sent")
        written = super().settle(*arguments, **named)
        die(self.step, "settled")
        return written


def main(step: str, url: str, rules: str, gateway: str, keys_hours: str) -> None:
    """Work until killed."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    book, Killed.step = CurrentBook(Path(rules)), step
    with engine.begin() as connection:
        spread(connection, book.get(connection))
        die(step, "spreading")
    die(step, "spread")
    port, rows = SmsPort(gateway, "", SmsShape(keys_hours=float(keys_hours))), Killed(engine, Channel.SMS)
    campuses = Settings().roster
    preparing = Preparing(Channel.SMS, rows, book, lambda: campuses.now, port.keys_seconds)
    Line(preparing, port, engine).once()


if __name__ == "__main__":
    main(*sys.argv[1:])
