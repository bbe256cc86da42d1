"""How the rules stand: which set is active, what the checkout has, what each router decides by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.compare import compare
from bus.rules.versions.folder import UnfitFilesError, digest_of, read_folder
from bus.rules.versions.model import SHORT, Activation

ROUTERS = sa.text(
    "SELECT detail ->> 'rules' AS rules, detail ->> 'rules_not_loaded' AS not_loaded,"
    " extract(epoch FROM clock_timestamp() - at)::float8 AS age FROM bus.heartbeat"
    " WHERE name = 'router' OR name LIKE 'router-%'"
    " ORDER BY nullif(detail ->> 'rules_not_loaded', '') NULLS LAST, detail ->> 'rules' = :active, at LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The rules of the checkout beside the active ones."""

    digest: str | None
    """None: the folder cannot be read as a rule set."""
    differs: tuple[str, ...]
    """Paths of the files that are not as in the active set."""
    stored: bool
    """Whether it is a version that was deployed some time."""


@dataclass(frozen=True, slots=True)
class Router:
    """What a router process says in its heartbeat."""

    rules: str | None
    not_loaded: str
    """Sets that it could not load, by short digest; empty when all is well."""
    age: float
    """Seconds since it said so."""


@dataclass(frozen=True, slots=True)
class Status:
    """All of it."""

    active: Activation | None
    checkout: Checkout
    router: Router | None
    """Of its processes the one that is furthest behind."""

    @property
    def drifted(self) -> bool:
        """Whether the checkout has other rules than those that decide."""
        return self.active is not None and self.checkout.digest != self.active.digest


def status(engine: sa.Engine, rules_dir: Path) -> Status:
    """Look at the ledger, the checkout and the router's heartbeat."""
    with engine.connect() as connection:
        newest = store.ledger(connection, 1)
        active = newest[0] if newest else None
        values = {"active": active.digest[:SHORT] if active else ""}
        row = connection.execute(ROUTERS, values).one_or_none()
        router = None if row is None else Router(row.rules, row.not_loaded or "", round(row.age, 1))
        return Status(active, _checkout(connection, active, rules_dir), router)


def _checkout(connection: sa.Connection, active: Activation | None, rules_dir: Path) -> Checkout:
    try:
        files = read_folder(rules_dir)
    except UnfitFilesError:
        return Checkout(None, (), stored=False)
    digest = digest_of(files)
    if active is not None and digest == active.digest:
        return Checkout(digest, (), stored=True)
    known = store.files(connection, active.digest) if active else {}
    differs = tuple(change.path for change in compare(known, files))
    return Checkout(digest, differs, store.exists(connection, digest))


def notice(found: Status) -> str | None:
    """Return the sentence that `up` says of the rules; None when there is nothing to tell."""
    from runtime.words import words

    if found.active is None or not found.drifted:
        return None
    short, by, many = found.active.digest[:SHORT], found.active.author, len(found.checkout.differs)
    return words(
        f"the rules of this checkout are not the active ones ({short}, by {by}): {many} files"
        " differ. Nothing was changed. Look: ./yilian rules diff active checkout; take them:"
        " ./yilian rules deploy",
        f"本地目录的规则与生效规则（{short}，由 {by} 启用）不同：{many} 个文件有差异。"
        "系统未做任何更改。查看：./yilian rules diff active checkout；启用：./yilian rules deploy",
    )
