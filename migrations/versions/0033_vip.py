"""VIPs: what a campus says of a patient, and whether a person is to be found by those permitted alone.

Whoever is registered by an alias (贵宾, VIP, 匿名, 保密) is one from now on; earlier ones are marked here.
"""

from alembic import op

revision = "0033_vip"
down_revision = "0032_dated_code_maps"
branch_labels = None
depends_on = None

ALIAS = "^(vip(?![a-z])|贵宾|要客|首长|特需|匿名|隐名|保密|化名|anonymous)"


def upgrade() -> None:
    """Add the columns, and mark the people whose name says so."""
    op.execute("ALTER TABLE identity.source_patient ADD COLUMN vip boolean")
    op.execute("ALTER TABLE identity.person ADD COLUMN vip boolean")
    op.execute("CREATE INDEX person_vip ON identity.person (id) WHERE vip")
    op.execute(
        "UPDATE identity.person SET vip = true WHERE id IN (SELECT l.person_id FROM identity.link l"  # noqa: S608 - a constant
        f" JOIN identity.source_patient s ON s.id = l.source_patient_id WHERE s.name_key ~ '{ALIAS}')"
    )


def downgrade() -> None:
    """Forget who is a VIP."""
    op.execute("ALTER TABLE identity.person DROP COLUMN vip")
    op.execute("ALTER TABLE identity.source_patient DROP COLUMN vip")
