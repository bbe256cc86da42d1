"""Referrals whose deadlines may be provisional."""

from alembic import op

revision = "0041_referral_whole"
down_revision = "0038_video"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE referral.referral
  ADD COLUMN deadline_provisional boolean NOT NULL DEFAULT false;  -- into a year without official days off
"""

UNDO = """
ALTER TABLE referral.referral DROP COLUMN deadline_provisional;
"""


def upgrade() -> None:
    """Add what they have."""
    op.execute(SQL)


def downgrade() -> None:
    """Take it away."""
    op.execute(UNDO)
