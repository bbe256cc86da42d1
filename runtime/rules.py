"""What `up` says of the rules: nothing, unless the checkout has others than those that are active."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.exc import ProgrammingError

from runtime.settings import Settings
from runtime.words import words

UNDEFINED_TABLE = "42P01"
"""SQLSTATE: a supervisor of before the upgrade is still running, and the schema is its."""


def older() -> str:
    """Return the sentence on a database that lacks tables which this checkout needs."""
    return words(
        "the database is older than this checkout: ./yilian down, then ./yilian up",
        "数据库版本低于当前程序：请先运行 ./yilian down，再运行 ./yilian up",
    )


def rules_notice(settings: Settings) -> str | None:
    """Return the sentence for a person; None when the active rule set is that of the checkout."""
    from bus.rules.versions.status import notice, status

    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        return notice(status(engine, settings.rules_dir))
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        return older()
    finally:
        engine.dispose()
