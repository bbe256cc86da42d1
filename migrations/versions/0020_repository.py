"""Which contents the repository of shared documents holds; the bytes lie in the documents' store."""

from alembic import op

revision = "0020_repository"
down_revision = "0019_pix_pages"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE documents.stored (
  unique_id  text NOT NULL,
  repository text NOT NULL,                  -- ours, or a campus's, whose documents are kept for a while
  sha256     bytea NOT NULL,                 -- names the content in the documents' store
  size       bigint NOT NULL,                -- bytes, as it was sent
  mime_type  text NOT NULL,
  stored_at  timestamptz NOT NULL,
  PRIMARY KEY (unique_id, repository)
);
CREATE INDEX stored_content ON documents.stored (sha256);

-- What the bus took in may be moved into the documents' store; the row keeps its name.
ALTER TABLE records.blob DROP CONSTRAINT blob_coding_check;
ALTER TABLE records.blob ADD CONSTRAINT blob_coding_check CHECK (coding IN ('identity', 'zlib', 'moved'));
"""

UNDO = """
DROP TABLE documents.stored;
ALTER TABLE records.blob DROP CONSTRAINT blob_coding_check;
ALTER TABLE records.blob ADD CONSTRAINT blob_coding_check CHECK (coding IN ('identity', 'zlib'));
"""


def upgrade() -> None:
    """Create the table, and let contents be moved."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop the table; refused by PostgreSQL where contents were moved."""
    op.execute(UNDO)
