"""Exports of records (FHIR bulk data): what was asked, how far it is, and the files made."""

from alembic import op

revision = "0022_export"
down_revision = "0021_clinical"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE records.export_job (
  id               uuid PRIMARY KEY,
  username         text NOT NULL,             -- whose it is: nobody else sees or downloads it
  request          text NOT NULL,             -- path and query of the kick-off
  types            text[] NOT NULL,           -- in the order in which they are written
  since            timestamptz,
  persons          uuid[] NOT NULL,           -- of these alone; none: of everybody
  transaction_time timestamptz NOT NULL,      -- nothing changed later is in it
  begun_in         xid8 NOT NULL,             -- it waits for the writes that were open at the kick-off
  state            text NOT NULL CHECK (state IN ('active', 'paused', 'done', 'failed')),
  place            int NOT NULL DEFAULT 0,    -- the type, by its place in types
  after            uuid,                      -- the last id of that type in a file that is recorded
  parts            int NOT NULL DEFAULT 0,
  lines            bigint NOT NULL DEFAULT 0,
  error            text,                      -- what stops it; no patient data
  created_at       timestamptz NOT NULL,
  ended_at         timestamptz
);

CREATE TABLE records.export_part (
  job_id  uuid NOT NULL REFERENCES records.export_job ON DELETE CASCADE,
  number  int NOT NULL,
  name    text NOT NULL,
  type    text NOT NULL,
  lines   bigint NOT NULL,
  persons int NOT NULL,                       -- about how many people
  size    bigint NOT NULL,                    -- bytes on the disk, compressed
  PRIMARY KEY (job_id, number),
  UNIQUE (job_id, name)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE records.export_part, records.export_job")
