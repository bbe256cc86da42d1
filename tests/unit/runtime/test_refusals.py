"""Settings: a wrong or unknown one is refused with its name, and no value is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import refusals
from runtime.cli import main
from runtime.failure import SetupError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    return tmp_path


def refused() -> str:
    with pytest.raises(SetupError) as told:
        refusals.checked()
    return str(told.value)


def test_a_wrong_value_in_the_file_is_refused_with_name_and_file(home: Path) -> None:
    (home / "settings.toml").write_text('airflow_port = "no port"\n')
    told = refused()
    assert f"airflow_port ({home / 'settings.toml'})" in told
    assert "integer" in told


def test_a_port_outside_its_range_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YILIAN_API_PORT", "70000")
    assert "api_port (the environment (YILIAN_API_PORT))" in refused()


def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_one(home: Path) -> None:
    (home / "settings.toml").write_text("api_prot = 1\n")
    assert "api_prot" in (told := refused())
    assert "did you mean api_port?" in told


def test_an_unknown_variable_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_ULR", "postgresql://nobody")
    assert (
        "YILIAN_DATABASE_ULR (environment): there is no such setting; did you mean database_url?" in refused()
    )


def test_variables_of_the_launcher_and_the_tests_are_no_settings(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YILIAN_TEST_DATABASE_URL", "postgresql://elsewhere")
    assert refusals.checked().api_port == 8080


def test_every_wrong_setting_is_told_at_once_and_no_value_is(home: Path) -> None:
    (home / "settings.toml").write_text('queues = 0\nbody_limit = "a secret"\n')
    told = refused()
    assert "queues" in told
    assert "body_limit" in told
    assert "a secret" not in told


def test_a_file_that_is_no_toml_is_refused_with_its_place(home: Path) -> None:
    (home / "settings.toml").write_text("queues = = 3\n")
    assert "settings.toml cannot be read" in (told := refused())
    assert "line 1" in told


def test_an_empty_variable_sets_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_URL", "")
    assert refusals.set_by_people() == {}
    assert refusals.checked().database_url == ""


def test_the_command_line_says_it_without_a_traceback(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "settings.toml").write_text("queues = 0\n")
    assert main(["status", "--json"]) == 1
    told = capsys.readouterr()
    assert "queues" in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
