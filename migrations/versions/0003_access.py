"""Access: accounts, failed sign-ins, and the append-only audit.

`access.audit` is a hash chain: a trigger numbers each row without gaps, and its `hash` is SHA-256 over the
hash of the row before and the row's own content, so that an altered, deleted or reordered row is found
(`consortium.access.audit.verify`). Updates, deletes and truncation are refused by the database itself.
"""

from alembic import op

revision = "0003_access"
down_revision = "0002_consortium"
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA access;

CREATE TABLE access.account (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  username      text NOT NULL UNIQUE,
  display_name  text NOT NULL,
  role          text NOT NULL,
  organisation  text NOT NULL,               -- campus code, or GROUP
  permissions   text[] NOT NULL DEFAULT '{}',
  person_id     uuid,                        -- the golden person a patient is
  password_hash text NOT NULL,
  disabled      boolean NOT NULL DEFAULT false,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE access.failed_sign_in (
  subject      text PRIMARY KEY,             -- keyed hash of username and peer, or of the peer
  failures     int NOT NULL,
  last_at      timestamptz NOT NULL,
  locked_until timestamptz
);

CREATE TABLE access.audit (
  id           bigint PRIMARY KEY,
  at           timestamptz NOT NULL,
  request_id   text NOT NULL,
  username     text NOT NULL,                -- '-' when nobody signed in
  role         text NOT NULL,
  organisation text NOT NULL,
  action       text NOT NULL,
  purpose      text NOT NULL,
  persons      uuid[] NOT NULL DEFAULT '{}', -- golden persons whose data was shown or changed
  resource     text NOT NULL,                -- what was asked for, without patient data
  outcome      text NOT NULL CHECK (outcome IN ('allowed', 'refused')),
  reason       text NOT NULL,
  previous     bytea NOT NULL,
  hash         bytea NOT NULL
);
CREATE INDEX audit_persons ON access.audit USING gin (persons);
CREATE INDEX audit_username ON access.audit (username, id);

CREATE FUNCTION access.audit_digest(r access.audit) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(r.previous || convert_to(jsonb_build_array(
    r.id, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), r.request_id, r.username, r.role,
    r.organisation, r.action, r.purpose, array_to_string(r.persons, ','), r.resource, r.outcome, r.reason
  )::text, 'UTF8'))
$$;

CREATE FUNCTION access.audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last record;
BEGIN
  PERFORM pg_advisory_xact_lock(93000003);
  SELECT id, hash INTO last FROM access.audit ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.at := clock_timestamp();
  NEW.previous := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
  NEW.hash := access.audit_digest(NEW);
  RETURN NEW;
END
$$;

CREATE FUNCTION access.audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'access.audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_chain BEFORE INSERT ON access.audit FOR EACH ROW EXECUTE FUNCTION access.audit_chain();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON access.audit
  FOR EACH ROW EXECUTE FUNCTION access.audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON access.audit
  FOR EACH STATEMENT EXECUTE FUNCTION access.audit_refuse();
"""


def upgrade() -> None:
    """Create accounts and audit."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop accounts and audit."""
    op.execute("DROP SCHEMA access CASCADE")
