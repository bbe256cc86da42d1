"""Indexes by which the figures of identity are counted: new registrations, and values replaced, by time."""

from alembic import op

revision = "0016_identity_figures"
down_revision = "0015_matching"
branch_labels = None
depends_on = None

SQL = """
CREATE INDEX ledger_registered ON identity.ledger (at) WHERE from_person IS NULL;
CREATE INDEX source_patient_history_replaced ON identity.source_patient_history (replaced_at);
"""


def upgrade() -> None:
    """Create them."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX identity.ledger_registered, identity.source_patient_history_replaced")
