"""PIX and PDQ over HL7 v2: continuation pointers, and what subscribers were told of links.

A number's retirement leaves no row in the ledger where both numbers were one person already, and yet changes
what PIX answers; the triggers note it in the transaction that does it.
"""

from alembic import op

revision = "0017_pix_feeds"
down_revision = "0016_relations"
branch_labels = None
depends_on = None

SQL = """
-- A demographics query that was answered in part. What was asked is kept as a hash alone.
CREATE TABLE identity.pdq_pointer (
  pointer     uuid PRIMARY KEY,
  application text NOT NULL,                 -- MSH-3|MSH-4 of who asked; nobody else goes on
  query_tag   text NOT NULL,                 -- QPD-2, by which it is cancelled
  asked       bytea NOT NULL,                -- SHA-256 of QPD
  after       uuid NOT NULL,                 -- the last person shown
  shown       int NOT NULL,
  expires_at  timestamptz NOT NULL
);
CREATE INDEX pdq_pointer_tag ON identity.pdq_pointer (application, query_tag);
CREATE INDEX pdq_pointer_expires ON identity.pdq_pointer (expires_at);

-- Numbers retired for others of their campus, and brought back, in the order in which it happened.
CREATE TABLE identity.retirement (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source_patient_id bigint NOT NULL,
  merged_into       bigint,                  -- NULL: it is in use again
  message_id        bigint NOT NULL,
  at                timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION identity.note_retirement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO identity.retirement (source_patient_id, merged_into, message_id)
  VALUES (NEW.id, NEW.merged_into, NEW.message_id);
  RETURN NULL;
END $$;
CREATE TRIGGER retired AFTER UPDATE ON identity.source_patient FOR EACH ROW
  WHEN (OLD.merged_into IS DISTINCT FROM NEW.merged_into) EXECUTE FUNCTION identity.note_retirement();
CREATE TRIGGER retired_at_once AFTER INSERT ON identity.source_patient FOR EACH ROW
  WHEN (NEW.merged_into IS NOT NULL) EXECUTE FUNCTION identity.note_retirement();

-- What a destination was told last of a number: a hash of the numbers that it is told are one person.
CREATE TABLE identity.told (
  destination       text NOT NULL,
  source_patient_id bigint NOT NULL,
  view              bytea NOT NULL,
  PRIMARY KEY (destination, source_patient_id)
);
"""

UNDO = """
DROP TABLE identity.told;
DROP TRIGGER retired_at_once ON identity.source_patient;
DROP TRIGGER retired ON identity.source_patient;
DROP FUNCTION identity.note_retirement();
DROP TABLE identity.retirement;
DROP TABLE identity.pdq_pointer;
"""


def upgrade() -> None:
    """Make the tables and the triggers."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute(UNDO)
