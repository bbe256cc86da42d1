"""Consultations (远程会诊): each as people read it, its way and its signed opinion, appended only.

The workflow's own state is Temporal's. Its activities write here, each step once, with slots, room, notices
and audit in the same transaction.
"""

from alembic import op

revision = "0042_teleconsult"
down_revision = "0041_referral_whole"
branch_labels = None
depends_on = None

SQL = """
CREATE FUNCTION teleconsult.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'teleconsult.% is appended only', TG_TABLE_NAME;
END $$;

CREATE TABLE teleconsult.consultation (
  id                  uuid PRIMARY KEY,
  kind                text NOT NULL CHECK (kind IN ('video', 'imaging', 'record', 'ecg')),
  urgency             text NOT NULL CHECK (urgency IN ('routine', 'urgent')),
  requesting_facility text NOT NULL,
  consulting_facility text NOT NULL,
  patient_id          bigint REFERENCES identity.source_patient,  -- NULL: a hospital that is not integrated
  encounter_number    text,
  question            text NOT NULL DEFAULT '',
  documents           uuid[] NOT NULL DEFAULT '{}',      -- by reference, read under the reader's own rights
  consent_by          text CHECK (consent_by IN ('patient', 'guardian', 'relative', 'emergency')),
  consent_method      text CHECK (consent_method IN ('written', 'oral', 'electronic')),
  version             int NOT NULL DEFAULT 1,            -- of question, documents and consent
  state               text NOT NULL CHECK (state IN ('draft', 'requested', 'returned', 'accepted',
    'scheduled', 'confirmed', 'in_session', 'opinion_draft', 'signed', 'closed', 'declined', 'cancelled',
    'expired', 'no_show')),
  owner               text,                              -- party that owes the next step
  owner_facility      text,
  deadline_kind       text,
  remind_at           timestamptz,
  deadline_at         timestamptz,
  escalation_level    int NOT NULL DEFAULT 0,
  number              int NOT NULL DEFAULT 0,            -- steps so far
  experts             text[] NOT NULL DEFAULT '{}',      -- accounts
  department          text,                              -- whose doctors may claim it
  confirmed_by        text[] NOT NULL DEFAULT '{}',      -- accounts of experts, and 'requesting'
  starts_at           timestamptz,
  ends_at             timestamptz,
  opinion             jsonb,                             -- consortium.teleconsult.details.Opinion, as written
  fee                 numeric(12, 2) CHECK (fee >= 0),   -- yuan
  created_by          text NOT NULL,
  created_at          timestamptz NOT NULL,
  changed_at          timestamptz NOT NULL,
  CHECK (requesting_facility <> consulting_facility),
  CHECK ((consent_by IS NULL) = (consent_method IS NULL)),
  -- Nothing open is without an owner and a deadline.
  CHECK ((state IN ('closed', 'declined', 'cancelled', 'expired')) = (owner IS NULL)),
  CHECK ((owner IS NULL) = (deadline_at IS NULL)),
  CHECK ((starts_at IS NULL) = (ends_at IS NULL) AND (starts_at IS NULL OR ends_at > starts_at)),
  CHECK (state NOT IN ('scheduled', 'confirmed') OR starts_at IS NOT NULL)
);
CREATE INDEX consultation_owed ON teleconsult.consultation (owner_facility, owner, deadline_at)
  WHERE owner IS NOT NULL;
CREATE INDEX consultation_requested ON teleconsult.consultation (requesting_facility, created_at DESC);
CREATE INDEX consultation_asked ON teleconsult.consultation (consulting_facility, created_at DESC);
CREATE INDEX consultation_experts ON teleconsult.consultation USING gin (experts);
CREATE INDEX consultation_patient ON teleconsult.consultation (patient_id);

CREATE TABLE teleconsult.event (
  consultation_id uuid NOT NULL REFERENCES teleconsult.consultation,
  number          int NOT NULL,
  key             text NOT NULL,          -- idempotency key of the step: the update's id, or the system's own
  step            text NOT NULL,
  from_state      text NOT NULL,
  to_state        text NOT NULL,
  party           text NOT NULL,
  username        text,                   -- NULL: the system
  note            text NOT NULL DEFAULT '',
  details         jsonb NOT NULL DEFAULT '{}',
  at              timestamptz NOT NULL,
  PRIMARY KEY (consultation_id, number),
  UNIQUE (consultation_id, key)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON teleconsult.event
  FOR EACH STATEMENT EXECUTE FUNCTION teleconsult.refuse_change();

CREATE TABLE teleconsult.signed_opinion (
  consultation_id uuid PRIMARY KEY REFERENCES teleconsult.consultation,
  content         text NOT NULL,          -- canonical JSON: what is signed, by whom, when
  sha256          bytea NOT NULL CHECK (sha256 = sha256(convert_to(content, 'UTF8'))),
  signer          text NOT NULL,
  signed_at       timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON teleconsult.signed_opinion
  FOR EACH STATEMENT EXECUTE FUNCTION teleconsult.refuse_change();

CREATE TABLE teleconsult.evaluation (
  consultation_id uuid NOT NULL REFERENCES teleconsult.consultation,
  username        text NOT NULL,
  party           text NOT NULL,
  rating          int NOT NULL CHECK (rating BETWEEN 1 AND 5),
  comment         text NOT NULL DEFAULT '',
  at              timestamptz NOT NULL,
  PRIMARY KEY (consultation_id, username)  -- the last word of each counts
);
"""

UNDO = """
DROP TABLE teleconsult.evaluation, teleconsult.signed_opinion, teleconsult.event, teleconsult.consultation;
DROP FUNCTION teleconsult.refuse_change();
"""


def upgrade() -> None:
    """Create the tables of consultations."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them with everything in them; the rooms stay."""
    op.execute(UNDO)
