"""Files: which were read, how far, and the newest version of each record that has a key.

How far a file is read moves in the transaction that puts its records into the inbox, so a restart at any
point goes on behind them. A file is known by its content.
"""

from alembic import op

revision = "0007_files"
down_revision = "0006_delivery"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE bus.file (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text NOT NULL,                  -- rules/campuses/*/files/<source>.yaml
  digest      bytea NOT NULL,                 -- SHA-256 of the file
  name        text NOT NULL,                  -- as its sender named it: may name a patient, so not for logs
  size        bigint NOT NULL,
  state       text NOT NULL DEFAULT 'reading' CHECK (state IN ('reading', 'taken', 'rejected')),
  records     bigint NOT NULL DEFAULT 0,      -- behind us: a restart goes on after so many
  stored      bigint NOT NULL DEFAULT 0,      -- messages new to the inbox
  repeated    bigint NOT NULL DEFAULT 0,      -- known with the same content: no second effect
  conflicts   bigint NOT NULL DEFAULT 0,      -- known control ids with other content: stored and held
  refused     bigint[] NOT NULL DEFAULT '{}', -- records not taken; tried when it comes again
  reason      text,                           -- why it was rejected; for a person; no patient data
  seen        int NOT NULL DEFAULT 1,         -- how often it came
  first_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  moved_at    timestamptz,                    -- lies in archive or reject
  UNIQUE (source, digest)
);
CREATE INDEX file_first ON bus.file (first_at);

CREATE TABLE bus.file_record (
  source  text NOT NULL,
  key     bytea NOT NULL,                     -- 16 bytes (BLAKE2b) of the business key
  version int NOT NULL,
  digest  bytea NOT NULL,                     -- of the newest version's content
  PRIMARY KEY (source, key)
);
"""


def upgrade() -> None:
    """Create the ledger."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE bus.file_record; DROP TABLE bus.file;")
