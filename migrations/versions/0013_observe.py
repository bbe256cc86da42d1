"""Alerts by SMS, and when each channel told something last."""

from alembic import op

revision = "0013_observe"
down_revision = "0012_bodies"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE bus.alert_notice DROP CONSTRAINT alert_notice_channel_check;
ALTER TABLE bus.alert_notice ADD CONSTRAINT alert_notice_channel_check
  CHECK (channel IN ('webhook', 'email', 'sms'));
CREATE INDEX alert_notice_told ON bus.alert_notice (channel, delivered_at) WHERE delivered_at IS NOT NULL;
"""

UNDO = """
DROP INDEX bus.alert_notice_told;
DELETE FROM bus.alert_notice WHERE channel = 'sms';
ALTER TABLE bus.alert_notice DROP CONSTRAINT alert_notice_channel_check;
ALTER TABLE bus.alert_notice ADD CONSTRAINT alert_notice_channel_check
  CHECK (channel IN ('webhook', 'email'));
"""


def upgrade() -> None:
    """Let notices go by SMS."""
    op.execute(SQL)


def downgrade() -> None:
    """Forget them."""
    op.execute(UNDO)
