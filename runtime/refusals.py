"""Refusing a wrong setting with its name, where it was set, and what is wrong."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.failure import SetupError
from runtime.settings import Settings, home

PREFIX = "YILIAN_"
NOT_SETTINGS = ("YILIAN_HOME", "YILIAN_MARK")
NOT_SETTINGS_PREFIXES = ("YILIAN_TEST_", "YILIAN_FAULT_", "YILIAN_BENCH_")


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a settings file holds, if there is one. Raises `SetupError` where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path} cannot be read: {error}", "correct that line, or delete the file"
        ) from error


def set_by_people(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> dict[str, str]:
    """Return the settings that a person set, by name: where each was set. An empty value sets nothing."""
    environment = os.environ if environment is None else environment
    path = (folder or home()) / "settings.toml"
    found = {name: str(path) for name, value in read_toml(path).items() if value != ""}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower().split("__")[0]
        if variable.startswith(PREFIX) and value and name in Settings.model_fields:
            found[name] = f"the environment ({variable})"
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each `YILIAN_…` variable that is no setting."""
    sentences = []
    for variable in sorted(environment):
        known = variable in NOT_SETTINGS or variable.startswith(NOT_SETTINGS_PREFIXES)
        name = variable.removeprefix(PREFIX).lower().split("__")[0]
        if variable.startswith(PREFIX) and not known and name not in Settings.model_fields:
            sentences.append(f"{variable} (environment): there is no such setting{_nearest(name)}")
    return sentences


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def sentences(error: ValidationError, sources: Mapping[str, str]) -> list[str]:
    """Return a sentence for each refused setting, with its name and where it was set."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in problem["loc"])
        first = str(problem["loc"][0]) if problem["loc"] else ""
        where = sources.get(first, f"{home() / 'generated.toml'}")
        if problem["type"] == "extra_forbidden":
            lines.append(f"{name} ({where}): there is no such setting{_nearest(first)}")
        else:
            lines.append(f"{name} ({where}): {problem['msg']}")
    return lines


def checked() -> Settings:
    """Read the settings anew. Raises `SetupError` naming each wrong or unknown one, never showing a value."""
    wrong = unknown_variables(os.environ)
    sources = set_by_people()
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        wrong += sentences(error, sources)
    if wrong or settings is None:
        raise SetupError(
            "these settings are refused:\n" + "\n".join(f"  - {line}" for line in wrong),
            f"correct them; every setting is described in {Path('runtime/settings.py')}",
        )
    return settings
