"""The tables of rule set versions and of their activations."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from bus.rules.versions.model import (
    Action,
    Activation,
    Files,
    NothingActiveError,
    UnknownVersionError,
    Version,
)

LOCK = sa.text("SELECT pg_advisory_xact_lock(93000005)")
ACTIVE = sa.text("SELECT digest FROM bus.rule_activation ORDER BY id DESC LIMIT 1")
LEDGER = sa.text(
    "SELECT id, at, digest, action, author, note FROM bus.rule_activation ORDER BY id DESC LIMIT :limit"
)
# Before the newest activation of the active set, the newest of another.
PREVIOUS = sa.text(
    "SELECT digest FROM bus.rule_activation"
    " WHERE digest <> (SELECT digest FROM bus.rule_activation ORDER BY id DESC LIMIT 1)"
    " ORDER BY id DESC LIMIT 1"
)
ACTIVATE = sa.text(
    "INSERT INTO bus.rule_activation (digest, action, author, note)"
    " VALUES (:digest, :action, :author, :note) RETURNING id, at, digest, action, author, note"
)
VERSIONS = sa.text(
    "SELECT digest, created_at, author, note, rules, tests FROM bus.rule_version"
    " ORDER BY created_at DESC, digest LIMIT :limit"
)
VERSION = sa.text(
    "SELECT digest, created_at, author, note, rules, tests FROM bus.rule_version WHERE digest = :digest"
)
NAMED = sa.text("SELECT digest FROM bus.rule_version WHERE digest LIKE :beginning ORDER BY digest LIMIT 2")
SAVE = sa.text(
    "INSERT INTO bus.rule_version (digest, author, note, rules, tests)"
    " VALUES (:digest, :author, :note, :rules, :tests) ON CONFLICT (digest) DO NOTHING RETURNING digest"
)
SAVE_FILE = sa.text("INSERT INTO bus.rule_file (digest, path, content) VALUES (:digest, :path, :content)")
FILES = sa.text(
    "SELECT path, content FROM bus.rule_file WHERE digest = :digest"
    " AND EXISTS (SELECT FROM unnest(CAST(:below AS text[])) AS b WHERE starts_with(path, b)) ORDER BY path"
)
BEGINNING = re.compile(r"[0-9a-f]{4,64}")


def lock(connection: sa.Connection) -> None:
    """Let nobody else activate a set before this transaction ends; readers are not kept waiting."""
    connection.execute(LOCK)


def active_digest(connection: sa.Connection) -> str | None:
    """Return the digest of the active set; None before the first activation."""
    digest: str | None = connection.execute(ACTIVE).scalar_one_or_none()
    return digest


def ledger(connection: sa.Connection, limit: int = 100) -> list[Activation]:
    """Return the newest activations, the newest first."""
    rows = connection.execute(LEDGER, {"limit": limit})
    return [_activation(row) for row in rows.mappings()]


def activate(connection: sa.Connection, digest: str, action: Action, author: str, note: str) -> Activation:
    """Make a stored set the active one from the end of this transaction on. Call `lock` before."""
    values = {"digest": digest, "action": action.value, "author": author, "note": note}
    return _activation(connection.execute(ACTIVATE, values).mappings().one())


def _activation(row: sa.RowMapping) -> Activation:
    return Activation(**{**row, "action": Action(row["action"])})


def save(
    connection: sa.Connection, digest: str, files: Files, *, author: str, note: str, rules: int, tests: int
) -> bool:
    """Store a set; False when it is stored already: author, note and time stay those of the first."""
    values = {"digest": digest, "author": author, "note": note, "rules": rules, "tests": tests}
    if connection.execute(SAVE, values).scalar_one_or_none() is None:
        return False
    contents = [{"digest": digest, "path": path, "content": data} for path, data in files.items()]
    connection.execute(SAVE_FILE, contents)
    return True


def versions(connection: sa.Connection, limit: int = 100) -> list[Version]:
    """Return the stored sets, the newest first."""
    return [Version(**row) for row in connection.execute(VERSIONS, {"limit": limit}).mappings()]


def version(connection: sa.Connection, digest: str) -> Version:
    """Return what is known of a stored set."""
    return Version(**connection.execute(VERSION, {"digest": digest}).mappings().one())


def files(connection: sa.Connection, digest: str, below: tuple[str, ...] = ("",)) -> dict[str, bytes]:
    """Return the files of a stored set; with `below` (such as `codes/`) those alone whose path begins so."""
    values = {"digest": digest, "below": list(below)}
    return {row.path: bytes(row.content) for row in connection.execute(FILES, values)}


def named(connection: sa.Connection, name: str) -> str:
    """Return the digest that `active`, `previous` or the beginning of a digest names.

    Raises `UnknownVersionError`, `NothingActiveError`.
    """
    if name == "active":
        return active(connection)
    if name == "previous":
        active(connection)
        found: Sequence[str] = connection.execute(PREVIOUS).scalars().all()
        if not found:
            raise UnknownVersionError(
                "no other rule set was active before this one: nothing to go back to",
                zh="此前没有其他规则集生效过，无可回退",
            )
        return found[0]
    if BEGINNING.fullmatch(name) is None:
        raise UnknownVersionError(
            "name a rule set by 4 or more characters of its digest, active or previous;"
            " ./yilian rules versions lists them",
            zh="请用摘要的前 4 位以上、active 或 previous 指明规则集；./yilian rules versions 可列出",
        )
    found = connection.execute(NAMED, {"beginning": f"{name}%"}).scalars().all()
    if len(found) != 1:
        what = "more than one rule set has" if found else "no rule set has"
        raise UnknownVersionError(
            f"{what} a digest that begins with {name}: see ./yilian rules versions",
            zh=f"{'有多个' if found else '没有'}摘要以 {name} 开头的规则集：见 ./yilian rules versions",
        )
    return found[0]


def active(connection: sa.Connection) -> str:
    """Return the digest of the active set. Raises `NothingActiveError`."""
    digest = active_digest(connection)
    if digest is None:
        raise NothingActiveError
    return digest


def exists(connection: sa.Connection, digest: str) -> bool:
    """Whether a set of that digest is stored."""
    return connection.execute(VERSION, {"digest": digest}).one_or_none() is not None
