"""What the first start chooses once, in `generated.toml`: ports, passwords, keys and their URLs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from runtime import ports
from runtime.failure import SetupError
from runtime.refusals import checked, read_toml, set_by_people
from runtime.services import rabbitmq
from runtime.settings import Settings, home

PORTS = {name: field.default for name, field in Settings.model_fields.items() if name.endswith("_port")}
SECRETS = (
    "token_key",
    "routing_key",
    "payload_key",
    "postgres_password",
    "amqp_password",
    "airflow_password",
    "airflow_key",
    "sample_password",
    "metrics_token",
    "livekit_key",
)
DATABASES = {"database_url": "yilian", "huiya_url": "huiya", "airflow_database_url": "airflow"}
"""Setting → the database, and its owning role, on our own server."""
_HEADER = "# Written by ./yilian up at the first start. To change a value, set it in settings.toml.\n"


def secret(name: str) -> str:
    """Return a new secret: 32 bytes for a key, in hexadecimal; something that can be typed for a password."""
    return secrets.token_hex(32) if name.endswith("_key") else secrets.token_urlsafe(12)


def fill(kept: Mapping[str, Any], people: Mapping[str, Any], chosen: Mapping[str, int]) -> dict[str, Any]:
    """Return the complete content of the file: what was kept, with what is missing made new.

    `kept` is the file as it was, `people` what a person set (by name), `chosen` the ports of this start.
    """
    content = dict(kept) | {name: port for name, port in chosen.items() if name not in people}
    for name in SECRETS:
        if name not in people and not content.get(name):
            content[name] = secret(name)
    ours = {**content, **people}
    _databases(content, people, ours)
    if "amqp_url" not in people:
        content["amqp_url"] = _amqp_url(ours)
    if "temporal_address" not in people:
        content["temporal_address"] = f"{ports.LOOPBACK}:{ours['temporal_port']}"
    if "livekit_url" not in people:
        content["livekit_url"] = f"ws://{ports.LOOPBACK}:{ours['livekit_port']}"
    return content


def _amqp_url(ours: Mapping[str, Any]) -> str:
    server = f"{rabbitmq.USER}:{ours['amqp_password']}@{ports.LOOPBACK}:{ours['amqp_port']}"
    return f"amqp://{server}/%2f"


def _databases(content: dict[str, Any], people: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for name, database in DATABASES.items():
        if name in people:
            continue
        if "database_url" in people:  # somebody else's server: the same sign-in, another database beside it
            content[name] = urlunsplit(urlsplit(str(people["database_url"]))._replace(path=f"/{database}"))
            continue
        password = urlsplit(str(content.get(name, ""))).password or secrets.token_urlsafe(16)
        server = f"{database}:{password}@{ports.LOOPBACK}:{ours['postgres_port']}"
        content[name] = f"postgresql://{server}/{database}"


def _toml(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file in one step; only its owner can read it."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(_HEADER + "".join(f"{name} = {_toml(value)}\n" for name, value in content.items()))
        out.flush()
        os.fsync(out.fileno())
    aside.rename(path)


def complete() -> Settings:
    """Check the settings, choose and keep what is missing; return them complete. Nothing may run yet.

    A kept port that is busy now is chosen anew. Raises `SetupError` for a busy one that a person set.
    """
    settings = checked()
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    by_people = set_by_people()
    people = {name: getattr(settings, name) for name in by_people if name in Settings.model_fields}
    kept = read_toml(folder / "generated.toml")
    fixed = {name: people[name] for name in PORTS if name in people}
    for name, port in fixed.items():
        if not ports.is_free(port):
            raise SetupError(
                f"{name} = {port}, set in {by_people[name]}, is in use by another program",
                "end that program, or choose another port there, or remove the setting to have one chosen",
            )
    chosen = ports.assign(PORTS, {n: kept[n] for n in PORTS if n in kept}, fixed)
    write(folder / "generated.toml", fill(kept, people, chosen))
    return checked()
