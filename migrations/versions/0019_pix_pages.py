"""Patient numbers that their campus took back, and demographics queries that go on page by page."""

from alembic import op

revision = "0019_pix_pages"
down_revision = "0018_documents"
branch_labels = None
depends_on = None

SQL = """
-- A number is out of use while nothing newer than the removal speaks of it (ITI-104, Remove Patient).
CREATE TABLE identity.removal (
  source_patient_id bigint PRIMARY KEY REFERENCES identity.source_patient,
  message_id        bigint NOT NULL,
  at                timestamptz NOT NULL
);

-- A query that was answered in part (QUQI_IN000003UV01 asks for the rest). It holds what was asked, so it is
-- kept for minutes.
CREATE TABLE identity.continuation (
  owner      text NOT NULL,                -- the account that asked; nobody else goes on
  query_id   text NOT NULL,
  asked      bytea NOT NULL,               -- the query as it came
  after      uuid NOT NULL,                -- the last person shown
  shown      int NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (owner, query_id)
);
CREATE INDEX continuation_expires ON identity.continuation (expires_at);
"""

UNDO = """
DROP TABLE identity.continuation;
DROP TABLE identity.removal;
"""


def upgrade() -> None:
    """Make both tables."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop both tables."""
    op.execute(UNDO)
