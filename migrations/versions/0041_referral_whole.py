"""Referrals whole: provisional deadlines, and approvals inside the sending hospital in their order."""

from alembic import op

revision = "0041_referral_whole"
down_revision = "0038_video"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE referral.referral
  ADD COLUMN deadline_provisional boolean NOT NULL DEFAULT false,  -- into a year without official days off
  ADD COLUMN follow_up_at timestamptz;    -- once closed: when somebody is to look after the patient again

-- Approvals inside the sending hospital, as its capabilities.yaml demanded them when the referral was begun.
CREATE TABLE referral.approval (
  referral_id uuid NOT NULL REFERENCES referral.referral,
  rank        int NOT NULL,
  code        text NOT NULL,
  name        text NOT NULL,
  by          text NOT NULL CHECK (by IN ('doctor', 'coordinator')),
  duty        text,                       -- those alone who have it; NULL: all of the role
  username    text,                       -- who gave it; NULL: it is still to come
  at          timestamptz,
  PRIMARY KEY (referral_id, rank),
  UNIQUE (referral_id, code),
  CHECK ((username IS NULL) = (at IS NULL))
);
CREATE INDEX approval_waiting ON referral.approval (by, referral_id) WHERE username IS NULL;
INSERT INTO referral.approval (referral_id, rank, code, name, by, username, at)
  SELECT r.id, 1, 'coordinator', '转诊管理', 'coordinator', e.username, e.at FROM referral.referral r
  LEFT JOIN LATERAL (SELECT username, at FROM referral.event WHERE referral_id = r.id AND step = 'approve'
    AND username IS NOT NULL ORDER BY number DESC LIMIT 1) e ON true WHERE r.approval_needed;
ALTER TABLE referral.referral DROP COLUMN approval_needed, DROP COLUMN approved;
"""

UNDO = """
ALTER TABLE referral.referral
  DROP COLUMN deadline_provisional,
  DROP COLUMN follow_up_at,
  ADD COLUMN approval_needed boolean NOT NULL DEFAULT false,
  ADD COLUMN approved boolean NOT NULL DEFAULT false;
UPDATE referral.referral r SET approval_needed = true, approved = NOT EXISTS (SELECT FROM referral.approval a
  WHERE a.referral_id = r.id AND a.username IS NULL)
  WHERE EXISTS (SELECT FROM referral.approval a WHERE a.referral_id = r.id);
DROP TABLE referral.approval;
"""


def upgrade() -> None:
    """Add what they have."""
    op.execute(SQL)


def downgrade() -> None:
    """Take it away."""
    op.execute(UNDO)
