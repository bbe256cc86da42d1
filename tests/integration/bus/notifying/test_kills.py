"""The sender is killed between any two steps: nobody is left untold, and nobody is told twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from bus.notifying import control
from consortium.notifications.model import Channel
from tests.conftest import CHECKOUT
from tests.integration.bus.notifying.killed import STEPS
from tests.integration.bus.notifying.rig import Rig, received, rig


def kill_at(step: str, one: Rig) -> None:
    """Run a sender that is killed at a step."""
    port = one.ports[Channel.SMS]
    arguments = (step, one.url, str(one.rules), one.sms, str(port.keys_seconds / 3600))
    command = (sys.executable, "-m", "tests.integration.bus.notifying.killed", *arguments)
    done = subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def go_on(one: Rig) -> None:
    """What the next process does."""
    one.spread()
    line = one.line(Channel.SMS)
    line.recover()
    while line.once():
        continue


@pytest.mark.parametrize("step", STEPS)
def test_a_gateway_that_honours_keys_takes_each_once(database_url: str, step: str) -> None:
    with rig(database_url) as one:
        one.ask(received())
        kill_at(step, one)
        go_on(one)
        sms = one.kept[Channel.SMS]
        assert one.states() == [("delivered", "200")]
        assert len(sms.sent) == 1
        assert sms.repeated == (step == "sent")


@pytest.mark.parametrize("step", STEPS)
def test_with_one_that_honours_none_what_is_not_known_is_held(database_url: str, step: str) -> None:
    with rig(database_url, honours=False) as one:
        one.ask(received())
        kill_at(step, one)
        go_on(one)
        sms = one.kept[Channel.SMS]
        held = step in ("marked", "sent")
        assert one.states() == ([("ambiguous", "interrupted")] if held else [("delivered", "200")])
        assert len(sms.sent) == (step != "marked")
        if step == "marked":  # somebody has asked, and it had not arrived
            with one.engine.begin() as connection:
                [found] = control.dispatches(connection)
                control.resend(connection, found.id, "ops", "短信平台未收到")
            go_on(one)
            assert one.states() == [("delivered", "200")]
            assert len(sms.sent) == 1
