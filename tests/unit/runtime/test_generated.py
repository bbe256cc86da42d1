"""What the first start chooses, is kept; what a person set, is not chosen."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime import generated
from runtime.failure import SetupError
from runtime.refusals import read_toml
from runtime.settings import Settings

PORTS = {name: number for number, name in enumerate(generated.PORTS, start=20000)}


def test_everything_that_is_needed_is_chosen_at_the_first_start() -> None:
    content = generated.fill({}, {}, PORTS)
    settings = Settings(**content)
    assert settings.database_url.endswith(f"@127.0.0.1:{PORTS['postgres_port']}/yilian")
    assert settings.huiya_url.endswith("/huiya")
    assert settings.airflow_database_url.endswith("/airflow")
    assert settings.amqp_url == f"amqp://yilian:{settings.amqp_password}@127.0.0.1:{PORTS['amqp_port']}/%2f"
    assert settings.temporal_address == f"127.0.0.1:{PORTS['temporal_port']}"
    assert all(getattr(settings, name) for name in generated.SECRETS)


def test_passwords_and_keys_stay_when_a_port_moves() -> None:
    first = generated.fill({}, {}, PORTS)
    second = generated.fill(first, {}, PORTS | {"postgres_port": 30000})
    assert {n: second[n] for n in generated.SECRETS} == {n: first[n] for n in generated.SECRETS}
    assert second["database_url"] == first["database_url"].replace(str(PORTS["postgres_port"]), "30000")


def test_two_homes_have_no_secret_in_common() -> None:
    one, other = generated.fill({}, {}, PORTS), generated.fill({}, {}, PORTS)
    assert not {one[n] for n in generated.SECRETS} & {other[n] for n in generated.SECRETS}


def test_what_a_person_set_is_not_written_over() -> None:
    people = {"database_url": "postgresql://me:word@db.example:6432/mine", "api_port": 9000}
    content = generated.fill({}, people, PORTS)
    assert "database_url" not in content
    assert "api_port" not in content
    assert content["huiya_url"] == "postgresql://me:word@db.example:6432/huiya"


def test_the_file_is_for_its_owner_only_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "generated.toml"
    os.umask(os.umask(0o022))
    content = {"api_port": 8080, "sample_password": 'a"b\\c 医联'}
    generated.write(file, content)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_toml(file) == content


def test_a_start_completes_the_settings_and_the_next_one_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    first = generated.complete()
    assert first.database_url
    assert generated.complete() == first


def test_a_busy_port_that_a_person_set_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setenv("YILIAN_MLLP_PORT", str(server.getsockname()[1]))
        with pytest.raises(SetupError, match=r"mllp_port = \d+, .*YILIAN_MLLP_PORT.* is in use"):
            generated.complete()
