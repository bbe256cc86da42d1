"""Versions of rule sets, and the ledger of which one was active when.

A set is stored whole under the digest of its content. Both tables of a set and the ledger are append-only:
what a message was decided under can be read for as long as the message is kept.
"""

from alembic import op

revision = "0005_rulesets"
down_revision = "0004_workflow"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE bus.rule_version (
  digest     text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),  -- SHA-256 over all paths and contents
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  author     text NOT NULL,
  note       text NOT NULL DEFAULT '',
  rules      int NOT NULL,                    -- how many rules it has
  tests      int NOT NULL                     -- how many tests it passed
);
-- A trace names a set by the beginning of its digest: that must be one set.
CREATE UNIQUE INDEX rule_version_short ON bus.rule_version (left(digest, 12));

CREATE TABLE bus.rule_file (
  digest  text NOT NULL REFERENCES bus.rule_version,
  path    text NOT NULL,                      -- campuses/main/30-lab-report.yaml
  content bytea NOT NULL,
  PRIMARY KEY (digest, path)
);

CREATE TABLE bus.rule_activation (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the newest one is active
  at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  digest text NOT NULL REFERENCES bus.rule_version,
  action text NOT NULL CHECK (action IN ('initial', 'deploy', 'rollback')),
  author text NOT NULL,
  note   text NOT NULL DEFAULT ''
);

CREATE FUNCTION bus.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER rule_version_append_only BEFORE UPDATE OR DELETE ON bus.rule_version
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER rule_version_no_truncate BEFORE TRUNCATE ON bus.rule_version
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER rule_file_append_only BEFORE UPDATE OR DELETE ON bus.rule_file
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER rule_file_no_truncate BEFORE TRUNCATE ON bus.rule_file
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER rule_activation_append_only BEFORE UPDATE OR DELETE ON bus.rule_activation
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER rule_activation_no_truncate BEFORE TRUNCATE ON bus.rule_activation
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();
"""

UNDO = """
DROP TABLE bus.rule_activation;
DROP TABLE bus.rule_file;
DROP TABLE bus.rule_version;
DROP FUNCTION bus.append_only();
"""


def upgrade() -> None:
    """Create the versions and their ledger."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute(UNDO)
