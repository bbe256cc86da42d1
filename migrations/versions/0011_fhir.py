"""Deliveries that are built when they are sent: FHIR Bundles and HL7 v2 messages.

The column `body` then holds the change with all that was known of it after the message.
"""

from alembic import op

revision = "0011_fhir"
down_revision = "0010_gateway"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the two forms in."""
    op.execute("ALTER TABLE bus.delivery DROP CONSTRAINT delivery_form_check")
    op.execute(
        "ALTER TABLE bus.delivery ADD CONSTRAINT delivery_form_check"
        " CHECK (form IN ('raw', 'canonical', 'fhir', 'hl7'))"
    )


def downgrade() -> None:
    """Go back to two; refused by the database while a delivery of the others is there."""
    op.execute("ALTER TABLE bus.delivery DROP CONSTRAINT delivery_form_check")
    op.execute(
        "ALTER TABLE bus.delivery ADD CONSTRAINT delivery_form_check CHECK (form IN ('raw', 'canonical'))"
    )
