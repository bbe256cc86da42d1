"""The consortium: identity and records.

Identity is an indirection: a campus's patient (`identity.source_patient`) is linked to a person, records
hang on the campus's patient, so a merge moves a link and no record. Record tables are hash-partitioned by
the campus's patient; the numbers campuses give are unique in the unpartitioned `records.business_key`. The
partitioned tables carry no foreign keys: one service writes them, under the lock of the patient's row, and a
check per row would cost more than the row.
"""

from alembic import op

revision = "0002_consortium"
down_revision = "0001_bus"
branch_labels = None
depends_on = None

IDENTITY = """
CREATE SCHEMA identity;

CREATE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

CREATE SEQUENCE identity.source_patient_id;

CREATE TABLE identity.source_patient (
  id             bigint PRIMARY KEY,
  facility       text NOT NULL,
  number         text NOT NULL,
  name           text,
  sex            text,
  birth_date     date,
  id_card        text,                       -- as sent
  phone          text,
  address        text,
  deceased       boolean,
  card           text,                       -- the ID card as 18 characters, when it is valid
  name_key       text,                       -- the name as compared
  evidence       text[] NOT NULL DEFAULT '{}', -- consortium.identity.model.Evidence
  merged_into    bigint REFERENCES identity.source_patient,
  survivor       boolean NOT NULL DEFAULT false, -- another number was merged into this one
  version        int NOT NULL,
  message_id     bigint NOT NULL,            -- the message that spoke last
  source_version text,
  changed_at     timestamptz NOT NULL,
  UNIQUE (facility, number)
) WITH (fillfactor = 85);
CREATE INDEX source_patient_card ON identity.source_patient (card) WHERE card IS NOT NULL;
CREATE INDEX source_patient_name ON identity.source_patient (name_key text_pattern_ops);
CREATE INDEX source_patient_birth ON identity.source_patient (birth_date);
CREATE INDEX source_patient_number ON identity.source_patient (number);
CREATE INDEX source_patient_merged ON identity.source_patient (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE identity.source_patient_history (
  source_patient_id bigint NOT NULL REFERENCES identity.source_patient,
  version           int NOT NULL,
  facts             jsonb NOT NULL,
  message_id        bigint NOT NULL,         -- the message that replaced this version
  replaced_at       timestamptz NOT NULL,
  PRIMARY KEY (source_patient_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.source_patient_history
  FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();

-- The golden record: computed from the linked source patients, never edited.
CREATE TABLE identity.person (
  id         uuid PRIMARY KEY,
  name       text,
  sex        text,
  birth_date date,
  id_card    text,
  phone      text,
  address    text,
  deceased   boolean,
  active     boolean NOT NULL DEFAULT true,  -- false: every source patient has left it
  changed_at timestamptz NOT NULL
) WITH (fillfactor = 85);

CREATE TABLE identity.link (
  source_patient_id bigint PRIMARY KEY REFERENCES identity.source_patient,
  person_id         uuid NOT NULL REFERENCES identity.person,
  origin            text NOT NULL CHECK (origin IN ('automatic', 'manual')),
  rule              text NOT NULL,
  rule_version      int NOT NULL,
  at                timestamptz NOT NULL,
  message_id        bigint
);
CREATE INDEX link_person ON identity.link (person_id);

CREATE TABLE identity.ledger (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source_patient_id bigint NOT NULL,
  from_person       uuid,
  to_person         uuid NOT NULL,
  origin            text NOT NULL,
  rule              text NOT NULL,
  rule_version      int NOT NULL,
  at                timestamptz NOT NULL,
  message_id        bigint,
  by_user           text,
  reason            text
);
CREATE INDEX ledger_source_patient ON identity.ledger (source_patient_id, id);
CREATE INDEX ledger_from ON identity.ledger (from_person, id) WHERE from_person IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();
"""

# Every record ends with the same columns: what FHIR calls meta, and what the version rule needs.
META = """
  at             timestamptz NOT NULL,       -- the clinical time; else when the message came
  deleted        boolean NOT NULL,           -- entered in error
  version        int NOT NULL,
  message_id     bigint NOT NULL,            -- the message that spoke last
  source_version text,
  changed_at     timestamptz NOT NULL,
  PRIMARY KEY (id, patient_id)
"""

RECORDS = """
CREATE SCHEMA records;

CREATE TABLE records.business_key (
  number     text NOT NULL,
  kind       text NOT NULL,                  -- encounter, lab_report, exam_report, document …
  facility   text NOT NULL,
  id         uuid NOT NULL,
  patient_id bigint NOT NULL,
  PRIMARY KEY (number, kind, facility)
);

CREATE TABLE records.encounter (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  class text, status text,
  department_code text, department_name text, department_system text,
  doctor_number text, doctor_name text,
  bed text, start_at timestamptz, end_at timestamptz, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.diagnosis (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL,
  encounter_id uuid NOT NULL, rank int NOT NULL,
  code text NOT NULL, name text, system text, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records."order" (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, filler_number text, kind text NOT NULL, status text NOT NULL, priority text NOT NULL,
  item_code text NOT NULL, item_name text, item_system text, ordered_at timestamptz,
  doctor_number text, doctor_name text,
  department_code text, department_name text, department_system text, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.report (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, order_id uuid, order_number text, kind text NOT NULL, status text NOT NULL,
  item_code text NOT NULL, item_name text, item_system text, modality text, issued_at timestamptz,
  author_number text, author_name text, doctor_number text, doctor_name text,
  findings text, conclusion text, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.result (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL,
  report_id uuid NOT NULL, encounter_id uuid, category text NOT NULL, rank int NOT NULL, status text NOT NULL,
  item_code text NOT NULL, item_name text, item_system text,
  value text NOT NULL, value_number numeric, unit text, reference_range text, flag text,
  observed_at timestamptz, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.document (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, type_code text NOT NULL, type_name text, type_system text, title text NOT NULL,
  status text NOT NULL, replaces text, mime_type text NOT NULL,
  content_sha256 bytea, content_size bigint,
  author_number text, author_name text, created_at timestamptz, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.charge (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, item_code text NOT NULL, item_name text, item_system text,
  amount numeric NOT NULL, currency text NOT NULL, quantity numeric NOT NULL,
  charged_at timestamptz, payer text, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.appointment (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, status text NOT NULL, item_code text, item_name text, item_system text,
  department_code text, department_name text, department_system text,
  doctor_number text, doctor_name text, start_at timestamptz, minutes int, META
) PARTITION BY HASH (patient_id);

CREATE INDEX document_replaces ON records.document (patient_id, replaces) WHERE replaces IS NOT NULL;

DO $$
DECLARE
  kind text;
BEGIN
  FOREACH kind IN ARRAY ARRAY
    ['encounter', 'diagnosis', 'order', 'report', 'result', 'document', 'charge', 'appointment'] LOOP
    EXECUTE format('CREATE INDEX %I ON records.%I (patient_id, at DESC, id)', kind || '_patient', kind);
    FOR part IN 0..7 LOOP
      EXECUTE format('CREATE TABLE records.%I PARTITION OF records.%I'
        ' FOR VALUES WITH (MODULUS 8, REMAINDER %s) WITH (fillfactor = 90)', kind || '_' || part, kind, part);
    END LOOP;
  END LOOP;
END $$;

CREATE TABLE records.blob (
  sha256  bytea PRIMARY KEY,                 -- of the content as it was sent
  size    bigint NOT NULL,                   -- of the content as it was sent, bytes
  coding  text NOT NULL CHECK (coding IN ('identity', 'zlib')),
  content bytea NOT NULL
);
ALTER TABLE records.blob ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE records.history (
  record_id   uuid NOT NULL,
  version     int NOT NULL,
  kind        text NOT NULL,                 -- the table the version was in
  patient_id  bigint NOT NULL,
  facts       jsonb NOT NULL,                -- the whole row as it was
  message_id  bigint NOT NULL,               -- the message that replaced it
  replaced_at timestamptz NOT NULL,
  PRIMARY KEY (record_id, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON records.history
  FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();

CREATE TABLE records.critical_value (
  id               uuid PRIMARY KEY,
  facility         text NOT NULL,
  patient_id       bigint NOT NULL,
  report_id        uuid NOT NULL,
  result_id        uuid NOT NULL,
  encounter_id     uuid,
  item_code        text NOT NULL,
  item_name        text,
  value            text NOT NULL,
  unit             text,
  reference_range  text,
  flag             text NOT NULL,
  observed_at      timestamptz,
  doctor_number    text,
  doctor_name      text,
  department_code  text,
  department_name  text,
  state            text NOT NULL DEFAULT 'open'
                   CHECK (state IN ('open', 'notified', 'escalated', 'acknowledged')),
  opened_at        timestamptz NOT NULL,
  message_id       bigint NOT NULL,
  notified_at      timestamptz,
  escalation_level int NOT NULL DEFAULT 0,
  escalated_to     text,
  escalated_at     timestamptz,
  acknowledged_at  timestamptz,
  acknowledged_by  text,
  note             text
);
CREATE INDEX critical_value_open ON records.critical_value (facility, opened_at)
  WHERE state <> 'acknowledged';
CREATE INDEX critical_value_patient ON records.critical_value (patient_id);
"""


def upgrade() -> None:
    """Create identity and records."""
    op.execute(IDENTITY)
    op.execute(RECORDS.replace("META", META.strip()))


def downgrade() -> None:
    """Drop identity and records."""
    op.execute("DROP SCHEMA records CASCADE; DROP SCHEMA identity CASCADE")
