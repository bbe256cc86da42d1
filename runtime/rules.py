"""What `up` says of the rules: nothing, unless the checkout has others than those that are active."""

from __future__ import annotations

from sqlalchemy import create_engine

from runtime.settings import Settings


def rules_notice(settings: Settings) -> str | None:
    """Return the sentence for a person; None when the active rule set is that of the checkout."""
    from bus.rules.versions.status import notice, status

    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        return notice(status(engine, settings.rules_dir))
    finally:
        engine.dispose()
