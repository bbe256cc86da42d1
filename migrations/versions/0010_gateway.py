"""Gateways on campuses' front machines: how each is, and how far each of their spools is committed.

The position moves in the transaction that stores the messages, so a batch that comes twice changes nothing.
"""

from alembic import op

revision = "0010_gateway"
down_revision = "0009_master_data"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE bus.gateway (
  name           text PRIMARY KEY,
  campuses       text[] NOT NULL,
  last_seen      timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_message   timestamptz,                     -- when it last brought something
  spooled        bigint NOT NULL DEFAULT 0,       -- not confirmed, as it said at last_seen
  oldest_seconds float8 NOT NULL DEFAULT 0,       -- how long the oldest of them had waited then
  detail         jsonb NOT NULL DEFAULT '{}'      -- counts and states, no patient data
);

CREATE TABLE bus.gateway_spool (
  gateway  text NOT NULL,
  spool    uuid NOT NULL,                         -- the history that the numbers count
  position bigint NOT NULL,                       -- the highest number that is committed; 0: none
  mark     bytea NOT NULL,                        -- of that entry; another copy of the spool has others
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (gateway, spool)
);
"""


def upgrade() -> None:
    """Create the tables of gateways."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE bus.gateway_spool, bus.gateway")
