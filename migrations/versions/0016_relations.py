"""Who is whose mother; and the indexes by which the figures of identity are counted.

A relation is between two numbers and not between two people, so that it stays right when people are merged
and split.
"""

from alembic import op

revision = "0016_relations"
down_revision = "0015_matching"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE identity.relation (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  child_id  bigint NOT NULL REFERENCES identity.source_patient,
  mother_id bigint NOT NULL REFERENCES identity.source_patient,
  reason    text NOT NULL,
  by_user   text NOT NULL,
  at        timestamptz NOT NULL DEFAULT now(),
  ended_at  timestamptz, ended_by text, end_reason text,
  CHECK (child_id <> mother_id)
);
-- A number has one mother; which numbers are hers too is what links say.
CREATE UNIQUE INDEX relation_child ON identity.relation (child_id) WHERE ended_at IS NULL;
CREATE INDEX relation_mother ON identity.relation (mother_id);

CREATE INDEX ledger_to ON identity.ledger (to_person, id);
CREATE INDEX ledger_registered ON identity.ledger (at) WHERE from_person IS NULL;
CREATE INDEX source_patient_history_replaced ON identity.source_patient_history (replaced_at);
"""


def upgrade() -> None:
    """Create them."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute(
        "DROP TABLE identity.relation;"
        " DROP INDEX identity.ledger_to, identity.ledger_registered, identity.source_patient_history_replaced"
    )
