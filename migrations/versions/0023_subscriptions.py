"""Subscriptions to master data: by which destination a subscriber is told.

What lies in the outbox for a subscriber that has left is taken away: nobody would ever be told of it.
"""

from alembic import op

revision = "0023_subscriptions"
down_revision = "0022_export"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE terminology.subscriber ADD COLUMN destination text;
UPDATE terminology.subscriber SET destination = name;
ALTER TABLE terminology.subscriber ALTER COLUMN destination SET NOT NULL;
COMMENT ON COLUMN terminology.subscriber.destination IS 'name of a file of rules/destinations';

CREATE INDEX outbox_told ON bus.outbox (destination, message_id)
  WHERE message_id IS NOT NULL AND destination <> 'workflow';
DELETE FROM bus.outbox WHERE destination LIKE 'master-data:%'
  AND destination NOT IN (SELECT 'master-data:' || name FROM terminology.subscriber);
"""

UNDO = """
DROP INDEX bus.outbox_told;
ALTER TABLE terminology.subscriber DROP COLUMN destination;
"""


def upgrade() -> None:
    """Bind each subscriber to the destination of its name."""
    op.execute(SQL)


def downgrade() -> None:
    """Forget the destinations."""
    op.execute(UNDO)
