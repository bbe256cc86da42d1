"""Messages with several changes, each of which goes to a destination by itself; sequence numbers."""

from alembic import op

revision = "0014_split"
down_revision = "0013_observe"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE bus.delivery ADD COLUMN part smallint NOT NULL DEFAULT 0;  -- from 1; 0: the message as a whole
CREATE UNIQUE INDEX delivery_once ON bus.delivery (destination, message_id, part);
ALTER TABLE bus.delivery DROP CONSTRAINT delivery_destination_message_id_key;
ALTER TABLE bus.delivery ADD COLUMN sequence bigint;           -- MSH-13 under which it last went out
CREATE TABLE bus.work_further (                                -- of a message that is about several
  id          bigint NOT NULL,                                 -- of bus.work
  patient_key bigint NOT NULL,
  PRIMARY KEY (id, patient_key)
);
CREATE INDEX work_further_key ON bus.work_further (patient_key, id);
CREATE INDEX delivery_sequence ON bus.delivery (destination, sequence) WHERE sequence IS NOT NULL;
"""

UNDO = """
DROP TABLE bus.work_further;
ALTER TABLE bus.delivery DROP COLUMN sequence;
DELETE FROM bus.delivery WHERE part > 1;
DROP INDEX bus.delivery_once;
ALTER TABLE bus.delivery ADD CONSTRAINT delivery_destination_message_id_key UNIQUE (destination, message_id);
ALTER TABLE bus.delivery DROP COLUMN part;
"""


def upgrade() -> None:
    """Let a message have more than one delivery to a destination."""
    op.execute(SQL)


def downgrade() -> None:
    """Go back to one; what is of later changes is lost."""
    op.execute(UNDO)
