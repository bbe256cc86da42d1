"""What the campus's engineer sees."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from adapters.gateway import hub
from adapters.gateway.agent import started
from adapters.gateway.console import gateway_main
from consortium.access.passwords import matches
from tests.conftest import CHECKOUT
from tests.fault.test_gateway import toml
from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import adt, send, until


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command."""
    code = gateway_main(arguments)
    told = capsys.readouterr()
    return code, told.out + told.err


async def test_status_tells_what_is_spooled_and_check_what_is_wrong(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = str(toml(place))
    code, text = ask(capsys, "status", "--config", config)
    assert (code, "cannot be read" in text) == (2, True)
    async with started(place.agent()) as agent:
        await send(place.mllp_port, adt("C1"), adt("C2"))
        await until(lambda: agent.pending.line().state == "unreachable")
        code, text = ask(capsys, "status", "--config", config)
        assert code == 1
        assert "2 messages" in text
        assert "the hub cannot be reached: messages are spooled" in text
        monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
        code, text = ask(capsys, "status", "--config", config)
        assert "2 条消息" in text
        assert "无法连接中心：消息暂存于本机" in text
        monkeypatch.delenv("LC_ALL")
        async with hub.opened(place.hub()):
            await until(lambda: agent.level.count == 0 and agent.pending.line().state == "up")
            code, text = ask(capsys, "status", "--config", config, "--json")
            found: dict[str, Any] = json.loads(text.splitlines()[-1])
            assert (code, found["state"], found["spooled"], found["confirmed"]) == (0, "up", 0, 2)
    code, text = ask(capsys, "status", "--config", config)
    assert (code, "does not run" in text) == (1, True)
    code, text = ask(capsys, "renew", "--config", config)
    assert (code, "2 messages will be sent again" in text) == (0, True)


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "-m", "adapters.gateway", *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=CHECKOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )


async def test_check_tries_the_line_as_a_program_of_its_own(place: Place) -> None:
    config = str(toml(place))
    async with hub.opened(place.hub()):
        done = await asyncio.to_thread(run, "check", "--config", config)
    assert "✓ line" in done.stdout, done.stderr
    assert "✗ account: may speak for HP, NS; not for MAIN" in done.stdout
    assert done.returncode == 1
    done = await asyncio.to_thread(run, "check", "--config", config)
    assert "✗ line: the hub cannot be reached" in done.stdout


def test_a_password_s_hash_is_what_accounts_take() -> None:
    done = run("password", given="a right password\n")
    assert matches(done.stdout.strip(), "a right password")
    assert run("password", given="short\n").returncode == 2


def test_a_wrong_setting_is_named_with_its_file(place: Place) -> None:
    config = toml(place)
    config.write_text(config.read_text(encoding="utf-8") + "\n[lines]\n", encoding="utf-8")
    done = run("status", "--config", str(config))
    assert (done.returncode, f"{config}: lines: " in done.stderr) == (2, True)


def test_the_agent_needs_neither_the_hub_s_servers_nor_their_clients() -> None:
    program = (
        "import sys, adapters.gateway.agent, adapters.gateway.console;"
        "print(*sorted({'pika', 'temporalio', 'airflow', 'zeep', 'sqlalchemy', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
