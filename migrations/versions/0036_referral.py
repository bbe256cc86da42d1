"""Two-way referral (双向转诊): each referral as people read it, and its way, appended only.

The workflow's own state is Temporal's. Its activities write here, each step once, with notices and audit in
the same transaction.
"""

from alembic import op

revision = "0036_referral"
down_revision = "0035_scheduling"
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA referral;

CREATE FUNCTION referral.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'referral.% is appended only', TG_TABLE_NAME;
END $$;

CREATE TABLE referral.referral (
  id                   uuid PRIMARY KEY,
  parent_id            uuid REFERENCES referral.referral,  -- what it goes on from: onward, or back down
  direction            text NOT NULL CHECK (direction IN ('up', 'down')),
  urgency              text NOT NULL CHECK (urgency IN ('routine', 'urgent', 'emergency')),
  sending_facility     text NOT NULL,
  receiving_facility   text NOT NULL,
  patient_id           bigint REFERENCES identity.source_patient,  -- NULL: a hospital that is not integrated
  encounter_number     text,                               -- outpatient or inpatient number at the sender
  form                 jsonb NOT NULL,                     -- consortium.referral.form.Form
  form_version         int NOT NULL DEFAULT 1,
  criteria             text[] NOT NULL DEFAULT '{}',
  approval_needed      boolean NOT NULL DEFAULT false,     -- by the sending hospital itself
  approved             boolean NOT NULL DEFAULT false,
  state                text NOT NULL CHECK (state IN ('draft', 'submitted', 'under_review',
    'returned_for_info', 'rejected', 'referred_onward', 'accepted', 'awaiting_slot', 'booked', 'rescheduled',
    'no_show', 'arrived', 'in_care', 'interim_reported', 'outcome_returned', 'closed', 'cancel_requested',
    'cancelled', 'expired')),
  owner                text,                               -- party that owes the next step
  owner_user           text,                               -- one of them; NULL: whoever has the duty
  owner_facility       text,
  deadline_kind        text,
  remind_at            timestamptz,
  deadline_at          timestamptz,
  escalation_level     int NOT NULL DEFAULT 0,
  resume               jsonb,                              -- where it stood before a cancellation was asked
  asked                text CHECK (asked IN ('sending', 'receiving')),
  number               int NOT NULL DEFAULT 0,             -- steps so far
  department           text,
  bed                  text,
  slot_id              uuid,
  slot_start           timestamptz,
  slot_end             timestamptz,
  onward_facility      text,
  arrival_encounter    text,                               -- visit number at the receiver
  outcome              text,
  created_by           text NOT NULL,
  created_at           timestamptz NOT NULL,
  changed_at           timestamptz NOT NULL,
  CHECK (sending_facility <> receiving_facility),
  CHECK ((state = 'cancel_requested') = (resume IS NOT NULL) AND (resume IS NULL) = (asked IS NULL)),
  -- Nothing open is without an owner and a deadline.
  CHECK ((state IN ('rejected', 'referred_onward', 'closed', 'cancelled', 'expired'))
    = (owner IS NULL) AND (owner IS NULL) = (deadline_at IS NULL)),
  CHECK (slot_end IS NULL OR slot_end > slot_start)
);
CREATE INDEX referral_owed ON referral.referral (owner_facility, owner, deadline_at) WHERE owner IS NOT NULL;
CREATE INDEX referral_sent ON referral.referral (sending_facility, changed_at DESC);
CREATE INDEX referral_received ON referral.referral (receiving_facility, changed_at DESC);
CREATE INDEX referral_to_come ON referral.referral (patient_id)
  WHERE state IN ('accepted', 'awaiting_slot', 'booked', 'rescheduled', 'no_show', 'cancel_requested');
CREATE INDEX referral_patient ON referral.referral (patient_id);
CREATE INDEX referral_parent ON referral.referral (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE referral.event (
  referral_id uuid NOT NULL REFERENCES referral.referral,
  number      int NOT NULL,
  key         text NOT NULL,              -- idempotency key of the step: the update's id, or the system's own
  step        text NOT NULL,
  from_state  text NOT NULL,
  to_state    text NOT NULL,
  party       text NOT NULL,
  username    text,                       -- NULL: the system
  note        text NOT NULL DEFAULT '',
  details     jsonb NOT NULL DEFAULT '{}',
  at          timestamptz NOT NULL,
  PRIMARY KEY (referral_id, number),
  UNIQUE (referral_id, key)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON referral.event
  FOR EACH STATEMENT EXECUTE FUNCTION referral.refuse_change();

CREATE TABLE referral.message (
  id          uuid PRIMARY KEY,
  referral_id uuid NOT NULL REFERENCES referral.referral,
  party       text NOT NULL,
  username    text NOT NULL,
  body        text NOT NULL CHECK (body <> ''),
  at          timestamptz NOT NULL
);
CREATE INDEX message_thread ON referral.message (referral_id, at, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON referral.message
  FOR EACH STATEMENT EXECUTE FUNCTION referral.refuse_change();

-- By reference: what is shown is read from the records, under the reader's own rights.
CREATE TABLE referral.document (
  referral_id uuid NOT NULL REFERENCES referral.referral,
  document_id uuid NOT NULL,
  added_by    text NOT NULL,
  at          timestamptz NOT NULL,
  PRIMARY KEY (referral_id, document_id)
);

CREATE TABLE referral.consent (
  id           uuid PRIMARY KEY,
  referral_id  uuid NOT NULL REFERENCES referral.referral,
  given        boolean NOT NULL,          -- false: refused, or taken back; the last one counts
  by_relation  text NOT NULL CHECK (by_relation IN ('patient', 'guardian', 'relative', 'emergency')),
  method       text NOT NULL CHECK (method IN ('written', 'oral', 'electronic')),
  recorded_by  text NOT NULL,
  at           timestamptz NOT NULL
);
CREATE INDEX consent_last ON referral.consent (referral_id, at DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON referral.consent
  FOR EACH STATEMENT EXECUTE FUNCTION referral.refuse_change();
"""


def upgrade() -> None:
    """Create the schema."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it with everything in it."""
    op.execute("DROP SCHEMA referral CASCADE")
