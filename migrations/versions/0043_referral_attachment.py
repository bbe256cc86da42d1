"""Files that belong to a referral, such as a scan from a hospital that is not integrated (联盟医院)."""

from alembic import op

revision = "0043_referral_attachment"
down_revision = "0042_teleconsult"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE referral.attachment (
  id          uuid PRIMARY KEY,
  referral_id uuid NOT NULL REFERENCES referral.referral,
  sha256      bytea NOT NULL REFERENCES records.blob,
  name        text NOT NULL CHECK (name <> ''),
  mime_type   text NOT NULL,
  size        bigint NOT NULL,
  party       text NOT NULL,
  username    text NOT NULL,
  at          timestamptz NOT NULL
);
CREATE INDEX attachment_referral ON referral.attachment (referral_id, at, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON referral.attachment
  FOR EACH STATEMENT EXECUTE FUNCTION referral.refuse_change();
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it with what it names."""
    op.execute("DROP TABLE referral.attachment")
