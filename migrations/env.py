"""Alembic's entry: migrates the database of the settings, or of `-x url=…`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from runtime.settings import load


def main() -> None:
    """Run the migrations in one transaction, under a lock so that two starts do not collide."""
    url = context.get_x_argument(as_dictionary=True).get("url") or load().database_url
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        context.configure(connection=connection, version_table_schema="public")
        with context.begin_transaction():
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(93000000)")
            context.run_migrations()
    engine.dispose()


main()
